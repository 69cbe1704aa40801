"""What an evaluation found: plain records, and the words that claim no more than they show.

A difference between lanes is in dollars a session, with the block-bootstrap interval of
`quant_core.bootstrap`; money is claimed only where the whole interval lies on one side of zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from advisor.evaluation.calls import Latency, SessionCost
from quant_core.authority import Authority
from quant_core.bars import Floats
from quant_core.bootstrap import (
    BOOTSTRAP_SEED,
    MINIMUM_SESSIONS,
    PairedDifference,
    paired_difference,
)
from quant_core.scoring import Scores

LUCK = "not distinguishable from luck"
NO_EFFECT = "the order made no difference on any day"
WHO_PAYS = (
    "The advised lane is charged for all of it: premarkets, analyses and verdicts. Placebo and "
    "shadow repeat its answers, ask nobody and pay nothing."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two lanes on the same sessions: what is compared, the measure, and what may be said."""

    name: str
    question: str
    measured: PairedDifference
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """The multipliers in their own order against the same in random orders.

    `beaten` of `shuffles` made less; `chance` is the chance that a random order does at least as
    well, (1 + those that did) / (1 + shuffles): the own order is one of the orders.
    """

    shuffles: int
    beaten: int
    chance: float
    own: float
    totals: tuple[float, ...]
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecasts:
    """The stated probabilities of one author (model and prompt version) for one kind of event.

    `against_base_rate` is the Brier loss of the base rate minus the author's, summed by session.
    `without_event` counts forecasts that nothing could decide.
    """

    kind: str
    author: str
    scores: Scores
    against_base_rate: PairedDifference
    words: str
    without_event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What the signals with one ruling of one author make when each is followed to its end.

    R is profit after costs over planned risk; `by_session` is the R of a session.
    """

    author: str
    ruling: str
    signals: int
    filled: int
    won: int
    mean_r: float
    total_r: float
    by_session: PairedDifference
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureCount:
    """Opinions of one kind that did not come about, by reason."""

    kind: str
    reason: str
    count: int
    of: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluatedRun:
    """Which replay an evaluation rests on."""

    run_id: str
    config_hash: str
    code_version: str
    feed: str
    analyst: str
    validation: str
    symbols: tuple[str, ...]
    sessions: int
    first: str
    last: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Everything that is printed, written and drawn. Arrays are by session."""

    runs: list[EvaluatedRun]
    dates: list[str]
    profits: dict[str, Floats]
    placebos: Floats
    differences: list[Difference]
    timing: Timing | None
    forecasts: list[Forecasts]
    rulings: list[Ruling]
    costs: list[SessionCost] | None
    latencies: list[Latency]
    failures: list[FailureCount]
    authority: list[Authority]
    notes: list[str]

    @property
    def synthetic(self) -> bool:
        """Whether any of it rests on bars that were generated."""
        return any(run.feed == "synthetic" for run in self.runs)


def difference(name: str, question: str, left: Floats, right: Floats) -> Difference:
    """The paired difference of two lanes' daily profits ($), and its words."""
    measured = paired_difference(left, right, BOOTSTRAP_SEED)
    return Difference(name=name, question=question, measured=measured, words=verdict(measured))


def verdict(measured: PairedDifference, better: str = "better", worse: str = "worse") -> str:
    """A finding in words."""
    if measured.verdict == "too few sessions to tell":
        return f"too few sessions to tell ({measured.sessions} of {MINIMUM_SESSIONS})"
    if measured.verdict == "not distinguishable from zero":
        return LUCK
    return better if measured.verdict == "positive" else worse


def timing(own: Floats, placebos: Floats) -> Timing | None:
    """Own order (sessions,) against random orders (shuffles, sessions); None without any."""
    if len(placebos) == 0:
        return None
    totals = placebos.sum(axis=1)
    total = float(own.sum())
    # Sums in another order round differently: a cent decides nothing.
    beaten = int(np.sum(totals < total - 0.005))
    as_good = int(np.sum(totals >= total - 0.005))
    chance = (1 + as_good) / (1 + len(totals))
    words = "better than chance" if chance <= 0.05 else LUCK
    if np.all(np.abs(placebos - own) < 0.005):
        words = NO_EFFECT
    if as_good == len(totals) and np.all(totals > total + 0.005):
        words = "worse than every random order"
    return Timing(
        shuffles=len(totals),
        beaten=beaten,
        chance=chance,
        own=total,
        totals=tuple(float(value) for value in totals),
        words=words,
    )


def headline(differences: Sequence[Difference]) -> str:
    """The answer in one sentence."""
    first = differences[0]
    if first.measured.verdict == "positive":
        return "The advice added value: the whole interval against the baseline lies above zero."
    if first.measured.verdict == "negative":
        return "The advice cost money: the whole interval against the baseline lies below zero."
    if first.measured.verdict == "too few sessions to tell":
        return f"Too few sessions to tell: {first.measured.sessions} of {MINIMUM_SESSIONS}."
    return "Whether the advice added value is not distinguishable from luck."
