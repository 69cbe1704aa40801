"""The composition root: from options and settings to the objects that a run works with.

Who advises is decided here and nowhere else. A language model comes live, recorded or replayed
from a recording; whichever it is, lanes see an `Analyst` and a `Validator`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from advisor.as_recorded import AsRecorded, validator_as_recorded
from advisor.asking import Asking, AtOnce
from advisor.beside import Beside, within
from advisor.course import Course, course_of
from advisor.kept import Kept, KeptAsRecorded, KeptBeside, Shown
from advisor.lanes import Lane, as_given, authority_after, shuffled_in_time
from advisor.secrets import provide_keys
from advisor.settings import Settings
from advisor.spending import open_spending
from advisor.steady import steady_analyst, steady_validator
from graph import market_analysis, premarket, trade_validation
from graph.checkpoints import Checkpoints
from graph.history import LedgerHistory
from graph.ports import Progress, Wiring
from graph.premarket import Prepare, prepare_by_rules
from quant_core import rules
from quant_core.authority import Authority
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.market_view import MarketView
from quant_core.types import Analysis, Headline, Signal, Verdict
from tools.clock import Clock, SystemClock
from tools.errors import BadInput
from tools.llm import (
    DailyBudget,
    LanguageModel,
    LiveModel,
    RecordingModel,
    RecordingsFile,
    ReplayModel,
)
from tools.llm.calls import KeptCall
from tools.ports import Analyst, NewsReader, Validator
from tools.secrets import Secrets
from tools.store import codec
from tools.store.paging import Pages
from tools.store.store import Store

RECORDINGS = "recordings.sqlite"
CHECKPOINTS = "checkpoints.sqlite"
# The model keeps a verdict's deadline by itself; this is for a machine that hangs elsewhere.
GRACE_SECONDS = 1.0
EVER = datetime(9999, 1, 1, tzinfo=UTC)  # what was paid and asked is no market data


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Who advises, which news they read, and what to do about an earlier run in the same folder.

    `llm` says where a model's answers come from: `live` (not kept), `record` (kept in the output
    folder), `replay` (from the recording at `recordings`, without any call). `mask` hides symbols
    and dates from it. `pace` is seconds for each minute, with model analyses beside the loop; None
    is as fast as it goes, with every answer in time. `own_time` says that the recording replayed
    was made at a pace: every answer applies when it did then. `ledger` is the database that keeps
    the run beside others; None is a file in the output folder.
    """

    analyst: Literal["none", "rules", "model"] = "rules"
    validation: Literal["off", "rules", "model"] = "off"
    premarket: Literal["off", "rules", "model"] = "rules"
    news: tuple[Path, ...] = ()
    llm: Literal["live", "record", "replay"] = "record"
    recordings: Path | None = None
    mask: bool = False
    pace: float | None = None
    own_time: bool = False
    resume: bool = False
    fresh: bool = False
    ledger: str | None = None

    @property
    def asks_model(self) -> bool:
        """Whether any adviser is a language model."""
        return "model" in (self.analyst, self.validation, self.premarket)

    @property
    def paced(self) -> bool:
        """Whether answers apply when they come, or came, instead of being waited for."""
        return self.pace is not None or self.own_time


@dataclass(frozen=True, slots=True)
class Advisers:
    """Who analyses, how it is asked, who validates in the advised lane, and who prepares a day.

    None for nobody. What led to their opinions waits in `kept`; `news` is what they read.
    """

    analyst: Analyst | None
    validator: Validator | None
    asking: Asking = field(default_factory=AtOnce)
    prepare: Prepare | None = None
    news: NewsReader | None = None
    kept: Kept = field(default_factory=Kept)


@contextmanager
def advisers(
    options: ReplayOptions,
    settings: Settings,
    folder: Path | None,
    store: Store | None,
    run: str,
    news: NewsReader | None = None,
    *,
    clock: Clock | None = None,
    watch: Progress | None = None,
    secrets: Secrets | None = None,
) -> Iterator[Advisers]:
    """The advisers of a run, with what they keep open for its duration.

    With a `clock` minutes pass by themselves: a model's analyses run beside them, and a verdict is
    waited for no longer than its deadline. A recording answers without one, in the minutes in which
    it was answered then. `watch` is told every step of the machines. `secrets` are those that are
    open already.
    """
    analyst: Analyst | None = rules.analyse if options.analyst == "rules" else None
    validator: Validator | None = rules.validate if options.validation == "rules" else None
    prepare: Prepare | None = prepare_by_rules if options.premarket == "rules" else None
    known = _news_ids(store, run)
    if not options.asks_model:
        yield Advisers(analyst, validator, AtOnce(), prepare, news, Kept(known))
        return
    provide_keys(settings, model=True)
    with ExitStack() as stack:
        recordings = _recordings(options, folder, stack)
        course = course_of(recordings) if recordings and options.llm == "replay" else None
        beside = clock if options.llm != "replay" else None
        kept = _kept(recordings, course, known, is_beside=beside is not None)
        wiring = _wiring(options, settings, folder, store, run, recordings, watch, secrets, stack)
        wiring = replace(wiring, news=news, news_hours=settings.news.hours)
        asking: Asking = AtOnce()
        if options.analyst == "model":
            analyst = _analyst(wiring, kept)
            asking = _asking(course, beside, settings, watch, stack)
        if options.validation == "model":
            validator = _validator(wiring, kept, settings)
            if course is not None:
                validator = validator_as_recorded(validator, course)
            elif beside is not None:
                seconds = settings.validation.deadline_seconds + GRACE_SECONDS
                validator = within(seconds, validator, beside)
        if options.premarket == "model":
            prepare = premarket.preparer(wiring)
        yield Advisers(analyst, validator, asking, prepare, news, kept)


def _kept(
    recordings: RecordingsFile | None, course: Course | None, known: list[str], *, is_beside: bool
) -> Kept:
    """Where records wait, by what decides how long."""
    if course is not None:
        return KeptAsRecorded(course, known)
    if is_beside:
        return KeptBeside(recordings, known)
    if recordings is not None and recordings.course():
        raise BadInput(
            "this recording was made at a pace, where answers came in their own time; name "
            "another with --recordings, or say --fresh"
        )
    return Kept(known)


def _asking(
    course: Course | None, clock: Clock | None, settings: Settings, watch: Progress | None,
    stack: ExitStack,
) -> Asking:  # fmt: skip
    """How a model's analyses are asked for: as recorded, beside the loop, or at once."""
    if course is not None:
        return AsRecorded(course)
    if clock is None:
        return AtOnce()
    beside = Beside(settings.analysis.deadline_seconds, clock, watch=watch)
    stack.callback(beside.close)
    return beside


def _analyst(wiring: Wiring, kept: Kept) -> Analyst:
    """The market analysis as an analyst that leaves behind what led to its opinions."""

    def give(view: MarketView) -> Analysis:
        wired, shown = _watched(wiring)
        opinion = market_analysis.analyse(view, wired)
        kept.opinion(opinion, shown)
        return opinion.value

    return give


def _validator(wiring: Wiring, kept: Kept, settings: Settings) -> Validator:
    """The trade validation as a validator that leaves behind what led to its verdicts."""
    wiring = replace(wiring, seconds=settings.validation.deadline_seconds)
    risk = settings.risk.max_risk_per_trade

    def give(signal: Signal, view: MarketView) -> Verdict:
        wired, shown = _watched(wiring)
        opinion = trade_validation.validate(signal, view, wired, risk)
        kept.opinion(opinion, shown)
        return opinion.value

    return give


def _watched(wiring: Wiring) -> tuple[Wiring, Sequence[Headline]]:
    """A wiring for one question, and the news that it will have been shown."""
    if wiring.news is None:
        return wiring, ()
    news = Shown(wiring.news)
    return replace(wiring, news=news), news.items


def _wiring(
    options: ReplayOptions, settings: Settings, folder: Path | None, store: Store | None, run: str,
    recordings: RecordingsFile | None, watch: Progress | None, secrets: Secrets | None,
    stack: ExitStack,
) -> Wiring:  # fmt: skip
    # Prompts carry the account: they go to the model that was chosen and nowhere else.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    live = _live(settings) if options.llm != "replay" else None
    # A replay makes no call: what others spend is none of its business.
    spending = stack.enter_context(closing(open_spending(settings, secrets))) if live else None
    return Wiring(
        model=_model(live, settings, recordings, _asked(store, run) if recordings else []),
        budget=DailyBudget(settings.llm_budget, SystemClock(), spending),
        history=LedgerHistory(store, run, "advised") if store is not None else None,
        seconds=settings.analysis.deadline_seconds,
        mask=options.mask,
        namespace=run,
        checkpoints=_checkpoints(options, settings, folder, run, stack),
        progress=watch,
    )


def _checkpoints(
    options: ReplayOptions, settings: Settings, folder: Path | None, run: str, stack: ExitStack
) -> Checkpoints | None:
    """Where the machines keep how far they got; a recording that answers at once needs none."""
    place = settings.checkpoints.url or (folder / CHECKPOINTS if folder else None)
    if options.llm == "replay" or place is None:
        return None
    kept = stack.enter_context(Checkpoints.open(place))
    if options.fresh:
        kept.forget(run)
    kept.prune(datetime.now(UTC) - timedelta(days=settings.checkpoints.keep_days))
    return kept


def _recordings(
    options: ReplayOptions, folder: Path | None, stack: ExitStack
) -> RecordingsFile | None:
    """Where answers are kept, or come from; None when they are neither."""
    place = options.recordings or (folder / RECORDINGS if folder else None)
    if options.llm == "replay" and place is None:
        raise BadInput("name the recording to replay from with --recordings")
    if options.llm == "live" or place is None:
        return None
    return stack.enter_context(RecordingsFile.open(place, read_only=options.llm == "replay"))


def at_a_pace(options: ReplayOptions, folder: Path | None) -> bool:
    """Whether the recording that a replay answers from was made at a pace."""
    if options.llm != "replay" or not options.asks_model:
        return False
    with ExitStack() as stack:
        recordings = _recordings(options, folder, stack)
        return recordings is not None and course_of(recordings) is not None


def _live(settings: Settings) -> LiveModel:
    live = LiveModel(settings.llm, settings.llm_prices)
    live.prepare()
    return live


def _model(
    live: LiveModel | None,
    settings: Settings,
    recordings: RecordingsFile | None,
    asked: Sequence[str],
) -> LanguageModel:
    """The model behind the advisers, in the mode asked for."""
    if recordings is None:
        assert live is not None, "a replay has a recording"
        return live
    if live is None:
        return ReplayModel(settings.llm, recordings, asked)
    return RecordingModel(live, settings.llm, recordings, asked)


def _asked(store: Store | None, run: str) -> list[str]:
    """The keys of the calls that a run has committed: a resumed run goes on after them."""
    return [kept.call.key for kept in _kept_calls(store, run)]


def _kept_calls(store: Store | None, run: str) -> list[KeptCall]:
    if store is None or store.run(run) is None:
        return []
    lanes = store.heads(run)
    return [kept for lane in lanes for kept in store.llm_calls(run, lane, as_of=EVER)]


def _news_ids(store: Store | None, run: str) -> list[str]:
    """The news that a run has kept already."""
    if store is None or store.run(run) is None:
        return []
    pages = Pages(store)
    lanes = pages.place(run).lanes.values()
    return [id for one in lanes for (id,) in pages.columns(codec.NEWS, one, ["id"], as_of=EVER)]


def make_lanes(
    symbols: int, options: ReplayOptions, settings: Settings, chosen: Advisers
) -> tuple[Lane, ...]:
    """The lanes of a run, the exported one first."""

    def lane(name: str) -> Lane:
        return Lane(
            name=name,
            desk=Desk.new(symbols, settings.account.start_equity),
            log=EventLog.with_room_for(symbols),
        )

    if options.analyst == "none" and options.validation == "off":
        return (lane("baseline"),)
    advised, baseline, placebo = lane("advised"), lane("baseline"), lane("placebo")
    advised.analyst, advised.validator = chosen.analyst, chosen.validator
    if options.analyst == "model" and chosen.analyst is not None:
        advised.analyst = steady_analyst(chosen.analyst, advised, settings.drift)
    if options.validation == "model" and chosen.validator is not None:
        advised.validator = steady_validator(chosen.validator, advised, settings.drift)
    advised.asking = chosen.asking
    advised.kept = chosen.kept
    if options.analyst == "none":
        return advised, baseline
    placebo.hindsight = True
    placebo.analyst = shuffled_in_time(advised, settings.lanes.placebo_seed)
    if settings.analysis.authority == "fixed":
        return advised, baseline, placebo
    shadow = lane("shadow")
    shadow.analyst, shadow.hindsight = as_given(advised), True

    def grant(sessions: int) -> Authority:
        """What the sessions that are over allow; whatever the lanes have done since."""
        past = shadow.daily_returns[:sessions], baseline.daily_returns[:sessions]
        return authority_after(*past, settings.analysis)

    advised.grant = placebo.grant = grant
    return advised, baseline, placebo, shadow
