"""Where retention puts what it takes out: Parquet of minute rows, JSON lines of calls.

A file is whole, and read back and found right, before anything is deleted: minute rows must give
the digest that the chain has of their session. `RUN/LANE/minutes-FIRST-LAST.parquet` holds the
sessions sealed by records FIRST to LAST, `RUN/LANE/calls-FIRST-LAST.jsonl` the calls' own JSON.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quant_core.cycles import CycleRows
from tools.errors import BadInput
from tools.store.cycles import OpenSession

_COLUMNS = [name for name in CycleRows.__slots__ if name != "symbols"]


class Archive:
    """A folder of what was taken out."""

    def __init__(self, folder: Path) -> None:
        """Made when the first file is written."""
        self._folder = folder

    def keep_minutes(
        self, run_id: str, lane: str, sessions: Mapping[int, CycleRows], digests: Mapping[int, str]
    ) -> str:
        """Write sessions by the number of their record; gives the file. BadInput when it cannot."""
        place = self._place(run_id, lane, "minutes", list(sessions), "parquet")
        symbols = next(iter(sessions.values())).symbols
        rows = CycleRows.joined(list(sessions.values()))
        lengths = [len(one) for one in sessions.values()]
        table = pa.table(
            {
                "session": np.repeat(np.array(list(sessions), np.int64), lengths),
                **{name: np.array(getattr(rows, name)) for name in _COLUMNS},
            },
            metadata={"symbols": json.dumps(symbols)},
        )
        self._write(place, lambda path: pq.write_table(table, path, compression="zstd"))
        for seq, found in read_minutes(place).items():
            if digest_of(found) != digests[seq]:
                raise BadInput(f"{place} was not written as it should be; nothing was deleted")
        return str(place)

    def keep_calls(self, run_id: str, lane: str, calls: Mapping[int, str]) -> str:
        """Write calls, JSON as the ledger keeps it, by number; gives the file."""
        place = self._place(run_id, lane, "calls", list(calls), "jsonl")
        lines = [json.dumps({"seq": seq, "call": text}) for seq, text in calls.items()]
        self._write(place, lambda path: path.write_text("\n".join(lines) + "\n", "utf-8"))
        if read_calls(place) != dict(calls):
            raise BadInput(f"{place} was not written as it should be; nothing was deleted")
        return str(place)

    def _place(
        self, run_id: str, lane: str, what: str, numbers: Sequence[int], suffix: str
    ) -> Path:
        return self._folder / run_id / lane / f"{what}-{numbers[0]}-{numbers[-1]}.{suffix}"

    def _write(self, place: Path, write: Any) -> None:
        """Beside its place first, then there in one step, on the disk."""
        beside = place.with_suffix(".part")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            write(beside)
            with beside.open("rb+") as written:
                os.fsync(written.fileno())
            os.replace(beside, place)
        except OSError as error:
            raise BadInput(
                f"the archive {place} cannot be written ({error.strerror}); nothing was deleted"
            ) from error


def read_minutes(place: Path) -> dict[int, CycleRows]:
    """The sessions of a file, by the number of their record."""
    table = pq.read_table(place)
    symbols = tuple(json.loads(table.schema.metadata[b"symbols"]))
    columns = {name: table[name].to_numpy() for name in _COLUMNS}
    session = table["session"].to_numpy()
    return {
        int(seq): CycleRows(
            symbols=symbols, **{name: column[session == seq] for name, column in columns.items()}
        )
        for seq in np.unique(session)
    }


def read_calls(place: Path) -> dict[int, str]:
    """The calls of a file, by number."""
    lines = place.read_text("utf-8").splitlines()
    return {one["seq"]: one["call"] for one in map(json.loads, lines)}


def digest_of(rows: CycleRows) -> str:
    """The digest that a session of these rows is sealed with."""
    return str(OpenSession().extended(rows).digest.hexdigest())
