"""Writing the bar lake in an S3 bucket: the same files under the same names as in a folder.

There is no lock on a bucket, so a file is replaced only if it is still the one that was read (S3
compares its tag); otherwise it is read and merged again. Two imports at once therefore lose nothing
of each other, and importing again changes nothing. Reading it is `tools.market.buckets`' part.
"""

import io
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from quant_core.bars import BarSeries
from tools.aws.objects import Changed, Objects
from tools.errors import BadInput, Transient
from tools.market.lake import Floats, Imported, Ints, Timeframe, as_table, by_year, merged
from tools.market.sheets import PRICES

ATTEMPTS = 5
_PARQUET = "application/vnd.apache.parquet"


def import_into_bucket(
    lake: Objects, bars: Iterable[BarSeries], timeframe: Timeframe
) -> list[Imported]:
    """Add bars that the lake does not have; errors are those of `Objects`."""
    return [_import_symbol(lake, series, timeframe) for series in bars]


def _import_symbol(lake: Objects, bars: BarSeries, timeframe: Timeframe) -> Imported:
    added = known = differing = 0
    for key, part in by_year(bars, timeframe):
        gained, different = _merge(lake, key, part)
        added += gained
        known += len(part.start) - gained
        differing += different
    return Imported(symbol=bars.symbol, added=added, known=known, differing=differing)


def _merge(lake: Objects, key: str, bars: BarSeries) -> tuple[int, int]:
    """Add to an object the bars whose start it does not have: (added, known but different)."""
    for _ in range(ATTEMPTS):
        there = lake.find(key)
        both = merged(_columns(lake.place(key), there.body) if there else None, bars)
        if both.added == 0:
            return 0, both.differing
        stream = io.BytesIO()
        pq.write_table(as_table(bars.symbol, both.start, both.values), stream, compression="zstd")
        try:
            lake.put(
                key, stream.getvalue(), _PARQUET,
                unless_changed=there.tag if there else None, new=there is None,
            )  # fmt: skip
        except Changed:
            continue  # another import was quicker; its bars are merged next
        return both.added, both.differing
    raise Transient(
        f"{lake.place(key)} was changed by another import each of {ATTEMPTS} times; run this one "
        "again when that has ended"
    )


def _columns(place: str, body: bytes) -> tuple[Ints, dict[str, Floats]]:
    """Starts in microseconds, and prices, of a file that an import wrote."""
    try:
        table = pq.read_table(io.BytesIO(body), columns=["timestamp", *PRICES])
        start = table["timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy()
        values = {name: table[name].to_numpy() for name in PRICES}
    except (pa.ArrowException, KeyError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise BadInput(
            f"{place} is no file of a bar lake: {reason}; nothing was changed"
        ) from error
    if len(start) == 0 or not (np.diff(start) > 0).all():
        raise BadInput(f"{place} is not sorted by time; nothing was changed")
    return start, values
