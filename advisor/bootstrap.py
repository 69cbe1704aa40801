"""The composition root: from options and settings to the objects that a run works with.

Who advises is decided here and nowhere else. A language model comes live, recorded or replayed
from a recording; whichever it is, lanes see an `Analyst` and a `Validator`.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from advisor.lanes import Lane, as_given, authority_after, shuffled_in_time
from advisor.settings import Settings
from graph import market_analysis, trade_validation
from graph.history import LedgerHistory
from graph.ports import Wiring
from quant_core import rules
from quant_core.authority import Authority
from quant_core.desk import Desk
from quant_core.events import EventLog
from tools.errors import BadInput
from tools.llm import (
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


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Who advises, and what to do about an earlier run in the same folder.

    `llm` says where a model's answers come from: `live` (not kept), `record` (kept in the output
    folder), `replay` (from the recording at `recordings`, without any call).
    """

    analyst: Literal["none", "rules", "model"] = "rules"
    validation: Literal["off", "rules", "model"] = "off"
    llm: Literal["live", "record", "replay"] = "record"
    recordings: Path | None = None
    resume: bool = False
    fresh: bool = False

    @property
    def asks_model(self) -> bool:
        """Whether any adviser is a language model."""
        return "model" in (self.analyst, self.validation)


@dataclass(frozen=True, slots=True)
class Advisers:
    """Who analyses and who validates in the advised lane; None for nobody."""

    analyst: Analyst | None
    validator: Validator | None


@contextmanager
def advisers(
    options: ReplayOptions, settings: Settings, folder: Path | None, store: Store | None, run: str
) -> Iterator[Advisers]:
    """The advisers of a run, with what they keep open for its duration."""
    analyst: Analyst | None = rules.analyse if options.analyst == "rules" else None
    validator: Validator | None = rules.validate if options.validation == "rules" else None
    if not options.asks_model:
        yield Advisers(analyst, validator)
        return
    with ExitStack() as stack:
        wiring = _wiring(options, settings, folder, store, run, stack)
        if options.analyst == "model":
            analyst = market_analysis.analyst(wiring)
        if options.validation == "model":
            risk = settings.risk.max_risk_per_trade
            validator = trade_validation.validator(wiring, risk_percent=risk)
        yield Advisers(analyst, validator)


def _wiring(
    options: ReplayOptions, settings: Settings, folder: Path | None, store: Store | None, run: str,
    stack: ExitStack,
) -> Wiring:  # fmt: skip
    # Prompts carry the account: they go to the model that was chosen and nowhere else.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    return Wiring(
        model=_model(options, settings, folder, stack),
        budget=DailyBudget(settings.llm_budget, SystemClock()),
        history=LedgerHistory(store, run, "advised") if store is not None else None,
        seconds=settings.analysis.deadline_seconds,
        namespace=run,
    )


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
    if options.analyst == "none":
        return advised, baseline
    placebo.analyst = shuffled_in_time(advised, settings.lanes.placebo_seed)
    if settings.analysis.authority == "fixed":
        return advised, baseline, placebo
    shadow = lane("shadow")
    shadow.analyst = as_given(advised)

    def grant(sessions: int) -> Authority:
        """What the sessions that are over allow; whatever the lanes have done since."""
        past = shadow.daily_returns[:sessions], baseline.daily_returns[:sessions]
        return authority_after(*past, settings.analysis)

    advised.grant = placebo.grant = grant
    return advised, baseline, placebo, shadow
