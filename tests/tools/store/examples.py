"""One record of every kind with the moment it becomes known, minute rows, and a whole history."""

import dataclasses
import math
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np

from quant_core.calendar import to_minute
from quant_core.cycles import CycleRows
from quant_core.types import (
    Analysis,
    AnswerFinding,
    ChartAlert,
    Check,
    DailyBias,
    Decision,
    ExitReason,
    Fill,
    Headline,
    LaneDay,
    MarketContext,
    Multipliers,
    Order,
    OrderRejection,
    Plan,
    RiskChange,
    RiskState,
    Setup,
    Signal,
    Snapshot,
    State,
    Status,
    Trade,
    Transition,
    Verdict,
)
from tools.llm import Attempt, LlmCall, Outcome, Prompt
from tools.llm.calls import KeptCall
from tools.store import Store

WATCHLIST = ("SPY", "QQQ", "NVDA")
OPEN = datetime(2026, 1, 5, 14, 30, tzinfo=UTC)
ALWAYS = datetime(2100, 1, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)

SNAPSHOT = Snapshot(
    symbol="NVDA",
    date=date(2026, 1, 5),
    ema_slope_daily=0.31,
    ema_slope_hourly=math.nan,
    hh_ll_tag="HH",
    atr_percentile=61.5,
    sessions=252,
    htf_trend=1,
    mean_5m=187.113,
    deviation_5m=0.42,
    atr_5m=0.55,
    average_volume=41e6,
    previous_close=187.25,
    incomplete=("ema_slope_hourly",),
)
MORNING = datetime(2026, 1, 5, 13, 30, tzinfo=UTC)
HEADLINE = Headline(
    id="gd-1",
    published_at=MORNING - 40 * MINUTE,
    received_at=MORNING - 35 * MINUTE,
    source="Wire",
    title="NVDA — „neu“",
    symbols=("NVDA", "AMD"),
)
CHART_ALERT = ChartAlert(
    id="a1" * 16,
    symbol="NVDA",
    time=OPEN + 10 * MINUTE,
    known_at=OPEN + 11 * MINUTE,
    direction="short",
    grade="B+",
    score=-4.5,
    confidence=61.0,
    entry=187.1,
    stop=188.25,
    targets=(186.0, 184.5),
    components={"cloud": -1.0, "momentum": 0.25},
)
BIAS = DailyBias(
    as_of=MORNING,
    symbol="NVDA",
    date=date(2026, 1, 5),
    bias="bearish",
    confidence=55.0,
    reasoning="trend -1",
    news_summary="one headline",
    premarket_price=math.nan,
    premarket_price_at=None,
    price_note="no bar since 04:00",
    evidence=("NVDA.htf_trend",),
    analyst="rules.v1",
)
CONTEXT = MarketContext(
    as_of=MORNING,
    date=date(2026, 1, 5),
    bias="choppy",
    volatility="normal",
    vix=17.25,
    vix_date=date(2026, 1, 2),
    confidence=40.0,
    summary="SPY choppy",
    evidence=(),
    analyst="rules.v1",
    status=Status.DEGRADED,
    degraded_reason="timeout",
)
CALL = KeptCall(
    as_of=MORNING,
    machine="premarket",
    about="",
    call=LlmCall(
        key="c0" * 32,
        sequence=1,
        prompt=Prompt(id="premarket_bias", version=1, system="You", text="NVDA \x00?"),
        schema_name="BiasAnswer",
        schema_hash="5c" * 32,
        parameters="{}",
        outcome=Outcome.ANSWER,
        message="",
        asked_at=MORNING + timedelta(seconds=1),
        latency=1.25,
        attempts=(
            Attempt(
                provider="local",
                model="qwen3",
                repair="",
                outcome=Outcome.ANSWER,
                message="",
                response='{"a": "\x00é"}',
                response_characters=12,
                stop_reason="stop",
                answered_by="qwen3",
                tokens_in=100,
                tokens_out=20,
                cost_usd=Decimal("0.00120"),
                estimated=False,
                started=0.0,
                latency=1.2,
            ),
        ),
    ),
)
FINDING = AnswerFinding(
    as_of=MORNING,
    machine="premarket",
    about="NVDA",
    kind="rejected",
    field="evidence",
    detail="'N9' was not given",
)
ANALYSIS = Analysis(
    as_of=OPEN + 15 * MINUTE,
    analyst="rules",
    multipliers=Multipliers(mr_arm=0.8, tc_trigger=1.5),
    confidence=72.0,
    assessment="quiet — „ruhig“",
    opportunities=("NVDA back to its mean", "none in QQQ"),
    reasoning="two\nlines",
    evidence=("bar:NVDA:14:44",),
)
CHECKS = (
    Check(name="max_risk", before=120.0, after=53.0, outcome="reduce"),
    Check(name="spread", before=math.nan, after=0.1, outcome="not_applicable"),
    Check(name="total_exposure", before=9870.5, after=math.inf, outcome="pass"),
)
SIGNAL = Signal(
    symbol="NVDA",
    start=OPEN + 20 * MINUTE,
    setup=Setup.MEAN_REVERSION,
    side=1,
    price=186.93,
    stop=186.16,
    target=188.085,
    z=-0.58,
)
DECISION = Decision(
    signal=SIGNAL,
    plan=Plan(quantity=53, blocked_by="", checks=CHECKS),
    verdict=Verdict(ruling="reduce", size_factor=0.5, reasoning="thin", validator="rules"),
)
UNASKED = Decision(signal=SIGNAL, plan=Plan(quantity=0, blocked_by="spread", checks=CHECKS))
ORDER = Order(
    client_order_id="advised-NVDA-1450",
    symbol="NVDA",
    side=1,
    quantity=26,
    reference=186.93,
    stop=186.16,
    target=188.085,
    decided_at=OPEN + 21 * MINUTE,
)
FILL = Fill(
    symbol="NVDA",
    start=OPEN + 21 * MINUTE,
    side=1,
    quantity=20,
    price=186.948693,
    fees=0.1,
    reason="entry",
)
EXIT = dataclasses.replace(FILL, side=-1, price=188.085, reason="target")
LATE = dataclasses.replace(FILL, start=OPEN + timedelta(days=2))
REJECTION = OrderRejection(
    symbol="NVDA",
    start=OPEN + 21 * MINUTE,
    quantity=6,
    reason="entry_rest_cancelled_volume_cap",
)
TRADE = Trade(
    symbol="NVDA",
    setup=Setup.MEAN_REVERSION,
    side=1,
    quantity=20,
    entry_time=OPEN + 21 * MINUTE,
    entry_price=186.948693,
    exit_time=OPEN + 40 * MINUTE,
    exit_price=188.085,
    exit_reason=ExitReason.TARGET,
    pnl=22.62614,
    fees=0.2,
    stop=186.16,
    target=188.085,
    signal_start=OPEN + 20 * MINUTE,
)
TRANSITION = Transition(
    symbol="NVDA",
    start=OPEN + 5 * MINUTE,
    state=State.MR_ARMED,
    side=1,
    z=-1.31,
    reason="armed",
)
RISK_CHANGE = RiskChange(
    start=OPEN + 60 * MINUTE,
    state=RiskState.HALTED,
    reason="kill: daily loss",
    equity=89999.99,
)
DAY = LaneDay(
    date=date(2026, 1, 5),
    start_equity=100000.0,
    end_equity=100022.63,
    trades=1,
    signals=2,
    risk_state=RiskState.ACTIVE,
    multiplier_changes=3,
    notes=("NVDA had a gap",),
)

# Every kind, the reader that returns it, and when DOMAIN.md lets it be known.
KNOWN = {
    "snapshots": (SNAPSHOT, datetime(2026, 1, 5, 5, 0, tzinfo=UTC)),
    "news": (HEADLINE, MORNING - 35 * MINUTE),
    "chart_alerts": (CHART_ALERT, OPEN + 11 * MINUTE),
    "daily_biases": (BIAS, MORNING),
    "market_contexts": (CONTEXT, MORNING),
    "llm_calls": (CALL, MORNING),
    "llm_findings": (FINDING, MORNING),
    "analyses": (ANALYSIS, OPEN + 15 * MINUTE),
    "decisions": (DECISION, OPEN + 21 * MINUTE),
    "orders": (ORDER, OPEN + 21 * MINUTE),
    "fills": (FILL, OPEN + 22 * MINUTE),
    "order_rejections": (REJECTION, OPEN + 22 * MINUTE),
    "trades": (TRADE, OPEN + 41 * MINUTE),
    "transitions": (TRANSITION, OPEN + 6 * MINUTE),
    "risk_changes": (RISK_CHANGE, OPEN + 61 * MINUTE),
    "lane_days": (DAY, datetime(2026, 1, 5, 21, 0, tzinfo=UTC)),
}
READERS = tuple(KNOWN)
ALL = tuple(record for record, _ in KNOWN.values())


def minutes(first: datetime, count: int, symbols: tuple[str, ...] = WATCHLIST) -> CycleRows:
    """`count` minutes of every symbol; readings are a function of the minute and the symbol."""
    start = to_minute(first)
    minute = np.repeat(np.arange(start, start + count), len(symbols)).astype(np.int64)
    symbol = np.tile(np.arange(len(symbols)), count).astype(np.int16)
    wave = np.sin(minute * 0.1 + symbol)
    ready = (minute + symbol) % 7 != 0
    return CycleRows(
        symbols=symbols,
        minute=minute,
        symbol=symbol,
        close=180.0 + symbol + wave,
        mean=180.0 + symbol * 1.0,
        deviation=np.where(ready, 0.7, math.nan),
        z=np.where(ready, wave / 0.7, math.nan),
        ready=ready,
        htf_trend=((minute % 3) - 1).astype(np.int8),
        state=(minute % 6).astype(np.int8),
        side=((minute % 2) * 2 - 1).astype(np.int8),
    )


def part(rows: CycleRows, first: int, last: int) -> CycleRows:
    """Rows first to last, the last not included."""
    columns = {
        name: getattr(rows, name)[first:last] for name in CycleRows.__slots__ if name != "symbols"
    }
    return CycleRows(symbols=rows.symbols, **columns)


def start(store: Store, run_id: str = "run") -> None:
    """A run to write into."""
    store.start_run(
        run_id, kind="replay", config_hash="c0ffee", code_version="1.0", config_json='{"n": 120}'
    )


def keep_history(store: Store, run_id: str = "run", lanes: tuple[str, ...] = ("advised",)) -> None:
    """Two closed sessions with every kind of record, and the first minutes of a third."""
    start(store, run_id)
    for lane in lanes:
        store.commit_cycle(run_id, lane, None, [SNAPSHOT], None)
        store.commit_cycle(run_id, lane, minutes(OPEN, 20), [TRANSITION, ANALYSIS], b"one")
        store.commit_cycle(
            run_id,
            lane,
            minutes(OPEN + 20 * MINUTE, 60),
            [DECISION, ORDER, FILL, REJECTION, TRADE, RISK_CHANGE, UNASKED],
            b"two",
        )
        store.commit_cycle(run_id, lane, None, [DAY], None)
        tomorrow = OPEN + timedelta(days=1)
        store.commit_cycle(run_id, lane, minutes(tomorrow, 30), [EXIT, next_day(DAY)], b"three")
        store.commit_cycle(run_id, lane, minutes(tomorrow + timedelta(days=1), 5), [LATE], b"four")


def keep_premarket(store: Store, run_id: str = "run", lane: str = "advised") -> None:
    """What a premarket keeps, and an alert of a chart."""
    opening = [HEADLINE, BIAS, CONTEXT, CALL, FINDING, CHART_ALERT]
    store.commit_cycle(run_id, lane, None, opening, None)


def next_day(day: LaneDay) -> LaneDay:
    """The same account a day later."""
    return dataclasses.replace(day, date=day.date + timedelta(days=1))


def leaves(value: Any) -> Iterator[Any]:
    """The plain values in a record, depth first; all NaN are one, all times UTC."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from leaves(getattr(value, field.name))
    elif isinstance(value, tuple):
        yield len(value)
        for item in value:
            yield from leaves(item)
    elif isinstance(value, float) and math.isnan(value):
        yield "NaN"
    elif isinstance(value, datetime):
        yield value.astimezone(UTC)
    else:
        yield value


def same(left: Any, right: Any) -> bool:
    """Whether two records are equal, types included, NaN being equal to NaN."""
    ours, theirs = list(leaves(left)), list(leaves(right))
    return (
        type(left) is type(right)
        and ours == theirs
        and [type(one) for one in ours] == [type(other) for other in theirs]
    )


def same_rows(left: CycleRows, right: CycleRows) -> bool:
    """Whether two blocks of minute rows are equal, column types included."""
    return left.symbols == right.symbols and all(
        getattr(left, name).dtype == getattr(right, name).dtype
        and np.array_equal(getattr(left, name), getattr(right, name), equal_nan=name in _MAY_BE_NAN)
        for name in CycleRows.__slots__
        if name != "symbols"
    )


_MAY_BE_NAN = ("close", "mean", "deviation", "z")
