"""From one ledger record to its document. Pure: what is told is in the record and its moment.

A refused signal is a `skip`, an ordered one a `signal`; the same goes for an order that did not
fill. The document of a trade repeats the verdict on its signal, which was known long before.
"""

import math
import re
from collections.abc import Iterable
from datetime import datetime

from quant_core.calendar import NEW_YORK
from quant_core.types import (
    Analysis,
    DailyBias,
    Decision,
    MarketContext,
    OrderRejection,
    Status,
    Trade,
    Verdict,
)
from rag.documents import Document, Kind, Source
from rag.telling import (
    EXITS,
    MINUTE,
    SETUPS,
    clock,
    count,
    day,
    dollars,
    moment,
    refusal,
    result,
    setup,
    side,
)
from tools.store import Entry

_TICKER = re.compile(r"[A-Z][A-Z.]{0,6}")


def from_bias(source: Source, entry: Entry[DailyBias]) -> Document:
    """What kind of day a symbol was expected to have, and why."""
    bias = entry.record
    parts = [
        f"Daily bias of {bias.symbol} for {day(bias.date)}: {bias.bias}, confidence "
        f"{bias.confidence:.0f}. Known at {clock(entry.known_at)} New York, by {bias.analyst}.",
        _degraded(bias),
        f"Reasoning: {_sentence(bias.reasoning)}" if bias.reasoning else "",
        f"News: {_sentence(bias.news_summary)}" if bias.news_summary else "",
    ]
    if math.isfinite(bias.premarket_price):
        parts.append(f"Premarket price {dollars(bias.premarket_price)}.")
    elif bias.price_note:
        parts.append(f"Premarket price: {_sentence(bias.price_note)}")
    return _document(
        source, "bias", entry.seq, entry.known_at, {bias.symbol}, _joined(parts)
    )  # fmt: skip


def from_context(source: Source, entry: Entry[MarketContext]) -> Document:
    """The market as a whole before the open; SPY stands for it."""
    context = entry.record
    # No other date than its own, and not the word that names the symbols' opinions: they are asked
    # for by both.
    vix = f"{context.vix:.2f}" if math.isfinite(context.vix) else "not known"
    parts = [
        f"Market context of {day(context.date)} before the open: {context.bias}, confidence "
        f"{context.confidence:.0f}, volatility {context.volatility}, last close of VIX {vix}. "
        f"Known at {clock(entry.known_at)} New York, by {context.analyst}.",
        _degraded(context),
        _sentence(context.summary),
    ]
    return _document(source, "context", entry.seq, entry.known_at, {"SPY"}, _joined(parts))


def from_analysis(source: Source, entry: Entry[Analysis]) -> Document:
    """A market analysis: what was seen, what was asked for, and why."""
    analysis = entry.record
    factors = zip(
        ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger"),
        analysis.multipliers.as_tuple(),
        strict=True,
    )
    parts = [
        f"Market analysis of {moment(entry.known_at)}, lane {source.lane}, by {analysis.analyst}.",
        _sentence(analysis.assessment),
        f"Reasoning: {_sentence(analysis.reasoning)}" if analysis.reasoning else "",
        f"Opportunities: {_sentence('; '.join(analysis.opportunities))}"
        if analysis.opportunities
        else "",
        f"Multipliers: {', '.join(_factor(name, value) for name, value in factors)}.",
        f"Confidence {analysis.confidence:.0f}.",
    ]
    if analysis.status is Status.DEGRADED:
        why = analysis.degraded_reason or "no reason was given"
        parts.insert(1, f"DEGRADED, base thresholds were kept: {_sentence(why)}")
    told = " ".join(
        (*analysis.evidence, *analysis.opportunities, analysis.assessment, analysis.reasoning)
    )
    named = set(_TICKER.findall(told)) & set(source.watchlist)
    return _document(source, "analysis", entry.seq, entry.known_at, named, _joined(parts))


def from_decision(source: Source, entry: Entry[Decision]) -> Document:
    """A signal with its verdict and plan: a `signal` when it was ordered, a `skip` when not."""
    signal, plan, verdict = entry.record.signal, entry.record.plan, entry.record.verdict
    opening = f"{setup(signal)} signal"
    if not plan.quantity:
        opening += " skipped, not traded,"
    parts = [
        f"{opening} on {moment(entry.known_at)} (bar of {clock(signal.start)}), lane "
        f"{source.lane}.",
        f"Price {dollars(signal.price)}, stop {dollars(signal.stop)}, target "
        f"{dollars(signal.target)}, z {signal.z:+.2f}.",
    ]
    if plan.quantity:
        parts.append(f"Risk let it pass: {count(plan.quantity, 'share')} ordered.")
        reduced = [check for check in plan.checks if check.outcome == "reduce"]
        parts += [
            f"The check {check.name} reduced it from {check.before:,.0f} to "
            f"{count(int(check.after), 'share')}."
            for check in reduced
        ]
    else:
        parts.append(_refused(entry.record))
    parts.append(_ruling(verdict))
    kind: Kind = "signal" if plan.quantity else "skip"
    return _document(source, kind, entry.seq, entry.known_at, {signal.symbol}, _joined(parts))


def from_order_rejection(source: Source, entry: Entry[OrderRejection]) -> Document:
    """An order, or the rest of one, that did not fill."""
    refused = entry.record
    text = (
        f"{refused.symbol} order skipped, not filled, on {moment(entry.known_at)} (bar of "
        f"{clock(refused.start)}), lane {source.lane}: {count(refused.quantity, 'share')} did not "
        f"fill. Reason: {_sentence(refused.reason.replace('_', ' '))}"
    )
    return _document(source, "skip", entry.seq, entry.known_at, {refused.symbol}, text)


def from_trade(source: Source, entry: Entry[Trade], decision: Entry[Decision] | None) -> Document:
    """A closed trade with its outcome, and why it was taken; known at its exit bar's close."""
    trade = entry.record
    parts = [
        f"{trade.symbol} {side(trade.side)} {SETUPS[trade.setup]} ({trade.setup}) trade closed on "
        f"{moment(entry.known_at)}, lane {source.lane}, with {result(trade.pnl)} after "
        f"{dollars(trade.fees)} fees.",
        f"Exit because of: {EXITS[trade.exit_reason]} ({trade.exit_reason}).",
        f"{count(trade.quantity, 'share')} entered at {dollars(trade.entry_price)} in the bar of "
        f"{_bar(trade.entry_time, trade.exit_time)}, exited at {dollars(trade.exit_price)} in the "
        f"bar of {clock(trade.exit_time)}.",
        f"Stop {dollars(trade.stop)}, target {dollars(trade.target)}.",
        f"Signal at {clock(trade.signal_start + MINUTE)} (bar of {clock(trade.signal_start)}).",
    ]
    cites = [entry.seq]
    if decision is not None:
        parts.append(_ruling(decision.record.verdict))
        cites.append(decision.seq)
    return _document(
        source, "trade", entry.seq, entry.known_at, {trade.symbol}, _joined(parts), cites
    )


def _document(
    source: Source,
    kind: Kind,
    seq: int,
    known_at: datetime,
    symbols: Iterable[str],
    text: str,
    cites: Iterable[int] | None = None,
) -> Document:
    return Document(
        id=source.id(kind, seq),
        kind=kind,
        run=source.run,
        lane=source.lane,
        symbols=tuple(sorted(symbols)),
        known_at=known_at,
        text=text,
        cites=tuple(source.row(number) for number in (cites or [seq])),
    )


def _degraded(opinion: DailyBias | MarketContext) -> str:
    """Why the rules spoke where a model was asked; nothing when none failed."""
    if opinion.status is not Status.DEGRADED:
        return ""
    return f"DEGRADED: {_sentence(opinion.degraded_reason or 'no reason was given')}"


def _refused(decision: Decision) -> str:
    """Which check refused, in words; then the others that would have.

    A quantity of none is what a refusal comes to, not another one.
    """
    blocking = [check for check in decision.plan.checks if check.outcome == "block"]
    first = [check for check in blocking if check.name == decision.plan.blocked_by]
    others = [check.name for check in blocking if check not in first and check.name != "quantity"]
    reason = refusal(first[0]) if first else decision.plan.blocked_by or "no reason was recorded"
    also = f" It would also have been refused by {', '.join(others)}." if others else ""
    return f"Refused because {_sentence(reason)}{also}"


def _ruling(verdict: Verdict | None) -> str:
    """What the validator said; nothing when none was asked."""
    if verdict is None:
        return ""
    who = f"the validator {verdict.validator}" if verdict.validator else "the validator"
    said = {
        "approve": "Approved",
        "reduce": f"Reduced to {100 * verdict.size_factor:.0f} % of its size",
        "veto": "Vetoed",
        "abstain": "An abstention, no opinion,",
    }[verdict.ruling]
    why = f": {_sentence(verdict.reasoning)}" if verdict.reasoning else "."
    degraded = ""
    if verdict.status is Status.DEGRADED:
        degraded = f" DEGRADED: {_sentence(verdict.degraded_reason or 'no reason was given')}"
    return f"{said} by {who} (confidence {verdict.confidence:.0f}){why}{degraded}"


def _factor(name: str, value: float) -> str:
    effect = "easier" if value < 1.0 else "harder" if value > 1.0 else "unchanged"
    return f"{name} {value:.2f} ({effect})"


def _bar(entry: datetime, exit_time: datetime) -> str:
    """The entry's bar, with its date when the position was held overnight."""
    days = {when.astimezone(NEW_YORK).date() for when in (entry, exit_time)}
    return clock(entry) if len(days) == 1 else moment(entry)


def _sentence(text: str) -> str:
    """On one line, with a full stop."""
    line = " ".join(text.split())
    return line if line.endswith((".", "!", "?")) else f"{line}."


def _joined(parts: Iterable[str]) -> str:
    return " ".join(part for part in parts if part)
