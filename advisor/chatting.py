"""Opening a run for questions: its ledger read-only, its index where there is one, a model or none.

The moment of a question is now, except for a replay, whose world ended with its last session: a
question about it is asked as of that end, unless the person names an earlier moment.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any

from advisor.indexing import open_library
from advisor.ledgers import folder_of, ledger_at, open_ledger
from advisor.secrets import provide_keys
from advisor.settings import Settings
from advisor.spending import open_spending
from graph.chat import Conversation, known_of
from graph.library import IndexLibrary, NoLibrary
from graph.looking import Library
from graph.ports import Progress, Wiring
from quant_core.calendar import NEW_YORK, to_datetime, xnys
from tools.clock import SystemClock
from tools.errors import AdvisorError, BadInput, NoData
from tools.lane_reads import Reads
from tools.llm import DailyBudget, LiveModel
from tools.store import codec
from tools.store.paging import Pages, RunPlace
from tools.toolbox import Toolbox

_log = logging.getLogger("advisor.chat")
_WHENEVER = datetime(9000, 1, 1, tzinfo=UTC)


def model_of(settings: Settings) -> LiveModel:
    """The models of the settings, that a chat may ask; NotConfigured says what is missing.

    `prepare` builds their clients before the first question does.
    """
    return LiveModel(settings.llm, settings.llm_prices)


@contextmanager
def conversation(
    place: str | Path | None,
    settings: Settings,
    *,
    as_of: datetime | None = None,
    lane: str = "",
    with_model: bool = False,
    progress: Progress | None = None,
) -> Iterator[Conversation]:
    """A conversation about the newest run in a folder, in a ledger file or in a database.

    Raises NoData when there is no ledger or no run, BadInput for a lane it has not.
    """
    provide_keys(settings, model=with_model)
    path = ledger_at(place, settings)
    with ExitStack() as stack:
        store = stack.enter_context(open_ledger(path, settings))
        runs = store.runs()
        if not runs:
            raise NoData(f"the ledger {store.place} holds no run yet")
        run = runs[-1]
        reads = Reads.of(store)
        moment = as_of or end_of(reads.pages, reads.pages.place(run.run_id)) or datetime.now(UTC)
        box = Toolbox(store, run.run_id, moment, reads)
        known_of(box, lane)
        model = spending = None
        if with_model:
            model = model_of(settings)
            model.prepare()
            spending = stack.enter_context(closing(open_spending(settings)))
        library = _library(folder_of(path), settings, run.run_id, stack)
        wiring = Wiring(
            model=model,
            budget=DailyBudget(settings.llm_budget, SystemClock(), spending),
            seconds=settings.analysis.deadline_seconds,
            namespace=run.run_id,
            progress=progress,
            ledger=box,
            library=library,
        )
        yield Conversation(wiring=wiring, lane=lane)


def _library(
    folder: Path | None, settings: Settings, run_id: str, stack: ExitStack
) -> Library | None:
    """The documents of the run, where an index has been built."""
    if folder is None and settings.rag.index is None:
        return None
    try:
        index = open_library(settings, folder)
    except NoData:
        return None
    except AdvisorError as error:
        _log.warning("Answers are without the index: %s", error)
        return NoLibrary(f"The index cannot be searched: {error}.")
    stack.callback(index.close)
    return IndexLibrary(index, run_id)


def end_of(pages: Pages, found: RunPlace) -> datetime | None:
    """When the newest thing that a replay recorded was known; None for an empty one, or a run that
    goes on by the clock.
    """
    if found.run.kind != "replay":
        return None
    ends = []
    for place in found.lanes.values():
        last = pages.last_closed(place, as_of=_WHENEVER)
        session = last and xnys(last.record.date.year, last.record.date.year).on(last.record.date)
        if session:
            ends.append(to_datetime(session.close + 1))
        kinds: tuple[codec.Kind[Any], ...] = (codec.ANALYSES, codec.TRANSITIONS, codec.TRADES)
        for kind in kinds:
            ends += [one.at for one in pages.newest(kind, place, as_of=_WHENEVER, limit=1)]
    return max(ends, default=None)


def read_moment(text: str) -> datetime:
    """A moment that a person wrote: New York when it has no zone, the day's end without a time."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        raise BadInput(
            f"--as-of is {text!r}; write 2025-01-08 or 2025-01-08T10:41 (New York)"
        ) from None
    if len(text.strip()) == len("2025-01-08"):
        moment = datetime.combine(moment.date(), time(23, 59))
    return moment if moment.tzinfo else moment.replace(tzinfo=NEW_YORK)
