"""Drawings as inline SVG: lines over sessions, heat maps, and spreads of a figure.

No script and no inline style: colour comes from the page's classes, strength from attributes, and
what a mark means from its `<title>`. Coordinates are rounded to a tenth, so the same numbers give
the same bytes.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from quant_core.bars import Floats

LEFT, RIGHT, TOP, BOTTOM = 66, 14, 12, 26
Form = Callable[[float], str]


@dataclass(frozen=True, slots=True)
class Line:
    """A named line; `kind` is its class. Undefined values leave a gap."""

    name: str
    kind: str
    values: Floats


def ticks(low: float, high: float, count: int = 5) -> list[float]:
    """Round values inside [low, high], about `count` of them."""
    if not high > low:
        return [low]
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((power * m for m in (1, 2, 2.5, 5, 10) if power * m >= rough), power * 10)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(
    lines: Sequence[Line], labels: Sequence[str], form: Form,
    *, title: str,
    width: int = 620, height: int = 240,
) -> str:  # fmt: skip
    """Lines over the same labels (dates), with a legend."""
    known = np.concatenate([line.values[np.isfinite(line.values)] for line in lines])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if high - low < 1e-12:
        low, high = low - 1e-6, high + 1e-6

    def x(i: float) -> float:
        return LEFT + i / max(1, len(labels) - 1) * (width - LEFT - RIGHT)

    def y(value: float) -> float:
        return TOP + (high - value) / (high - low) * (height - TOP - BOTTOM)

    marks = [
        f'<line class="grid" x1="{LEFT}" x2="{width - RIGHT}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text class="axis end" x="{LEFT - 8}" y="{y(t) + 4:.1f}">{escape(form(t))}</text>'
        for t in ticks(low, high)
    ]
    if low < 0.0 < high:
        marks.append(
            f'<line class="zero" x1="{LEFT}" x2="{width - RIGHT}" y1="{y(0):.1f}" y2="{y(0):.1f}"/>'
        )
    for i in _spread(len(labels), max(2, width // 130)):
        anchor = "end" if i == len(labels) - 1 and i else "middle" if i else "start"
        marks.append(
            f'<text class="axis" text-anchor="{anchor}" x="{x(i):.1f}" y="{height - 7}">'
            f"{escape(labels[i])}</text>"
        )
    marks += [
        f'<path class="line {line.kind}" d="{_path(line.values, x, y)}">'
        f"<title>{escape(line.name)}</title></path>"
        for line in lines
    ]
    legend = "".join(
        f'<li><svg class="key" viewBox="0 0 18 14" aria-hidden="true">'
        f'<line class="line {line.kind}" x1="0" x2="18" y1="7" y2="7"/></svg>'
        f"{escape(line.name)}</li>"
        for line in lines
    )
    return (
        f'<div class="scroll"><svg class="drawing" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(marks)}</svg></div>'
        f'<ul class="legend">{legend}</ul>'
    )


def _spread(count: int, most: int) -> list[int]:
    """Evenly spread positions, both ends included."""
    if count <= most:
        return list(range(count))
    return [round(i * (count - 1) / (most - 1)) for i in range(most)]


def _path(values: Floats, x: Callable[[float], float], y: Callable[[float], float]) -> str:
    parts, pen = [], "M"
    for i, value in enumerate(values.tolist()):
        if not math.isfinite(value):
            pen = "M"
            continue
        parts.append(f"{pen}{x(i):.1f} {y(value):.1f}")
        pen = "L"
    return "".join(parts)


def heat_map(
    columns: Sequence[str], rows: Sequence[str], values: Floats, form: Form,
    *, names: tuple[str, str], chosen: tuple[int, int] | None, title: str,
) -> str:  # fmt: skip
    """Values (rows, columns) as coloured cells; gain above zero, loss below, hatched undefined."""
    cell, label = 58, max(92, 7 * len(names[1]) + 10)
    width, height = label + cell * len(columns) + 8, 46 + 30 * len(rows)
    strongest = float(np.nanmax(np.abs(values))) if np.isfinite(values).any() else 1.0
    marks = [
        f'<text class="axis" x="{label + cell * len(columns) / 2:.1f}" y="12" '
        f'text-anchor="middle">{escape(names[0])}</text>',
        f'<text class="axis" x="0" y="32">{escape(names[1])}</text>',
    ]
    marks += [
        f'<text class="axis strong" text-anchor="middle" x="{label + cell * (c + 0.5):.1f}" '
        f'y="32">{escape(name)}</text>'
        for c, name in enumerate(columns)
    ]
    for r, name in enumerate(rows):
        top = 40 + 30 * r
        marks.append(
            f'<text class="axis strong end" x="{label - 10}" y="{top + 18}">{escape(name)}</text>'
        )
        for c, column in enumerate(columns):
            value = float(values[r, c])
            known = math.isfinite(value)
            tone = "none" if not known else "gain" if value > 0 else "loss"
            strength = 0.08 + 0.72 * abs(value) / (strongest or 1.0) if known else 0.0
            left = label + cell * c
            picked = " chosen-cell" if chosen == (r, c) else ""
            text = form(value) if known else "–"
            marks.append(
                f'<g><rect class="heat {tone}{picked}" x="{left + 1}" y="{top}" '
                f'width="{cell - 2}" height="28" rx="3" fill-opacity="{strength:.2f}"/>'
                f'<text class="heat-text" x="{left + cell / 2:.1f}" y="{top + 18}">'
                f"{escape(text)}</text>"
                f"<title>{escape(f'{names[0]} {column}, {names[1]} {name}: {text}')}</title></g>"
            )
    return (
        f'<figure class="map-of"><figcaption>{escape(title)}</figcaption><div class="scroll">'
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(marks)}</svg></div></figure>'
    )


def spread_chart(
    labels: Sequence[str], groups: Sequence[Floats], form: Form,
    *, chosen: int | None, title: str,
) -> str:  # fmt: skip
    """For each label the range, the middle half and the median of a group of values."""
    width, height, step = 460, 210, 0.0
    known = np.concatenate([group[np.isfinite(group)] for group in groups])
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    if high - low < 1e-12:
        low, high = low - 1e-6, high + 1e-6
    left = 58
    step = (width - left - 8) / max(1, len(labels))

    def y(value: float) -> float:
        return 10 + (high - value) / (high - low) * (height - 40)

    marks = [
        f'<line class="grid" x1="{left}" x2="{width - 8}" y1="{y(t):.1f}" y2="{y(t):.1f}"/>'
        f'<text class="axis end" x="{left - 8}" y="{y(t) + 4:.1f}">{escape(form(t))}</text>'
        for t in ticks(low, high, 4)
    ]
    shown = set(_spread(len(labels), 8))
    for i, (label, group) in enumerate(zip(labels, groups, strict=True)):
        middle = left + step * (i + 0.5)
        values = group[np.isfinite(group)]
        picked = " chosen-cell" if i == chosen else ""
        if i in shown:
            marks.append(
                f'<text class="axis" text-anchor="middle" x="{middle:.1f}" y="{height - 8}">'
                f"{escape(label)}</text>"
            )
        if len(values) == 0:
            continue
        least, lower, median, upper, most = np.quantile(values, [0, 0.25, 0.5, 0.75, 1]).tolist()
        box = max(1.5, y(lower) - y(upper))
        size = min(26.0, step * 0.6)
        marks.append(
            f'<g><line class="whisker" x1="{middle:.1f}" x2="{middle:.1f}" y1="{y(most):.1f}" '
            f'y2="{y(least):.1f}"/><rect class="half{picked}" x="{middle - size / 2:.1f}" '
            f'y="{y(upper):.1f}" width="{size:.1f}" height="{box:.1f}" rx="2"/>'
            f'<line class="median" x1="{middle - size / 2:.1f}" x2="{middle + size / 2:.1f}" '
            f'y1="{y(median):.1f}" y2="{y(median):.1f}"/>'
            f"<title>{escape(f'{label}: median {form(median)}, {form(least)} to {form(most)}')}"
            "</title></g>"
        )
    return (
        f'<figure class="map-of"><figcaption>{escape(title)}</figcaption>'
        f'<svg class="spread" viewBox="0 0 {width} {height}" role="img" '
        f'aria-label="{escape(title)}">{"".join(marks)}</svg></figure>'
    )
