"""Opening a run for questions: its ledger read-only, its index where there is one, a model or none.

The moment of a question is now, except for a replay, whose world ended with its last session: a
question about it is asked as of that end, unless the person names an earlier moment.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, time
from pathlib import Path

from advisor.indexing import open_index
from advisor.settings import Settings
from graph.chat import Conversation, known_of
from graph.library import IndexLibrary
from graph.looking import Library
from graph.ports import Progress, Wiring
from quant_core.calendar import NEW_YORK, to_datetime, xnys
from tools.errors import BadInput, NoData
from tools.llm import DailyBudget, LiveModel, SpendingFile, SystemClock
from tools.store.runs import Run
from tools.store.store import Store
from tools.toolbox import Toolbox

LEDGER = "ledger.sqlite"
_WHENEVER = datetime(9000, 1, 1, tzinfo=UTC)


@contextmanager
def conversation(
    place: Path,
    settings: Settings,
    *,
    as_of: datetime | None = None,
    lane: str = "",
    with_model: bool = False,
    progress: Progress | None = None,
) -> Iterator[Conversation]:
    """A conversation about the newest run in a folder, or in a ledger file.

    Raises NoData when there is no ledger or no run, BadInput for a lane it has not.
    """
    path = place / LEDGER if place.is_dir() else place
    if not path.is_file():
        raise NoData(f"there is no ledger at {path}; name the --out folder of a replay")
    with ExitStack() as stack:
        store = stack.enter_context(Store.open(path, read_only=True))
        runs = store.runs()
        if not runs:
            raise NoData(f"the ledger {path} holds no run yet")
        run = runs[-1]
        box = Toolbox(store, run.run_id, as_of or moment_of(store, run))
        known_of(box, lane)
        model = spending = None
        if with_model:
            model = LiveModel(settings.llm, settings.llm_prices)
            model.prepare()
            spending = stack.enter_context(SpendingFile.open(settings.spending.place()))
        library = _library(place, settings, run.run_id, stack)
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


def _library(place: Path, settings: Settings, run_id: str, stack: ExitStack) -> Library | None:
    """The documents of the run, where an index has been built."""
    folder = place if place.is_dir() else place.parent
    try:
        index = open_index(settings.rag, folder)
    except NoData:
        return None
    stack.callback(index.close)
    return IndexLibrary(index, run_id)


def moment_of(store: Store, run: Run) -> datetime:
    """The moment as of which a run is asked when nobody names one."""
    now = datetime.now(UTC)
    return _end(store, run.run_id) or now if run.kind == "replay" else now


def _end(store: Store, run_id: str) -> datetime | None:
    """When the newest thing that a run recorded was known; None for an empty one."""
    ends = []
    for lane in store.heads(run_id):
        for day in store.lane_days(run_id, lane, as_of=_WHENEVER)[-1:]:
            session = xnys(day.date.year, day.date.year).on(day.date)
            if session is not None:
                ends.append(to_datetime(session.close + 1))
        ends += [one.as_of for one in store.analyses(run_id, lane, as_of=_WHENEVER)[-1:]]
        minutes = [one.start for one in store.transitions(run_id, lane, as_of=_WHENEVER)[-1:]]
        ends += [to_datetime(int(one.timestamp() // 60) + 1) for one in minutes]
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
