"""How a domain value is kept in a column: one exact text or number, the same on every database.

Each type below turns a value of `quant_core.types` into the one form that is stored *and* hashed
(`keep`), and back (`read`). Money is a decimal made from the shortest digits that name the float,
times are UTC with a fixed width (so that text sorts as time does), words are the words. PostgreSQL
gets its native type for the same text; SQLite keeps the text, readable with the `sqlite3` shell.

Three rules hold everywhere: NaN ("not computable") is NULL and comes back as NaN, minus zero is
zero, and a value of the wrong type is refused instead of being converted by the database.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from operator import index
from typing import Any, ClassVar, Literal, TypeVar

import msgspec
from sqlalchemy import BigInteger, Date, DateTime, Double, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from quant_core.types import Check, ExitReason, RiskState, Setup, State, Status
from tools.llm.calls import LlmCall
from tools.store.dialect import Unreadable, text_or

Value = TypeVar("Value")
Kept = str | int | float | None
JsonNumber = float | Literal["Infinity", "-Infinity"] | None
_LEAST, _MOST = -(2**63), 2**63 - 1


class Column(TypeDecorator[Value]):
    """Base of the types below; none of them asks for the dialect. `null` is what NULL means."""

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok = True
    null: ClassVar[float | None] = None

    def keep(self, value: Any) -> Kept:
        """The stored form; TypeError, ValueError or OverflowError when the value has none."""
        return None if value is None else self._keep(value)

    def read(self, stored: Any) -> Any:
        """The value; Unreadable when the stored form is not one of ours."""
        if stored is None:
            return self.null
        try:
            return self._read(stored)
        except (TypeError, ValueError, OverflowError, msgspec.MsgspecError) as error:
            raise Unreadable(f"{stored!r} is no {type(self).__name__.lower()}: {error}") from error

    def _keep(self, value: Any) -> Kept:
        raise NotImplementedError

    def _read(self, stored: Any) -> Any:
        raise NotImplementedError

    def process_bind_param(self, value: Any, dialect: object) -> Kept:  # noqa: ARG002
        """SQLAlchemy's name for `keep`."""
        return self.keep(value)

    def process_result_value(self, value: Any, dialect: object) -> Any:  # noqa: ARG002
        """SQLAlchemy's name for `read`."""
        return self.read(value)


class Money(Column[float]):
    """Dollars: the decimal of `repr(value)`, so that the float comes back to the bit."""

    impl = text_or(Numeric())
    cache_ok = True
    null = math.nan

    def keep(self, value: float) -> str | None:
        """The decimal's text; NULL for NaN."""
        number = float(value + 0.0)
        return None if number != number else str(Decimal(repr(number)))

    def _read(self, stored: str | Decimal) -> float:
        number = float(stored)
        text = repr(number)
        if stored == text and text[-1].isdigit() and "e" not in text and number:
            return number  # the most common form, in a quarter of the time
        if Decimal(repr(number)) != Decimal(stored):
            raise ValueError("not the decimal of any float")
        if isinstance(stored, str) and stored != self.keep(number):
            raise ValueError(f"{stored!r} is not how {number} is kept")
        return number


class Exact(Column[Decimal]):
    """A decimal with all its digits (what a call cost), without trailing zeros."""

    impl = text_or(Numeric())
    cache_ok = True

    def _keep(self, value: Decimal) -> str:
        if not isinstance(value, Decimal) or not value.is_finite():
            raise TypeError(f"{value!r} is not a finite decimal")
        text = format(value, "f")
        text = text.rstrip("0").rstrip(".") if "." in text else text
        return "0" if text in ("-0", "") else text

    def _read(self, stored: str | Decimal) -> Decimal:
        number = Decimal(stored)
        if isinstance(stored, str) and stored != self._keep(number):
            raise ValueError("not how a decimal is kept")
        return number


class Real(Column[float]):
    """A measured number (z, slope, confidence): the float itself; NULL for NaN."""

    impl = Double
    cache_ok = True
    null = math.nan

    def keep(self, value: float) -> float | None:
        """The float; NULL for NaN."""
        number = float(value + 0.0)
        return None if number != number else number

    def _read(self, stored: float) -> float:
        if not isinstance(stored, float):
            raise TypeError("not a number")
        return stored


class Whole(Column[int]):
    """An integer of at most 64 bits."""

    impl = BigInteger
    cache_ok = True

    def _keep(self, value: int) -> int:
        number = int(index(value))
        if not _LEAST <= number <= _MOST:
            raise OverflowError(f"{number} needs more than 64 bits")
        return number

    def _read(self, stored: Any) -> int:
        return index(stored)


class Line(Column[str]):
    """Text as it is. A NUL character is refused: PostgreSQL cannot keep it."""

    cache_ok = True

    def _keep(self, value: str) -> str:
        if not isinstance(value, str):
            raise TypeError(f"{value!r} is not text")
        if "\x00" in value:
            raise ValueError(f"text holds a NUL character: {value[:60]!r}")
        return str(value)

    def _read(self, stored: Any) -> str:
        if not isinstance(stored, str):
            raise TypeError("not text")
        return stored


class Moment(Column[datetime]):
    """An instant, `2026-01-05T14:31:00.000000Z`; aware, in UTC."""

    impl = text_or(DateTime(timezone=True))
    cache_ok = True

    def _keep(self, value: datetime) -> str:
        if value.tzinfo is None:
            raise ValueError(f"{value!r} has no time zone")
        return value.astimezone(UTC).isoformat(timespec="microseconds")[:-6] + "Z"

    def _read(self, stored: str | datetime) -> datetime:
        return _aware(stored).astimezone(UTC)


class Minute(Column[int]):
    """A whole minute, `2026-01-05T14:31Z`; in Python, minutes since the epoch."""

    impl = text_or(DateTime(timezone=True))
    cache_ok = True

    def _keep(self, value: int) -> str:
        moment = datetime.fromtimestamp(index(value) * 60, UTC)
        return moment.isoformat(timespec="minutes")[:-6] + "Z"

    def _read(self, stored: str | datetime) -> int:
        minute, rest = divmod(_aware(stored).timestamp(), 60)
        if rest:
            raise ValueError("seconds are left over")
        return int(minute)


def _aware(stored: str | datetime) -> datetime:
    moment = stored if isinstance(stored, datetime) else datetime.fromisoformat(stored)
    if moment.tzinfo is None:
        raise ValueError("no time zone")
    return moment


class Day(Column[date]):
    """A New York date, `2026-01-05`."""

    impl = text_or(Date())
    cache_ok = True

    def _keep(self, value: date) -> str:
        if isinstance(value, datetime):
            raise TypeError(f"{value!r} is a moment, not a date")
        return value.isoformat()

    def _read(self, stored: str | date) -> date:
        return stored if isinstance(stored, date) else date.fromisoformat(stored)


class Word(Column[StrEnum]):
    """A member of an enumeration, as its word; subclasses say which."""

    cache_ok = True
    words: ClassVar[type[StrEnum]]

    def _keep(self, value: StrEnum) -> str:
        return self.words(value).value

    def _read(self, stored: str) -> StrEnum:
        return self.words(stored)


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


class Lines(Column[tuple[str, ...]]):
    """A tuple of texts, as a JSON array."""

    cache_ok = True

    def _keep(self, value: Sequence[str]) -> str:
        if isinstance(value, str) or not all(isinstance(item, str) for item in value):
            raise TypeError(f"{value!r} is not a tuple of texts")
        return msgspec.json.encode(value).decode()

    def _read(self, stored: str) -> tuple[str, ...]:
        return msgspec.json.decode(stored, type=tuple[str, ...])


class Numbers(Column[tuple[float, ...]]):
    """A tuple of finite numbers, as a JSON array."""

    cache_ok = True

    def _keep(self, value: Sequence[float]) -> str:
        return msgspec.json.encode([_finite(one) for one in value]).decode()

    def _read(self, stored: str) -> tuple[float, ...]:
        return msgspec.json.decode(stored, type=tuple[float, ...])


class NamedNumbers(Column[Mapping[str, float]]):
    """Finite numbers by name, as a JSON object in the order of the names."""

    cache_ok = True

    def _keep(self, value: Mapping[str, float]) -> str:
        named = {name: _finite(one) for name, one in value.items()}
        return msgspec.json.encode(named, order="sorted").decode()

    def _read(self, stored: str) -> Mapping[str, float]:
        return msgspec.json.decode(stored, type=dict[str, float])


class _StoredCheck(msgspec.Struct):
    name: str
    before: JsonNumber
    after: JsonNumber
    outcome: Literal["pass", "reduce", "block", "not_applicable"]


class Checks(Column[tuple[Check, ...]]):
    """The lines of a risk decision, as a JSON array of objects; null is NaN."""

    cache_ok = True

    def _keep(self, value: tuple[Check, ...]) -> str:
        lines = [
            _StoredCheck(c.name, json_number(c.before), json_number(c.after), c.outcome)
            for c in value
        ]
        return msgspec.json.encode(lines).decode()

    def _read(self, stored: str) -> tuple[Check, ...]:
        return tuple(
            Check(
                name=line.name,
                before=math.nan if line.before is None else float(line.before),
                after=math.nan if line.after is None else float(line.after),
                outcome=line.outcome,
            )
            for line in msgspec.json.decode(stored, type=list[_StoredCheck])
        )


class Verbatim(Column[LlmCall]):
    """A whole call to a model, as the JSON that its recording holds."""

    cache_ok = True

    def _keep(self, value: LlmCall) -> str:
        return msgspec.json.encode(value).decode()

    def _read(self, stored: str) -> LlmCall:
        call = msgspec.json.decode(stored, type=LlmCall)
        if stored != self._keep(call):
            raise ValueError("not how a call is kept")
        return call


def _finite(value: float) -> float:
    number = float(value + 0.0)
    if not math.isfinite(number):
        raise ValueError(f"{value!r} is no finite number")
    return number


def json_number(value: float) -> JsonNumber:
    """A float as JSON can keep it: null for NaN, a word for an infinity, plain otherwise."""
    number = float(value + 0.0)
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return None
    return "Infinity" if number > 0 else "-Infinity"
