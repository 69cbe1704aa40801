"""The composition root: from options and settings to the objects that a run works with.

Who advises is decided here and nowhere else. A language model comes live, recorded or replayed
from a recording; whichever it is, lanes see an `Analyst` and a `Validator`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from advisor.asking import Asking, AtOnce
from advisor.beside import Beside, within
from advisor.lanes import Lane, as_given, authority_after, shuffled_in_time
from advisor.settings import Settings
from graph import market_analysis, trade_validation
from graph.checkpoints import Checkpoints
from graph.history import LedgerHistory
from graph.ports import Progress, Wiring
from quant_core import rules
from quant_core.authority import Authority
from quant_core.desk import Desk
from quant_core.events import EventLog
from tools.errors import BadInput
from tools.llm import (
    Clock,
    DailyBudget,
    LanguageModel,
    LiveModel,
    RecordingModel,
    RecordingsFile,
    ReplayModel,
    SystemClock,
)
from tools.ports import Analyst, Validator
from tools.store.store import Store

RECORDINGS = "recordings.sqlite"
CHECKPOINTS = "checkpoints.sqlite"
# The model keeps a verdict's deadline by itself; this is for a machine that hangs elsewhere.
GRACE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Who advises, and what to do about an earlier run in the same folder.

    `llm` says where a model's answers come from: `live` (not kept), `record` (kept in the output
    folder), `replay` (from the recording at `recordings`, without any call). `mask` hides symbols
    and dates from it. `pace` is seconds for each minute, with model analyses beside the loop; None
    is as fast as it goes, with every answer in time.
    """

    analyst: Literal["none", "rules", "model"] = "rules"
    validation: Literal["off", "rules", "model"] = "off"
    llm: Literal["live", "record", "replay"] = "record"
    recordings: Path | None = None
    mask: bool = False
    pace: float | None = None
    resume: bool = False
    fresh: bool = False

    @property
    def asks_model(self) -> bool:
        """Whether any adviser is a language model."""
        return "model" in (self.analyst, self.validation)


@dataclass(frozen=True, slots=True)
class Advisers:
    """Who analyses, how it is asked, and who validates in the advised lane; None for nobody."""

    analyst: Analyst | None
    validator: Validator | None
    asking: Asking = field(default_factory=AtOnce)


@contextmanager
def advisers(
    options: ReplayOptions, settings: Settings, folder: Path | None, store: Store | None, run: str,
    *, clock: Clock | None = None, watch: Progress | None = None,
) -> Iterator[Advisers]:  # fmt: skip
    """The advisers of a run, with what they keep open for its duration.

    With a `clock` minutes pass by themselves: a model's analyses run beside them, and a verdict is
    waited for no longer than its deadline. `watch` is told every step of the machines.
    """
    analyst: Analyst | None = rules.analyse if options.analyst == "rules" else None
    validator: Validator | None = rules.validate if options.validation == "rules" else None
    if not options.asks_model:
        yield Advisers(analyst, validator)
        return
    asking: Asking = AtOnce()
    with ExitStack() as stack:
        wiring = _wiring(options, settings, folder, store, run, watch, stack)
        if options.analyst == "model":
            analyst = market_analysis.analyst(wiring)
            if clock is not None:
                asking = Beside(settings.analysis.deadline_seconds, clock, watch=watch)
                stack.callback(asking.close)
        if options.validation == "model":
            seconds = settings.validation.deadline_seconds
            risk = settings.risk.max_risk_per_trade
            wired = replace(wiring, seconds=seconds)
            validator = trade_validation.validator(wired, risk_percent=risk)
            if clock is not None:
                validator = within(seconds + GRACE_SECONDS, validator, clock)
        yield Advisers(analyst, validator, asking)


def _wiring(
    options: ReplayOptions, settings: Settings, folder: Path | None, store: Store | None, run: str,
    watch: Progress | None, stack: ExitStack,
) -> Wiring:  # fmt: skip
    # Prompts carry the account: they go to the model that was chosen and nowhere else.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    return Wiring(
        model=_model(options, settings, folder, stack),
        budget=DailyBudget(settings.llm_budget, SystemClock()),
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


def _model(
    options: ReplayOptions, settings: Settings, folder: Path | None, stack: ExitStack
) -> LanguageModel:
    """The model behind the advisers, in the mode asked for."""
    if options.llm == "replay":
        place = options.recordings or (folder / RECORDINGS if folder else None)
        if place is None:
            raise BadInput("name the recording to replay from with --recordings")
        kept = stack.enter_context(RecordingsFile.open(place, read_only=True))
        return ReplayModel(settings.llm, kept)
    live = LiveModel(settings.llm, settings.llm_prices)
    live.prepare()
    if options.llm == "live" or folder is None:
        return live
    place = options.recordings or folder / RECORDINGS
    recordings = stack.enter_context(RecordingsFile.open(place))
    return RecordingModel(live, settings.llm, recordings)


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
