"""What a ledger does on any database: it keeps what it is given, whole, in order, in time."""

import dataclasses
import inspect
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from operator import attrgetter

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quant_core.calendar import NEW_YORK
from quant_core.cycles import STATES, CycleRows
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
from tests.tools.store import examples as ex
from tools.errors import AdvisorError, BadInput, NoData
from tools.llm import Attempt, LlmCall, Outcome, Prompt
from tools.llm.calls import KeptCall
from tools.store import Store
from tools.store.dialect import engine_at

# Values of every kind that a domain field can have.

floats = st.floats(allow_nan=True, allow_infinity=True) | st.sampled_from(
    [5e-324, 1.7976931348623157e308, -0.0, 0.1 + 0.2, 1e22, 123456789.123456789]
)
integers = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=40)
many_texts = st.lists(texts, max_size=3).map(tuple)
zones = st.sampled_from([UTC, NEW_YORK, timezone(timedelta(hours=5, minutes=45))])
moments = st.datetimes(
    datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=zones, allow_imaginary=False
)
days = st.dates(date(1971, 1, 1), date(2200, 1, 1))
sides = st.sampled_from([-1, 0, 1])
factors = st.floats(0.5, 2.0)
checks = st.builds(
    Check,
    name=texts,
    before=floats,
    after=floats,
    outcome=st.sampled_from(["pass", "reduce", "block", "not_applicable"]),
)
opinion = {
    "confidence": floats,
    "reasoning": texts,
    "evidence": many_texts,
    "status": st.sampled_from(Status),
    "degraded_reason": texts,
}
verdicts = st.builds(
    Verdict, ruling=st.sampled_from(["approve", "veto", "abstain"]), validator=texts, **opinion
) | st.builds(
    Verdict,
    ruling=st.just("reduce"),
    size_factor=st.floats(5e-324, 1.0, exclude_max=True),
    validator=texts,
    **opinion,
)
signals = st.builds(
    Signal,
    symbol=texts,
    start=moments,
    setup=st.sampled_from(Setup),
    side=sides,
    price=floats,
    stop=floats,
    target=floats,
    z=floats,
)
bracket = {"stop": floats, "target": floats}
biases = st.sampled_from(["bullish", "bearish", "choppy"])
# What a model says may hold anything that JSON can say; times of a recording are UTC.
spoken = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
asked = st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC))
finite = st.floats(allow_nan=False, allow_infinity=False)
outcomes = st.sampled_from(Outcome)
attempts = st.builds(
    Attempt,
    provider=texts,
    model=texts,
    repair=spoken,
    outcome=outcomes,
    message=spoken,
    response=spoken,
    response_characters=integers,
    stop_reason=spoken,
    answered_by=spoken,
    tokens_in=st.integers(0, 10**6),
    tokens_out=st.integers(0, 10**6),
    cost_usd=st.decimals(0, 1000, places=7),
    estimated=st.booleans(),
    started=finite,
    latency=finite,
)
calls = st.builds(
    LlmCall,
    key=texts,
    sequence=integers,
    prompt=st.builds(
        Prompt, id=texts, version=integers, system=spoken, text=spoken.map("question: {}".format)
    ),
    schema_name=texts,
    schema_hash=texts,
    parameters=spoken,
    outcome=outcomes,
    message=spoken,
    asked_at=asked,
    latency=finite,
    attempts=st.lists(attempts, max_size=3).map(tuple),
)
BY_READER = {
    "snapshots": st.builds(
        Snapshot,
        symbol=texts,
        date=days,
        ema_slope_daily=floats,
        ema_slope_hourly=floats,
        hh_ll_tag=st.sampled_from(["HH", "LL", "mixed"]),
        atr_percentile=floats,
        sessions=integers,
        htf_trend=sides,
        mean_5m=floats,
        deviation_5m=floats,
        atr_5m=floats,
        average_volume=floats,
        previous_close=floats,
        incomplete=many_texts,
    ),
    "news": st.builds(
        Headline,
        id=texts,
        published_at=moments,
        received_at=moments,
        source=texts,
        title=texts,
        summary=texts,
        symbols=many_texts,
    ),
    "chart_alerts": st.builds(
        ChartAlert,
        id=texts,
        symbol=texts,
        time=moments,
        known_at=moments,
        direction=st.sampled_from(["long", "short"]),
        grade=st.sampled_from(["A+", "A", "B+", "B"]),
        score=floats,
        confidence=floats,
        entry=floats,
        stop=floats,
        targets=st.lists(finite.map(lambda x: x + 0.0), max_size=3).map(tuple),
        components=st.dictionaries(texts, finite.map(lambda x: x + 0.0), max_size=3),
    ),
    "daily_biases": st.builds(
        DailyBias,
        as_of=moments,
        symbol=texts,
        date=days,
        bias=biases,
        news_summary=texts,
        premarket_price=floats,
        premarket_price_at=st.none() | moments,
        price_note=texts,
        analyst=texts,
        **opinion,
    ),
    "market_contexts": st.builds(
        MarketContext,
        as_of=moments,
        date=days,
        bias=biases,
        volatility=st.sampled_from(["low", "normal", "high"]),
        vix=floats,
        vix_date=st.none() | days,
        summary=texts,
        analyst=texts,
        **{name: values for name, values in opinion.items() if name != "reasoning"},
    ),
    "llm_calls": st.builds(KeptCall, as_of=moments, machine=texts, about=texts, call=calls),
    "llm_findings": st.builds(
        AnswerFinding,
        as_of=moments,
        machine=texts,
        about=texts,
        kind=texts,
        field=texts,
        detail=texts,
    ),
    "analyses": st.builds(
        Analysis,
        as_of=moments,
        analyst=texts,
        multipliers=st.builds(
            Multipliers, mr_arm=factors, mr_trigger=factors, tc_arm=factors, tc_trigger=factors
        ),
        assessment=texts,
        opportunities=many_texts,
        **opinion,
    ),
    "decisions": st.builds(
        Decision,
        signal=signals,
        plan=st.builds(
            Plan,
            quantity=integers,
            blocked_by=texts,
            checks=st.lists(checks, max_size=4).map(tuple),
        ),
        verdict=st.none() | verdicts,
    ),
    "orders": st.builds(
        Order,
        client_order_id=texts,
        symbol=texts,
        side=sides,
        quantity=integers,
        reference=floats,
        decided_at=moments,
        **bracket,
    ),
    "fills": st.builds(
        Fill,
        symbol=texts,
        start=moments,
        side=sides,
        quantity=integers,
        price=floats,
        fees=floats,
        reason=texts,
    ),
    "order_rejections": st.builds(
        OrderRejection, symbol=texts, start=moments, quantity=integers, reason=texts
    ),
    "trades": st.builds(
        Trade,
        symbol=texts,
        setup=st.sampled_from(Setup),
        side=sides,
        quantity=integers,
        entry_time=moments,
        entry_price=floats,
        exit_time=moments,
        exit_price=floats,
        exit_reason=st.sampled_from(ExitReason),
        pnl=floats,
        fees=floats,
        signal_start=moments,
        **bracket,
    ),
    "transitions": st.builds(
        Transition,
        symbol=texts,
        start=moments,
        state=st.sampled_from(State),
        side=sides,
        z=floats,
        reason=texts,
    ),
    "risk_changes": st.builds(
        RiskChange, start=moments, state=st.sampled_from(RiskState), reason=texts, equity=floats
    ),
    "lane_days": st.builds(
        LaneDay,
        date=days,
        start_equity=floats,
        end_equity=floats,
        trades=integers,
        signals=integers,
        risk_state=st.sampled_from(RiskState),
        multiplier_changes=integers,
        notes=many_texts,
    ),
}
UNIQUE = {"chart_alerts": attrgetter("id")}  # of the others a run may keep equal ones
FAR = datetime(2201, 1, 1, tzinfo=UTC)
everyday = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fresh_run(store: Store) -> str:
    run_id = f"run-{len(store.runs())}"
    ex.start(store, run_id)
    return run_id


@pytest.mark.parametrize("reader", ex.READERS)
def test_every_record_comes_back_as_it_was_given(store: Store, reader: str) -> None:
    @everyday
    @given(st.lists(BY_READER[reader], min_size=1, max_size=4, unique_by=UNIQUE.get(reader)))
    def holds(records: list[object]) -> None:
        run_id = fresh_run(store)
        store.commit_cycle(run_id, "advised", None, records, None)
        found = getattr(store, reader)(run_id, "advised", as_of=FAR)
        assert len(found) == len(records)
        for given_one, read_one in zip(records, found, strict=True):
            assert ex.same(given_one, read_one)
        assert store.verify_chain(run_id).intact

    holds()


def test_times_come_back_aware_and_in_utc(store: Store) -> None:
    ex.start(store)
    local = dataclasses.replace(ex.FILL, start=datetime(2026, 7, 1, 9, 30, tzinfo=NEW_YORK))
    store.commit_cycle("run", "advised", None, [local], None)
    (fill,) = store.fills("run", "advised", as_of=FAR)
    assert fill.start == datetime(2026, 7, 1, 13, 30, tzinfo=UTC)
    assert fill.start.utcoffset() == timedelta(0)
    assert store.runs()[0].created_at.utcoffset() == timedelta(0)


@everyday
@given(data=st.data())
def test_minute_rows_come_back_as_they_were_given(store: Store, data: st.DataObject) -> None:
    watchlist = tuple(data.draw(st.lists(texts, min_size=1, max_size=4, unique=True)))
    cells = st.tuples(st.integers(29_000_000, 29_000_040), st.integers(0, len(watchlist) - 1))
    keys = sorted(data.draw(st.sets(cells, max_size=30)))

    def column(values: st.SearchStrategy[object], kind: type) -> np.ndarray:
        size = st.lists(values, min_size=len(keys), max_size=len(keys))
        return np.array(data.draw(size), dtype=kind)

    rows = CycleRows(
        symbols=watchlist,
        minute=np.array([minute for minute, _ in keys], dtype=np.int64),
        symbol=np.array([symbol for _, symbol in keys], dtype=np.int16),
        close=column(floats, np.float64),
        mean=column(floats, np.float64),
        deviation=column(floats, np.float64),
        z=column(floats, np.float64),
        ready=column(st.booleans(), np.bool_),
        htf_trend=column(sides, np.int8),
        state=column(st.integers(0, len(STATES) - 1), np.int8),
        side=column(sides, np.int8),
    )
    run_id = fresh_run(store)
    store.commit_cycle(run_id, "advised", rows, [ex.DAY], None)
    found = store.cycles(run_id, "advised", as_of=FAR)
    if keys:
        assert ex.same_rows(rows, found)
    assert len(found) == len(rows)
    assert store.verify_chain(run_id).intact


def test_records_keep_their_order_across_commits(store: Store) -> None:
    ex.start(store)
    quantities = [5, 3, 9, 1, 7]
    fills = [dataclasses.replace(ex.FILL, quantity=quantity) for quantity in quantities]
    store.commit_cycle("run", "advised", None, fills[:2], None)
    store.commit_cycle("run", "advised", None, [], None)
    store.commit_cycle("run", "advised", None, [ex.ORDER, *fills[2:]], None)
    found = store.fills("run", "advised", as_of=FAR)
    assert [fill.quantity for fill in found] == quantities


@pytest.mark.parametrize("reader", ex.READERS)
def test_nothing_is_returned_before_it_was_known(store: Store, reader: str) -> None:
    record, known = ex.KNOWN[reader]
    ex.start(store)
    store.commit_cycle("run", "advised", None, [record], None)
    read = getattr(store, reader)
    instant = timedelta(microseconds=1)
    assert read("run", "advised", as_of=known - instant) == []
    assert [ex.same(record, one) for one in read("run", "advised", as_of=known)] == [True]
    assert len(read("run", "advised", as_of=known.astimezone(NEW_YORK))) == 1


def test_young_alerts_and_alerts_of_some_ids_are_found(store: Store) -> None:
    known = [ex.CHART_ALERT.known_at + minute * ex.MINUTE for minute in range(4)]
    for run_id in ("run", "other"):
        ex.start(store, run_id)
        alerts = [dataclasses.replace(ex.CHART_ALERT, id=f"{run_id}{n}", known_at=at)
                  for n, at in enumerate(known)]  # fmt: skip
        store.commit_cycle(run_id, "market", None, [alerts[1], alerts[0], *alerts[2:]], None)

    def ids(since: datetime, as_of: datetime) -> list[str]:
        return [one.id for one in store.chart_alerts("run", "market", as_of=as_of, since=since)]

    assert ids(known[0], known[2]) == ["run1", "run2"]
    assert ids(known[0] - ex.MINUTE, known[1]) == ["run1", "run0"]
    assert store.chart_alerts("run", "advised", as_of=FAR, since=known[0]) == []
    assert store.chart_alert_ids("run", {"run3", "other1", "x"}) == {"run3"}
    assert store.chart_alert_ids("run", set()) == set()


def test_a_run_keeps_an_alert_once(store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "market", None, [ex.CHART_ALERT], None)
    with pytest.raises(AdvisorError):
        store.commit_cycle("run", "market", None, [ex.CHART_ALERT], None)
    assert store.chart_alerts("run", "market", as_of=FAR) == [ex.CHART_ALERT]
    assert store.verify_chain("run").intact


def test_as_of_hides_only_what_came_later(store: Store) -> None:
    ex.start(store)
    fills = [dataclasses.replace(ex.FILL, start=ex.OPEN + n * ex.MINUTE) for n in range(5)]
    store.commit_cycle("run", "advised", None, fills, None)
    found = store.fills("run", "advised", as_of=ex.OPEN + 3 * ex.MINUTE)
    assert [fill.start for fill in found] == [fill.start for fill in fills[:3]]


def test_a_day_is_known_when_its_last_minute_has_closed(store: Store) -> None:
    ex.start(store)
    half_day = ex.minutes(ex.OPEN, 210)
    store.commit_cycle("run", "advised", half_day, [ex.DAY], None)
    over = ex.OPEN + 210 * ex.MINUTE
    assert store.lane_days("run", "advised", as_of=over - ex.MINUTE) == []
    assert store.lane_days("run", "advised", as_of=over) == [ex.DAY]


def test_a_minute_row_is_known_when_its_bar_has_closed(store: Store) -> None:
    ex.start(store)
    rows = ex.minutes(ex.OPEN, 10)
    store.commit_cycle("run", "advised", rows, [], None)
    seconds = timedelta(seconds=59)
    assert len(store.cycles("run", "advised", as_of=ex.OPEN + seconds)) == 0
    found = store.cycles("run", "advised", as_of=ex.OPEN + 4 * ex.MINUTE + seconds)
    assert ex.same_rows(found, ex.part(rows, 0, 4 * len(ex.WATCHLIST)))


@pytest.mark.parametrize("reader", [*ex.READERS, "cycles"])
def test_as_of_is_required_and_has_a_time_zone(store: Store, reader: str) -> None:
    read = getattr(store, reader)
    parameter = inspect.signature(read).parameters["as_of"]
    assert parameter.kind is parameter.KEYWORD_ONLY
    assert parameter.default is parameter.empty
    with pytest.raises(BadInput, match="time zone"):
        read("run", "advised", as_of=datetime(2026, 1, 5, 15, 0))
    with pytest.raises(BadInput, match="time zone"):
        read("run", "advised", as_of=None)


def test_lanes_and_runs_do_not_see_each_other(store: Store) -> None:
    ex.start(store, "one")
    ex.start(store, "two")
    store.commit_cycle("one", "advised", ex.minutes(ex.OPEN, 2), [ex.FILL], b"state")
    assert store.fills("one", "baseline", as_of=FAR) == []
    assert store.fills("two", "advised", as_of=FAR) == []
    assert len(store.cycles("two", "advised", as_of=FAR)) == 0
    assert store.checkpoint("one", "baseline") is None
    assert store.checkpoint("one", "advised") == b"state"


def test_a_checkpoint_is_replaced_and_kept_when_none_is_given(store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", None, [], b"\x00one")
    store.commit_cycle("run", "advised", None, [ex.FILL], b"two")
    store.commit_cycle("run", "advised", None, [ex.FILL], None)
    assert store.checkpoint("run", "advised") == b"two"


def test_a_refused_cycle_leaves_nothing_behind(store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 1), [ex.FILL], b"before")
    naive = dataclasses.replace(ex.FILL, start=datetime(2026, 1, 5, 15, 0))
    with pytest.raises(BadInput, match="no time zone"):
        store.commit_cycle(
            "run", "advised", ex.minutes(ex.OPEN + ex.MINUTE, 1), [ex.TRADE, naive], b"after"
        )
    assert store.trades("run", "advised", as_of=FAR) == []
    assert len(store.cycles("run", "advised", as_of=FAR)) == len(ex.WATCHLIST)
    assert store.checkpoint("run", "advised") == b"before"
    store.commit_cycle("run", "advised", ex.minutes(ex.OPEN + ex.MINUTE, 1), [ex.TRADE], None)
    assert store.verify_chain("run").intact


@pytest.mark.parametrize(
    ("record", "why"),
    [
        (dataclasses.replace(ex.FILL, reason="a\x00b"), "NUL"),
        (dataclasses.replace(ex.FILL, reason="\ud800"), "Unicode"),
        (dataclasses.replace(ex.FILL, reason=None), "reason must not be None"),
        (dataclasses.replace(ex.FILL, price=None), "NoneType"),
        (dataclasses.replace(ex.FILL, price="186.9"), "str"),
        (dataclasses.replace(ex.FILL, reason=5), "not text"),
        (dataclasses.replace(ex.FILL, quantity=2**63), "64 bits"),
        (dataclasses.replace(ex.FILL, quantity=1.0), "integer"),
        (dataclasses.replace(ex.TRADE, setup="XX"), "XX"),
        (dataclasses.replace(ex.DAY, date=ex.OPEN), "not a date"),
        (dataclasses.replace(ex.DAY, notes="one"), "tuple of texts"),
        (ex.SIGNAL, "keeps no Signal"),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(store: Store, record: object, why: str) -> None:
    ex.start(store)
    with pytest.raises(BadInput, match=why):
        store.commit_cycle("run", "advised", None, [ex.FILL, record], None)
    assert store.fills("run", "advised", as_of=FAR) == []


def test_numpy_numbers_are_numbers(store: Store) -> None:
    ex.start(store)
    fill = dataclasses.replace(ex.FILL, quantity=np.int64(20), price=np.float64(186.948693))
    store.commit_cycle("run", "advised", None, [fill], None)
    assert store.verify_chain("run").intact
    (found,) = store.fills("run", "advised", as_of=FAR)
    assert ex.same(found, ex.FILL)


# Runs


def test_a_run_says_what_produced_it(store: Store) -> None:
    before = datetime.now(UTC)
    ex.start(store, "first")
    ex.start(store, "second")
    run = store.run("first")
    assert run is not None
    assert (run.kind, run.config_hash, run.code_version) == ("replay", "c0ffee", "1.0")
    assert run.config_json == '{"n": 120}'
    assert run.status == "running"
    assert before <= run.created_at <= datetime.now(UTC)
    assert store.run("third") is None
    assert [one.run_id for one in store.runs()] == ["first", "second"]


def test_a_run_name_is_used_once(store: Store) -> None:
    ex.start(store)
    with pytest.raises(BadInput, match="has a run 'run' already"):
        ex.start(store)


def test_a_finished_run_takes_nothing_more(store: Store) -> None:
    ex.keep_history(store)
    heads = store.heads("run")
    assert store.finish_run("run").status == "finished"
    with pytest.raises(BadInput, match="finished"):
        store.commit_cycle("run", "advised", None, [ex.FILL], None)
    assert store.heads("run") == heads
    assert store.verify_chain("run").intact


def test_a_discarded_run_is_gone_and_may_start_again(store: Store) -> None:
    for run_id in ("kept", "run"):
        ex.keep_history(store, run_id)
        ex.keep_premarket(store, run_id)
    store.discard_run("run")
    assert [run.run_id for run in store.runs()] == ["kept"]
    ex.start(store, "run")
    for reader in (*ex.READERS, "cycles"):
        assert len(getattr(store, reader)("run", "advised", as_of=FAR)) == 0
        assert len(getattr(store, reader)("kept", "advised", as_of=FAR)) > 0
    store.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 1), [ex.FILL], None)
    assert store.verify_chain("run").intact


def test_an_unknown_run_is_named(store: Store) -> None:
    ex.start(store, "mine")
    for use in (
        lambda: store.fills("other", "advised", as_of=FAR),
        lambda: store.commit_cycle("other", "advised", None, [], None),
        lambda: store.finish_run("other"),
        lambda: store.discard_run("other"),
        lambda: store.verify_chain("other"),
    ):
        with pytest.raises(NoData, match="no run 'other'; it has mine"):
            use()


# One chain


def test_equal_decisions_have_equal_heads_whatever_the_run_is_called(store: Store) -> None:
    ex.keep_history(store, "monday", lanes=("advised", "baseline"))
    ex.keep_history(store, "tuesday", lanes=("advised",))
    monday, tuesday = store.heads("monday"), store.heads("tuesday")
    assert monday["advised"] == tuesday["advised"]
    assert monday["advised"] != monday["baseline"]


def test_reopening_goes_on_where_the_lane_stood(where: str, store: Store) -> None:
    ex.start(store, "straight")
    ex.start(store, "reopened")
    steps = [
        (ex.minutes(ex.OPEN, 3), [ex.FILL]),
        (ex.minutes(ex.OPEN + 3 * ex.MINUTE, 2), [ex.TRADE, ex.ORDER]),
        (ex.minutes(ex.OPEN + 5 * ex.MINUTE, 1), [ex.DAY]),
        (ex.minutes(ex.OPEN + 6 * ex.MINUTE, 1), [ex.FILL]),
        (None, [ex.next_day(ex.DAY)]),
    ]
    for cycles, records in steps:
        store.commit_cycle("straight", "advised", cycles, records, None)
    for cycles, records in steps:
        store.close()
        store = Store.open(where)
        store.commit_cycle("reopened", "advised", cycles, records, None)
    report = store.verify_chain("reopened")
    assert report.intact
    assert report.records == 6
    assert report.cycle_rows == 7 * len(ex.WATCHLIST)
    assert store.heads("reopened") == store.heads("straight") == report.heads
    store.close()


def test_another_watchlist_needs_another_run(store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 1), [], None)
    other = ex.minutes(ex.OPEN + ex.MINUTE, 1, symbols=("SPY", "QQQ"))
    with pytest.raises(BadInput, match="watchlist SPY, QQQ, NVDA and cannot go on with SPY, QQQ"):
        store.commit_cycle("run", "advised", other, [], None)


@pytest.mark.parametrize(
    "rows",
    [
        ex.minutes(ex.OPEN + 4 * ex.MINUTE, 2),
        ex.minutes(ex.OPEN, 1),
        CycleRows.joined([ex.minutes(ex.OPEN + 9 * ex.MINUTE, 1), ex.minutes(ex.OPEN, 1)]),
        CycleRows.joined([ex.minutes(ex.OPEN + 9 * ex.MINUTE, 1)] * 2),
    ],
    ids=["overlap", "earlier", "backwards", "twice"],
)
def test_minute_rows_come_once_and_in_order(store: Store, rows: CycleRows) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", ex.minutes(ex.OPEN, 5), [], None)
    with pytest.raises(BadInput, match="in order"):
        store.commit_cycle("run", "advised", rows, [], None)
    assert len(store.cycles("run", "advised", as_of=FAR)) == 5 * len(ex.WATCHLIST)


@pytest.mark.parametrize(("name", "value"), [("symbol", -1), ("symbol", 3), ("state", 6)])
def test_a_row_of_nothing_is_refused(store: Store, name: str, value: int) -> None:
    ex.start(store)
    rows = ex.minutes(ex.OPEN, 1)
    getattr(rows, name)[0 if value < 0 else -1] = value
    with pytest.raises(BadInput, match=f"names a {name}"):
        store.commit_cycle("run", "advised", rows, [], None)


def test_a_closed_session_gets_no_more_of_its_last_minute(store: Store) -> None:
    ex.start(store)
    rows = ex.minutes(ex.OPEN, 1)
    store.commit_cycle("run", "advised", ex.part(rows, 0, 1), [ex.DAY], None)
    with pytest.raises(BadInput, match="in order"):
        store.commit_cycle("run", "advised", ex.part(rows, 1, 3), [], None)


def test_readers_see_commits_of_the_writer_and_cannot_write(where: str, store: Store) -> None:
    ex.start(store)
    with Store.open(where, read_only=True) as reader:
        assert reader.fills("run", "advised", as_of=FAR) == []
        store.commit_cycle("run", "advised", None, [ex.FILL], None)
        assert reader.fills("run", "advised", as_of=FAR) == [ex.FILL]
        with pytest.raises(BadInput, match="reading only"):
            reader.commit_cycle("run", "advised", None, [ex.FILL], None)
        assert reader.verify_chain("run").intact


def test_there_is_one_writer(where: str, store: Store) -> None:
    with pytest.raises(BadInput, match="another process is writing the ledger"):
        Store.open(where)
    store.close()
    Store.open(where).close()


def test_what_a_call_cost_can_be_summed_by_the_database(where: str, store: Store) -> None:
    ex.start(store)
    store.commit_cycle("run", "advised", None, [ex.CALL, ex.CALL], None)
    engine = engine_at(where, "FULL")
    with engine.connect() as connection:
        asked = "SELECT sum(cost_usd), sum(tokens_in), min(prompt), min(model) FROM llm_calls"
        cost, tokens, prompt, model = connection.exec_driver_sql(asked).one()
    engine.dispose()
    assert (float(cost), tokens) == (0.0024, 200)
    assert (prompt, model) == ("premarket_bias.v1", "local:qwen3")
    (kept, _) = store.llm_calls("run", "advised", as_of=FAR)
    assert kept.call.cost_usd == Decimal("0.0012")
