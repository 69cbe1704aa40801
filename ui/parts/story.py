"""A trade's full story, from the bar that armed it to its outcome, each step as it is recorded."""

from collections.abc import Sequence

from advisor.api import schemas
from ui import words
from ui.parts import html
from ui.parts.log import arrow, factors


def story(found: schemas.TradeStory) -> str:
    """The steps in order; a step that is not recorded is said to be missing."""
    trade = found.trade
    steps = [
        _armed(found.armed, found.signal),
        _analysis(found.analysis),
        *_signal(found.signal),
        _fills(found.fills),
        _outcome(trade),
    ]
    return f'<div class="story">{"".join(steps)}</div>'


def result_in_r(trade: schemas.Trade) -> float | None:
    """Profit over what was at risk between entry and stop; None where no stop distance is known."""
    if trade.stop is None or trade.entry_price is None or trade.pnl is None:
        return None
    risk = abs(trade.entry_price - trade.stop) * trade.quantity
    return trade.pnl / risk if risk else None


def _step(title: str, safe: str, *, last: bool = False) -> str:
    return f'<div class="step{" end" if last else ""}"><h3>{title}</h3>{safe}</div>'


def _armed(armed: schemas.Transition | None, signal: schemas.Signal | None) -> str:
    if armed is None:
        return _step("Armed", '<span class="soft">The arming is not on record.</span>')
    waited = ""
    if signal is not None:
        minutes = (signal.time - armed.time).total_seconds() / 60
        waited = f", {words.plural(round(minutes), 'minute')} before it triggered"
    return _step(
        f"Armed {words.clock(armed.time)}",
        f"{words.text(words.STATES[armed.state])} {arrow(armed.side)} at z "
        f"{words.signed(armed.z)}{waited}",
    )


def _analysis(found: schemas.Analysis | None) -> str:
    if found is None:
        return _step("Analysis", '<span class="soft">None was in force: base thresholds.</span>')
    status = html.chip("DEGRADED", "warn") if found.status == "DEGRADED" else ""
    return _step(
        f"Analysis {words.clock(found.as_of)} {status}",
        f'{factors(found.multipliers)}<div class="soft words">{words.text(found.assessment)}</div>'
        f'<div class="small soft">by {words.text(found.analyst)}, confidence '
        f"{words.number(found.confidence, 0)}</div>",
    )


def _signal(found: schemas.Signal | None) -> Sequence[str]:
    if found is None:
        return [_step("Signal", '<span class="soft">It is not on record.</span>')]
    signal = _step(
        f"Signal {words.clock(found.time)}",
        f"{words.SETUPS[found.setup]} {arrow(found.side)} at {words.number(found.price)}, z "
        f"{words.signed(found.z)}; stop {words.number(found.stop)}, target "
        f"{words.number(found.target)}",
    )
    return [signal, _verdict(found.verdict), _plan(found.plan)]


def _verdict(found: schemas.Verdict | None) -> str:
    if found is None:
        return _step("Verdict", '<span class="soft">Nobody was asked.</span>')
    status = html.chip("DEGRADED", "warn") if found.status == "DEGRADED" else ""
    size = f", size ×{words.number(found.size_factor)}" if found.size_factor != 1.0 else ""
    evidence = (
        f'<div class="small soft words">evidence: {words.text(", ".join(found.evidence))}</div>'
        if found.evidence
        else ""
    )
    return _step(
        f"Verdict: {words.text(found.ruling)}{size} {status}",
        f'<div class="words">{words.text(found.reasoning or found.degraded_reason)}</div>'
        f'<div class="small soft">by {words.text(found.validator)}, confidence '
        f"{words.number(found.confidence, 0)}</div>{evidence}",
    )


_OUTCOMES = {"pass": "gain", "reduce": "warn", "block": "stop", "not_applicable": "soft"}


def _plan(found: schemas.Plan) -> str:
    decided = (
        f"{found.quantity:,} shares ordered"
        if found.quantity
        else f"not ordered: {words.plain_words(found.blocked_by)}"
    )
    rows = [
        (
            words.plain_words(check.name),
            words.number(check.before),
            words.number(check.after),
            html.chip(check.outcome.replace("_", " "), _OUTCOMES[check.outcome]),
        )
        for check in found.checks
    ]
    changed = sum(check.outcome == "reduce" for check in found.checks)
    summary = f"{words.plural(len(rows), 'risk check')}, {changed} made it smaller"
    checks = html.fold(
        summary, html.table(("Check", "Measured", "Limit", "Outcome"), rows, numeric=(1, 2))
    )
    return _step(f"Plan: {decided}", checks)


def _fills(found: Sequence[schemas.Fill]) -> str:
    rows = [
        (
            words.clock(fill.time),
            "bought" if fill.side == "long" else "sold",
            f"{fill.quantity:,}",
            words.number(fill.price),
            words.money(fill.fees),
            words.plain_words(fill.reason),
        )
        for fill in found
    ]
    head = ("Time", "", "Shares", "Price", "Fees", "Why")
    return _step("Fills", html.table(head, rows, numeric=(2, 3, 4)))


def _outcome(trade: schemas.Trade) -> str:
    held = round((trade.exit_time - trade.entry_time).total_seconds() / 60)
    multiple = result_in_r(trade)
    in_r = f", {words.signed(multiple)} R" if multiple is not None else ""
    return _step(
        f"Closed {words.clock(trade.exit_time)}: "
        f"{words.coloured(trade.pnl, words.earned(trade.pnl))}{in_r}",
        f"{words.plain_words(trade.exit_reason)} at {words.number(trade.exit_price)}, held "
        f"{words.plural(held, 'minute')}, fees {words.money(trade.fees)}",
        last=True,
    )
