"""Does the advice add value? What finished replays prove about it, and no more than that.

`evaluate` reads ledgers, runs lanes again on the same bars, follows every signal that was ruled
on, and gives an `Evaluation`; `write_evaluation` writes it as JSON and as a page. It asks no model,
and the same replays give the same bytes. Several replays count as one when they share no session.
"""

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import numpy as np

from advisor.evaluation import judging
from advisor.evaluation.again import Rerun, granted, run_again
from advisor.evaluation.calls import SessionCost, costs, latencies, usd_by_session
from advisor.evaluation.findings import Difference, EvaluatedRun, Evaluation, difference, timing
from advisor.evaluation.kept import Elsewhere, KeptRun, in_order, read_run
from advisor.evaluation.writing import as_plain, write_evaluation
from quant_core.bars import Floats
from tools.errors import BadInput

__all__ = ["Elsewhere", "Evaluation", "as_plain", "evaluate", "write_evaluation"]

PLACEBOS = 20
Profits = dict[str, Floats]


def evaluate(
    folders: Sequence[Path],
    elsewhere: Elsewhere,
    placebos: int = PLACEBOS,
    watch: Callable[[str], None] | None = None,
) -> Evaluation:
    """Evaluate finished replays, with so many time shuffles of their multipliers.

    Raises what `read_run` raises, and BadInput where nothing was advised.
    """
    watch = watch or _nobody_watches
    runs = in_order([_advised(read_run(folder, elsewhere), folder) for folder in folders], folders)
    again = [run_again(kept, placebos, watch) for kept in runs]
    return _joined(runs, again)


def _nobody_watches(_: str) -> None:
    pass


def _advised(kept: KeptRun, folder: Path) -> KeptRun:
    if "advised" not in kept.lanes:
        raise BadInput(
            f"{folder} holds the baseline alone: nothing was advised, so there is nothing to "
            "evaluate; replay with --analyst or --validation"
        )
    return kept


def _joined(runs: Sequence[KeptRun], again: Sequence[Rerun]) -> Evaluation:
    """Everything about all sessions of all runs."""
    dates = [day for kept in runs for day in kept.dates]
    profits = _profits(runs, again)
    shuffled = _shuffles(again)
    spent = _costs(runs)
    decisions = [one for kept in runs for one in kept.lanes["advised"].decisions]
    signals = [one for rerun in again for one in rerun.signals]
    calls = [call for kept in runs for call in kept.calls]
    return Evaluation(
        runs=[_identity(kept) for kept in runs],
        dates=[str(day) for day in dates],
        profits=profits,
        placebos=shuffled,
        differences=_differences(profits, shuffled, spent, _validated(runs)),
        timing=timing(profits["alone"], shuffled),
        forecasts=[
            *judging.judge_analyses([one for rerun in again for one in rerun.analyses]),
            *judging.judge_verdicts(signals),
        ],
        rulings=judging.judge_rulings(signals, dates),
        costs=spent,
        latencies=latencies(calls),
        failures=judging.count_failures(
            [one for kept in runs for one in kept.lanes["advised"].analyses],
            [one.verdict for one in decisions if one.verdict is not None],
        ),
        authority=[
            grant(past)
            for kept in runs
            if (grant := granted(kept))
            for past in range(len(kept.dates))
        ],
        notes=[note for kept in runs for note in kept.notes],
    )


def _profits(runs: Sequence[KeptRun], again: Sequence[Rerun]) -> Profits:
    """Dollars a session of each lane that all runs have, `alone` (no validator) included."""
    common = set.intersection(*(set(kept.lanes) for kept in runs))
    found: Profits = {
        name: np.array(
            [day.end_equity - day.start_equity for kept in runs for day in kept.lanes[name].days]
        )
        for name in ("advised", "baseline", "shadow")
        if name in common
    }
    return {**found, "alone": np.concatenate([rerun.alone for rerun in again])}


def _shuffles(again: Sequence[Rerun]) -> Floats:
    """(shuffles, sessions); none unless every run could be shuffled."""
    least = min(len(rerun.placebos) for rerun in again)
    return np.concatenate([rerun.placebos[:least] for rerun in again], axis=1)


def _validated(runs: Sequence[KeptRun]) -> bool:
    return any(kept.options.validation != "off" for kept in runs)


def _costs(runs: Sequence[KeptRun]) -> list[SessionCost] | None:
    """Cost by session; None where no model was asked."""
    if not any(kept.options.asks_model for kept in runs):
        return None
    return [one for kept in runs for one in costs(kept.calls, kept.dates)]


def _differences(
    profits: Profits, shuffled: Floats, spent: list[SessionCost] | None, validated: bool
) -> list[Difference]:
    """The comparisons that these runs allow, the main one first."""
    advised, baseline, alone = (profits[name] for name in ("advised", "baseline", "alone"))
    found = [difference("advised − baseline", "What was all the advice worth?", advised, baseline)]
    if spent is not None:
        found.append(
            difference(
                "advised − model cost − baseline",
                "And after paying for the models?",
                advised - usd_by_session(spent),
                baseline,
            )
        )
    if len(shuffled):
        found.append(
            difference(
                f"advised − placebo (of {len(shuffled)})",
                "Was it the timing, or any multipliers?",
                advised,
                shuffled.mean(axis=0),
            )
        )
    if validated and len(shuffled):
        question = "What were the multipliers worth without the validator?"
        found.append(difference("multipliers alone − baseline", question, alone, baseline))
    if validated:
        question = "What did vetoes and reductions add?"
        found.append(difference("advised − multipliers alone", question, advised, alone))
    if "shadow" in profits:
        question = "What would the advice make at full authority, before model cost?"
        found.append(difference("shadow − baseline", question, profits["shadow"], baseline))
    return found


def _identity(kept: KeptRun) -> EvaluatedRun:
    dates: list[date] = kept.dates
    return EvaluatedRun(
        run_id=kept.run.run_id,
        config_hash=kept.run.config_hash,
        code_version=kept.run.code_version,
        feed=kept.market.feed,
        analyst=kept.options.analyst,
        validation=kept.options.validation,
        symbols=kept.market.symbols,
        sessions=len(dates),
        first=str(dates[0]),
        last=str(dates[-1]),
    )
