"""The composition root: from options and settings to the objects that a run works with.

Who advises is decided here and nowhere else. A language model comes live, recorded or replayed
from a recording; whichever it is, lanes see an `Analyst` and a `Validator`.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from advisor.kept import Kept, NewsOnRecord
from advisor.lanes import Lane, shuffled_in_time
from advisor.settings import Settings
from graph import market_analysis, premarket, trade_validation
from graph.history import LedgerHistory
from graph.ports import Progress, Wiring
from graph.premarket import Prepare, prepare_by_rules
from quant_core import rules
from quant_core.desk import Desk
from quant_core.events import EventLog
from tools.errors import BadInput
from tools.llm import (
    DailyBudget,
    LanguageModel,
    LiveModel,
    LlmCall,
    RecordingModel,
    RecordingsFile,
    ReplayModel,
    SystemClock,
)
from tools.llm.calls import KeptCall
from tools.llm.spending import spent_by_day
from tools.ports import Analyst, NewsReader, Validator
from tools.store.store import Store

RECORDINGS = "recordings.sqlite"
EVER = datetime(9999, 1, 1, tzinfo=UTC)  # what was paid and asked is no market data


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Who advises, which news they read, and what to do about an earlier run in the same folder.

    `llm` says where a model's answers come from: `live` (not kept), `record` (kept in the output
    folder), `replay` (from the recording at `recordings`, without any call).
    """

    analyst: Literal["none", "rules", "model"] = "rules"
    validation: Literal["off", "rules", "model"] = "off"
    premarket: Literal["off", "rules", "model"] = "rules"
    news: tuple[Path, ...] = ()
    llm: Literal["live", "record", "replay"] = "record"
    recordings: Path | None = None
    resume: bool = False
    fresh: bool = False

    @property
    def asks_model(self) -> bool:
        """Whether any adviser is a language model."""
        return "model" in (self.analyst, self.validation, self.premarket)


@dataclass(frozen=True, slots=True)
class Advisers:
    """Who analyses and who validates in the advised lane, and who prepares a day; None: nobody.

    What led to their opinions waits in `kept`; `news` is what they read.
    """

    analyst: Analyst | None
    validator: Validator | None
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
    progress: Progress | None = None,
) -> Iterator[Advisers]:
    """The advisers of a run, with what they keep open for its duration."""
    analyst: Analyst | None = rules.analyse if options.analyst == "rules" else None
    validator: Validator | None = rules.validate if options.validation == "rules" else None
    prepare: Prepare | None = prepare_by_rules if options.premarket == "rules" else None
    kept = Kept()
    if news is not None:
        news = NewsOnRecord(news, kept, _news_ids(store, run))
    if not options.asks_model:
        yield Advisers(analyst, validator, prepare, news, kept)
        return
    with ExitStack() as stack:
        wiring = _wiring(options, settings, folder, store, run, stack)
        wiring = replace(wiring, news=news, news_hours=settings.news.hours, progress=progress)
        if options.analyst == "model":
            analyst = market_analysis.analyst(wiring, kept.opinion)
        if options.validation == "model":
            risk = settings.risk.max_risk_per_trade
            validator = trade_validation.validator(wiring, kept.opinion, risk_percent=risk)
        if options.premarket == "model":
            prepare = premarket.preparer(wiring)
        yield Advisers(analyst, validator, prepare, news, kept)


def _wiring(
    options: ReplayOptions, settings: Settings, folder: Path | None, store: Store | None, run: str,
    stack: ExitStack,
) -> Wiring:  # fmt: skip
    # Prompts carry the account: they go to the model that was chosen and nowhere else.
    os.environ["LANGSMITH_TRACING"] = os.environ["LANGCHAIN_TRACING_V2"] = "false"
    live = _live(settings) if options.llm != "replay" else None
    recordings = _recordings(options, folder, stack)
    spent = spent_by_day([*_calls(store), *(recordings.calls() if recordings else ())])
    return Wiring(
        model=_model(live, settings, recordings, _asked(store, run)),
        budget=DailyBudget(settings.llm_budget, SystemClock(), spent),
        history=LedgerHistory(store, run, "advised") if store is not None else None,
        seconds=settings.analysis.deadline_seconds,
        namespace=run,
    )


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


def _calls(store: Store | None) -> list[LlmCall]:
    """Every call that a ledger has: what they cost was paid, whichever run asked."""
    runs = [run.run_id for run in store.runs()] if store else []
    return [kept.call for run in runs for kept in _kept_calls(store, run)]


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
    advised.kept = chosen.kept
    if options.analyst == "none":
        return advised, baseline
    placebo.analyst = shuffled_in_time(advised, settings.lanes.placebo_seed)
    return advised, baseline, placebo
