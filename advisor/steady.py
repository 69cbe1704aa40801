"""A model whose confidence has fallen is not asked any more that day: it abstains, and says so.

What it answered before is read off its lane's records, so a session that is taken up again, and a
replay, come to the same.
"""

from collections.abc import Sequence
from datetime import date, datetime

from advisor.asking import degraded
from advisor.lanes import Answer, Lane
from advisor.settings import DriftSettings
from quant_core.calendar import NEW_YORK
from quant_core.drift import drift
from quant_core.market_view import MarketView
from quant_core.types import Analysis, Decision, Signal, Status, Verdict
from tools.ports import Analyst, Validator


def steady_analyst(analyst: Analyst, lane: Lane, rules: DriftSettings) -> Analyst:
    """The analyst, as long as its confidence has not fallen."""

    def analyse(view: MarketView) -> Analysis:
        lost = _lost(_analyses(lane), view.as_of, rules)
        return degraded(view.as_of, lost) if lost else analyst(view)

    return analyse


def steady_validator(validator: Validator, lane: Lane, rules: DriftSettings) -> Validator:
    """The validator, as long as its confidence has not fallen."""

    def validate(signal: Signal, view: MarketView) -> Verdict:
        lost = _lost(_verdicts(lane), view.as_of, rules)
        if not lost:
            return validator(signal, view)
        return Verdict(
            ruling="abstain", confidence=0.0, status=Status.DEGRADED, degraded_reason=lost
        )

    return validate


def _lost(answers: Sequence[Answer], as_of: datetime, rules: DriftSettings) -> str:
    """Why the model that answered last abstains; empty when it does not."""
    if not answers:
        return ""
    model = answers[-1][0]
    own = [(day, confidence) for name, day, confidence in answers if name == model]
    found = drift(
        own,
        _day(as_of),
        fall_percent=rules.fall_percent,
        sessions=rules.sessions,
        least_answers=rules.least_answers,
    )
    if found is None:
        return ""
    return (
        f"model drift: the median confidence of {model} today, {found.today:g}, is more than "
        f"{rules.fall_percent:g} % below {found.before:g}, that of the {found.sessions} sessions "
        "before; it abstains for the rest of the session"
    )


def _analyses(lane: Lane) -> list[Answer]:
    since = [
        (one.analyst, _day(one.as_of), one.confidence)
        for one in tuple(lane.records)
        if isinstance(one, Analysis) and one.status is Status.OK
    ]
    return [*lane.earlier(Analysis), *since]


def _verdicts(lane: Lane) -> list[Answer]:
    ruled = [
        (one.signal.start, one.verdict)
        for one in tuple(lane.records)
        if isinstance(one, Decision) and one.verdict is not None
    ]
    since = [
        (verdict.validator, _day(start), verdict.confidence)
        for start, verdict in ruled
        if verdict.status is Status.OK
    ]
    return [*lane.earlier(Decision), *since]


def _day(moment: datetime) -> date:
    return moment.astimezone(NEW_YORK).date()
