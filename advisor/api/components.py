"""How each part of the program stands, for `/api/health`: read off the ledger and the machine.

The session, its feed, its broker and its jobs run in processes of their own, so what is said of
them is what they left: the minutes that were decided and when, the orders that are not over, what
was spent. A live run is measured by the exchange's calendar: it owes minutes while the market is
open, and silence between sessions is no fault.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import islice

from advisor.api import schemas
from advisor.api.parts import Parts
from advisor.api.problems import ProblemError
from advisor.api.routes import control
from advisor.api.view import LATEST, Scope
from advisor.control import SESSIONS
from advisor.hold_reasons import DISAGREE, FAILING
from advisor.timetable import TIMETABLE, session_of, upcoming
from quant_core.calendar import NEW_YORK, Session, new_york, to_datetime
from quant_core.types import Status
from tools.errors import AdvisorError
from tools.llm.calls import Outcome
from tools.store import codec

STALE = timedelta(minutes=3)
_ONE_MINUTE = timedelta(minutes=1)


def components_of(parts: Parts, now: datetime) -> list[schemas.Component]:
    """Every part, in the order in which a person looks."""
    return [
        _ledger(parts),
        _run(parts, now),
        _read(parts, "feed", lambda scope: _feed(parts, scope, now)),
        _read(parts, "broker", lambda scope: _broker(parts, scope)),
        _trading(parts),
        _premarket(parts),
        _model(parts),
        _budget(parts, now),
        _chat(parts),
        _index(parts),
        _jobs(parts, now),
    ]


def _ledger(parts: Parts) -> schemas.Component:
    try:
        count = len(parts.view.pages.runs())
    except AdvisorError:
        return schemas.Component(
            name="ledger", state="down", detail="cannot be read; the server's log says why"
        )
    if not count:
        return schemas.Component(
            name="ledger", state="degraded", detail="holds no run: `advisor demo` makes one"
        )
    return schemas.Component(name="ledger", state="ok", detail=f"readable, {count} run(s)")


def _read(parts: Parts, name: str, told: Callable[[Scope], schemas.Component]) -> schemas.Component:
    """What is told of the newest run; of no run there is nothing to tell."""
    try:
        return told(parts.view.scope())
    except (AdvisorError, ProblemError):
        return _nothing(name, "there is no run")


def _run(parts: Parts, now: datetime) -> schemas.Component:
    return _read(parts, "run", lambda scope: _run_of(parts, scope, now))


def _run_of(parts: Parts, scope: Scope, now: datetime) -> schemas.Component:
    """How the newest run goes: a live one that owes minutes is degraded."""
    run = scope.run.run
    if not _is_live(scope):
        return schemas.Component(name="run", state="ok", detail=f"{run.kind}, {run.status}")
    newest = parts.view.pages.last_minute(scope.place, as_of=LATEST)
    closed = None if newest is None else to_datetime(newest + 1)
    last = "no minute is decided yet"
    if closed is not None:
        last = f"the newest minute was decided for {new_york(closed)} New York"
    session = session_of(now)
    if session is None or now < to_datetime(session.open) + STALE:
        return _part("run", True, f"{run.kind}, between sessions; {last}")
    return _in_session(run.kind, session, closed, last, now)


def _in_session(
    kind: str, session: Session, closed: datetime | None, last: str, now: datetime
) -> schemas.Component:
    """A run on the day of a session, some minutes after the open."""
    opened, closes = to_datetime(session.open), to_datetime(session.close)
    reached = max(closed or opened, opened)
    if reached >= closes:
        return _part("run", True, f"{kind}, today's session is over")
    if now >= closes + STALE:
        detail = f"{kind}, today's session was not decided to its end; {last}"
        return _part("run", False, detail)
    silent = now - reached
    if silent <= STALE:
        return _part("run", True, f"{kind}, newest minute closed {_span(silent)} ago")
    detail = f"{kind}, no minute for {_span(silent)} while the market is open; {last}"
    return _part("run", False, f"{detail}. `advisor live` goes on with it")


def _feed(parts: Parts, scope: Scope, now: datetime) -> schemas.Component:
    """How old the bars are that were decided on; a symbol that lags behind is named."""
    if not _is_live(scope):
        return _nothing("feed", "a replay reads recorded bars")
    latest = parts.view.pages.latest(scope.place, as_of=LATEST).records()
    last = {row.symbol: row.start + _ONE_MINUTE for row in latest}
    if not last:
        return _part("feed", True, "no bar is on record yet")
    newest = max(last.values())
    silent = [
        f"{symbol} since {last[symbol].astimezone(NEW_YORK):%H:%M}" if symbol in last else symbol
        for symbol in scope.place.symbols
        if newest - last.get(symbol, to_datetime(0)) > STALE
    ]
    told = f"bars until {new_york(newest)} New York, {_span(now - newest)} ago"
    if silent:
        return _part("feed", False, f"{told}; none of {', '.join(silent)}")
    return _part("feed", not _is_late(newest, now), told)


def _is_late(newest: datetime, now: datetime) -> bool:
    """Whether the market is open and what is known of it is old."""
    session = session_of(now)
    if session is None or now >= to_datetime(session.close) + STALE:
        return False
    return now - max(newest, to_datetime(session.open)) > STALE


def _broker(parts: Parts, scope: Scope) -> schemas.Component:
    """Orders on their way, and whether the session holds back because of the broker.

    Only a session that trades an account has a broker; this server itself never asks it.
    """
    run, pages = scope.run, parts.view.pages
    if run.run.kind not in SESSIONS:
        return _nothing("broker", "fills are simulated")
    changes = pages.newest(codec.RISK_CHANGES, scope.place, as_of=scope.as_of, limit=1)
    if changes:
        standing = changes[0].record
        if standing.state != "ACTIVE" and standing.reason.startswith((DISAGREE, FAILING)):
            return _part("broker", False, standing.reason)
    counts = [
        f"{count} {state.lower()}"
        for lane, state, count in pages.unfinished_orders(run)
        if lane == scope.place.lane
    ]
    orders = f"open orders: {', '.join(counts)}" if counts else "no order is open"
    return _part("broker", True, f"{run.run.kind} account, as the session has it: {orders}")


def _is_live(scope: Scope) -> bool:
    """Whether the run goes with the clock, and may owe minutes."""
    return scope.run.run.status != "finished" and scope.run.run.kind not in ("replay", "backtest")


def _trading(parts: Parts) -> schemas.Component:
    """Whether the session may enter trades: a halt that was asked for counts before it is done."""
    if not control.can_halt(parts):
        return _nothing("trading", "no session that trades an account is served")
    asked, halted = control.shown(parts), control.is_halted(parts)
    if asked is not None and asked.asked == "halt":
        done = "HALTED" if asked.applied else "a halt waits for the session"
        detail = f"{done}, by {asked.by} at {asked.at:%Y-%m-%d %H:%M:%S} UTC: {asked.reason or '-'}"
    elif asked is not None:
        detail = f"a resume by {asked.by} waits for the session"
    else:
        detail = "HALTED by its own limits" if halted else "entries are let through"
    state = "degraded" if asked is not None or halted else "ok"
    return schemas.Component(name="trading", state=state, detail=detail)


def _premarket(parts: Parts) -> schemas.Component:
    """Whether the newest session's premarket came about as intended."""
    try:
        scope = parts.view.scope()
        market, as_of = parts.view.market(scope), scope.as_of
        contexts = parts.view.pages.newest(codec.MARKET_CONTEXTS, market, as_of=as_of, limit=1)
        if not contexts:
            return _nothing("premarket", "the newest run has no premarket")
        day = contexts[0].record.date
        biases = parts.view.pages.following(
            codec.DAILY_BIASES, market, as_of=as_of, where={"date": day}
        )
    except (AdvisorError, ProblemError):
        return _nothing("premarket", "there is no run")
    states = [*(one.record.status for one in biases), contexts[0].record.status]
    degraded = states.count(Status.DEGRADED)
    return schemas.Component(
        name="premarket",
        state="degraded" if degraded else "ok",
        detail=f"{day}: {len(biases)} biases and the market's context, {degraded} DEGRADED",
    )


def _model(parts: Parts) -> schemas.Component:
    """Whether the newest question to a language model was answered."""
    try:
        scope = parts.view.scope()
        found = parts.view.pages.newest(codec.LLM_CALLS, scope.place, as_of=scope.as_of, limit=1)
    except (AdvisorError, ProblemError):
        return _nothing("model", "there is no run")
    if not found:
        return _nothing("model", "the newest run asked no language model")
    kept, call = found[0].record, found[0].record.call
    answered = call.outcome is Outcome.ANSWER
    how = "answered" if answered else f"failed ({call.outcome.value})"
    return schemas.Component(
        name="model",
        state="ok" if answered else "degraded",
        detail=f"{call.model or 'nobody'} {how}, as of {kept.as_of:%Y-%m-%d %H:%M} UTC",
    )


def _budget(parts: Parts, now: datetime) -> schemas.Component:
    """What models may still cost on this New York day, all who share the count together."""
    limits = parts.llm_budget
    try:
        counted = parts.counted and parts.counted(now.astimezone(NEW_YORK).date())
    except AdvisorError:
        return _part("budget", False, "what models cost cannot be read: no model is asked")
    if counted is None:
        return _nothing("budget", "no model was ever asked from here: nothing is spent")
    left = float(counted.usd) < limits.usd_per_day and counted.tokens < limits.tokens_per_day
    told = (
        f"${counted.usd:,.2f} of ${limits.usd_per_day:,.2f} and {counted.tokens:,} of "
        f"{limits.tokens_per_day:,} tokens are used today (New York)"
    )
    return _part("budget", left, told if left else f"{told}; no model is asked until midnight")


def _chat(parts: Parts) -> schemas.Component:
    if parts.chat is None:
        return _nothing("chat", "no chat is configured")
    return _part("chat", True, "answers questions")


def _index(parts: Parts) -> schemas.Component:
    if parts.index_state is None:
        return _nothing("index", "no chat searches one")
    return parts.index_state()


def _jobs(parts: Parts, now: datetime) -> schemas.Component:
    """What is due next; whether anybody starts it is not known here."""
    lines = parts.schedule.model_dump()
    due = [
        f"{one.name.replace('_', ' ')} {one.moment:%a} {new_york(one.moment)[11:]}"
        for one in islice(upcoming(now), len(TIMETABLE))
        if lines[one.name].strip()
    ]
    if not due:
        return _nothing("jobs", "no command is set under [schedule]")
    told = f"due next, New York: {', '.join(due)}"
    return _nothing("jobs", f"{told}. `advisor schedule run` starts them, a process of its own")


def _part(name: str, well: bool, detail: str) -> schemas.Component:
    return schemas.Component(name=name, state="ok" if well else "degraded", detail=detail)


def _span(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    if seconds < 180:
        return f"{seconds} s"
    minutes = seconds // 60
    return f"{minutes} min" if minutes < 180 else f"{minutes // 60} h"


def _nothing(name: str, detail: str) -> schemas.Component:
    return schemas.Component(name=name, state="not_configured", detail=detail)
