"""The sheet: the verified numbers a model is shown, formatted by code, each with an id to cite.

Only what is known is shown (no NaN), under the ids of `MarketView.facts()`. A sheet is made of
plain values, because it is part of a machine's state: `facts` are (id as shown, text) pairs, `ids`
maps an id as shown to the one that is kept, `prices` are the dollars that may be mentioned.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

import msgspec

from graph.masking import Mask
from quant_core.calendar import new_york
from quant_core.chart_alerts import is_aged
from quant_core.market_view import MarketView, SymbolView
from quant_core.types import ChartAlert, State

Sheet = dict[str, Any]
MINUTE = timedelta(minutes=1)
SIDES = {1: "long", -1: "short", 0: ""}
_FORMATS: Mapping[str, str] = {
    "close": ".2f",
    "z": "+.2f",
    "change": "+.2f",
    "range_ratio": ".2f",
    "htf_trend": "+.0f",
    "atr_percentile": ".0f",
}
_UNITS = {"close": " USD", "change": " % since the previous close"}


def new_sheet() -> Sheet:
    """An empty sheet."""
    return {"facts": [], "ids": {}, "prices": []}


def add_fact(
    sheet: Sheet, shown: str, text: str, kept: str | None = None, prices: Sequence[float] = ()
) -> None:
    """Put a fact on a sheet."""
    sheet["facts"].append([shown, text])
    sheet["ids"][shown] = kept or shown
    sheet["prices"] += [float(price) for price in prices]


def joined(sheets: Sequence[Sheet]) -> Sheet:
    """Several sheets as one."""
    whole = new_sheet()
    for sheet in sheets:
        whole["facts"] += sheet["facts"]
        whole["ids"] |= sheet["ids"]
        whole["prices"] += sheet["prices"]
    return whole


def plain_view(view: MarketView) -> dict[str, Any]:
    """A view as plain values; `alerts` where there are any."""
    plain = {
        **asdict(view),
        "as_of": view.as_of.isoformat(),
        "symbols": [*map(asdict, view.symbols)],
    }
    del plain["alerts"]
    if view.alerts:
        plain["alerts"] = [msgspec.to_builtins(one) for one in view.alerts]
    return plain


def view_from(plain: Mapping[str, Any]) -> MarketView:
    """The view that `plain_view` was given."""
    return MarketView(
        **{
            **plain,
            "as_of": datetime.fromisoformat(plain["as_of"]),
            "symbols": tuple(SymbolView(**one) for one in plain["symbols"]),
            "alerts": msgspec.convert(plain.get("alerts", ()), tuple[ChartAlert, ...]),
        }
    )


def mask_of(view: MarketView, hides: bool) -> Mask:
    """The mask over a view's watchlist."""
    return Mask(tuple(one.symbol for one in view.symbols), hides)


def market_sheet(view: MarketView, mask: Mask) -> Sheet:
    """Every known number of a view."""
    sheet = new_sheet()
    facts = view.facts()
    for one in view.symbols:
        for name, form in _FORMATS.items():
            kept = f"{one.symbol}.{name}"
            value = facts[kept]
            if math.isfinite(value):
                text = f"{value:{form}}{_UNITS.get(name, '')}{_remark(one, name)}"
                prices = [value] if name == "close" else []
                add_fact(sheet, mask.shown_id(kept), text, kept, prices)
    for name, text in (
        ("account.equity", f"{view.equity:.2f} USD"),
        ("account.daily_loss", f"{view.daily_loss:.2f} USD lost today (negative: gained)"),
        ("account.open_positions", f"{view.open_positions:d}"),
    ):
        if math.isfinite(facts[name]):
            add_fact(sheet, name, text, prices=[] if "open" in name else [abs(facts[name])])
    return sheet


def _remark(view: SymbolView, name: str) -> str:
    """Words that go with a number."""
    if name == "z":
        state = tuple(State)[view.state].value
        return f" (state {state}{', ' + SIDES[view.side] if view.side else ''})"
    return f" (swings {view.hh_ll_tag})" if name == "htf_trend" else ""


def session_sheet(view: MarketView, mask: Mask) -> Sheet:
    """The moment: minutes since the open, and the time unless it is hidden."""
    sheet = new_sheet()
    add_fact(sheet, "session.minutes_since_open", f"{view.minutes_since_open} of at most 390")
    add_fact(sheet, "session.watchlist", " ".join(mask.shown(symbol) for symbol in mask.symbols))
    if not mask.hides:
        add_fact(sheet, "session.time", f"{new_york(view.as_of)} New York")
    return sheet


def chart_sheet(view: MarketView, mask: Mask, symbols: Sequence[str]) -> Sheet:
    """What charts of these symbols told; an empty sheet when they told nothing."""
    sheet = new_sheet()
    for one in view.alerts:
        if one.symbol in symbols:
            for name, text in _told(one, view):
                shown = mask.shown_id(f"{one.symbol}.chart_{name}")
                add_fact(sheet, shown, text, f"chart_alert:{one.id}")
            sheet["prices"] += [one.entry, one.stop, *one.targets]
    return sheet


def _told(one: ChartAlert, view: MarketView) -> list[tuple[str, str]]:
    """An alert's facts: what it says, at which prices, and what its indicators say."""
    minutes = max(int((view.as_of - one.time) / MINUTE), 0)
    aged = ", aged" if is_aged(one, view.as_of) else ""
    targets = " ".join(f"{price:.2f}" for price in one.targets)
    return [
        (
            "alert",
            f"{one.direction}, grade {one.grade}, score {one.score:+.1f} of 10, "
            f"confidence {one.confidence:.0f} %, {minutes} minutes ago{aged}",
        ),
        ("prices", f"entry {one.entry:.2f}, stop {one.stop:.2f}, targets {targets} USD"),
        # By name: a record does not keep the order in which they were told.
        *((name, f"{value:+.2f} of 1") for name, value in sorted(one.components.items())),
    ]


def is_known(view: MarketView) -> bool:
    """Whether anything of the market is known yet."""
    return any(math.isfinite(one.close) or math.isfinite(one.z) for one in view.symbols)
