"""Replay: recorded sessions through the same cycle as live trading, as fast as it goes.

The run's identity is made of the settings, the accepted bars, the request and the code, so the
same replay twice is the same run and gives the same bytes. The ledger in the output folder is
written cycle by cycle; an interrupted replay is taken up from its last whole cycle, or started
clean, and never one when the other was meant.
"""

import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import msgspec

from advisor import code_version
from advisor.bootstrap import (
    CHECKPOINTS,
    RECORDINGS,
    Advisers,
    ReplayOptions,
    advisers,
    at_a_pace,
    make_lanes,
)
from advisor.cycle import CycleDependencies, dependencies
from advisor.keeping import Keeping
from advisor.lanes import Lane, TradingDay
from advisor.ledgers import open_ledger
from advisor.market import Market, MarketRequest
from advisor.news import NewsSources, open_news
from advisor.pacing import PacedClock
from advisor.premarket import morning_of, open_day
from advisor.requests import REQUEST, keep_request, kept_request
from advisor.results import ReplayResult
from advisor.session import run_day, run_day_at_pace, trading_day
from advisor.settings import Settings
from advisor.steps import STEPS, StepsWriter, telling_both
from advisor.taking_up import take_up
from advisor.telemetry import SILENT, Telemetry
from graph.ports import Progress as Watch
from quant_core.authority import Authority
from quant_core.calendar import NEW_YORK, new_york, to_datetime
from quant_core.types import ChartAlert, Snapshot
from tools.errors import BadInput
from tools.store.dialect import LEDGER_FILE
from tools.store.store import Store

LEDGER = LEDGER_FILE
EXPORTS = (
    "cycles.parquet",
    "signals.parquet",
    "trades.parquet",
    "rejections.parquet",
    "summary.json",
    "report.html",
)
MARKET_LANE = "market"


Progress = Callable[[int, int, str], None]


class UnfinishedRun(BadInput):
    """The folder holds an earlier run, and nothing was said about it: ask the user."""


def run_identity(
    request: MarketRequest,
    options: ReplayOptions,
    settings: Settings,
    market: Market,
    news: str = "",
) -> str:
    """What makes this replay this replay (16 hexadecimal digits); `news` is that of its news."""
    return identity_of(
        settings.config_hash(), market.digest, code_version(), request, options, news
    )


def identity_of(
    config_hash: str,
    digest: str,
    code: str,
    request: MarketRequest,
    options: ReplayOptions,
    news: str,
) -> str:
    """The identity of a replay of these settings, bars and code, as `run_identity` makes it."""
    parts = [
        config_hash,
        digest,
        code,
        str(request.first),
        str(request.last),
        list(request.symbols),
        options.analyst,
        options.validation,
        options.premarket,
        news,
    ]
    # What an answer in its own time does to a run is part of it; how fast time passes is not.
    parts += [word for word, said in (("masked", options.mask), ("paced", options.paced)) if said]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def replay(
    request: MarketRequest,
    options: ReplayOptions,
    settings: Settings,
    market: Market,
    folder: Path | None,
    progress: Progress | None = None,
    watch: Watch | None = None,
) -> ReplayResult:
    """Run every session of a market through every lane; `folder` None keeps no ledger.

    `progress` is told how many minutes are done, `watch` every step of the machines.
    """
    clock = None if options.pace is None else PacedClock(options.pace)
    options = replace(options, own_time=at_a_pace(options, folder))
    with ExitStack() as stack:
        news = open_news(options.news, settings, stack)
        run_id = run_identity(request, options, settings, market, news.digest)
        store = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            store = stack.enter_context(_open_ledger(folder, run_id, options, settings))
            steps = StepsWriter(folder, run_id)
            stack.callback(steps.close)
            watch = telling_both(watch, steps.tell)
        chosen = stack.enter_context(
            advisers(
                options, settings, folder, store, run_id, news.reader, clock=clock, watch=watch
            )
        )
        # Only now: where a key or a package is missing, nothing was begun that could be resumed.
        if folder is not None and store is not None:
            _begin(store, run_id, settings)
            kept_in = {} if options.ledger is None else {"ledger": store.place, "run": run_id}
            keep_request(folder, request, options, market.digest, news.digest, **kept_in)
        lanes = make_lanes(len(market.symbols), options, settings, chosen)
        telemetry = _telemetry(settings, run_id, store, clock, stack)
        telemetry.watch(lanes)
        opened: set[date] = set()
        if store is not None:
            end = to_datetime(market.sessions[-1].close)
            take_up(store, run_id, lanes, end)
            snapshots = store.snapshots(run_id, MARKET_LANE, as_of=end)
            opened = {snapshot.date for snapshot in snapshots}
        chosen.kept.begin(run_id, _minute_of(lanes[0], market))
        if clock is not None and folder is not None and options.ledger is None:
            stack.enter_context(Keeping(folder / LEDGER, settings.rag))
        deps = dependencies(run_id, settings, store, telemetry)
        snapshots = _run(deps, lanes, market, store, chosen, opened, clock, progress, news.alerts)
        result = _result(run_id, lanes, market, options, settings, snapshots, news)
        if store is not None:
            _finish(store, result)
        return result


def _finish(store: Store, result: ReplayResult) -> None:
    """Close the run, and take from the ledger what the lanes do not carry."""
    if not _is_finished(store, result.run_id):
        store.finish_run(result.run_id)
    result.chain_heads = store.heads(result.run_id)
    end = to_datetime(result.sessions[-1].close)
    _charge(store, result, end)
    result.biases = store.daily_biases(result.run_id, MARKET_LANE, as_of=end)
    result.contexts = store.market_contexts(result.run_id, MARKET_LANE, as_of=end)


def _charge(store: Store, result: ReplayResult, end: datetime) -> None:
    """Charge each lane for its questions to models, the advised one for the premarkets too.

    The lanes that repeat its answers (placebo, shadow) ask nobody and pay nothing.
    """
    spent = {
        name: sum(
            (kept.call.cost_usd for kept in store.llm_calls(result.run_id, name, as_of=end)),
            Decimal(0),
        )
        for name in (MARKET_LANE, *result.lanes)
    }
    mornings = spent.pop(MARKET_LANE)
    if "advised" in spent:
        spent["advised"] += mornings
    elif mornings:
        result.notes.append(
            f"the premarkets' questions to models cost ${mornings:.4f}; no lane is advised, so "
            "none is charged"
        )
    for name, usd in spent.items():
        result.lanes[name].llm_cost = float(usd)


def prepare_folder(folder: Path, options: ReplayOptions) -> None:
    """Make the output folder, and refuse one whose earlier run was not spoken about."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {folder} cannot be used: {error.strerror}") from error
    ledger = folder / LEDGER
    if options.ledger or not ledger.exists() or options.fresh or options.resume:
        return
    with Store.open(ledger, read_only=True) as store:
        for run in store.runs():
            if run.status != "finished":
                raise UnfinishedRun(
                    f"{folder} holds a replay that was interrupted; say --resume to go on with it "
                    "or --fresh to discard it and start clean"
                )


def _open_ledger(folder: Path, run_id: str, options: ReplayOptions, settings: Settings) -> Store:
    """The folder's ledger with this run and no other in it, or with none."""
    if options.ledger is not None:
        return _open_shared(options.ledger, folder, run_id, options, settings)
    store = Store.open(folder / LEDGER, synchronous="NORMAL")
    if options.fresh:
        # Only now is this process the ledger's one writer: nobody's run is pulled from under them.
        for run in store.runs():
            store.discard_run(run.run_id)
        _clear_folder(folder, options)
    others = [run.run_id for run in store.runs() if run.run_id != run_id]
    if others:
        store.close()
        raise UnfinishedRun(
            f"{folder} holds a different replay (run {others[0]}, this one is {run_id}): its "
            "settings, bars, dates, symbols or code differ; choose another --out, or say --fresh "
            "to discard it"
        )
    return store


def _open_shared(
    address: str, folder: Path, run_id: str, options: ReplayOptions, settings: Settings
) -> Store:
    """A database that may hold other runs too; only this one is ever touched."""
    before = kept_request(folder).run if (folder / REQUEST).is_file() else run_id
    if before != run_id and not options.fresh:
        raise UnfinishedRun(
            f"{folder} holds the files of a different replay (this one is {run_id}); choose "
            "another --out, or say --fresh to write over them"
        )
    store = open_ledger(address, settings, read_only=False, synchronous="NORMAL")
    try:
        run = store.run(run_id)
        if run is not None and options.fresh:
            store.discard_run(run_id)
        elif run is not None and run.status != "finished" and not options.resume:
            raise UnfinishedRun(
                f"the ledger {store.place} holds this replay (run {run_id}), interrupted; say "
                "--resume to go on with it or --fresh to discard it and start clean"
            )
        if options.fresh:
            _clear_folder(folder, options)
    except BaseException:
        store.close()
        raise
    return store


def _clear_folder(folder: Path, options: ReplayOptions) -> None:
    """Remove what an earlier replay left beside its ledger."""
    _clear_exports(folder)
    if options.asks_model and options.llm == "record" and options.recordings is None:
        # Not otherwise: a replay still needs the one that is there.
        _clear_database(folder / RECORDINGS)
    _clear_database(folder / CHECKPOINTS)
    (folder / STEPS).unlink(missing_ok=True)


def _begin(store: Store, run_id: str, settings: Settings) -> None:
    """Put the run into the ledger, unless it is there already."""
    if store.run(run_id) is None:
        store.start_run(
            run_id,
            kind="replay",
            config_hash=settings.config_hash(),
            code_version=code_version(),
            config_json=msgspec.json.encode(settings.deciding(), order="deterministic").decode(),
        )


def _clear_exports(folder: Path) -> None:
    """Remove what an earlier replay exported, so that nothing old stands beside the new run."""
    for place in (folder, *(folder / "lanes").glob("*")):
        for name in EXPORTS:
            (place / name).unlink(missing_ok=True)
    for leftover in sorted((folder / "lanes").rglob("*"), reverse=True):
        if leftover.is_dir() and not any(leftover.iterdir()):
            leftover.rmdir()


def _clear_database(place: Path) -> None:
    """Remove a database that a new one takes the place of."""
    for suffix in ("", "-wal", "-shm"):
        place.with_name(place.name + suffix).unlink(missing_ok=True)


def _is_finished(store: Store, run_id: str) -> bool:
    run = store.run(run_id)
    return run is not None and run.status == "finished"


def _telemetry(
    settings: Settings, run_id: str, store: Store | None, clock: PacedClock | None, stack: ExitStack
) -> Telemetry:
    """A replay at a pace is watched as live trading is, where the settings name a port."""
    if clock is None or settings.telemetry.metrics_port == 0:
        return SILENT
    from advisor.telemetry.serving import open_telemetry

    return stack.enter_context(open_telemetry(settings.telemetry, run_id, store, clock))


def _minute_of(lane: Lane, market: Market) -> int:
    """The minute (since the epoch) from which a lane goes on; 0 before its first."""
    return next((day.open + lane.row for day in market.sessions if day.date == lane.day), 0)


def _run(
    deps: CycleDependencies,
    lanes: tuple[Lane, ...],
    market: Market,
    store: Store | None,
    chosen: Advisers,
    opened: set[date],
    clock: PacedClock | None,
    progress: Progress | None,
    alerts: Sequence[ChartAlert],
) -> list[Snapshot]:
    """Every session through every lane; returns the snapshots of all sessions."""
    total = sum(session.minutes for session in market.sessions) * len(lanes)
    done = 0
    snapshots: list[Snapshot] = []

    def report(lane: Lane, day: TradingDay) -> None:
        if progress is None:
            return
        minutes = sum(one.row for one in lanes if one.day == day.session.date)
        text = f"{day.session.date} {lane.name}"
        if clock is not None:
            text = f"{new_york(to_datetime(day.session.open + lane.row))} New York"
        progress(done + minutes, total, text)

    for session in market.sessions:
        told = [one for one in alerts if one.known_at.astimezone(NEW_YORK).date() == session.date]
        day = trading_day(market, session, deps.settings, told)
        snapshots += day.snapshots
        if store is not None and session.date not in opened:
            opening = open_day(
                chosen, morning_of(market, session, day.snapshots, deps.settings.news.hours)
            )
            store.commit_cycle(deps.run_id, MARKET_LANE, None, [*day.snapshots, *opening], None)
        if clock is None:
            run_day(lanes, day, deps, report)
        else:
            run_day_at_pace(lanes, day, deps, report, clock)
        if store is not None:
            _keep(told, store, deps.run_id)
        done += session.minutes * len(lanes)
    return snapshots


def _keep(alerts: Sequence[ChartAlert], store: Store, run_id: str) -> None:
    """Record a session's alerts where the recorded run has them, unless that is done.

    After the session, so that who looks at a replay while it runs sees none before its time.
    """
    known = store.chart_alert_ids(run_id, {one.id for one in alerts})
    if new := [one for one in alerts if one.id not in known]:
        store.commit_cycle(run_id, MARKET_LANE, None, new, None)


def _result(
    run_id: str,
    lanes: tuple[Lane, ...],
    market: Market,
    options: ReplayOptions,
    settings: Settings,
    snapshots: list[Snapshot],
    news: NewsSources,
) -> ReplayResult:
    grant = lanes[0].grant
    authority = [grant(past) for past in range(len(market.sessions))] if grant else []
    return ReplayResult(
        run_id=run_id,
        config_hash=settings.config_hash(),
        code_version=code_version(),
        symbols=market.symbols,
        sessions=market.sessions,
        feed=market.feed,
        analyst=options.analyst,
        validation=options.validation,
        lanes={lane.name: lane.result() for lane in lanes},
        snapshots=snapshots,
        bar_rejections=market.rejections,
        gaps=market.gaps,
        bars_read=market.bars_read,
        bars_accepted=market.bars_accepted,
        benchmark=market.benchmark(),
        authority=authority,
        news=news,
        notes=[
            *market.notes,
            *_not_armed(snapshots),
            *_paced(options),
            *_authority_note(authority),
            *_news_refused(news),
        ],
    )


def _paced(options: ReplayOptions) -> list[str]:
    if not options.paced or options.analyst != "model":
        return []
    return [
        "minutes did not wait for the analyst: an analysis applied from when its answer came; "
        "a replay of the recording gives the same, another recording may differ"
    ]


def _authority_note(authority: list[Authority]) -> list[str]:
    """What was earned, in one line; nothing where authority is fixed."""
    if not authority:
        return []
    opened = sum(one.value > 0.0 for one in authority)
    return [
        f"authority is earned: above 0 in {opened} of {len(authority)} sessions; "
        f"in the last one {authority[-1].value:.3f}: {authority[-1].reason}"
    ]


def _news_refused(news: NewsSources) -> list[str]:
    """What of the news could not be used, by reason."""
    counts = news.counts()
    if counts is None or not counts["rejected"]:
        return []
    reasons = ", ".join(f"{count} {reason}" for reason, count in counts["rejected"].items())
    return [
        f"{sum(counts['rejected'].values())} of {counts['read']} rows of news refused: {reasons}"
    ]


def _not_armed(snapshots: list[Snapshot]) -> list[str]:
    """Symbols that could not arm for want of history, with the sessions and what was missing."""
    missing: dict[str, list[Snapshot]] = {}
    for snapshot in snapshots:
        if snapshot.incomplete and "no daily bars" not in snapshot.incomplete:
            missing.setdefault(snapshot.symbol, []).append(snapshot)
    return [
        f"{symbol} did not arm in {len(found)} sessions ({found[0].date} to {found[-1].date}): "
        + "; ".join(found[0].incomplete)
        for symbol, found in missing.items()
    ]
