"""What an answer consists of: sentences, each with the rows it rests on.

Citing sentence by sentence is what makes an answer checkable: a number must stand in the rows of
its own sentence and not just anywhere among what was looked up.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal

from quant_core.calendar import NEW_YORK
from tools.evidence import Derivation, Fact, Row

CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """A statement, the ids of the rows it rests on, and values made of those rows for it."""

    text: str
    cites: tuple[str, ...]
    derived: tuple[Derivation, ...] = ()


def say(text: str, *rows: Row, derived: Sequence[Derivation] = ()) -> Sentence:
    """A sentence that rests on rows."""
    return Sentence(
        text=text, cites=tuple(dict.fromkeys(row.id for row in rows)), derived=tuple(derived)
    )


def dollars(value: Decimal | None) -> str:
    """-$1,234.50; money that is not known is said to be so."""
    if value is None:
        return "not known"
    rounded = value.quantize(CENT, ROUND_HALF_EVEN)
    return f"{'-' if rounded < 0 else ''}${abs(rounded):,}"


def shown(fact: Fact | None) -> str:
    """A fact as people read it; a moment in New York."""
    if fact is None:
        return "not known"
    if fact.unit == "usd":
        return dollars(fact.number)
    if fact.unit == "percent":
        return f"{fact.number:.1f} %"
    if fact.unit == "count":
        return f"{int(fact.number):,}"
    if fact.unit == "number":
        return plain_number(fact.number)
    if fact.unit == "moment":
        return minute(datetime.fromisoformat(fact.value))
    return fact.value


def plain_number(value: Decimal) -> str:
    """At most two decimals, none where there are none."""
    rounded = value.quantize(CENT, ROUND_HALF_EVEN)
    return f"{rounded.normalize():f}" if rounded else "0"


def minute(moment: datetime) -> str:
    """2025-01-08 10:41, New York."""
    return moment.astimezone(NEW_YORK).strftime("%Y-%m-%d %H:%M")


def clock(moment: datetime) -> str:
    """10:41, New York."""
    return moment.astimezone(NEW_YORK).strftime("%H:%M")


def day_of(moment: datetime) -> date:
    """The New York date of a moment."""
    return moment.astimezone(NEW_YORK).date()


def many(number: int, noun: str) -> str:
    """1 trade, 2 trades, 0 analyses."""
    plural = {"analysis": "analyses", "bias": "biases"}.get(noun, f"{noun}s")
    return f"{number:,} {noun if number == 1 else plural}"


def cited(sentences: Sequence[Sentence], rows: Mapping[str, Row]) -> tuple[Row, ...]:
    """The rows that sentences rest on, in the order in which they are named."""
    ids = dict.fromkeys(one for sentence in sentences for one in sentence.cites)
    return tuple(rows[one] for one in ids if one in rows)
