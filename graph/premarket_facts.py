"""What the premarket starts from, what its models are shown, and what they may refer to."""

import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date, datetime, timedelta
from typing import Annotated, Any, TypedDict

from graph import premarket_rules as rules
from graph.bounds import Ground
from graph.masking import Mask
from graph.reading import enclosed, news_ids
from graph.sheet import Sheet, add_fact, joined, new_sheet
from prompts import Facts, render
from quant_core.calendar import new_york
from quant_core.premarket_price import PremarketPrice, no_price
from quant_core.types import Snapshot
from tools.llm.calls import Prompt

NOT_SUPPLIED = no_price("no premarket price was supplied")
MINUTE = timedelta(minutes=1)
_FORMATS = {
    "ema_slope_daily": "+.2f",
    "ema_slope_hourly": "+.2f",
    "htf_trend": "+d",
    "atr_percentile": ".0f",
    "previous_close": ".2f",
    "atr_5m": ".2f",
    "average_volume": ".0f",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Morning:
    """What a premarket starts from: snapshots in watchlist order, premarket prices, VIX.

    `prices` are dollars, by symbol; `vix` is the close of the session `vix_date`. News
    is read since `news_since` where it is given.
    """

    as_of: datetime
    snapshots: Sequence[Snapshot]
    prices: Mapping[str, PremarketPrice] = field(default_factory=dict)
    vix: float = math.nan
    vix_date: date | None = None
    news_since: datetime | None = None

    def price(self, symbol: str) -> PremarketPrice:
        """The premarket price of a symbol; NaN, with the reason, when there is none."""
        return self.prices.get(symbol, NOT_SUPPLIED)


class PremarketState(TypedDict, total=False):
    """Everything down to `model` is given; nodes add their part.

    `ages` are minutes since each of the `prices` became known.
    """

    as_of: str
    given: list[dict[str, Any]]
    prices: dict[str, float]
    ages: dict[str, int]
    vix: float
    vix_date: str
    mask: bool
    model: bool
    snapshots: Sheet
    market: Sheet
    news: list[dict[str, str]]
    failures: Annotated[list[str], operator.add]
    answer: dict[str, Any] | None
    call: dict[str, Any]
    calls: Annotated[list[dict[str, Any]], operator.add]
    failure: str
    outcome: str
    biases: dict[str, dict[str, Any]]
    context: dict[str, Any]
    findings: Annotated[list[dict[str, str]], operator.add]
    summary: str


def snapshot_sheet(state: PremarketState) -> Sheet:
    """The verified numbers of every symbol."""
    sheet, mask = new_sheet(), mask_of(state)
    for one in snapshots_of(state):
        price = state["prices"].get(one.symbol, math.nan)
        age = state["ages"].get(one.symbol, 0)
        _add_snapshot(sheet, one, price, age, mask.shown(one.symbol))
    return sheet


def market_sheet(state: PremarketState) -> Sheet:
    """The moment, and the market as a whole."""
    sheet, mask = new_sheet(), mask_of(state)
    add_fact(sheet, "session.watchlist", " ".join(map(mask.shown, mask.symbols)))
    if not mask.hides:
        moment = new_york(datetime.fromisoformat(state["as_of"]))
        add_fact(sheet, "session.time", f"{moment} New York, before the open")
    if math.isfinite(state["vix"]):
        day = "the last close" if mask.hides else f"the close of {state['vix_date']}"
        shown = "volatility.close" if mask.hides else "VIX.close"
        add_fact(sheet, shown, f"{state['vix']:.2f} at {day}", "VIX.close", [state["vix"]])
    if rules.MARKET in mask.symbols:
        add_fact(sheet, "market.benchmark", mask.shown(rules.MARKET))
    elif not mask.hides:
        add_fact(sheet, "market.benchmark", rules.MARKET)
    return sheet


def bias_prompt(state: PremarketState) -> Prompt:
    """The question for the biases, from nothing but the state."""
    return render(
        "premarket_bias",
        1,
        {
            "session": Facts(state["market"]["facts"]),
            "facts": Facts(state["snapshots"]["facts"]),
            "news": enclosed(state["news"]),
        },
    )


def context_prompt(state: PremarketState) -> Prompt:
    """The question for the market as a whole, from nothing but the state."""
    mask = mask_of(state)
    biases = [
        (f"{mask.shown(symbol)}.bias", f"{one['bias']}, confidence {one['confidence']:.0f}")
        for symbol, one in state["biases"].items()
    ]
    return render(
        "market_context",
        2,
        {
            "session": Facts(state["market"]["facts"]),
            "facts": Facts(state["snapshots"]["facts"]),
            "biases": Facts(biases),
            "news": enclosed(state["news"]),
        },
    )


def ground_of(state: PremarketState) -> Ground:
    """What an answer may refer to."""
    shown = joined([state["snapshots"], state["market"]])
    mask = mask_of(state)
    biases = {f"{mask.shown(one)}.bias": f"{one}.bias" for one in state.get("biases", ())}
    ids = {**shown["ids"], **news_ids(state["news"]), **biases}
    return Ground(mask=mask, ids=ids, prices=shown["prices"])


def snapshots_of(state: PremarketState) -> list[Snapshot]:
    """The snapshots that the state was given."""
    return [
        Snapshot(
            **{
                **one,
                "date": date.fromisoformat(one["date"]),
                "incomplete": tuple(one["incomplete"]),
            }
        )
        for one in state["given"]
    ]


def mask_of(state: PremarketState) -> Mask:
    """The mask over the watchlist."""
    return Mask(tuple(one["symbol"] for one in state["given"]), state["mask"])


def plain_snapshot(snapshot: Snapshot) -> dict[str, Any]:
    """A snapshot as plain values, for the state."""
    return {
        **asdict(snapshot),
        "date": snapshot.date.isoformat(),
        "incomplete": list(snapshot.incomplete),
    }


def given_of(morning: Morning, *, mask: bool, model: bool) -> PremarketState:
    """What the machine starts from, as plain values."""
    known = {
        one.symbol: found
        for one in morning.snapshots
        if (found := morning.price(one.symbol)).at is not None
    }
    return {
        "as_of": morning.as_of.isoformat(),
        "given": [plain_snapshot(one) for one in morning.snapshots],
        "prices": {symbol: found.price for symbol, found in known.items()},
        "ages": {
            symbol: (morning.as_of - found.at) // MINUTE
            for symbol, found in known.items()
            if found.at is not None
        },
        "vix": float(morning.vix),
        "vix_date": morning.vix_date.isoformat() if morning.vix_date else "an unknown session",
        "mask": mask,
        "model": model,
    }


def _add_snapshot(sheet: Sheet, one: Snapshot, price: float, age: int, name: str) -> None:
    for fact, form in _FORMATS.items():
        value = getattr(one, fact)
        if math.isfinite(value):
            dollars = [value] if fact in ("previous_close", "atr_5m") else []
            text = f"{value:{form}}"
            if fact == "htf_trend":
                text += f" (swings {one.hh_ll_tag})"
            if fact == "atr_percentile":
                text += f" (of {one.sessions} sessions)"
            add_fact(sheet, f"{name}.{fact}", text, f"{one.symbol}.{fact}", dollars)
    if math.isfinite(price):
        kept = f"{one.symbol}.premarket_price"
        add_fact(
            sheet, f"{name}.premarket_price", f"{price:.2f} USD, {age} minutes ago", kept, [price]
        )
        if math.isfinite(move := rules.gap(one, price)):
            add_fact(sheet, f"{name}.gap", f"{move:+.2f} %", f"{one.symbol}.gap")
