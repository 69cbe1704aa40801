"""A finished replay, read back from its folder, on the bars it saw and on no others.

The ledger's chain is verified first; then the bars, read again, and the request must give the
run's own identity. What follows from other bars, or from a changed ledger, would be worth nothing.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

from advisor import code_version
from advisor.bootstrap import ReplayOptions
from advisor.demo import demo_market
from advisor.ledgers import ledger_at, open_ledger
from advisor.market import Market, MarketRequest, prepare_market
from advisor.replay import LEDGER, MARKET_LANE, UnfinishedRun, identity_of
from advisor.requests import REQUEST, KeptRequest, kept_request
from advisor.settings import Settings
from quant_core.calendar import to_datetime
from quant_core.types import Analysis, Decision, LaneDay
from tools.errors import BadInput, BookMismatch, NoData
from tools.llm.calls import KeptCall
from tools.market.buckets import in_bucket
from tools.store.runs import Run
from tools.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptLane:
    """What the ledger has of one lane, as far as an evaluation asks for it."""

    analyses: list[Analysis]
    decisions: list[Decision]
    days: list[LaneDay]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRun:
    """One replay: who advised, under which settings, on which market, and what came of it.

    `calls` are all its questions to models, those of the premarkets too.
    """

    run: Run
    settings: Settings
    options: ReplayOptions
    market: Market
    lanes: dict[str, KeptLane]
    calls: list[KeptCall]
    notes: list[str]

    @property
    def dates(self) -> list[date]:
        """The sessions, in order."""
        return [session.date for session in self.market.sessions]


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """Where bars, and the ledger, are now, if not where they were; `reach` opens a database."""

    bars: tuple[Path, ...] = ()
    daily: Path | None = None
    ledger: str | None = None
    reach: Settings = field(default_factory=Settings)


def read_run(folder: Path, elsewhere: Elsewhere) -> KeptRun:
    """The replay in an output folder.

    Raises NoData without a ledger, UnfinishedRun for an interrupted replay, BookMismatch for a
    changed history, BadInput for other bars.
    """
    place = elsewhere.ledger
    if place is None and (folder / LEDGER).is_file():
        place = str(folder / LEDGER)
    if place is None and not (folder / REQUEST).is_file():
        raise NoData(f"there is no ledger in {folder}; name the --out folder of a replay")
    kept = kept_request(folder)
    place = place or kept.ledger
    if place is None:
        raise NoData(f"there is no ledger in {folder}; say where it is with --ledger")
    with open_ledger(ledger_at(place, elsewhere.reach), elsewhere.reach) as store:
        run = _only_run(store, folder, kept.run)
        settings = _settings(run, folder)
        market = _market(folder, kept, elsewhere, settings, run)
        report = store.verify_chain(run.run_id)
        if not report.intact:
            raise BookMismatch(f"the ledger in {folder} was changed: {report.broken}")
        lanes = {
            name: _lane(store, run.run_id, name, market)
            for name in store.heads(run.run_id)
            if name != MARKET_LANE
        }
        calls = _calls(store, run, market)
    notes = []
    if run.code_version != code_version():
        notes.append(
            f"the run in {folder} was replayed by code {run.code_version} and is evaluated by "
            f"{code_version()}; the baseline was run again and came out the same"
        )
    return KeptRun(
        run=run, settings=settings, options=kept.options, market=market, lanes=lanes, calls=calls,
        notes=notes,
    )  # fmt: skip


def _only_run(store: Store, folder: Path, named: str | None) -> Run:
    """The run of a folder: in a database that holds several the one that its request names."""
    runs = [run for run in store.runs() if named is None or run.run_id == named]
    if not runs:
        raise NoData(f"the ledger of {folder} does not hold its run")
    if runs[-1].status != "finished":
        raise UnfinishedRun(
            f"the replay in {folder} was interrupted; finish it with `replay --resume` first"
        )
    return runs[-1]


def _settings(run: Run, folder: Path) -> Settings:
    try:
        return Settings.model_validate(json.loads(run.config_json))
    except ValueError as error:
        raise BadInput(
            f"the settings of the run in {folder} are not those of this version; replay it again "
            f"with --fresh ({str(error).splitlines()[0]})"
        ) from error


def _market(
    folder: Path, kept: KeptRequest, elsewhere: Elsewhere, settings: Settings, run: Run
) -> Market:
    """The market of the run; BadInput when it is another one."""
    request = _request(folder, kept.request, elsewhere)
    made = demo_market(request, settings) if not request.bars else prepare_market(request, settings)
    who = request, kept.options, kept.news
    found = identity_of(run.config_hash, made.digest, run.code_version, *who)
    if found == run.run_id:
        return made
    if made.digest != kept.digest:
        raise BadInput(
            f"these bars are not those of {folder}: their digest is {made.digest}, the run's "
            f"{kept.digest}; name the run's bars with --bars (each of them) and --daily"
        )
    raise BadInput(
        f"the request kept in {folder} does not belong to its ledger (it makes run {found}, the "
        f"ledger has {run.run_id}); replay it again with --fresh"
    )


def _request(folder: Path, request: MarketRequest, elsewhere: Elsewhere) -> MarketRequest:
    """The request with its files where they are now; BadInput for one that is gone."""
    request = replace(
        request,
        bars=elsewhere.bars or request.bars,
        daily=elsewhere.daily or request.daily,
    )
    for option, path in [("--bars", path) for path in request.bars] + [("--daily", request.daily)]:
        if path is not None and not in_bucket(path) and not path.exists():
            raise BadInput(
                f"{path}, which {folder} was replayed on, is not there any more; say where it is "
                f"now with {option}"
            )
    return request


def _lane(store: Store, run_id: str, name: str, market: Market) -> KeptLane:
    end = to_datetime(market.sessions[-1].close)
    return KeptLane(
        analyses=store.analyses(run_id, name, as_of=end),
        decisions=store.decisions(run_id, name, as_of=end),
        days=store.lane_days(run_id, name, as_of=end),
    )


def _calls(store: Store, run: Run, market: Market) -> list[KeptCall]:
    end = to_datetime(market.sessions[-1].close)
    lanes = store.heads(run.run_id)
    return [kept for lane in lanes for kept in store.llm_calls(run.run_id, lane, as_of=end)]


def in_order(runs: Sequence[KeptRun], folders: Sequence[Path]) -> list[KeptRun]:
    """Runs by their first session; BadInput when two of them share a session."""
    named = sorted(zip(runs, folders, strict=True), key=lambda pair: pair[0].dates[0])
    seen: dict[date, Path] = {}
    for run, folder in named:
        for day in run.dates:
            if day in seen:
                raise BadInput(
                    f"{seen[day]} and {folder} both hold the session of {day}; a session counts "
                    "once, so evaluate them one at a time and compare"
                )
            seen[day] = folder
    return [run for run, _ in named]
