"""The decision log: what was recorded, newest first, a line each with what it rests on."""

from collections.abc import Sequence
from functools import singledispatch

from advisor.api import schemas
from ui import words
from ui.parts import html
from ui.visit import Visit

UNSCALED = "all thresholds unscaled"


def log(entries: Sequence[schemas.LogEntry], visit: Visit, *, day: bool = False) -> str:
    """The entries; `day` says the date too."""
    if not entries:
        return '<p class="soft">Nothing is recorded yet.</p>'
    lines = []
    for entry in entries:
        line, more = _line(entry.record, entry.id, visit)
        under = f'<div class="more">{more}</div>' if more else ""
        lines.append(
            f'<div class="entry"><span class="when">{words.clock(entry.known_at, day=day)}</span>'
            f"<span>{line}</span>{under}</div>"
        )
    return f'<div class="log">{"".join(lines)}</div>'


def arrow(side: str | None) -> str:
    """A side as a sign and a word."""
    return {"long": "▲ long", "short": "▼ short"}.get(side or "", "")


@singledispatch
def _line(record: object, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    """What happened, and what it rests on; both HTML."""
    raise TypeError(f"no line for {type(record).__name__}")


@_line.register
def _(record: schemas.Trade, number: int, visit: Visit) -> tuple[str, str]:
    gain = words.coloured(record.pnl, words.earned(record.pnl))
    shown = html.link(visit.link("trades", trade=number), f"{record.symbol} trade closed")
    return (
        f"{html.chip('trade', 'accent')} {shown} {gain}",
        f"{arrow(record.side)} {record.quantity:,}, {words.plain_words(record.exit_reason)} at "
        f"{words.number(record.exit_price)}",
    )


@_line.register
def _(record: schemas.Signal, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    taken = (
        f"ordered {record.plan.quantity:,}"
        if record.plan.quantity
        else f"not ordered: {words.plain_words(record.plan.blocked_by or 'size is zero')}"
    )
    ruling = ""
    if record.verdict is not None:
        ruling = f"{words.text(record.verdict.ruling)}: {words.text(record.verdict.reasoning)}"
    return (
        f"{html.chip(f'{record.setup} signal', record.setup.lower())} "
        f"{words.text(record.symbol)} {arrow(record.side)} at {words.number(record.price)} · "
        f"{taken}",
        ruling,
    )


@_line.register
def _(record: schemas.Analysis, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    status = f" {html.chip('DEGRADED', 'warn')}" if record.status == "DEGRADED" else ""
    return (
        f"{html.chip('analysis', 'soft')} {factors(record.multipliers)}{status}",
        words.text(record.degraded_reason or record.assessment),
    )


@_line.register
def _(record: schemas.Transition, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    tone = {"mr_armed": "mr", "tc_armed": "tc"}.get(record.state, "soft")
    return (
        f"{html.chip(words.STATES[record.state], tone)} {words.text(record.symbol)} "
        f"{arrow(record.side)} at z {words.signed(record.z)}",
        "" if record.reason == "armed" else words.plain_words(record.reason),
    )


@_line.register
def _(record: schemas.Fill, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    did = "bought" if record.side == "long" else "sold"
    return (
        f"{html.chip('fill', 'soft')} {words.text(record.symbol)} {did} {record.quantity:,} at "
        f"{words.number(record.price)}",
        words.plain_words(record.reason),
    )


@_line.register
def _(record: schemas.OrderRejection, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    return (
        f"{html.chip('order rejected', 'warn')} {words.text(record.symbol)} {record.quantity:,}",
        words.plain_words(record.reason),
    )


@_line.register
def _(record: schemas.RiskChange, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    tone = "soft" if record.state == "ACTIVE" else "stop"
    return (
        f"{html.chip(record.state, tone)} equity {words.money(record.equity)}",
        words.text(record.reason),
    )


@_line.register
def _(record: schemas.Day, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    gain = (record.end_equity or 0.0) - (record.start_equity or 0.0)
    return (
        f"{html.chip('session closed', 'soft')} {words.day(record.date)} "
        f"{words.coloured(gain, words.earned(gain))}",
        f"{words.plural(record.trades, 'trade')} of {words.plural(record.signals, 'signal')}",
    )


def factors(found: schemas.Multipliers) -> str:
    """Multipliers in short; `all 1.0` when nothing is scaled."""
    named = {
        "MR arm": found.mr_arm, "MR trigger": found.mr_trigger,
        "TC arm": found.tc_arm, "TC trigger": found.tc_trigger,
    }  # fmt: skip
    changed = [f"{name} ×{value:.2f}" for name, value in named.items() if value != 1.0]
    return " · ".join(changed) or UNSCALED


@_line.register
def _(record: schemas.DailyBias, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    return (
        f"{html.chip('bias', 'soft')} {words.text(record.symbol)} {words.text(record.bias)}",
        words.text(record.degraded_reason or record.reasoning),
    )


@_line.register
def _(record: schemas.MarketContext, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    return (
        f"{html.chip('market', 'soft')} {words.text(record.bias)}, volatility "
        f"{words.text(record.volatility)}",
        words.text(record.degraded_reason or record.summary),
    )


@_line.register
def _(record: schemas.ModelCallEntry, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    return (
        f"{html.chip('model', 'soft')} {words.text(record.prompt)}: {words.text(record.outcome)}",
        f"{words.text(record.model)} · {record.tokens_in + record.tokens_out:,} tokens · "
        f"{words.money(record.cost_usd, 4)}",
    )


@_line.register
def _(record: schemas.Finding, number: int, visit: Visit) -> tuple[str, str]:  # noqa: ARG001
    return (
        f"{html.chip('bounds', 'warn')} {words.text(record.kind)} {words.text(record.field)}",
        words.text(record.detail),
    )
