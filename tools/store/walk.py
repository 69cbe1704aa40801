"""One lane of a run, record by record: what `verify` does with a chain.

A record stands at its place when its row is there and only there, when it names the hash before
it, and when its content hashes to its own hash. Where one of these fails, the other hashes of the
lane tell what was done: they are only read then, so an intact lane is one pass over its rows.
"""

import heapq
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, NamedTuple

from sqlalchemy import Connection

from tools.store.chain import first_link, link
from tools.store.codec import BY_NAME, Kind
from tools.store.columns import Moment
from tools.store.dialect import Unreadable
from tools.store.statements import Statement, Statements

Fault = Literal["changed", "missing", "inserted", "reordered"]
_moment = Moment()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainBreak:
    """The first thing in a run's history that is not as it was written.

    `kind` is the table; `seq` is None where the row has none (`runs`, `lanes`), and for minute
    rows it is that of the `lane_days` record that seals them (None while the session is open).
    """

    lane: str | None
    kind: str
    seq: int | None
    fault: Fault
    detail: str

    def __str__(self) -> str:
        """One sentence."""
        number = "" if self.seq is None else f" record {self.seq}"
        place = "" if self.lane is None else f" of lane {self.lane}"
        return f"{self.fault}:{number}{place} in {self.kind}: {self.detail}"


class Broken(Exception):
    """Carries a break out of a walk."""

    def __init__(
        self, lane: str | None, kind: str, seq: int | None, fault: Fault, detail: str
    ) -> None:
        """Say where, what and how it shows."""
        super().__init__(detail)
        self.found = ChainBreak(lane=lane, kind=kind, seq=seq, fault=fault, detail=detail)


class _Link(NamedTuple):
    seq: int
    kind: str
    at: Any
    prev_hash: str
    hash: str


class _Place(NamedTuple):
    """Everything that stands under one number: at most one link, and rows of content."""

    seq: int
    links: list[_Link]
    rows: list[tuple[Kind[Any], tuple[Any, ...]]]

    @property
    def table(self) -> str:
        return self.rows[0][0].name if self.rows else "decisions"


class Walk:
    """A walk along one lane. `seq` and `hash` are those of the last record that was right.

    `shortened` are the records whose texts are gone by retention: they stand at their place, and
    what is left of them is what retention left.
    """

    def __init__(
        self,
        connection: Connection,
        sql: Statements,
        run: int,
        lane: str,
        texts: Mapping[int, str],
    ) -> None:
        """Before the first record; `texts` are hashes of pruned records as they are now."""
        self._connection, self._sql = connection, sql
        self._keys = {"run": run, "lane": lane}
        self.lane = lane
        self.seq, self.hash = 0, first_link(lane)
        self.shortened: set[int] = set()
        self._texts = texts

    def records(self, last: int) -> Iterator[tuple[Kind[Any], tuple[Any, ...]]]:
        """The rows of records 1 to `last` in stored form, each checked; raises Broken."""
        for place in self._places():
            kind, row, content = self._standing(place, last)
            self._check_link(place.links[0], content)
            self.seq, self.hash = self.seq + 1, place.links[0].hash
            yield kind, row
        if self.seq < last:
            raise self._broken("decisions", self.seq + 1, "missing", f"the lane has {last} records")

    def _places(self) -> Iterator[_Place]:
        streams = [self._stream(None, self._sql.chain)]
        streams += [self._stream(kind, self._sql.of_kind[kind.table]) for kind in BY_NAME.values()]
        seq_of = itemgetter(0)
        for seq, items in groupby(heapq.merge(*streams, key=seq_of), key=seq_of):
            place = _Place(seq, [], [])
            for _, kind, row in items:
                if kind is None:
                    place.links.append(_Link(*row))
                else:
                    place.rows.append((kind, row[1:]))
            yield place

    def _stream(
        self, kind: Kind[Any] | None, statement: Statement
    ) -> Iterator[tuple[int, Kind[Any] | None, tuple[Any, ...]]]:
        for row in statement.run(self._connection, **self._keys):
            if not isinstance(row[0], int):
                table = kind.name if kind else "decisions"
                raise self._broken(table, None, "inserted", f"its seq is {row[0]!r}")
            yield row[0], kind, tuple(row)

    def _standing(self, place: _Place, last: int) -> tuple[Kind[Any], tuple[Any, ...], bytes]:
        """The row of the next record and its content, if exactly that stands at this place."""
        seq = place.seq
        if seq > self.seq + 1:
            raise self._broken("decisions", self.seq + 1, "missing", f"next comes record {seq}")
        if seq <= self.seq or seq > last:
            raise self._broken(place.table, seq, "inserted", f"the lane has records 1 to {last}")
        if not place.links:
            raise self._broken("decisions", seq, "missing", f"{place.table} has its content")
        step = place.links[0]
        kind = BY_NAME.get(step.kind)
        own = [row for found, row in place.rows if found is kind]
        other = [found.name for found, _ in place.rows if found is not kind]
        if kind is None or (other and not own):
            raise self._broken(
                "decisions", seq, "changed", f"it says {step.kind}, the content is in {other}"
            )
        if not own:
            raise self._broken(kind.name, seq, "missing", "the chain has it, the table has not")
        if other:
            raise self._broken(other[0], seq, "inserted", f"record {seq} is one of {kind.name}")
        try:
            row = kind.restored(own[0])
            at = str(_moment.keep(_moment.read(step.at)))
        except Unreadable as error:
            raise self._broken(kind.name, seq, "changed", str(error)) from error
        return kind, row, kind.content(at, row)

    def _check_link(self, step: _Link, content: bytes) -> None:
        if step.prev_hash != self.hash:
            raise self._misplaced(step, content)
        made = link(self.hash, content)
        if made == step.hash:
            return
        if self._texts.get(step.seq) != made:
            raise self._altered(step, content)
        self.shortened.add(step.seq)

    def _misplaced(self, step: _Link, content: bytes) -> Broken:
        """A record that does not name the record before it as the one it followed."""
        followed = {other.hash: other.seq for other in self._links()}
        followed[first_link(self.lane)] = 0
        origin = followed.get(step.prev_hash)
        if origin is None and link(step.prev_hash, content) == step.hash:
            return self._broken(
                step.kind,
                step.seq,
                "missing",
                "the record that it followed is gone, or another one stands there",
            )
        if origin is None:
            return self._broken("decisions", step.seq, "changed", "its prev_hash is no record's")
        if origin >= step.seq:
            return self._broken(step.kind, step.seq, "reordered", f"it followed record {origin}")
        return self._broken(
            "decisions",
            origin + 1,
            "inserted",
            f"record {step.seq} was written right after record {origin}",
        )

    def _altered(self, step: _Link, content: bytes) -> Broken:
        """A record in its place whose content does not hash to its hash."""
        links = self._links()
        next_to = next((other.prev_hash for other in links if other.seq == step.seq + 1), None)
        if next_to == link(self.hash, content):
            return self._broken(
                "decisions", step.seq, "changed", "the next record names another hash for it"
            )
        if next_to == self.hash:
            return self._broken(
                step.kind, step.seq, "inserted", "the next record was written in its place"
            )
        for other in links:
            if link(other.prev_hash, content) == other.hash:
                return self._broken(
                    step.kind, step.seq, "reordered", f"its content is that of record {other.seq}"
                )
        return self._broken(
            step.kind, step.seq, "changed", "its content does not have the hash it was given"
        )

    def _links(self) -> list[_Link]:
        return [_Link(*row) for row in self._sql.chain.run(self._connection, **self._keys)]

    def _broken(self, kind: str, seq: int | None, fault: Fault, detail: str) -> Broken:
        return Broken(self.lane, kind, seq, fault, detail)
