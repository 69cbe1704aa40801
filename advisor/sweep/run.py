"""One sweep from its request to its files: plan, run what is missing, judge, keep.

Everything that is reported is read back from the kept batches, so a sweep that was interrupted
and resumed has the same results as one that was not (an Optuna search alone goes on from what it
knew, and may propose differently).
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa

from advisor import code_version
from advisor.exports import trades_table
from advisor.market import Market
from advisor.settings import Settings
from advisor.summary import plain
from advisor.sweep.engines import Engine, open_engine
from advisor.sweep.files import SweepFolder, returns_column, returns_of
from advisor.sweep.judgement import (
    AS_JUDGED,
    Folds,
    Stress,
    best_of,
    importance,
    judged,
    neighbours,
    stressed,
    walked,
)
from advisor.sweep.optuna_search import OptunaSearch
from advisor.sweep.space import Axis, combination, grid, in_force, sample, usable
from advisor.sweep.work import (
    Scored,
    batches,
    course_of,
    metrics_row,
    score_one,
    snapshots_of,
    trades_of,
)
from quant_core.backtest import Course
from quant_core.bars import Floats, Ints
from quant_core.types import Snapshot
from tools.errors import BadInput

Method = Literal["grid", "random", "optuna"]
Progress = Callable[[int, int], None]
PROPOSALS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest:
    """What is varied, how it is searched, where it runs, and whose trades are kept.

    `keep` names combinations by number; `keep_best` adds the best one.
    """

    axes: tuple[Axis, ...]
    method: Method = "grid"
    trials: int = 200
    seed: int = 7
    objective: str = "sharpe"
    engine: str = "local"
    address: str | None = None
    workers: int | None = None
    keep: tuple[int, ...] = ()
    keep_best: bool = True
    folds: Folds = AS_JUDGED
    resume: bool = False
    fresh: bool = False

    @property
    def keys(self) -> tuple[str, ...]:
        """The varied keys, in order."""
        return tuple(axis.key for axis in self.axes)


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepResult:
    """Every combination that was run, the best one and what may be said of it.

    `table` has a row a combination: number, values, metrics; `in_force` are the varied keys' own
    values in the settings. `returns` (combinations, sessions).
    `stress` and `around` (median and least objective of the neighbours, their count) are the best
    one's; `walk_forward` are the folds of choosing as one goes; `weights` says how much of the
    objective's variance each key explains by itself.
    """

    request: SweepRequest
    symbols: tuple[str, ...]
    sessions: tuple[str, ...]
    feed: str
    identity: str
    table: pa.Table
    in_force: tuple[float, ...]
    returns: Floats
    benchmark: Floats
    baseline: dict[str, float]
    baseline_returns: Floats
    best: int | None
    verdict: dict[str, Any]
    walk_forward: list[dict[str, Any]]
    stress: list[Stress]
    around: tuple[float, float, int]
    weights: dict[str, float]
    notes: list[str] = field(default_factory=list)

    @property
    def values(self) -> Floats:
        """The varied values (combinations, keys)."""
        return np.stack([self.table[key].to_numpy() for key in self.request.keys], axis=1)

    @property
    def objective(self) -> Floats:
        """What was maximised (combinations,)."""
        found: Floats = self.table[self.request.objective].to_numpy()
        return found


def sweep(
    request: SweepRequest, settings: Settings, market: Market, folder: Path,
    progress: Progress | None = None,
) -> SweepResult:  # fmt: skip
    """Run every combination that the folder does not hold yet, then judge and keep the outcome."""
    identity = sweep_identity(request, settings, market)
    table, notes = planned(request, settings)
    place = SweepFolder(folder, identity)
    plan = {"identity": identity, **_plan(request, settings, market)}
    if request.engine == "local" and request.address is not None:
        raise BadInput("--address names a Ray cluster; add --engine ray")
    place.begin(plan, resume=request.resume, fresh=request.fresh)
    run = _Run(request, settings, market, place, progress)
    with open_engine(request.engine, request.workers, request.address) as engine:
        if table is None:
            run.search(engine)
        else:
            run.complete(engine, table)
    result = run.result(identity, [*market.notes, *notes])
    place.finish(
        result.table.append_column("returns", returns_column(result.returns)),
        result.sessions, outcome(result, plan),
    )  # fmt: skip
    return result


def planned(request: SweepRequest, settings: Settings) -> tuple[Floats | None, list[str]]:
    """All combinations in order, None where Optuna proposes them, and notes on those left out."""
    if request.method == "optuna":
        return None, []
    if request.method == "grid":
        return usable(settings, request.keys, grid(request.axes))
    table = sample(request.axes, request.trials, request.seed)
    notes = []
    if len(table) < request.trials:
        notes.append(
            f"only {len(table):,} of the {request.trials:,} combinations drawn are different"
        )
    found, left_out = usable(settings, request.keys, table)
    return found, notes + left_out


def sweep_identity(request: SweepRequest, settings: Settings, market: Market) -> str:
    """What makes this sweep this sweep (16 hexadecimal digits); where it runs is no part of it."""
    parts = [
        settings.config_hash(),
        market.digest,
        code_version(),
        [str(session.date) for session in market.sessions],
        list(market.symbols),
        [asdict(axis) for axis in request.axes],
        request.method,
        [request.trials, request.seed] if request.method != "grid" else [],
        request.objective if request.method == "optuna" else "",
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def _plan(request: SweepRequest, settings: Settings, market: Market) -> dict[str, Any]:
    values: dict[str, Any] = plain(
        {
            "symbols": market.symbols,
            "sessions": [session.date.isoformat() for session in market.sessions],
            "feed": market.feed,
            "method": request.method,
            "trials": request.trials if request.method != "grid" else None,
            "seed": request.seed if request.method != "grid" else None,
            "vary": {axis.key: list(axis.values) or [axis.low, axis.high] for axis in request.axes},
            "config_hash": settings.config_hash(),
            "code_version": code_version(),
            "settings": settings.plain(),
        }
    )
    return values


class _Run:
    """A sweep under way: what all combinations share, and how a batch is kept."""

    def __init__(
        self, request: SweepRequest, settings: Settings, market: Market, place: SweepFolder,
        progress: Progress | None,
    ) -> None:  # fmt: skip
        self.request, self.settings, self.market = request, settings, market
        self.place, self.progress = place, progress
        self.snapshots: list[list[Snapshot]] = snapshots_of(market)
        self.benchmark = np.array(market.benchmark())
        chosen = combination(settings, (), ())
        self.course: Course = course_of(market, chosen.playbook, self.snapshots, settings)
        self.baseline_returns, figures = score_one(
            self.course, chosen, settings.account.start_equity
        )
        self.baseline = metrics_row(self.baseline_returns, figures, self.benchmark, None)

    def complete(self, engine: Engine, table: Floats) -> None:
        """Run the rows of a table that are not kept yet."""
        kept = self.place.kept()
        done = set() if kept is None else set(kept["combination"].to_pylist())
        numbers = np.array([i for i in range(len(table)) if i not in done], np.int64)
        finished = len(done)
        for scored in self.scored(engine, numbers, table[numbers]):
            finished += len(scored.batch.numbers)
            if self.progress is not None:
                self.progress(finished, len(table))

    def scored(self, engine: Engine, numbers: Ints, table: Floats) -> Iterator[Scored]:
        """Run rows, keep every batch as it is finished, and pass it on."""
        keys = self.request.keys
        for chosen, parts in batches(self.settings, keys, numbers, table, engine.workers):
            course = self.course_for(chosen)
            for scored in engine.run(course, self.settings, keys, parts):
                self.place.keep(self.rows(scored))
                yield scored

    def course_for(self, chosen: Any) -> Course:
        """The course with a combination's indicators; the market's own is there already."""
        market, playbook = self.market, chosen.playbook
        same = (playbook.window, playbook.minimum_closes) == (
            market.playbook.window, market.playbook.minimum_closes,
        )  # fmt: skip
        return self.course if same else course_of(market, playbook, self.snapshots, self.settings)

    def rows(self, scored: Scored) -> pa.Table:
        """A batch as rows of the results: number, values, metrics, daily returns."""
        metrics = [
            metrics_row(returns, figures, self.benchmark, self.baseline_returns)
            for returns, figures in zip(scored.returns, scored.figures, strict=True)
        ]
        columns: dict[str, Any] = {"combination": scored.batch.numbers}
        for k, key in enumerate(self.request.keys):
            columns[key] = scored.batch.table[:, k]
        for name in metrics[0]:
            columns[name] = np.array([row[name] for row in metrics])
        columns["returns"] = returns_column(scored.returns)
        return pa.table(columns)

    def search(self, engine: Engine) -> None:
        """Let Optuna propose, a few at a time, until the trials are spent or nothing is new."""
        request = self.request
        optuna = OptunaSearch(request.axes, request.seed)
        kept, spent = self.place.kept(), 0
        if kept is not None:
            spent = len(kept)
            table = np.stack([kept[key].to_numpy() for key in request.keys], axis=1)
            optuna.remember(table, kept[request.objective].to_numpy())
        while spent < request.trials:
            proposed = optuna.propose(min(PROPOSALS, request.trials - spent))
            if len(proposed) == 0:
                break
            fine = np.array([_runs(self.settings, request.keys, row) for row in proposed.tolist()])
            optuna.learn(proposed[~fine], np.full(int((~fine).sum()), np.nan))
            numbers = spent + np.arange(int(fine.sum()))
            for scored in self.scored(engine, numbers, proposed[fine]):
                optuna.learn(scored.batch.table, self.rows(scored)[request.objective].to_numpy())
            if not fine.any():
                break
            spent += int(fine.sum())
            if self.progress is not None:
                self.progress(spent, request.trials)

    def result(self, identity: str, notes: Sequence[str]) -> SweepResult:
        """Everything that is kept, judged."""
        request, kept = self.request, self.place.kept()
        if kept is None:
            raise BadInput("the sweep has no combination that can be run; widen --vary")
        table, returns = kept.drop_columns(["returns"]), returns_of(kept)
        values = table[request.objective].to_numpy()
        varied = np.stack([table[key].to_numpy() for key in request.keys], axis=1)
        best = best_of(values, table["trades"].to_numpy())
        stress: list[Stress] = []
        around = (float("nan"), float("nan"), 0)
        if best is not None:
            chosen = combination(self.settings, request.keys, varied[best].tolist())
            equity = self.settings.account.start_equity
            stress = stressed(self.course_for(chosen), chosen, equity)
            around = neighbours(varied, best, values)
        self.keep_trades(table, varied, best)
        sessions = tuple(str(session.date) for session in self.market.sessions)
        return SweepResult(
            request=request,
            symbols=self.market.symbols,
            sessions=sessions,
            feed=self.market.feed,
            identity=identity,
            table=table,
            in_force=in_force(self.settings, request.keys),
            returns=returns,
            benchmark=self.benchmark,
            baseline=self.baseline,
            baseline_returns=self.baseline_returns,
            best=best,
            verdict=plain(judged(returns, best, table["trades"].to_numpy(), request.folds)),
            walk_forward=walked(returns, table["combination"].to_pylist(), sessions, request.folds),
            stress=stress,
            around=around,
            weights=importance(request.keys, varied, values),
            notes=list(notes),
        )

    def keep_trades(self, table: pa.Table, varied: Floats, best: int | None) -> None:
        """Write the trades of the combinations that were asked for."""
        numbers = table["combination"].to_pylist()
        asked = set(self.request.keep)
        if missing := asked - set(numbers):
            raise BadInput(
                f"--keep-trades names combination {min(missing)}; there are {len(numbers):,}, "
                "numbered from 0"
            )
        if self.request.keep_best and best is not None:
            asked.add(numbers[best])
        for number in sorted(asked):
            row = varied[numbers.index(number)].tolist()
            chosen = combination(self.settings, self.request.keys, row)
            trades = trades_of(
                self.course_for(chosen), chosen, self.market.symbols,
                self.settings.account.start_equity,
            )  # fmt: skip
            self.place.keep_trades(number, trades_table(trades, self.market.symbols))


def _runs(settings: Settings, keys: Sequence[str], row: Sequence[float]) -> bool:
    try:
        combination(settings, keys, row)
    except ValueError:
        return False
    return True


def outcome(result: SweepResult, plan: dict[str, Any]) -> dict[str, Any]:
    """What `sweep.json` holds of a finished sweep, as plain values."""
    best = None
    if result.best is not None:
        best = result.table.slice(result.best, 1).to_pylist()[0]
    values: dict[str, Any] = plain(
        {
            **plan,
            "objective": result.request.objective,
            "combinations": len(result.table),
            "without_a_trade": int((result.table["trades"].to_numpy() == 0).sum()),
            "best": best,
            "verdict": result.verdict,
            "walk_forward": {**asdict(result.request.folds), "folds": result.walk_forward},
            "stress": [
                {"name": one.name, **asdict(one.fills), **one.metrics} for one in result.stress
            ],
            "neighbours": dict(zip(("median", "least", "count"), result.around, strict=True)),
            "variance_explained": result.weights,
            "baseline": result.baseline,
            "notes": result.notes,
        }
    )
    return values
