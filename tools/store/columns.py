"""How a domain value is kept in a column: one exact text or number, the same on every database.

Each type below turns a value of `quant_core.types` into the one form that is stored *and* hashed,
and back. Money is a decimal made from the shortest digits that name the float, times are UTC with
a fixed width (so that text sorts as time does), words are the words. PostgreSQL gets its native
type for the same text; SQLite keeps the text, readable with the `sqlite3` shell.

Three rules hold everywhere: NaN ("not computable") is NULL and comes back as NaN, minus zero is
zero, and a value of the wrong type is refused instead of being converted by the database.
"""

import math
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from operator import index
from typing import Any, ClassVar, Literal

import msgspec
from sqlalchemy import BigInteger, Date, DateTime, Double, Numeric, Text
from sqlalchemy.types import TypeDecorator

from quant_core.types import Check, ExitReason, RiskState, Setup, State, Status
from tools.store.dialect import text_or

_LEAST, _MOST = -(2**63), 2**63 - 1


class Money(TypeDecorator[float]):
    """Dollars: the decimal of `repr(value)`, so that the float comes back to the bit."""

    impl = text_or(Numeric())
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: object) -> str | None:  # noqa: ARG002
        """The decimal's text; NULL for NaN."""
        if value is None or value != value:
            return None
        return str(Decimal(repr(float(value) + 0.0)))

    def process_result_value(self, value: Any, dialect: object) -> float:  # noqa: ARG002
        """The float; a decimal that no float has is not ours and raises ValueError."""
        if value is None:
            return math.nan
        stored = Decimal(value)
        number = float(stored)
        if Decimal(repr(number)) != stored:
            raise ValueError(f"{value!r} is not the decimal of a float")
        return number


class Real(TypeDecorator[float]):
    """A measured number (z, slope, confidence): the float itself; NULL for NaN."""

    impl = Double
    cache_ok = True

    def process_bind_param(self, value: float | None, dialect: object) -> float | None:  # noqa: ARG002
        """The float, or NULL."""
        return None if value is None or value != value else float(value) + 0.0

    def process_result_value(self, value: Any, dialect: object) -> float:  # noqa: ARG002
        """The float, or NaN."""
        return math.nan if value is None else float(value)


class Whole(TypeDecorator[int]):
    """An integer of at most 64 bits."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: object) -> int | None:  # noqa: ARG002
        """The integer; TypeError for a float, OverflowError beyond 64 bits."""
        if value is None:
            return None
        number = int(index(value))
        if not _LEAST <= number <= _MOST:
            raise OverflowError(f"{number} needs more than 64 bits")
        return number

    def process_result_value(self, value: Any, dialect: object) -> int | None:  # noqa: ARG002
        """The integer as stored."""
        return value if value is None else index(value)


class Line(TypeDecorator[str]):
    """Text as it is. A NUL character is refused: PostgreSQL cannot keep it."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: object) -> str | None:  # noqa: ARG002
        """The text; TypeError for anything else."""
        if value is None:
            return None
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is not text")
        if "\x00" in value:
            raise ValueError("text holds a NUL character")
        return str(value)


class Moment(TypeDecorator[datetime]):
    """An instant, `2026-01-05T14:31:00.000000Z`; aware, in UTC."""

    impl = text_or(DateTime(timezone=True))
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: object) -> str | None:  # noqa: ARG002
        """Text of fixed width; ValueError for a naive datetime."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"

    def process_result_value(self, value: Any, dialect: object) -> datetime | None:  # noqa: ARG002
        """An aware datetime in UTC."""
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return moment.astimezone(UTC)


class Minute(TypeDecorator[int]):
    """A whole minute, `2026-01-05T14:31Z`, in Python minutes since the epoch."""

    impl = text_or(DateTime(timezone=True))
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: object) -> str | None:  # noqa: ARG002
        """Text of fixed width."""
        if value is None:
            return None
        moment = datetime.fromtimestamp(index(value) * 60, UTC)
        return moment.isoformat(timespec="minutes")[:-6] + "Z"

    def process_result_value(self, value: Any, dialect: object) -> int | None:  # noqa: ARG002
        """Minutes since the epoch; ValueError for an instant inside a minute."""
        if value is None:
            return None
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        minute, rest = divmod(moment.timestamp(), 60)
        if rest or moment.tzinfo is None:
            raise ValueError(f"{value!r} is not a whole minute in UTC")
        return int(minute)


class Day(TypeDecorator[date]):
    """A New York date, `2026-01-05`."""

    impl = text_or(Date())
    cache_ok = True

    def process_bind_param(self, value: date | None, dialect: object) -> str | None:  # noqa: ARG002
        """ISO text; TypeError for a datetime."""
        if isinstance(value, datetime):
            raise TypeError(f"{value!r} is not a date")
        return value if value is None else value.isoformat()

    def process_result_value(self, value: Any, dialect: object) -> date | None:  # noqa: ARG002
        """The date."""
        return date.fromisoformat(value) if isinstance(value, str) else value


class Word(TypeDecorator[StrEnum]):
    """A member of an enumeration, as its word; subclasses say which."""

    impl = Text
    cache_ok = True
    words: ClassVar[type[StrEnum]]

    def process_bind_param(self, value: StrEnum | None, dialect: object) -> str | None:  # noqa: ARG002
        """The word; ValueError when it is none of the enumeration's."""
        return value if value is None else self.words(value).value

    def process_result_value(self, value: Any, dialect: object) -> StrEnum | None:  # noqa: ARG002
        """The member; ValueError when the word is none of the enumeration's."""
        return value if value is None else self.words(value)


class SetupWord(Word):
    """A `Setup`."""

    cache_ok = True
    words = Setup


class StateWord(Word):
    """A `State`."""

    cache_ok = True
    words = State


class RiskStateWord(Word):
    """A `RiskState`."""

    cache_ok = True
    words = RiskState


class ExitReasonWord(Word):
    """An `ExitReason`."""

    cache_ok = True
    words = ExitReason


class StatusWord(Word):
    """A `Status`."""

    cache_ok = True
    words = Status


class Lines(TypeDecorator[tuple[str, ...]]):
    """A tuple of texts, as a JSON array."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self,
        value: tuple[str, ...] | None,
        dialect: object,  # noqa: ARG002
    ) -> str | None:
        """JSON; TypeError when an item is not text."""
        if value is None:
            return None
        if isinstance(value, str) or not all(isinstance(item, str) for item in value):
            raise TypeError(f"{value!r} is not a tuple of texts")
        return msgspec.json.encode(value).decode()

    def process_result_value(self, value: Any, dialect: object) -> tuple[str, ...] | None:  # noqa: ARG002
        """The tuple."""
        return value if value is None else msgspec.json.decode(value, type=tuple[str, ...])


class _StoredCheck(msgspec.Struct):
    name: str
    before: float | Literal["Infinity", "-Infinity"] | None
    after: float | Literal["Infinity", "-Infinity"] | None
    outcome: Literal["pass", "reduce", "block", "not_applicable"]


class Checks(TypeDecorator[tuple[Check, ...]]):
    """The lines of a risk decision, as a JSON array of objects; null is NaN."""

    impl = Text
    cache_ok = True

    def process_bind_param(
        self,
        value: tuple[Check, ...] | None,
        dialect: object,  # noqa: ARG002
    ) -> str | None:
        """JSON."""
        if value is None:
            return None
        lines = [
            _StoredCheck(c.name, json_number(c.before), json_number(c.after), c.outcome)
            for c in value
        ]
        return msgspec.json.encode(lines).decode()

    def process_result_value(self, value: Any, dialect: object) -> tuple[Check, ...] | None:  # noqa: ARG002
        """The checks; ValueError (msgspec's) when it is not what was written."""
        if value is None:
            return None
        return tuple(
            Check(
                name=line.name,
                before=math.nan if line.before is None else float(line.before),
                after=math.nan if line.after is None else float(line.after),
                outcome=line.outcome,
            )
            for line in msgspec.json.decode(value, type=list[_StoredCheck])
        )


def json_number(value: float) -> float | Literal["Infinity", "-Infinity"] | None:
    """A float as JSON can keep it: null for NaN, a word for an infinity, plain otherwise."""
    number = float(value) + 0.0
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return None
    return "Infinity" if number > 0 else "-Infinity"
