"""What a run's machines are doing: their latest steps, newest first, while the run goes on."""

from datetime import UTC, datetime, timedelta

from advisor.api import schemas
from ui import words
from ui.parts import html
from ui.visit import Visit

SHOWN = 6
# After this step comes the question to the model, which is what takes its time.
_BEFORE_THE_QUESTION = ("review", "everything was read")
_LONGEST_QUESTION = timedelta(minutes=2)  # a run that was killed asks nobody any more


def steps(visit: Visit) -> str:
    """The steps; nothing when the run is over or nobody left any."""
    found = visit.read(schemas.Steps, "/api/steps").value
    if found is None or not found.running or not found.data:
        return ""
    newest = found.data[-1]
    asking = (newest.step, newest.outcome) == _BEFORE_THE_QUESTION
    asking = asking and datetime.now(UTC) - newest.at < _LONGEST_QUESTION
    doing = f"<p><b>Asking the model</b> about {words.text(newest.about)} …</p>" if asking else ""
    lines = "".join(_line(one) for one in reversed(found.data[-SHOWN:]))
    return f'{doing}<div class="log">{lines}</div>'


def _line(one: schemas.Step) -> str:
    told = one.failure or one.outcome
    chip = html.chip(one.step.replace("_", " "), "warn" if one.failure else "soft")
    more = f'<div class="more">{words.text(told)}</div>' if told else ""
    return (
        f'<div class="entry"><span class="when">{words.text(one.about[11:16])}</span><span>'
        f"{chip} {words.plain_words(one.machine)} {words.text(one.about[17:])}</span>"
        f"{more}</div>"
    )
