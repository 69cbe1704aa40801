"""What a person may well ask next, after what was just asked.

A suggestion that is refused when it is chosen is worse than none, so each goes through the same
reading as a typed question, in the same conversation, and only what is understood, is about
something that the ledger covers, and asks for something new is offered.
"""

from collections.abc import Mapping

from graph.questions import read_question
from graph.requests import Known, Refusal, Tool, Topic

MOST = 3
_NEXT: Mapping[Tool, tuple[str, ...]] = {
    "trades": (
        "Show those trades", "What was the P/L by symbol?", "What was our worst trade?",
        "What was the win rate?", "Which signals were vetoed?", "Did the advice help?",
    ),
    "signals": (
        "Why were signals skipped?", "Which signals were vetoed?", "How many signals were reduced?",
        "What was the P/L?", "Show those signals",
    ),
    "skipped": (
        "How many signals were skipped?", "How many signals were there?", "What was the P/L?",
        "Did the advice help?",
    ),
    "analyses": (
        "How many analyses were degraded?", "What was the average confidence of the analyst?",
        "Did the advice help?", "What were the biases?",
    ),
    "account": (
        "What was the P/L per day?", "What was the worst day?", "What was our best trade?",
    ),
    "positions": (
        "What was the P/L today?", "Show the trades of today", "How much money do we have?",
    ),
    "biases": ("What was the P/L that day?", "Which signals were vetoed that day?"),
    "lanes": ("What was the P/L of the baseline?", "Which signals were vetoed?", "P/L by symbol"),
    "search": ("Which signals were vetoed?", "Why were signals skipped?", "What was the P/L?"),
}  # fmt: skip
_FIRST = (
    "What was the P/L over the last 5 days?", "Show all trades of the last week",
    "Which signals were vetoed, and why?", "Did the advice help?",
)  # fmt: skip


def suggestions(asked: str, topic: Topic, known: Known) -> tuple[str, ...]:
    """At most three questions to go on with; the first ones where nothing was understood yet."""
    last = topic.last
    candidates = (*_NEXT[last.tool], *_FIRST) if last else _FIRST
    found: list[str] = []
    for one in candidates:
        if one != asked and one not in found and _is_new(one, topic, known):
            found.append(one)
    return tuple(found[:MOST])


def _is_new(question: str, topic: Topic, known: Known) -> bool:
    try:
        requests = read_question(question, known, topic)
        for request in requests:
            known.covered(request.period)
    except Refusal:
        return False
    return any(request != topic.last for request in requests)
