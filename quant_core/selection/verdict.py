"""What may be said about a combination that was chosen among many: the sentence that is printed.

Four questions, each with its own number and bound, and all must be answered well before anything
but luck is claimed:

1. Is its Sharpe ratio above what the best of so many worthless tries would show? Deflated Sharpe
   ratio of at least 0.95.
2. Is its mean daily return above zero? The 95 % interval by day blocks lies above it.
3. Does being best in one half of the sessions mean anything in the other? Probability of
   overfitting of at most one half; or, on a plateau where all combinations are alike and their
   order is chance, a loss in the other half in at most 5 % of the splits.
4. Would choosing as one goes have earned anything? Walk-forward Sharpe ratio above zero.

How often luck is taken for something is meant to be at most 5 %. Measured on a thousand sweeps of
random entries on real bars: 0.1 % for the best of 20 independent ones, 1.4 to 4.4 % where they are
alike, 2.8 % for a single one; question 1 alone would have erred in up to 6.1 %.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from quant_core.bars import Floats
from quant_core.bootstrap import MINIMUM_SESSIONS, paired_difference
from quant_core.performance import SESSIONS_PER_YEAR, sharpe
from quant_core.selection.folds import WINDOW, out_of_sample, walk_forward
from quant_core.selection.overfitting import BLOCKS, Overfitting, overfitting_probability
from quant_core.selection.sharpe import deflated_sharpe, sharpes

CONFIDENCE = 0.95
MOST_OVERFITTING = 0.5
FEW_LOSSES = 0.05
FOLDS = 5
_LEAST_BLOCKS = 4

Finding = Literal["better than luck", "not distinguishable from luck", "loses", "cannot be judged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One question's answer: a number, whether it speaks for the combination, and the words.

    `passed` None: the question could not be asked, `sentence` says why and `value` is NaN. `low`
    and `high` are an interval where there is one, else NaN.
    """

    name: str
    value: float
    passed: bool | None
    sentence: str
    low: float = np.nan
    high: float = np.nan


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What may be said of the chosen combination, `headline` first, then the evidence for it."""

    finding: Finding
    headline: str
    evidence: tuple[Evidence, ...]

    @property
    def sentences(self) -> tuple[str, ...]:
        """Everything that is printed, in order."""
        return self.headline, *(one.sentence for one in self.evidence)

    def of(self, name: str) -> Evidence:
        """The evidence of a name; KeyError where it was not looked at."""
        found = next((one for one in self.evidence if one.name == name), None)
        if found is None:
            raise KeyError(name)
        return found


def judge(
    matrix: Floats,
    chosen: int,
    *,
    trades: int | None = None,
    seed: int = 0,
    blocks: int = BLOCKS,
    folds: int = FOLDS,
    purge: int = 0,
    embargo: int = 1,
    effective: float | None = None,
) -> Verdict:
    """Judge column `chosen` of daily returns, shape (sessions, combinations), against luck.

    The matrix holds *every* combination that was tried: leaving some out makes luck look like
    skill. `trades` is the number of trades of the chosen one, if known. Columns with a return that
    is not finite (an account that fell to nothing) count as tried but cannot be compared.
    Deterministic in the seed. Raises ValueError when `chosen` is no column.
    """
    count = matrix.shape[1]
    if not 0 <= chosen < count:
        raise ValueError(f"chosen is {chosen}; there are {count} combinations, counted from 0")
    returns = matrix[:, chosen]
    if reason := _unjudged(returns, trades):
        headline = f"Cannot be judged: {reason}."
        return Verdict(finding="cannot be judged", headline=headline, evidence=())
    usable = np.isfinite(matrix).all(axis=0)
    comparable = matrix[:, usable]
    evidence = (
        _deflated(returns, comparable, count, effective),
        _interval(returns, seed),
        _overfitting(comparable, blocks),
        _walked(comparable, folds, purge, embargo),
    )
    return _verdict(evidence, count, len(returns))


def _unjudged(returns: Floats, trades: int | None) -> str:
    """Why nothing at all can be said; empty when something can."""
    sessions = len(returns)
    if sessions < MINIMUM_SESSIONS:
        return f"{_counted(sessions, 'session')}, at least {MINIMUM_SESSIONS} are needed"
    if not np.all(np.isfinite(returns)):
        return "its account fell to nothing, and a return on that is undefined"
    if trades == 0 or not np.any(returns):
        return "it made no trade"
    if trades == 1:
        return "one trade says nothing"
    if np.isnan(sharpe(returns)):
        return "its daily returns do not vary"
    return ""


def _deflated(returns: Floats, comparable: Floats, tried: int, effective: float | None) -> Evidence:
    trials = sharpes(comparable)
    if effective is None:
        # A ruined combination was a try like any other, but has no Sharpe ratio to show for it.
        ruined = tried - comparable.shape[1]
        effective = float(np.count_nonzero(np.isfinite(trials)) + ruined)
    found = deflated_sharpe(returns, trials, effective=effective)
    if tried == 1:
        words = (
            f"Sharpe {found.sharpe:.2f}, the only combination tried: its true Sharpe is above zero "
            f"with probability {found.probability:.3f} (asked: {CONFIDENCE})"
        )
    else:
        words = (
            f"Sharpe {found.sharpe:.2f} where the best of {found.effective_trials:,.4g} worthless "
            f"tries would show {found.expected_maximum:.2f}: deflated Sharpe ratio "
            f"{found.probability:.3f} (asked: {CONFIDENCE})"
        )
    if found.probability < CONFIDENCE and np.isfinite(found.needed_sessions):
        words += f"; {found.needed_sessions:,.0f} sessions like these would be needed"
    return Evidence(
        name="deflated_sharpe",
        value=found.probability,
        passed=found.probability >= CONFIDENCE,
        sentence=words + ".",
    )


def _interval(returns: Floats, seed: int) -> Evidence:
    found = paired_difference(returns, np.zeros(len(returns)), seed)
    return Evidence(
        name="mean_daily_return",
        value=found.mean,
        low=found.low,
        high=found.high,
        passed=found.low > 0.0,
        sentence=(
            f"Mean daily return {found.mean:+.4%}, 95 % interval {found.low:+.4%} to "
            f"{found.high:+.4%} by blocks of {_counted(found.block, 'day')}."
        ),
    )


def _overfitting(comparable: Floats, blocks: int) -> Evidence:
    sessions, count = comparable.shape
    name = "overfitting_probability"
    if count < 2:
        return _unasked(name, "Overfitting by choice: there was nothing to choose from")
    usable = min(blocks, sessions // 2 // 2 * 2)
    if usable < _LEAST_BLOCKS:
        return _unasked(
            name, f"Overfitting by choice: {sessions} sessions are too few to cut in blocks"
        )
    found = overfitting_probability(comparable, usable)
    passed = found.probability <= MOST_OVERFITTING or found.probability_of_loss <= FEW_LOSSES
    return Evidence(
        name=name, value=found.probability, passed=passed, sentence=_overfitting_words(found)
    )


def _overfitting_words(found: Overfitting) -> str:
    return (
        f"The best of one half of the sessions was no better than the median in the other in "
        f"{found.probability:.0%} of {found.splits:,} splits (probability of overfitting; asked: "
        f"at most {MOST_OVERFITTING:.0%}) and lost there in {found.probability_of_loss:.0%}; each "
        f"point of Sharpe it was chosen for was worth {found.slope:.2f} outside."
    )


def _walked(comparable: Floats, folds: int, purge: int, embargo: int) -> Evidence:
    sessions, count = comparable.shape
    name = "walk_forward_sharpe"
    if count < 2:
        return _unasked(name, "Walk-forward: there was nothing to choose from")
    try:
        made = walk_forward(sessions, folds, purge, embargo)
    except ValueError as error:
        return _unasked(name, f"Walk-forward: {error}")
    gap = _counted(purge + embargo, "session")
    found = out_of_sample(comparable, made)
    value = sharpe(found.returns)
    tested = _counted(len(found.returns), "session")
    if np.isnan(value):
        return _unasked(name, f"Walk-forward: what it would have chosen made nothing on {tested}")
    below = int(np.count_nonzero(found.out_of_sample < 0.0))
    return Evidence(
        name=name,
        value=value,
        passed=value > 0.0,
        sentence=(
            f"Choosing as one goes ({_counted(folds, 'fold')}, training {WINDOW} times as long, "
            f"{gap} left out between) would have had a Sharpe of {value:.2f} on {tested} it had "
            f"not seen; {below} of {folds} folds lost."
        ),
    )


def _unasked(name: str, words: str) -> Evidence:
    return Evidence(name=name, value=np.nan, passed=None, sentence=words + ".")


def _verdict(evidence: tuple[Evidence, ...], tried: int, sessions: int) -> Verdict:
    of = f"{_counted(tried, 'combination')} on {_counted(sessions, 'session')}"
    interval = next(one for one in evidence if one.name == "mean_daily_return")
    unasked = [one for one in evidence if one.passed is None]
    finding: Finding
    if interval.high < 0.0:
        finding, headline = "loses", f"It loses, and not by bad luck: the chosen one of {of}."
    elif any(one.passed is False for one in evidence) or (unasked and tried > 1):
        finding = "not distinguishable from luck"
        headline = f"Not distinguishable from luck: the chosen one of {of}."
    else:
        finding = "better than luck"
        years = sessions / SESSIONS_PER_YEAR
        headline = (
            f"Better than luck in these {years:.1f} years, at an error of "
            f"{1.0 - CONFIDENCE:.0%}: the chosen one of {of}. It promises nothing."
        )
    return Verdict(finding=finding, headline=headline, evidence=evidence)


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")
