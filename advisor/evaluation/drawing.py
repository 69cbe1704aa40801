"""The figures of the evaluation page, as SVG that needs no script; classes carry every colour."""

import math
from collections.abc import Iterator, Sequence
from html import escape

import numpy as np

from advisor.evaluation.findings import Timing
from advisor.report.figures import money
from quant_core.bars import Floats
from quant_core.scoring import Scores

WIDTH, HEIGHT = 960, 280
LEFT, RIGHT, TOP, BOTTOM = 74, 36, 12, 26
DATES_SHOWN = 8


def cumulative(dates: Sequence[str], lines: dict[str, Floats], shuffles: Floats) -> str:
    """Running sums ($) by session; `lines` by CSS class, `shuffles` (shuffles, sessions)."""
    drawn = {name: np.r_[0.0, np.cumsum(values)] for name, values in lines.items()}
    crowd = np.cumsum(np.c_[np.zeros(len(shuffles)), shuffles], axis=1)
    every = np.concatenate([*drawn.values(), crowd.ravel()])
    low, high, ticks = _scale(float(every.min()), float(every.max()))

    def x(i: int) -> float:
        return LEFT + i * (WIDTH - LEFT - RIGHT) / max(len(dates), 1)

    def y(value: float) -> float:
        return TOP + (high - value) * (HEIGHT - TOP - BOTTOM) / (high - low)

    def path(values: Floats) -> str:
        return " ".join(f"{x(i):.1f},{y(float(v)):.1f}" for i, v in enumerate(values))

    parts = [_horizontal(y(tick), money(tick, signed=True)[:-3], tick == 0.0) for tick in ticks]
    step = max(1, math.ceil(len(dates) / DATES_SHOWN))
    marked = range(0, len(dates), step)
    parts += [_text(x(i + 1), HEIGHT - 8, dates[i], "middle") for i in marked]
    parts += [f'<polyline class="each" points="{path(values)}"/>' for values in crowd]
    for name, values in drawn.items():
        parts.append(f'<polyline class="line {escape(name)}" points="{path(values)}"/>')
    return _svg(WIDTH, HEIGHT, "Running difference from the baseline by session", parts)


def timing_strip(timing: Timing) -> str:
    """Every random order as a dot, the own order as a line, on a scale of dollars."""
    height, middle = 92, 40
    values = [*timing.totals, timing.own]
    low, high, ticks = _scale(min(values), max(values))

    def x(value: float) -> float:
        return 40 + (value - low) * (WIDTH - 80) / (high - low)

    parts = []
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{x(tick):.1f}" x2="{x(tick):.1f}" y1="16" y2="{height - 26}"/>'
        )
        parts.append(_text(x(tick), height - 10, money(tick, signed=True)[:-3], "middle"))
    for number, value in enumerate(timing.totals):
        offset = (number % 5 - 2) * 5
        parts.append(
            f'<circle class="dot placebo" cx="{x(value):.1f}" cy="{middle + offset}" r="3.4">'
            f"<title>{escape(money(value))}</title></circle>"
        )
    own = x(timing.own)
    parts.append(f'<line class="own" x1="{own:.1f}" x2="{own:.1f}" y1="16" y2="{height - 26}"/>')
    side = "end" if own > WIDTH / 2 else ""
    parts.append(_text(own + (-6 if side else 6), 12, "own order", f"strong {side}".strip()))
    return _svg(WIDTH, height, "Totals of random orders and of the own order", parts)


def reliability(scores: Scores) -> str:
    """Stated against observed frequency, with 95 % intervals; the diagonal is honesty."""
    size, edge = 340, 40
    span = size - edge - 24

    def x(p: float) -> float:
        return edge + p * span

    def y(p: float) -> float:
        return size - edge - p * span

    parts = []
    for p in (0.0, 0.25, 0.5, 0.75, 1.0):
        parts.append(
            f'<line class="grid" x1="{x(p):.1f}" x2="{x(p):.1f}" y1="{y(0):.1f}" y2="{y(1):.1f}"/>'
        )
        parts.append(
            f'<line class="grid" x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{y(p):.1f}" y2="{y(p):.1f}"/>'
        )
        parts.append(_text(x(p), size - edge + 15, f"{p:.0%}".replace("%", " %"), "middle"))
        parts.append(_text(edge - 6, y(p) + 4, f"{p:.0%}".replace("%", " %"), "end"))
    parts.append(_text(x(0.5), size - 6, "stated probability", "middle"))
    parts.append(_text(x(0.02), y(1.0) + 14, "happened", "strong"))
    parts.append(
        f'<line class="ideal" x1="{x(0):.1f}" y1="{y(0):.1f}" x2="{x(1):.1f}" y2="{y(1):.1f}"/>'
    )
    base = y(scores.base_rate)
    parts.append(
        f'<line class="zero" x1="{x(0):.1f}" x2="{x(1):.1f}" y1="{base:.1f}" y2="{base:.1f}"/>'
    )
    parts.append(_text(x(0.02), base - 5, "base rate", ""))
    most = max(one.count for one in scores.bins)
    for one in scores.bins:
        if not one.count:
            continue
        at = x(one.forecast)
        parts.append(
            f'<line class="whisker" x1="{at:.1f}" x2="{at:.1f}" '
            f'y1="{y(one.least):.1f}" y2="{y(one.most):.1f}"/>'
        )
        parts.append(
            f'<circle class="dot" cx="{at:.1f}" cy="{y(one.observed):.1f}" '
            f'r="{3 + 5 * math.sqrt(one.count / most):.1f}"><title>{one.count} forecasts of '
            f"{one.forecast:.1%}, happened {one.observed:.1%}</title></circle>"
        )
    return _svg(size, size, "Reliability: stated against observed frequency", parts, "figure small")


def _scale(low: float, high: float) -> tuple[float, float, list[float]]:
    """Limits with some air, zero included, and round ticks between them."""
    low, high = min(low, 0.0), max(high, 0.0)
    span = max(high - low, 1.0)
    rough = span / 6.0
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * k for k in (1.0, 2.0, 5.0, 10.0) if power * k >= rough)
    low, high = low - 0.06 * span, high + 0.06 * span
    return low, high, [step * k for k in _between(math.ceil(low / step), math.floor(high / step))]


def _between(first: int, last: int) -> Iterator[int]:
    return iter(range(first, last + 1))


def _horizontal(y: float, label: str, zero: bool) -> str:
    name = "zero" if zero else "grid"
    line = f'<line class="{name}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
    return line + _text(LEFT - 8, y + 4, label, "end")


def _text(x: float, y: float, text: str, name: str) -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(width: int, height: int, label: str, parts: Sequence[str], name: str = "figure") -> str:
    return (
        f'<div class="scroll"><svg class="{name}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(label)}">{"".join(parts)}</svg></div>'
    )
