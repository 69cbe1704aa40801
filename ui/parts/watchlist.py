"""The watchlist grid: a line for each symbol that tells at a glance how far it is from a trade.

The gauge spans z from −3 to +3. Its marks are the arming thresholds in force, that is with the
multipliers, so a marker beyond them is a symbol that is, or may become, armed.
"""

from advisor.api import schemas
from ui import words
from ui.parts import html
from ui.visit import Visit

_WIDEST = 3.0
_HEAD = ("Symbol", "Price", "Change", "z", "", "State", "Trend", "Position")
_TRENDS = {1: "▲ up", 0: "▬ none", -1: "▼ down"}
_OLD = 90.0


def grid(seen: schemas.Watchlist, visit: Visit) -> str:
    """The table with its legend."""
    arms = thresholds_in_force(seen)
    rows = "".join(_row(one, arms, visit) for one in seen.data)
    names = ("", "num", "num", "", "num", "", "", "num")
    head = "".join(
        f'<th class="{tone}">{name}</th>' for name, tone in zip(_HEAD, names, strict=True)
    )
    return (
        f'<div class="scroll"><table class="a-table grid"><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
        '<div class="legend"><span><i class="at"></i>z now, −3 to +3</span>'
        f'<span><i class="mr"></i>MR arms at ±{arms["mr_arm"]:.2f}</span>'
        f'<span><i class="tc"></i>TC arms at ±{arms["tc_arm"]:.2f}</span></div>'
    )


def thresholds_in_force(seen: schemas.Watchlist) -> dict[str, float]:
    """The four z thresholds with the multipliers in force."""
    factors = seen.multipliers.factors.model_dump()
    return {
        name: seen.thresholds.get(f"{name}_z", 0.0) * float(factor)
        for name, factor in factors.items()
    }


def _row(one: schemas.WatchlistRow, arms: dict[str, float], visit: Visit) -> str:
    name = html.link(visit.link("symbol", symbol=one.symbol), one.symbol)
    change = words.coloured(one.change, words.percent(one.change, sign=True))
    trend = _TRENDS[one.htf_trend]
    return (
        f'<tr><td class="sym">{name}{_freshness(one)}</td>'
        f'<td class="num">{words.number(one.price)}</td><td class="num">{change}</td>'
        f'<td class="gauge">{_gauge(one.z, arms)}</td>'
        f'<td class="num zvalue">{words.signed(one.z)}</td>'
        f'<td class="state">{state_chip(one.state, one.side)}</td>'
        f'<td class="minor trend soft">{trend}</td>'
        f'<td class="num held minor">{_held(one.position)}</td></tr>'
    )


def _freshness(one: schemas.WatchlistRow) -> str:
    """Why a line must not be relied on, if there is a reason."""
    if one.incomplete:
        why = words.text(", ".join(one.incomplete))
        return f' <span class="chip warn" title="{why}">cannot arm</span>'
    if one.time is None:
        return f" {html.chip('no bar yet', 'soft')}"
    if one.age_seconds is not None and one.age_seconds > _OLD:
        return f" {html.chip(f'{words.span(one.age_seconds)} old', 'warn')}"
    return "" if one.ready else f" {html.chip('band not ready', 'soft')}"


def _gauge(z: float | None, arms: dict[str, float]) -> str:
    marks = "".join(
        f'<i class="arm {kind}" style="left:{_place(sign * arms[name]):.1f}%"></i>'
        for name, kind in (("mr_arm", "mr"), ("tc_arm", "tc"))
        for sign in (-1, 1)
    )
    at = "" if z is None else f'<i class="at" style="left:{_place(z):.1f}%"></i>'
    return f'<span class="z" aria-hidden="true"><i class="zero"></i>{marks}{at}</span>'


def _place(z: float) -> float:
    share = (min(max(z, -_WIDEST), _WIDEST) + _WIDEST) / (2 * _WIDEST)
    return 1.5 + 97.0 * share


def state_chip(state: str, side: str | None) -> str:
    """The state of a symbol with the side it concerns."""
    tones = {"mr_armed": "mr", "tc_armed": "tc", "triggered": "accent", "in_trade": "accent"}
    arrow = {"long": " ▲ long", "short": " ▼ short"}.get(side or "", "")
    return html.chip(f"{words.STATES.get(state, state)}{arrow}", tones.get(state, "soft"))


def _held(position: schemas.Position | None) -> str:
    if position is None:
        return ""
    gain = words.coloured(position.unrealised_pnl, words.earned(position.unrealised_pnl))
    return (
        f"{words.text(position.side)} {position.quantity:,} at "
        f"{words.number(position.entry_price)} {gain}"
    )
