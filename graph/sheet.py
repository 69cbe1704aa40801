"""The sheet: the verified numbers a model is shown, formatted by code, each with an id to cite.

Only what is known is shown (no NaN), under the ids of `MarketView.facts()`. A sheet is made of
plain values, because it is part of a machine's state: `facts` are (id as shown, text) pairs, `ids`
maps an id as shown to the one that is kept, `prices` are the dollars that may be mentioned.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from graph.masking import Mask
from quant_core.calendar import new_york
from quant_core.market_view import MarketView, SymbolView
from quant_core.types import State

Sheet = dict[str, Any]
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
    """A view as plain values."""
    return {
        **asdict(view),
        "as_of": view.as_of.isoformat(),
        "symbols": [*map(asdict, view.symbols)],
    }


def view_from(plain: Mapping[str, Any]) -> MarketView:
    """The view that `plain_view` was given."""
    return MarketView(
        **{
            **plain,
            "as_of": datetime.fromisoformat(plain["as_of"]),
            "symbols": tuple(SymbolView(**one) for one in plain["symbols"]),
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


def is_known(view: MarketView) -> bool:
    """Whether anything of the market is known yet."""
    return any(math.isfinite(one.close) or math.isfinite(one.z) for one in view.symbols)
