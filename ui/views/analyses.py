"""Analyses of a session: what was thought, what it asked for, and what happened until the next."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import html, notices
from ui.parts.log import UNSCALED, arrow, factors
from ui.parts.sessions import choose_session
from ui.visit import Visit, current

_LONGEST = timedelta(minutes=60)


def show() -> None:
    """Choose a session; its analyses are read again at every tick."""
    visit = current()
    seen = notices.usable(visit.read(schemas.Watchlist, "/api/watchlist"))
    if seen is None:
        return
    first, _ = st.columns([1, 2.2])
    with first:
        day = choose_session(visit, seen, "analyses-session")
    if day is None:
        st.html(notices.notice("", "No session yet", "The run has not read its first bar."))
        return
    st.fragment(_live, run_every=2 * visit.tick)(visit, day)


def _live(visit: Visit, day: date) -> None:
    page = notices.usable(
        visit.read(
            schemas.Page[schemas.PaidAnalysis], "/api/market-analysis", start_date=day,
            end_date=day, limit=120,
        )
    )  # fmt: skip
    if page is None:
        return
    if not page.data:
        st.html(
            notices.notice(
                "", "No analysis in this session",
                "The lane has no analyst, or none was due yet. A replay with one:",
                "advisor replay --bars DIR --daily DIR --from DATE --to DATE \\\n"
                "    --analyst rules --out out/mine",
            )
        )  # fmt: skip
        return
    entries = visit.read(
        schemas.Page[schemas.LogEntry], "/api/log", kind=["signal", "trade"], start_date=day,
        end_date=day, limit=500,
    ).value  # fmt: skip
    records = [entry.record for entry in entries.data] if entries else []
    trades = [record for record in records if isinstance(record, schemas.Trade)]
    st.html(_summary(page.data))
    ends: list[datetime | None] = [None, *(one.as_of for one in page.data)]
    folds = [
        _fold(one, _next_signals(one, until, records), trades, visit, opened=until is None)
        for one, until in zip(page.data, ends, strict=False)
    ]
    # The oldest comes first and the style turns them round: a new one is added at the end and
    # leaves those that a reader has opened as they are.
    with st.container(key="newest-first"):
        for fold in reversed(folds):
            st.html(fold)


def _summary(found: Sequence[schemas.PaidAnalysis]) -> str:
    degraded = sum(one.status == "DEGRADED" for one in found)
    scaled = sum(factors(one.multipliers) != UNSCALED for one in found)
    stated = [one.confidence for one in found if one.confidence is not None]
    mean = sum(stated) / len(stated) if stated else None
    return html.tiles(
        [
            html.tile("Analyses", f"{len(found):,}"),
            html.tile("Scaled a threshold", f"{scaled:,}"),
            html.tile("Degraded", html.chip(degraded, "warn") if degraded else "0"),
            html.tile("Mean confidence", words.number(mean, 0)),
            html.tile(
                "Model cost", words.money(sum(c.cost_usd for one in found for c in one.calls))
            ),
            html.tile("Analyst", words.text(found[0].analyst)),
        ]
    )


def _next_signals(
    one: schemas.Analysis, until: datetime | None, records: Sequence[object]
) -> list[schemas.Signal]:
    """The signals between this analysis and the next, oldest first."""
    end = until or one.as_of + _LONGEST
    signals = [record for record in records if isinstance(record, schemas.Signal)]
    return [signal for signal in reversed(signals) if one.as_of <= signal.time < end]


def _fold(
    one: schemas.PaidAnalysis, signals: list[schemas.Signal], trades: Sequence[schemas.Trade],
    visit: Visit, *, opened: bool,
) -> str:  # fmt: skip
    status = html.chip("DEGRADED", "warn") if one.status == "DEGRADED" else ""
    count = html.chip(words.plural(len(signals), "signal"), "accent") if signals else ""
    summary = (
        f"<b>{words.clock(one.as_of)}</b> {html.confidence(one.confidence)} "
        f"<span>{factors(one.multipliers)}</span> {status} {count}"
    )
    facts = [("Assessment", _words(one.assessment))]
    if one.degraded_reason:
        facts.insert(0, ("Degraded", _words(one.degraded_reason)))
    if one.applies_from is not None:
        facts.insert(0, ("Came late", f"applied from {words.clock(one.applies_from)}"))
    if one.opportunities:
        facts.append(("Opportunities", "<br>".join(words.text(o) for o in one.opportunities)))
    if one.reasoning:
        facts.append(("Reasoning", _words(one.reasoning)))
    if one.evidence:
        facts.append(("Evidence", _words(", ".join(one.evidence))))
    if one.calls:
        facts.append(("Cost", "<br>".join(map(_paid, one.calls))))
    facts.append(("What happened next", _happened(signals, trades, visit)))
    return html.fold(summary, html.facts(facts), opened=opened)


def _words(given: str) -> str:
    return f'<span class="words">{words.text(given)}</span>'


def _paid(call: schemas.ModelCall) -> str:
    """One question: what it cost, who answered, how long it took."""
    took = "" if call.latency_seconds is None else f", {words.number(call.latency_seconds, 1)} s"
    ended = "" if call.outcome == "answer" else f" {html.chip(call.outcome, 'warn')}"
    return (
        f"{words.money(call.cost_usd, 4)} · {words.text(call.model)} · "
        f"{call.tokens_in + call.tokens_out:,} tokens{took}{ended}"
    )


def _happened(signals: list[schemas.Signal], trades: Sequence[schemas.Trade], visit: Visit) -> str:
    if not signals:
        return '<span class="soft">No signal until the next analysis.</span>'
    lines = []
    for one in signals:
        address = visit.link("symbol", symbol=one.symbol, date=words.local(one.time).date())
        taken = (
            f"ordered {one.plan.quantity:,}"
            if one.plan.quantity
            else f"not ordered: {words.plain_words(one.plan.blocked_by)}"
        )
        ruling = f", {words.text(one.verdict.ruling)}" if one.verdict else ""
        made = "".join(
            f" → {html.link(visit.link('trades', trade=trade.id), 'closed')} "
            f"{words.coloured(trade.pnl, words.earned(trade.pnl))}"
            for trade in trades
            if (trade.symbol, trade.signal_time) == (one.symbol, one.time)
        )
        lines.append(
            f"{words.clock(one.time)} {html.link(address, one.symbol)} {one.setup} "
            f"{arrow(one.side)}{ruling}, {taken}{made}"
        )
    return "<br>".join(lines)
