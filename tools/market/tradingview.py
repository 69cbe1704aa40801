"""Alerts of TradingView: a chart's confluence as a webhook sends it, checked before it is believed.

TradingView sends no headers of ours, so the passphrase is in the body; it is compared in constant
time. Every alert has a nonce (a repetition is known by it) and the time of its bar, which must be
recent. Nine components, each from -1 to +1, and a score from -10 to +10 say what the chart's
indicators see; a raw price in such a field is a wiring error of the alert's text, and is told as
one. Nothing of an alert orders anything.

A checked alert waits as text until a run takes it (`on_its_way`), and is checked again when it has
`arrived`: whoever can write to where it waits is not believed either.
"""

import hashlib
import hmac
import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from quant_core.types import ChartAlert
from tools.errors import BadInput, Rejected

MOST_BYTES = 16_384
OLDEST = timedelta(minutes=5)  # as long as a FIFO queue knows repetitions
AHEAD = timedelta(minutes=1)  # a bar's time may be its close, and clocks differ
MOST_TARGETS = 5
COMPONENTS = (
    "cloud", "supertrend", "adx_wave", "adaptive_bands", "momentum", "rsi_divergence",
    "volume_delta", "market_structure", "pullback_grid",
)  # fmt: skip
_TOLD = {
    "symbol", "direction", "grade", "score", "confidence", "entry", "stop", "targets", "components",
}  # fmt: skip
_FIELDS = _TOLD | {"passphrase", "nonce", "time"}
_ON_ITS_WAY = _TOLD | {"id", "time", "known_at"}


def read_alert(body: bytes, passphrase: str, now: datetime) -> ChartAlert:
    """A checked alert, known now; Rejected for a wrong passphrase, BadInput for all else.

    No message repeats the passphrase.
    """
    given = _object(body)
    said = given.get("passphrase")
    # JSON may hold half a character, which has no bytes of its own.
    told = said.encode("utf-8", "replace") if isinstance(said, str) else b""
    if not passphrase or not hmac.compare_digest(told, passphrase.encode()):
        raise Rejected("the passphrase is missing or wrong")
    _exactly(given, _FIELDS)
    nonce, symbol = _text(given, "nonce", 8, 64, ".-_:"), _symbol(given)  # {{time}} has colons
    name = hashlib.sha256(f"{symbol} {nonce}".encode()).hexdigest()[:32]
    return _alert(given, name, _recent(_moment(given["time"], "{{time}}"), now), now)


def on_its_way(alert: ChartAlert) -> str:
    """A checked alert as text, to wait until a run takes it."""
    moments = {"time": alert.time.isoformat(), "known_at": alert.known_at.isoformat()}
    return json.dumps(asdict(alert) | moments)


def arrived(text: str | bytes) -> ChartAlert:
    """The alert that `on_its_way` was given; BadInput for anything else, however old it is."""
    given = _object(text if isinstance(text, bytes) else text.encode("utf-8", "replace"))
    _exactly(given, _ON_ITS_WAY)
    known_at = _moment(given["known_at"], "when it came")
    return _alert(given, _text(given, "id", 8, 64), _moment(given["time"], "its bar's"), known_at)


def _object(body: bytes) -> dict[str, Any]:
    if len(body) > MOST_BYTES:
        raise BadInput(f"the alert has {len(body):,} bytes; at most {MOST_BYTES:,} are read")
    try:
        given = json.loads(body.decode("utf-8"), parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise BadInput("the alert is not JSON in UTF-8; see the alert's message box") from error
    if not isinstance(given, dict):
        raise BadInput("the alert is no JSON object")
    return given


def _exactly(given: Mapping[str, Any], fields: set[str]) -> None:
    unknown, missing = set(given) - fields, fields - set(given)
    if unknown or missing:
        what = f"lacks {', '.join(sorted(missing))}" if missing else ""
        what += " and " if missing and unknown else ""
        what += f"has the unknown {', '.join(sorted(unknown))[:200]}" if unknown else ""
        raise BadInput(f"the alert {what}")


def _alert(given: Mapping[str, Any], name: str, time: datetime, known_at: datetime) -> ChartAlert:
    alert = ChartAlert(
        id=name,
        symbol=_symbol(given),
        time=time,
        known_at=known_at,
        direction=_one_of(given, "direction", ("long", "short")),
        grade=_one_of(given, "grade", ("A+", "A", "B+", "B")),
        score=_within(given["score"], "score", 10.0, signed=True),
        confidence=_within(given["confidence"], "confidence", 100.0, signed=False),
        entry=_price(given["entry"], "entry"),
        stop=_price(given["stop"], "stop"),
        targets=_targets(given["targets"]),
        components=_components(given["components"]),
    )
    _in_order(alert)
    return alert


def _symbol(given: Mapping[str, Any]) -> str:
    return _text(given, "symbol", 1, 12).upper()


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def _text(given: Mapping[str, Any], name: str, least: int, most: int, also: str = ".-_") -> str:
    value = given[name]
    plain = isinstance(value, str) and value.isascii()
    if not plain or not all(c.isalnum() or c in also for c in value):
        raise BadInput(f"{name} must be letters, digits and {' '.join(also)}")
    if not least <= len(value) <= most:
        raise BadInput(f"{name} has {len(value)} characters; it must have {least} to {most}")
    return str(value)


def _one_of(given: Mapping[str, Any], name: str, choices: tuple[str, ...]) -> Any:
    if given[name] not in choices:
        raise BadInput(f"{name} is {str(given[name])[:40]!r}; it must be {', '.join(choices)}")
    return given[name]


def _moment(value: Any, meant: str) -> datetime:
    """A moment: ISO 8601 (as TradingView's {{time}} is) or epoch milliseconds."""
    try:
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise TypeError
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
        else:
            moment = datetime.fromtimestamp(value / 1000, UTC)
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise BadInput(f"time is {str(value)[:40]!r}; write {meant}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _recent(moment: datetime, now: datetime) -> datetime:
    """The bar's time, which must be of now."""
    age = now - moment
    if age > OLDEST:
        raise BadInput(
            f"the bar is {age.total_seconds() / 60:.0f} minutes old; alerts count for "
            f"{OLDEST.total_seconds() / 60:.0f}"
        )
    if age < -AHEAD:
        raise BadInput(f"the bar's time {moment.isoformat()} lies ahead")
    return moment


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{name} is {str(value)[:40]!r}; it must be a number")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise BadInput(f"{name} is no finite number")
    return number


def _within(value: Any, name: str, most: float, *, signed: bool) -> float:
    number, least = _number(value, name), -most if signed else 0.0
    if not least <= number <= most:
        raise BadInput(f"{name} is {number:g}; it must lie in {least:g} to {most:g}")
    return number


def _price(value: Any, name: str) -> float:
    number = _number(value, name)
    if not 0.0 < number < 1e9:
        raise BadInput(f"{name} is {number:g}; it must be a price")
    return number


def _targets(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_TARGETS:
        raise BadInput(f"targets must be a list of 1 to {MOST_TARGETS} prices")
    return tuple(_price(one, f"targets[{n}]") for n, one in enumerate(value))


def _components(value: Any) -> dict[str, float]:
    if not isinstance(value, dict) or set(value) != set(COMPONENTS):
        raise BadInput(f"components must be exactly {', '.join(COMPONENTS)}")
    found = {}
    for name in COMPONENTS:
        number = _number(value[name], f"components.{name}")
        if abs(number) > 1.0:
            raise BadInput(
                f"components.{name} is {number:g}, and a component lies in -1 to +1: this looks "
                "like a raw price; wire the component's own output into the alert, not its plot"
            )
        found[name] = number
    return found


def _in_order(alert: ChartAlert) -> None:
    side = 1 if alert.direction == "long" else -1
    steps = [side * one for one in (alert.stop, alert.entry, *alert.targets)]
    if any(after <= before for before, after in pairwise(steps)):
        order = "below the entry and targets rise" if side > 0 else "above it and targets fall"
        raise BadInput(f"for a {alert.direction} the stop lies {order}")
