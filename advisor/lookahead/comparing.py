"""Where two accounts of the same past differ first: they must agree to the last bit."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, is_dataclass

import numpy as np

from advisor.lookahead.observing import Said
from quant_core.calendar import new_york, to_datetime
from quant_core.cycles import CycleRows
from quant_core.features import FeatureTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One output on a past that both runs know; `first` names the first difference, "" for none."""

    output: str
    rows: int
    first: str = ""

    @property
    def agrees(self) -> bool:
        """Whether nothing differs."""
        return not self.first


def compare(whole: Said, other: Said) -> list[Comparison]:
    """Every output of two runs by the same moment; `other` must not differ from `whole`."""
    if whole.moment != other.moment:
        raise ValueError(f"what was said by {whole.moment} stands against {other.moment}")
    found = [_listed("snapshots", _named(whole.snapshots), _named(other.snapshots))]
    found += [_cycles(name, rows, other.cycles[name]) for name, rows in whole.cycles.items()]
    found += [_listed(kind, rows, other.rows[kind]) for kind, rows in whole.rows.items()]
    return [*found, _listed("state", whole.states, other.states)]


def compare_features(whole: FeatureTable, other: FeatureTable, moment: int) -> Comparison:
    """The features of one symbol known by a moment, all bars and columns."""
    output = f"features {whole.symbol}"
    count = int(np.searchsorted(whole.end, moment, side="right"))
    known = int(np.searchsorted(other.end, moment, side="right"))
    if known != count or not np.array_equal(whole.start[:count], other.start[:count]):
        words = f"{count} rows on all data, {known} on the other"
        return Comparison(output=output, rows=count, first=words)
    left, right = whole.values[:count], other.values[:count]
    differ = ~((left == right) | (np.isnan(left) & np.isnan(right)))
    if not differ.any():
        return Comparison(output=output, rows=count)
    row, column = (int(index[0]) for index in np.nonzero(differ))
    name = whole.catalogue.names[column]
    return Comparison(
        output=output,
        rows=count,
        first=f"{_at(whole.end[row])} {name}: {left[row, column]} on all data, "
        f"{right[row, column]} on the other",
    )


def _named(snapshots: Sequence[object]) -> tuple[tuple[str, object], ...]:
    return tuple(("", snapshot) for snapshot in snapshots)


def _listed(
    output: str, whole: Sequence[tuple[str, object]], other: Sequence[tuple[str, object]]
) -> Comparison:
    """Rows one by one, by what they print: NaN equals NaN, and a float prints all its bits."""
    for left, right in zip(whole, other, strict=False):
        if left != right and repr(left) != repr(right):
            lane = f"{left[0]} " if left[0] else ""
            return Comparison(
                output=output, rows=len(whole), first=lane + _apart(left[1], right[1])
            )
    if len(whole) != len(other):
        words = f"{len(whole)} rows on all data, {len(other)} on the other"
        return Comparison(output=output, rows=len(whole), first=words)
    return Comparison(output=output, rows=len(whole))


def _apart(left: object, right: object) -> str:
    if not is_dataclass(left) or not is_dataclass(right) or type(left) is not type(right):
        return "the state that decides what comes next"
    names = [one.name for one in fields(left)]
    differing = [
        f"{name} {getattr(left, name)!r} on all data, {getattr(right, name)!r} on the other"
        for name in names
        if repr(getattr(left, name)) != repr(getattr(right, name))
    ]
    place = [
        str(getattr(left, name)) for name in ("symbol", "date", "start", "as_of") if name in names
    ]
    more = f" (and {len(differing) - 1} more)" if len(differing) > 1 else ""
    return f"{' '.join(place)}: {differing[0]}{more}".lstrip(": ")


def _cycles(lane: str, whole: CycleRows, other: CycleRows) -> Comparison:
    output = f"cycles {lane}"
    if len(whole) != len(other):
        words = f"{len(whole)} rows on all data, {len(other)} on the other"
        return Comparison(output=output, rows=len(whole), first=words)
    columns = [name for name in CycleRows.__slots__ if name != "symbols"]
    first, where = len(whole), ""
    for name in columns:
        left, right = getattr(whole, name), getattr(other, name)
        same = left == right
        if left.dtype.kind == "f":
            same |= np.isnan(left) & np.isnan(right)
        row = int(np.argmin(same)) if len(same) and not same.all() else len(whole)
        if row < first:
            first = row
            symbol = whole.symbols[whole.symbol[row]]
            where = (
                f"{symbol} {_at(whole.minute[row] + 1)} {name}: {left[row]} on all data, "
                f"{right[row]} on the other"
            )
    return Comparison(output=output, rows=len(whole), first=where)


def _at(minute: int) -> str:
    return new_york(to_datetime(int(minute)))
