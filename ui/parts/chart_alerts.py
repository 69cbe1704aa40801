"""What charts told today: a line for each alert, the newest first."""

from collections.abc import Sequence
from datetime import datetime

from advisor.api import schemas
from ui import words
from ui.parts import html

_HEAD = ("Symbol", "Says", "Grade", "Score", "Confidence", "Entry", "Stop", "Targets", "Bar")
_ARROWS = {"long": "▲ long", "short": "▼ short"}


def chart_alerts(alerts: Sequence[schemas.ChartAlert], now: datetime | None) -> str:
    """The table; ages are those at `now`, the session's moment."""
    rows = [
        (
            words.text(one.symbol),
            _ARROWS[one.direction],
            words.text(one.grade),
            words.signed(one.score, 1),
            words.percent(one.confidence / 100.0, 0),
            words.number(one.entry),
            words.number(one.stop),
            words.text(" · ".join(words.number(price) for price in one.targets)),
            f"{words.clock(one.time)} {_age(one, now)}",
        )
        for one in alerts
    ]
    note = '<p class="soft small">Opinions of charts, shown to models; they order nothing.</p>'
    return html.table(_HEAD, rows, numeric=(3, 4, 5, 6), stack=True, key=0) + note


def _age(one: schemas.ChartAlert, now: datetime | None) -> str:
    if now is None or now < one.time:
        return ""
    age = words.span((now - one.time).total_seconds())
    return f'<span class="soft small">{words.text(age)} ago</span>'
