"""The minutes of a report: closes, bands and z once for all lanes, and each lane's states.

Lanes share their bars, so the numbers come from the first lane and only the state machine's
states are kept lane by lane, as runs. Every column is per symbol, sessions one after another; the
count of rows in each session says where one ends.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from advisor.report.packing import pack, pack_differences, pack_runs
from quant_core.bars import Floats
from quant_core.calendar import Session
from quant_core.cycles import CycleRows

Z_QUANTUM = 1e-3


def shared_bars(cycles: CycleRows, sessions: Sequence[Session]) -> list[dict[str, Any]]:
    """Per symbol: minutes, close, mean, deviation and z, packed.

    The price quantum is a power of ten at most a thousandth of the median deviation, so a band
    drawn from the page is the band that was traded to a pixel; z is kept to three decimals.
    """
    return [_symbol_bars(cycles, cycles.symbol == s, sessions) for s in range(len(cycles.symbols))]


def _symbol_bars(
    cycles: CycleRows, mine: np.ndarray, sessions: Sequence[Session]
) -> dict[str, Any]:
    minute = cycles.minute[mine]
    edges = np.searchsorted(minute, [edge for s in sessions for edge in (s.open, s.close)])
    inside = np.zeros(len(minute), np.bool_)
    for begin, end in edges.reshape(-1, 2):
        inside[begin:end] = True
    ready = cycles.ready[mine][inside]
    rows = np.flatnonzero(mine)[inside]
    banded = rows[ready]
    quantum = _quantum(cycles.close[rows], cycles.deviation[banded])
    return {
        "quantum": quantum,
        "rows": np.diff(edges.reshape(-1, 2), axis=1).ravel().tolist(),
        "minute": pack(np.concatenate([[], *_offsets(minute, edges, sessions)]).astype(np.int64)),
        "ready": pack_runs(ready),
        "close": pack_differences(cycles.close[rows], quantum),
        "mean": pack_differences(cycles.mean[banded], quantum),
        "deviation": pack_differences(cycles.deviation[banded], quantum),
        "z": pack_differences(cycles.z[banded], Z_QUANTUM),
    }


def _quantum(close: Floats, deviation: Floats) -> float:
    if len(close) == 0:
        return 1e-4
    scale = float(np.median(deviation)) if len(deviation) else float(np.median(close)) * 1e-3
    fine = 10.0 ** np.floor(np.log10(max(scale, 1e-9) / 1000.0))
    return float(f"{max(fine, float(np.max(close)) / 2**40):.0e}")


def _offsets(minute: np.ndarray, edges: np.ndarray, sessions: Sequence[Session]) -> list[Any]:
    """Per session the minutes after the open as (skipped, length) of runs without a gap."""
    found = []
    for (begin, end), session in zip(edges.reshape(-1, 2), sessions, strict=True):
        offsets = minute[begin:end] - session.open
        if len(offsets) == 0:
            continue
        starts = np.flatnonzero(np.diff(offsets, prepend=-2) != 1)
        lengths = np.diff(np.append(starts, len(offsets)))
        ends = np.concatenate(([0], (offsets[starts] + lengths)[:-1]))
        found.append(np.stack([offsets[starts] - ends, lengths], axis=1).ravel())
    return found


def lane_states(cycles: CycleRows, sessions: Sequence[Session]) -> list[str]:
    """Per symbol: state and side after each row as runs of (length, 3·state + side + 1)."""
    opens = np.array([session.open for session in sessions])
    closes = np.array([session.close for session in sessions])
    held = np.searchsorted(opens, cycles.minute, side="right") - 1
    inside = (held >= 0) & (cycles.minute < closes[np.maximum(held, 0)])
    codes = 3 * cycles.state.astype(np.int64) + cycles.side + 1
    return [_runs(codes[inside & (cycles.symbol == s)]) for s in range(len(cycles.symbols))]


def _runs(codes: np.ndarray) -> str:
    if len(codes) == 0:
        return ""
    starts = np.flatnonzero(np.diff(codes, prepend=-1) != 0)
    lengths = np.diff(np.append(starts, len(codes)))
    return pack(np.stack([lengths, codes[starts]], axis=1))
