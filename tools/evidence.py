"""Rows that an answer may cite: a record of the ledger, or a figure made of such records.

A row is what a question is answered from and what the answer is checked against, so it carries
values and not words about them. Each value is a `Fact`: a unit and the exact text of the value
(money is the decimal that the ledger keeps, a moment is ISO in UTC). What is not known (NaN) is no
fact. A row's id names what it is and its natural key, so that whoever holds the ledger can find it
again: `trade:advised:NVDA:20250108T1438Z`. Keys of trades and signals are the bar of the signal.

A figure over several rows (`Figure`) also says of which rows each value is made and how, so that
anybody can make it again; `remade` does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Literal, NamedTuple

Unit = Literal["usd", "count", "percent", "number", "moment", "date", "word", "text"]
Operation = Literal["sum", "count", "mean", "difference", "share", "greatest", "least",
    "quotient", "percentage",
]  # fmt: skip
NUMERIC = ("usd", "count", "percent", "number")
HUNDRED = Decimal(100)


class Fact(NamedTuple):
    """One value: its unit, and exactly what it is, as text."""

    unit: Unit
    value: str

    @property
    def number(self) -> Decimal:
        """The value of a numeric fact."""
        return Decimal(self.value)

    @property
    def moment(self) -> datetime:
        """The value of a moment."""
        return datetime.fromisoformat(self.value)


class Derivation(NamedTuple):
    """How a value was made: an operation on one fact of several rows.

    `count` ignores the field; `share` is 100 × (rows of `of`) / (rows of `whole`); `difference` is
    the first of two rows minus the second. The field of `quotient` and `percentage` is `a/b`: the
    sum of one fact over that of the other, or 100 × that.
    """

    name: str
    operation: Operation
    field: str
    of: tuple[str, ...]
    whole: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One citable row; `derived` says how values were made of other rows.

    `seq` is the record's number in its lane of the ledger, and `known_at` the moment at which it
    became known; None for what is no record (a figure).
    """

    id: str
    kind: str
    symbol: str = ""
    facts: Mapping[str, Fact] = field(default_factory=dict)
    derived: tuple[Derivation, ...] = ()
    seq: int | None = None
    known_at: datetime | None = None

    def number(self, name: str) -> Decimal | None:
        """A numeric fact's value, or None when it is not known."""
        fact = self.facts.get(name)
        return fact.number if fact and fact.unit in NUMERIC else None

    def text(self, name: str) -> str:
        """A fact's text; empty when it is not known."""
        fact = self.facts.get(name)
        return fact.value if fact else ""

    def moment(self, name: str) -> datetime | None:
        """A moment among the facts."""
        return self.facts[name].moment if name in self.facts else None

    def plain(self) -> dict[str, Any]:
        """The row as plain values, for JSON."""
        return {
            "id": self.id,
            "kind": self.kind,
            "symbol": self.symbol,
            "seq": self.seq,
            "facts": {name: list(fact) for name, fact in self.facts.items()},
            "derived": [[*one[:3], list(one.of), list(one.whole)] for one in self.derived],
        }


def exact(value: float) -> Decimal:
    """The decimal that names a float, as the ledger keeps money."""
    return Decimal(repr(float(value) + 0.0))


def usd(value: float | Decimal) -> Fact | None:
    """Dollars; None for NaN."""
    return _number("usd", value)


def real(value: float | Decimal) -> Fact | None:
    """A number without a unit; None for NaN."""
    return _number("number", value)


def percent(value: float | Decimal) -> Fact | None:
    """A percentage, 12.5 for 12.5 %; None for NaN."""
    return _number("percent", value)


def _number(unit: Unit, value: float | Decimal) -> Fact | None:
    number = value if isinstance(value, Decimal) else exact(value)
    return None if number.is_nan() else Fact(unit, str(number))


def count(value: int) -> Fact:
    """How many."""
    return Fact("count", str(int(value)))


def moment(value: datetime) -> Fact:
    """An instant, in UTC."""
    return Fact("moment", value.astimezone(UTC).isoformat())


def word(value: str) -> Fact:
    """A word of the domain: a symbol, a setup, a reason's name."""
    return Fact("word", str(value))


def text(value: str) -> Fact | None:
    """Text that somebody or a model wrote; None for none."""
    return Fact("text", value) if value else None


def facts(**named: Fact | None) -> dict[str, Fact]:
    """The facts that are known."""
    return {name: fact for name, fact in named.items() if fact is not None}


def key(at: datetime) -> str:
    """A minute as ids write it: 20250108T1438Z."""
    return at.astimezone(UTC).strftime("%Y%m%dT%H%MZ")


def remade(derivation: Derivation, rows: Mapping[str, Row]) -> Decimal | None:
    """A derived value, made again from the rows; None when it has none. KeyError without a row."""
    members = [rows[name] for name in derivation.of]
    if derivation.operation == "count":
        return Decimal(len(members))
    if derivation.operation == "share":
        whole = len(derivation.whole)
        return HUNDRED * len(members) / whole if whole else None
    if derivation.operation in ("quotient", "percentage"):
        above, below = (_sum(_known(members, name)) for name in derivation.field.split("/"))
        if above is None or not below:
            return None
        return (HUNDRED * above if derivation.operation == "percentage" else above) / below
    known = _known(members, derivation.field)
    return None if known is None else _operated(derivation.operation, known)


def _known(members: Sequence[Row], name: str) -> list[Decimal] | None:
    """The values of a fact; None when a row lacks it."""
    values = [member.number(name) for member in members]
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def _sum(values: Sequence[Decimal] | None) -> Decimal | None:
    return None if values is None else sum(values, Decimal(0))


def _operated(operation: Operation, values: Sequence[Decimal]) -> Decimal | None:
    if operation == "sum":
        return sum(values, Decimal(0))
    if operation == "difference":
        return values[0] - values[1] if len(values) == 2 else None
    if not values:
        return None
    if operation == "mean":
        return sum(values, Decimal(0)) / len(values)
    return max(values) if operation == "greatest" else min(values)


@dataclass(slots=True)
class Figure:
    """A row in the making whose values are derived from others."""

    id: str
    kind: str
    rows: Mapping[str, Row]
    symbol: str = ""
    facts: dict[str, Fact] = field(default_factory=dict)
    derived: list[Derivation] = field(default_factory=list)

    def add(
        self, name: str, operation: Operation, source: str, of: Sequence[Row], unit: Unit,
        whole: Sequence[Row] = (),
    ) -> None:  # fmt: skip
        """Derive a value; nothing is added when it has none (a mean of no rows)."""
        ids = tuple(row.id for row in of)
        derivation = Derivation(name, operation, source, ids, tuple(row.id for row in whole))
        value = remade(derivation, self.rows)
        if value is not None:
            self.facts[name] = Fact(unit, str(value))
            self.derived.append(derivation)

    def row(self) -> Row:
        """The finished row."""
        return Row(
            id=self.id, kind=self.kind, symbol=self.symbol, facts=self.facts,
            derived=tuple(self.derived),
        )  # fmt: skip
