"""One row told in a sentence, and why a signal was refused, in the words of the desk."""

from collections.abc import Callable, Mapping

from graph.sentences import Sentence, clock, day_of, dollars, plain_number, say, shown
from tools.evidence import Row

NOUNS = {
    "trades": "trade", "signals": "signal", "skipped": "skipped signal", "analyses": "analysis",
    "positions": "position", "biases": "bias", "account": "session",
}  # fmt: skip
CAPS = (
    "risk_per_trade", "position_size", "symbol_exposure", "total_exposure", "open_risk",
    "validation", "quantity",
)  # fmt: skip


def tell(row: Row) -> str:
    """A row in one sentence."""
    return _TELLERS[row.kind](row)


def _trade(row: Row) -> str:
    opened, closed = row.moment("entry_time"), row.moment("exit_time")
    assert opened, row.id
    assert closed, row.id
    end = clock(closed) if day_of(opened) == day_of(closed) else shown(row.facts["exit_time"])
    return (
        f"{row.symbol} {row.text('setup')} {row.text('side')}, {shown(row.facts['quantity'])} "
        f"shares: in {shown(row.facts['entry_time'])} at {shown(row.facts.get('entry_price'))}, "
        f"out {end} at {shown(row.facts.get('exit_price'))} ({row.text('exit_reason')}): "
        f"{shown(row.facts.get('pnl'))}."
    )


def _signal(row: Row) -> str:
    what = (
        f"ordered, {shown(row.facts['quantity'])} shares"
        if row.text("outcome") == "ordered"
        else f"skipped, {refusal(row)}"
    )
    ruling = f" Validator {row.text('validator')}: {_verdict(row)}." if row.text("ruling") else ""
    return (
        f"{row.symbol} {row.text('setup')} {row.text('side')} signal of "
        f"{shown(row.facts['time'])} at {shown(row.facts.get('price'))}: {what}.{ruling}"
    )


def _verdict(row: Row) -> str:
    factor = ""
    if row.text("ruling") == "reduce":
        factor = f" to {shown(row.facts.get('size_factor'))} of its size"
    why = f": {row.text('verdict_reasoning')}" if row.text("verdict_reasoning") else ""
    confidence = shown(row.facts.get("verdict_confidence"))
    return f"{row.text('ruling')}{factor} (confidence {confidence}){why}"


def refusal(row: Row) -> str:
    """Which check refused a signal, what it measured, and its limit."""
    name = row.text("blocked_by")
    if not name:
        return "for no recorded reason"
    return f"refused by the check {name} ({_measured(row, name)})"


def _measured(row: Row, name: str) -> str:
    before, after = row.number(f"{name}_before"), row.number(f"{name}_after")
    known = [plain_number(one) if one is not None else "unknown" for one in (before, after)]
    if name in CAPS:
        return f"shares before {known[0]}, after {known[1]}"
    return f"measured {known[0]}, limit {known[1]}"


def tell_check(row: Row) -> list[Sentence]:
    """What else refused or reduced a signal, where anything did."""
    if row.kind != "signal":
        return []
    others = [
        name.removesuffix("_outcome")
        for name, fact in row.facts.items()
        if name.endswith("_outcome") and fact.value in ("block", "reduce")
    ]
    told = [
        f"{name} ({_measured(row, name)})"
        for name in others
        if name not in (row.text("blocked_by"), "quantity")
    ]
    return [say(f"  Also limited by: {'; '.join(told)}.", row)] if told else []


def _analysis(row: Row) -> str:
    factors = ", ".join(
        f"{name} {shown(row.facts.get(name))}"
        for name in ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")
    )
    degraded = ""
    if row.text("status") == "DEGRADED":
        degraded = f" DEGRADED: {row.text('degraded_reason')}."
    said = " ".join(row.text(name) for name in ("assessment",) if row.text(name))
    reasons = f" Reasoning: {row.text('reasoning')}." if row.text("reasoning") else ""
    return (
        f"Analysis of {shown(row.facts['time'])} by {row.text('analyst')}: {factors}; confidence "
        f"{shown(row.facts.get('confidence'))}.{degraded} {said}{reasons}".rstrip()
    )


def _position(row: Row) -> str:
    bracket = ""
    if "stop" in row.facts:
        bracket = f", stop {shown(row.facts['stop'])}, target {shown(row.facts.get('target'))}"
    return (
        f"{row.symbol} {row.text('side')} {shown(row.facts['quantity'])} shares since "
        f"{shown(row.facts['entry_time'])} at {shown(row.facts['entry_price'])}{bracket}."
    )


def _bias(row: Row) -> str:
    price = ""
    if "premarket_price" in row.facts:
        price = f" Premarket price {dollars(row.number('premarket_price'))}."
    news = f" News: {row.text('news_summary')}" if row.text("news_summary") else ""
    why = f": {row.text('reasoning')}" if row.text("reasoning") else ""
    return (
        f"{row.symbol} on {row.text('date')}: {row.text('bias')}, confidence "
        f"{shown(row.facts.get('confidence'))}, by {row.text('analyst')}{why}.{price}{news}"
    )


def _transition(row: Row) -> str:
    side = "" if row.text("side") == "none" else f", {row.text('side')}"
    return (
        f"{row.symbol} was {row.text('reason').replace('_', ' ')} (state {row.text('state')}"
        f"{side}) at {shown(row.facts['time'])}, z {shown(row.facts.get('z'))}."
    )


def _day(row: Row) -> str:
    return (
        f"{row.text('date')}: from {shown(row.facts.get('start_equity'))} to "
        f"{shown(row.facts.get('end_equity'))}, {shown(row.facts['trades'])} trades."
    )


def _document(row: Row) -> str:
    return row.text("text")


_TELLERS: Mapping[str, Callable[[Row], str]] = {
    "trade": _trade,
    "signal": _signal,
    "analysis": _analysis,
    "position": _position,
    "bias": _bias,
    "transition": _transition,
    "day": _day,
    "document": _document,
}
