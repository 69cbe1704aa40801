"""The composition root: from options and settings to the objects that a run works with.

Who advises is decided here and nowhere else. A language model comes live, recorded or replayed
from a recording; whichever it is, lanes see an `Analyst` and a `Validator`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from advisor.asking import Asking, AtOnce
from advisor.beside import Beside, within
from advisor.kept import Kept, NewsOnRecord
from advisor.lanes import Lane, as_given, authority_after, shuffled_in_time
from advisor.settings import Settings
from graph import market_analysis, premarket, trade_validation
from graph.checkpoints import Checkpoints
from graph.history import LedgerHistory
from graph.ports import Progress, Wiring
from graph.premarket import Prepare, prepare_by_rules
from quant_core import rules
from quant_core.authority import Authority
from quant_core.desk import Desk
from quant_core.events import EventLog
from tools.clock import Clock, SystemClock
from tools.errors import BadInput
from tools.llm import (
    DailyBudget,
    LanguageModel,
    LiveModel,
    RecordingModel,
    RecordingsFile,
    ReplayModel,
    SpendingFile,
)
from tools.llm.calls import KeptCall
from tools.ports import Analyst, NewsReader, Validator
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
    is as fast as it goes, with every answer in time.
    """

    analyst: Literal["none", "rules", "model"] = "rules"
    validation: Literal["off", "rules", "model"] = "off"
    premarket: Literal["off", "rules", "model"] = "rules"
    news: tuple[Path, ...] = ()
    llm: Literal["live", "record", "replay"] = "record"
    recordings: Path | None = None
    mask: bool = False
    pace: float | None = None
    resume: bool = False
    fresh: bool = False

    @property
    def asks_model(self) -> bool:
        """Whether any adviser is a language model."""
        return "model" in (self.analyst, self.validation, self.premarket)


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
) -> Iterator[Advisers]:
    """The advisers of a run, with what they keep open for its duration.

    With a `clock` minutes pass by themselves: a model's analyses run beside them, and a verdict is
    waited for no longer than its deadline. `watch` is told every step of the machines.
    """
    analyst: Analyst | None = rules.analyse if options.analyst == "rules" else None
    validator: Validator | None = rules.validate if options.validation == "rules" else None
    prepare: Prepare | None = prepare_by_rules if options.premarket == "rules" else None
    kept = Kept()
    if news is not None:
        news = NewsOnRecord(news, kept, _news_ids(store, run))
    asking: Asking = AtOnce()
    if not options.asks_model:
        yield Advisers(analyst, validator, asking, prepare, news, kept)
        return
    with ExitStack() as stack:
        wiring = _wiring(options, settings, folder, store, run, watch, stack)
        wiring = replace(wiring, news=news, news_hours=settings.news.hours)
        if options.analyst == "model":
            analyst = market_analysis.analyst(wiring, kept.opinion)
            if clock is not None:
                asking = Beside(settings.analysis.deadline_seconds, clock, watch=watch)
                stack.callback(asking.close)
        if options.validation == "model":
            seconds = settings.validation.deadline_seconds
            risk = settings.risk.max_risk_per_trade
            wired = replace(wiring, seconds=seconds)
            validator = trade_validation.validator(wired, kept.opinion, risk_percent=risk)
            if clock is not None:
                validator = within(seconds + GRACE_SECONDS, validator, clock)
        if options.premarket == "model":
            prepare = premarket.preparer(wiring)
        yield Advisers(analyst, validator, asking, prepare, news, kept)


def _wiring(
    options: ReplayOptions, settings: Settings, folder: Path | None, store: Store | None, run: str,
    watch: Progress | None, stack: ExitStack,
) -> Wiring:  # fmt: skip
    # Prompts carry the account: they go to the model that was chosen and nowhere else.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    live = _live(settings) if options.llm != "replay" else None
    recordings = _recordings(options, folder, stack)
    # A replay makes no call: what others spend is none of its business.
    spending = stack.enter_context(SpendingFile.open(settings.spending.place())) if live else None
    return Wiring(
        model=_model(live, settings, recordings, _asked(store, run)),
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
    return [one.id for lane in store.heads(run) for one in store.news(run, lane, as_of=EVER)]


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
