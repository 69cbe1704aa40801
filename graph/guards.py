"""What happens to every question first, whoever reads it: made plain, bounded, and guarded.

A prediction, advice on what to trade, and an act are refused here, before a parser or a model sees
the question. It is courtesy and clarity, not the lock: there is nothing behind that could act.
"""

import re
import unicodedata

from graph.phrases import GUARDS
from graph.requests import Refusal

LONGEST = 2_000
GUARDED = {
    "no_evidence": "The ledger records what happened; what would have happened is in no row of it.",
    "future": "I do not predict: I answer from what the ledger has recorded by now.",
    "advice": "I give no advice on what to trade: I answer from what the ledger has recorded.",
    "act": "I can only read: no order, no setting and no instruction is taken from a question.",
}
HELP = (
    "I did not understand what is asked. I answer about trades, P/L, signals, what was skipped and "
    "why, verdicts, analyses, positions, the account and the lanes: for example “P/L over the last "
    "5 days”, “why did we skip NVDA on January 8th at 11:20?”."
)


def plain(question: str) -> str:
    """A question as one line of visible characters; refused when it is empty or endless."""
    if len(question) > LONGEST:
        raise Refusal(
            "too_long",
            f"The question has {len(question):,} characters; at most {LONGEST:,} are read.",
        )
    text = unicodedata.normalize("NFKC", question).replace("’", "'").replace("‘", "'")
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    if not text:
        raise Refusal("empty", f"There is no question. {HELP}")
    return text


def guard(text: str) -> None:
    """Refuse what nobody may get here: a prediction, advice, an act."""
    lowered = text.lower()
    for expression, why in GUARDS:
        if re.search(expression, lowered):
            raise Refusal(why, GUARDED[why])  # type: ignore[arg-type]
