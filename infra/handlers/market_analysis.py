"""The analysis of a quarter of an hour: a question from the board, its answer to the board, once.

Started by the live cycle, which does not wait. A question that is answered, or that another call is
answering, is left alone, so a repeated start asks no model twice. What fails becomes the reason of
a DEGRADED analysis, as in a session of one process.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from advisor.asking import degraded, opinion
from advisor.bootstrap import advisers
from advisor.ledgers import open_ledger
from advisor.live.apart import QUESTIONS
from advisor.live.clock import LiveClock, WallClock
from advisor.live.elsewhere import Answered, Board
from infra.handlers.given import Given
from infra.handlers.invocation import Context, Limited, ended, log
from quant_core.calendar import to_minute
from quant_core.market_view import MarketView
from quant_core.types import Analysis, AnswerFinding, Headline
from tools.errors import AdvisorError, BadInput, NoData
from tools.llm.calls import KeptCall
from tools.ports import LedgerRecord


class MarketAnalysis:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:
        """One start by the live cycle: `{"run": …, "as_of": …}`."""
        run_id, as_of = _asked(event)
        clock = Limited(self._clock, context)
        board = Board(self._given.bucket(f"{QUESTIONS}/{run_id}"))
        question = board.question(as_of)
        if question is None:
            raise NoData(f"run {run_id} has put no question of {as_of.isoformat()}")
        limit = timedelta(seconds=self._given.settings.analysis.deadline_seconds)
        if clock.now() - question.asked_at > limit:
            return ended("too late to be asked", as_of=as_of.isoformat())
        if not board.claim(as_of):
            return ended("another call answers it", as_of=as_of.isoformat())
        analysis, records = self._form(run_id, question.view)
        answered = Answered(
            analysis=analysis,
            answered_at=clock.now(),
            news=[one for one in records if isinstance(one, Headline)],
            calls=[one for one in records if isinstance(one, KeptCall)],
            findings=[one for one in records if isinstance(one, AnswerFinding)],
        )
        board.answer(answered)
        return ended("answered", as_of=as_of.isoformat(), status=str(analysis.status))

    def _form(self, run_id: str, view: MarketView) -> tuple[Analysis, list[LedgerRecord]]:
        """The analyst's opinion of a view, and what led to it."""
        try:
            return self._opinion(run_id, view)
        except AdvisorError as error:  # the question is claimed: nobody else will answer it
            log.error("the analysis failed: %s", error)
            return degraded(view.as_of, str(error)), []

    def _opinion(self, run_id: str, view: MarketView) -> tuple[Analysis, list[LedgerRecord]]:
        given = self._given
        with (
            open_ledger(given.ledger, given.settings, secrets=given.secrets) as store,
            advisers(
                given.options(),
                given.settings,
                given.scratch,
                store,
                run_id,
                secrets=given.secrets,
            ) as chosen,
        ):
            if chosen.analyst is None:
                return degraded(view.as_of, "nobody analyses: ANALYST is none"), []
            analysis = opinion(chosen.analyst, view)
            return analysis, chosen.kept.take(to_minute(view.as_of))


def _asked(event: Any) -> tuple[str, datetime]:
    """Which question is meant; BadInput for an event that names none."""
    try:
        if not isinstance(event, Mapping):
            raise TypeError
        run_id, as_of = event["run"], datetime.fromisoformat(event["as_of"])
        if not isinstance(run_id, str) or not run_id.isalnum() or as_of.tzinfo is None:
            raise ValueError
    except (KeyError, TypeError, ValueError) as error:
        raise BadInput(
            'the live cycle sends {"run": ID, "as_of": "2025-03-12T14:00:00+00:00"}, this event '
            f"is {repr(event)[:200]}"
        ) from error
    return run_id, as_of


handler = MarketAnalysis()
