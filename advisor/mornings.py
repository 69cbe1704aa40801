"""`advisor premarket`: one session prepared before it opens, and kept in a ledger.

The run's identity is made of what is known at the moment (snapshots, prices, VIX, news), the
settings, the analyst and the code. The same morning asked for again is shown from the ledger, and
no model is asked twice; a morning of which more has become known is another run beside it.
"""

import hashlib
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path

import msgspec

from advisor import code_version
from advisor.bootstrap import ReplayOptions, advisers
from advisor.ledgers import open_ledger
from advisor.morning_bars import MorningBars, MorningRequest, read_morning
from advisor.news import NewsSources, open_news
from advisor.premarket import open_day
from advisor.replay import LEDGER, MARKET_LANE
from advisor.settings import Settings
from graph.ports import Progress
from graph.premarket_facts import Morning
from quant_core.calendar import Session, at_new_york, xnys
from quant_core.premarket_price import PREMARKET_OPEN
from quant_core.types import AnswerFinding, DailyBias, Headline, MarketContext, Snapshot
from tools.errors import BadInput
from tools.llm.calls import KeptCall
from tools.store.store import Store

KIND = "premarket"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedMorning:
    """A prepared session, as its ledger has it. `earlier` says that it was there already."""

    run_id: str
    as_of: datetime
    snapshots: list[Snapshot]
    biases: list[DailyBias]
    context: MarketContext
    news: list[Headline]
    news_since: datetime
    calls: list[KeptCall]
    findings: list[AnswerFinding]
    sources: NewsSources
    notes: list[str]
    rejections: dict[str, dict[str, int]]
    chain_heads: dict[str, str]
    earlier: bool
    ledger: str


def session_on(day: date) -> Session:
    """The session of a date; BadInput names the next one when the exchange is closed."""
    calendar = xnys(day.year - 1, day.year + 1)
    session = calendar.on(day)
    if session is None:
        _, after = calendar.around(day)
        raise BadInput(
            f"{day:%A}, {day} is no session of the New York Stock Exchange, so it has no "
            f"premarket; the next session is {after:%A}, {after}"
        )
    return session


def prepare_morning(
    request: MorningRequest,
    options: ReplayOptions,
    settings: Settings,
    folder: Path,
    progress: Progress | None = None,
) -> PreparedMorning:
    """Prepare a session and keep it in the folder's ledger, or take it from there."""
    session = session_on(request.date)
    moment = _moment(request, session)
    read = read_morning(request, settings, session, moment)
    with ExitStack() as stack:
        sources = open_news(options.news, settings, stack)
        run_id = f"{request.date}-{_identity(read.morning, options, settings, sources)}"
        store = stack.enter_context(_open_ledger(folder, run_id, options, settings))
        run = store.run(run_id)
        earlier = run is not None and run.status == "finished"
        if not earlier:
            _prepare(store, run_id, read.morning, options, settings, sources, folder, progress)
        return _from_ledger(store, run_id, read, sources, earlier)


def _moment(request: MorningRequest, session: Session) -> datetime:
    moment = at_new_york(request.date, request.clock)
    if not request.clock > PREMARKET_OPEN or moment.timestamp() > session.open * 60:
        raise BadInput(
            f"--at {request.clock:%H:%M} is not before the open; name a time of the morning in New "
            "York, after 04:00 and up to 09:30"
        )
    return moment


def _identity(
    morning: Morning, options: ReplayOptions, settings: Settings, sources: NewsSources
) -> str:
    """What makes this morning this morning (12 hexadecimal digits)."""
    symbols = [one.symbol for one in morning.snapshots]
    items: Sequence[Headline] = ()
    if sources.reader is not None and morning.news_since is not None:
        items = sources.reader.news(symbols, as_of=morning.as_of, since=morning.news_since)
    known = [one for one in items if one.known_at <= morning.as_of]
    parts = [morning, known, options.premarket, settings.config_hash(), code_version()]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:12]


def _open_ledger(folder: Path, run_id: str, options: ReplayOptions, settings: Settings) -> Store:
    """The folder's ledger, or the database that was named: one for all days either way."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadInput(f"--out {folder} cannot be used: {error.strerror}") from error
    store = open_ledger(options.ledger or folder / LEDGER, settings, read_only=False)
    try:
        other = next((run for run in store.runs() if run.kind != KIND), None)
        if options.ledger is None and other is not None:
            raise BadInput(
                f"{folder} holds the ledger of a {other.kind} (run {other.run_id}); choose another "
                "--out for premarkets"
            )
        if options.fresh and store.run(run_id) is not None:
            store.discard_run(run_id)
            if options.llm == "record" and options.recordings is None:
                recording_of(folder, run_id).unlink(missing_ok=True)
        if store.run(run_id) is None:
            store.start_run(
                run_id,
                kind=KIND,
                config_hash=settings.config_hash(),
                code_version=code_version(),
                config_json=msgspec.json.encode(settings.plain(), order="deterministic").decode(),
            )
    except BaseException:
        store.close()
        raise
    return store


def recording_of(folder: Path, run_id: str) -> Path:
    """Where the answers of a morning's model are kept."""
    return folder / f"recordings-{run_id}.sqlite"


def _prepare(
    store: Store,
    run_id: str,
    morning: Morning,
    options: ReplayOptions,
    settings: Settings,
    sources: NewsSources,
    folder: Path,
    progress: Progress | None,
) -> None:
    """Form the opinion and keep it: one transaction, then the run is closed."""
    place = options.recordings or recording_of(folder, run_id)
    options = replace(options, recordings=place)
    reader = sources.reader
    with advisers(options, settings, folder, store, run_id, reader, watch=progress) as chosen:
        if not store.snapshots(run_id, MARKET_LANE, as_of=morning.as_of):
            opening = open_day(chosen, morning)
            store.commit_cycle(run_id, MARKET_LANE, None, [*morning.snapshots, *opening], None)
    store.finish_run(run_id)


def _from_ledger(
    store: Store, run_id: str, read: MorningBars, sources: NewsSources, earlier: bool
) -> PreparedMorning:
    morning = read.morning
    of_run = (run_id, MARKET_LANE)
    as_of = morning.as_of
    assert morning.news_since is not None
    return PreparedMorning(
        run_id=run_id,
        as_of=as_of,
        snapshots=store.snapshots(*of_run, as_of=as_of),
        biases=store.daily_biases(*of_run, as_of=as_of),
        context=store.market_contexts(*of_run, as_of=as_of)[-1],
        news=store.news(*of_run, as_of=as_of),
        news_since=morning.news_since,
        calls=store.llm_calls(*of_run, as_of=as_of),
        findings=store.llm_findings(*of_run, as_of=as_of),
        sources=sources,
        notes=read.notes,
        rejections=read.rejections,
        chain_heads=store.heads(run_id),
        earlier=earlier,
        ledger=store.place,
    )
