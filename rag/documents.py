"""What is indexed: a document is a few sentences that became true at one moment, and their rows.

Invariants: a document says nothing that was not known at its `known_at`, so what came of a signal
is never in the signal's document but in the trade's, at the close of its exit bar. Its id is made
of the rows it tells, so telling them again replaces it; its content hash changes when anything in
it does. Times in the text are New York's, `known_at` is UTC.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal, get_args

import msgspec

Kind = Literal["bias", "context", "analysis", "signal", "skip", "trade", "day", "week"]
KINDS: tuple[Kind, ...] = get_args(Kind)
KIND_MEANING: dict[Kind, str] = {
    "bias": "what kind of day a symbol was expected to have",
    "context": "the market as a whole before the open",
    "analysis": "a view of the market and the multipliers it asked for",
    "signal": "a setup that triggered and was ordered, with verdict and plan",
    "skip": "a signal that was not traded, or an order that did not fill, and why",
    "trade": "a closed trade and its outcome",
    "day": "a session of a lane",
    "week": "a trading week of a lane",
}
# What all lanes of a run share stands in a lane of its own: the premarket.
SHARED_LANE = "market"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One thing that can be found. `cites` are the ledger rows it tells, as `run/lane/seq`.

    `symbols` are those it speaks of, in alphabetical order.
    """

    id: str
    kind: Kind
    run: str
    lane: str
    symbols: tuple[str, ...]
    known_at: datetime
    text: str
    cites: tuple[str, ...]
    content_hash: str = field(init=False)

    def __post_init__(self) -> None:
        """Hash everything that is told; ValueError for a moment without a zone."""
        if self.known_at.tzinfo is None:
            raise ValueError(f"document {self.id}: known_at {self.known_at} has no time zone")
        told = (self.id, self.kind, self.run, self.lane, self.symbols, self.text, self.cites)
        content = msgspec.json.encode((told, instant(self.known_at)))
        digest = hashlib.blake2b(content, digest_size=16)
        object.__setattr__(self, "content_hash", digest.hexdigest())


@dataclass(frozen=True, slots=True)
class Source:
    """The lane of a run that documents are made of, and the symbols it watches."""

    run: str
    lane: str
    watchlist: tuple[str, ...] = ()

    def row(self, seq: int) -> str:
        """How a ledger row is cited."""
        return f"{self.run}/{self.lane}/{seq}"

    def id(self, kind: Kind, key: int | str) -> str:
        """The id of the document about a row, or about a natural key such as a date."""
        return f"{self.run}/{self.lane}/{kind}/{key}"


def instant(moment: datetime) -> int:
    """Microseconds since the epoch, exactly: how moments are compared."""
    gone = moment.astimezone(UTC) - _EPOCH
    return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds


def moment_of(microseconds: int) -> datetime:
    """The moment of an `instant`, UTC."""
    return _EPOCH + timedelta(microseconds=microseconds)
