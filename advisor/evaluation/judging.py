"""Scoring what was said against what happened: analyses, verdicts, and opinions that failed.

Events, as the prompts state them to the models, and for the rules alike:
- an analysis' confidence is the chance that its multipliers do better than base thresholds until
  the next analysis. Both are run from the same desk over that interval, and the signals that risk
  lets pass are followed to their end; more R with the multipliers is a success, less a failure.
  Intervals in which both give the same signals, or the same R, decide nothing: they are counted
  and not scored, and no forecast can be good or bad on them.
- a verdict's confidence is the chance that the trade makes money after costs, whatever the ruling.
  Every signal that was ruled on is followed alone, at full size, whether it was traded or not. A
  signal that never fills decides nothing. Abstentions are no forecasts.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from advisor.evaluation.again import FollowedAnalysis, FollowedSignal
from advisor.evaluation.findings import FailureCount, Forecasts, Ruling, verdict
from quant_core.bars import Floats
from quant_core.bootstrap import BOOTSTRAP_SEED, paired_difference
from quant_core.calendar import NEW_YORK
from quant_core.scoring import score
from quant_core.types import Analysis, Status, Verdict

RULINGS = ("approve", "reduce", "veto", "abstain")


@dataclass(frozen=True, slots=True)
class _Stated:
    """One forecast: when, by whom, the probability, and the outcome (None: not decided)."""

    day: date
    author: str
    probability: float
    outcome: float | None


def judge_analyses(followed: Sequence[FollowedAnalysis]) -> list[Forecasts]:
    """The analyses' confidence, by author."""
    stated = [
        _Stated(
            _day(one.analysis.as_of),
            one.analysis.analyst,
            one.analysis.confidence / 100.0,
            None if one.effect == 0.0 else float(one.effect > 0.0),
        )
        for one in followed
    ]
    return _scored("analysis", stated)


def judge_verdicts(followed: Sequence[FollowedSignal]) -> list[Forecasts]:
    """The verdicts' confidence, by author."""
    stated = [
        _Stated(
            _day(one.signal.start),
            one.verdict.validator,
            one.verdict.confidence / 100.0,
            None if one.trade is None else float(one.trade.pnl > 0.0),
        )
        for one in followed
        if one.verdict.ruling != "abstain"
    ]
    return _scored("verdict", stated)


def _scored(kind: str, stated: Sequence[_Stated]) -> list[Forecasts]:
    found = []
    for author in sorted({one.author for one in stated}):
        own = [one for one in stated if one.author == author]
        decided = [one for one in own if one.outcome is not None]
        given = np.array([one.probability for one in decided])
        happened = np.array([one.outcome for one in decided], np.float64)
        scores = score(given, happened)
        own_loss, base_loss = _losses(decided, given, happened)
        against = paired_difference(base_loss, own_loss, BOOTSTRAP_SEED)
        found.append(
            Forecasts(
                kind=kind,
                author=author,
                scores=scores,
                against_base_rate=against,
                words=verdict(against, "better than the base rate", "worse than the base rate"),
                without_event=len(own) - len(decided),
            )
        )
    return found


def _losses(decided: Sequence[_Stated], given: Floats, happened: Floats) -> tuple[Floats, Floats]:
    """Brier loss summed by session, of the author and of the base rate."""
    days = sorted({one.day for one in decided})
    place = np.array([days.index(one.day) for one in decided], np.int64)
    base = happened.mean() if len(happened) else np.nan
    own, reference = (given - happened) ** 2, (base - happened) ** 2
    sums = np.zeros(len(days)), np.zeros(len(days))
    for total, loss in zip(sums, (own, reference), strict=True):
        np.add.at(total, place, loss)
    return sums


def judge_rulings(followed: Sequence[FollowedSignal], dates: Sequence[date]) -> list[Ruling]:
    """What the signals of each ruling make when each is followed to its end."""
    found = []
    for author in sorted({one.verdict.validator for one in followed}):
        for ruling in RULINGS:
            own = [
                one
                for one in followed
                if (one.verdict.validator, one.verdict.ruling) == (author, ruling)
            ]
            if own:
                found.append(_ruling(author, ruling, own, dates))
    return found


def _ruling(
    author: str, ruling: str, own: Sequence[FollowedSignal], dates: Sequence[date]
) -> Ruling:
    filled = [one for one in own if one.trade is not None and np.isfinite(one.r)]
    r = np.array([one.r for one in filled])
    by_day = np.zeros(len(dates))
    for one in filled:
        by_day[list(dates).index(_day(one.signal.start))] += one.r
    measured = paired_difference(by_day, np.zeros(len(dates)), BOOTSTRAP_SEED)
    return Ruling(
        author=author,
        ruling=ruling,
        signals=len(own),
        filled=len(filled),
        won=sum(one.trade is not None and one.trade.pnl > 0.0 for one in filled),
        mean_r=float(np.mean(r)) if len(r) else np.nan,
        total_r=float(np.sum(r)) if len(r) else np.nan,
        by_session=measured,
        words=verdict(measured, "profitable", "losing"),
    )


def count_failures(analyses: Sequence[Analysis], verdicts: Sequence[Verdict]) -> list[FailureCount]:
    """DEGRADED opinions and abstentions by reason, the most frequent first."""
    failed = [one.degraded_reason for one in analyses if one.status is Status.DEGRADED]
    abstained = [
        one.degraded_reason or f"abstained: {one.reasoning}"
        for one in verdicts
        if one.ruling == "abstain" or one.status is Status.DEGRADED
    ]
    return [
        *_counted("analysis DEGRADED", failed, len(analyses)),
        *_counted("verdict abstained", abstained, len(verdicts)),
    ]


def _counted(kind: str, reasons: Iterable[str], of: int) -> list[FailureCount]:
    counts: Counter[str] = Counter()
    examples: dict[str, str] = {}
    for reason in reasons:
        word = reason.split(":", 1)[0].strip() or "no reason given"
        counts[word] += 1
        examples.setdefault(word, reason)
    return [
        FailureCount(kind=kind, reason=word, count=count, of=of, example=examples[word])
        for word, count in counts.most_common()
    ]


def _day(moment: datetime) -> date:
    return moment.astimezone(NEW_YORK).date()
