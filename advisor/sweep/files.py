"""What a sweep keeps on disk, batch by batch, so that whatever ends it costs one batch at most.

`sweep.json` says which sweep the folder holds and, once it is finished, what came out. While it
runs, every finished batch is a whole file under `parts/` (written beside its place and moved
there); at the end they become `results.parquet`, one row a combination, and `returns.parquet`, its
daily returns. A folder is taken up only by the same sweep, and never without being told.
"""

import errno
import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from advisor.exports import write_whole
from advisor.replay import UnfinishedRun
from quant_core.bars import Floats
from tools.errors import BadInput

PLAN = "sweep.json"
RESULTS = "results.parquet"
RETURNS = "returns.parquet"
PARTS = "parts"
TRADES = "trades"
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_OURS = (PLAN, RESULTS, RETURNS, "sweep.html")


class SweepFolder:
    """The output folder of one sweep."""

    def __init__(self, place: Path, identity: str) -> None:
        """A folder for the sweep of this identity; nothing is touched yet."""
        self.place, self.identity = place, identity

    def begin(self, plan: dict[str, Any], *, resume: bool, fresh: bool) -> None:
        """Make the folder, or take up the one that is there; UnfinishedRun asks the user."""
        try:
            (self.place / PARTS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"--out {self.place} cannot be used: {error.strerror}") from error
        known = self._known()
        if fresh and known is not None:
            self._clear()
            known = None
        if known is not None:
            self._compare(known, resume)
        if known is None:
            self._write(
                lambda: write_whole(self.place / PLAN, _text({**plan, "status": "running"}))
            )

    def _known(self) -> dict[str, Any] | None:
        path = self.place / PLAN
        if not path.exists():
            return None
        try:
            found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        except json.JSONDecodeError as error:
            raise BadInput(
                f"{path} cannot be read ({error}); say --fresh to start clean"
            ) from error
        return found

    def _compare(self, known: dict[str, Any], resume: bool) -> None:
        if known.get("identity") != self.identity:
            raise UnfinishedRun(
                f"{self.place} holds a different sweep: its settings, bars, dates, symbols, "
                "--vary, method or code differ; choose another --out, or say --fresh to discard it"
            )
        if known.get("status") != "finished" and not resume:
            raise UnfinishedRun(
                f"{self.place} holds a sweep that was interrupted; say --resume to go on with it "
                "or --fresh to discard it and start clean"
            )

    def _clear(self) -> None:
        for name in _OURS:
            (self.place / name).unlink(missing_ok=True)
        for name in (PARTS, TRADES):
            shutil.rmtree(self.place / name, ignore_errors=True)
        (self.place / PARTS).mkdir()

    def keep(self, table: pa.Table) -> None:
        """Keep a finished batch; BadInput when the disk will not take it."""
        number = table["combination"][0].as_py()
        self._write(lambda: _put(table, self.place / PARTS / f"{number:06d}.parquet"))

    def kept(self) -> pa.Table | None:
        """Every combination that is finished, by number; None when there is none."""
        known = self._known()
        if known is not None and known.get("status") == "finished":
            column = pq.ParquetFile(self.place / RETURNS).read()["returns"]
            return pq.ParquetFile(self.place / RESULTS).read().append_column("returns", column)
        parts = [
            pq.ParquetFile(path).read() for path in sorted((self.place / PARTS).glob("*.parquet"))
        ]
        return pa.concat_tables(parts).sort_by("combination") if parts else None

    def finish(self, table: pa.Table, sessions: Sequence[str], outcome: dict[str, Any]) -> None:
        """Turn the parts into the two result files, and say that the sweep is finished."""
        days = json.dumps(list(sessions))
        returns = table.select(["combination", "returns"]).replace_schema_metadata(
            {"sessions": days}
        )

        def write() -> None:
            _put(returns, self.place / RETURNS)
            _put(table.drop_columns(["returns"]), self.place / RESULTS)
            write_whole(self.place / PLAN, _text({**outcome, "status": "finished"}))

        self._write(write)
        shutil.rmtree(self.place / PARTS)

    def keep_trades(self, number: int, table: pa.Table) -> None:
        """The trades of one combination, with the columns of a replay's `trades.parquet`."""
        (self.place / TRADES).mkdir(exist_ok=True)
        self._write(lambda: _put(table, self.place / TRADES / f"{number:06d}.parquet"))

    def _write(self, action: Any) -> None:
        try:
            action()
        except OSError as error:
            if error.errno is None or error.errno not in _FULL:
                raise
            for half in self.place.rglob("*.partial"):
                half.unlink(missing_ok=True)
            done = len(list((self.place / PARTS).glob("*.parquet")))
            raise BadInput(
                f"{self.place} takes no more ({os.strerror(error.errno)}); {done} finished batches "
                "are kept there: make room and give the same command with --resume"
            ) from error


def returns_of(table: pa.Table) -> Floats:
    """The daily returns of a table's combinations, shape (combinations, sessions)."""
    column = table["returns"].combine_chunks()
    flat = np.asarray(column.values.to_numpy(zero_copy_only=False))
    matrix: Floats = flat.reshape(len(table), -1)
    return matrix


def returns_column(returns: Floats) -> pa.Array:
    """Daily returns as a column of equally long lists."""
    width = returns.shape[1]
    flat = pa.array(np.ascontiguousarray(returns).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, width)


def _put(table: pa.Table, path: Path) -> None:
    partial = path.with_name(path.name + ".partial")
    pq.write_table(table, partial, compression="zstd")
    os.replace(partial, path)


def _text(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, allow_nan=False) + "\n"
