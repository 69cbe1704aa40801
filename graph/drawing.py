"""Drawing a machine from its code: Mermaid by langgraph, SVG and PNG by a small layout of our own.

Nothing leaves the machine it runs on (langgraph's own pictures are drawn by a web service). The
layout is layered: a step stands one row below the latest step before it; an edge that spans rows
gets a slot in each of them, so that it passes beside the steps and not through them. An edge that
goes back (a loop) does not count for the rows. The same code always gives the same bytes.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from io import BytesIO
from typing import Any

from graph import chat, market_analysis, premarket, trade_validation
from graph.machine import Machine
from tools.errors import BadInput, NotConfigured

MACHINES: Mapping[str, Machine] = {
    machine.name: machine
    for machine in (
        market_analysis.MACHINE,
        trade_validation.MACHINE,
        premarket.MACHINE,
        chat.MACHINE,
    )
}
ROW, BOX_HEIGHT, GAP, MARGIN, LETTER = 104, 34, 48, 24, 8
INK, FILL, ACCENT = "#1f2937", "#eef2ff", "#6366f1"
Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Box:
    """A step: its text and the middle and width of its box."""

    text: str
    x: float
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Line:
    """An edge: its corners, the reason for which it is taken (empty: always), and its place."""

    points: tuple[Point, ...]
    label: str
    label_at: Point


@dataclass(frozen=True, slots=True)
class Picture:
    """A machine that has been laid out."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    lines: tuple[Line, ...]


def machine(name: str) -> Machine:
    """A machine by name; BadInput lists those there are."""
    if name not in MACHINES:
        raise BadInput(f"there is no machine {name!r}; there are {', '.join(MACHINES)}")
    return MACHINES[name]


def mermaid(name: str) -> str:
    """The machine as Mermaid text."""
    text: str = machine(name).graph().draw_mermaid()
    return text.replace("&nbsp;", " ").strip() + "\n"


def svg(name: str) -> str:
    """The machine as an SVG picture."""
    picture = layout(name)
    size = f'width="{picture.width:.0f}" height="{picture.height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="13">',
        f"<title>{escape(name)}</title>",
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        f'markerHeight="8" orient="auto"><path d="M0 0L8 4L0 8z" fill="{INK}"/></marker></defs>',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for line in picture.lines:
        corners = " ".join(f"{x:.0f},{y:.0f}" for x, y in line.points)
        dashes = ' stroke-dasharray="5 4"' if line.label else ""
        parts.append(
            f'<polyline points="{corners}" fill="none" stroke="{INK}"{dashes} '
            'marker-end="url(#tip)"/>'
        )
    for box in picture.boxes:
        left, top = box.x - box.width / 2, box.y - BOX_HEIGHT / 2
        parts.append(
            f'<rect x="{left:.0f}" y="{top:.0f}" width="{box.width:.0f}" height="{BOX_HEIGHT}" '
            f'rx="8" fill="{FILL}" stroke="{ACCENT}"/>'
        )
        parts.append(_svg_text(box.text, box.x, box.y + 4, INK))
    parts += [
        _svg_text(line.label, *line.label_at, ACCENT, halo=True)
        for line in picture.lines
        if line.label
    ]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _svg_text(text: str, x: float, y: float, colour: str, halo: bool = False) -> str:
    around = ' stroke="white" stroke-width="4" paint-order="stroke"' if halo else ""
    place = f'x="{x:.0f}" y="{y:.0f}" text-anchor="middle" fill="{colour}"'
    return f"<text {place}{around}>{escape(text)}</text>"


def png(name: str) -> bytes:
    """The machine as a PNG picture; NotConfigured without Pillow."""
    try:
        from PIL import Image, ImageDraw
    except ModuleNotFoundError as error:
        raise NotConfigured(
            "a PNG needs Pillow: pip install -e '.[ui]', or ask for --format svg"
        ) from error
    picture = layout(name)
    image = Image.new("RGB", (round(picture.width), round(picture.height)), "white")
    draw = ImageDraw.Draw(image)
    for line in picture.lines:
        draw.line(line.points, fill=INK, width=1)
        (x, y) = line.points[-1]
        draw.polygon([(x - 4, y - 8), (x + 4, y - 8), (x, y)], fill=INK)
    for box in picture.boxes:
        half, middle = box.width / 2, BOX_HEIGHT / 2
        corners = (box.x - half, box.y - middle, box.x + half, box.y + middle)
        draw.rounded_rectangle(corners, radius=8, fill=FILL, outline=ACCENT)
        draw.text((box.x, box.y), box.text, fill=INK, anchor="mm", font_size=13)
    for line in picture.lines:
        if line.label:
            draw.text(
                line.label_at, line.label, fill=ACCENT, anchor="mm", font_size=12,
                stroke_width=3, stroke_fill="white",
            )  # fmt: skip
    file = BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


FORMATS: Mapping[str, Callable[[str], str | bytes]] = {"mermaid": mermaid, "svg": svg, "png": png}


def layout(name: str) -> Picture:
    """Where the steps and edges of a machine stand."""
    drawn = machine(name).graph()
    texts = {node.id: node.id.strip("_") for node in drawn.nodes.values()}
    edges = _edges(drawn)
    rows = _rows(list(texts), [(source, target) for source, target, _ in edges])
    slots: dict[int, list[Any]] = {}
    for node in texts:
        slots.setdefault(rows[node], []).append(node)
    for source, target, _ in edges:
        for row in range(rows[source] + 1, rows[target]):
            slots[row].append((row, source, target))
    widths = {node: max(64.0, LETTER * len(text) + 28.0) for node, text in texts.items()}
    places, width = _places(slots, widths)
    boxes = tuple(Box(texts[node], *places[node], widths[node]) for node in texts)
    lines = tuple(_lines(edges, rows, places))
    height = 2 * MARGIN + BOX_HEIGHT + ROW * max(rows.values())
    return Picture(width, height, boxes, lines)


def _edges(drawn: Any) -> list[tuple[str, str, str]]:
    """(source, target, reasons): several reasons for one way share a line."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for edge in drawn.edges:
        label = str(edge.data) if edge.data else ""
        reasons.setdefault((edge.source, edge.target), []).append(label)
    return [(*ends, " / ".join(filter(None, labels))) for ends, labels in reasons.items()]


def _rows(nodes: list[str], edges: list[tuple[str, str]]) -> dict[str, int]:
    """Longest way from a start to each node, loops aside."""
    rows = dict.fromkeys(nodes, 0)

    def visit(node: str, row: int, way: tuple[str, ...]) -> None:
        if row < rows[node] or node in way:
            return
        rows[node] = row
        for source, target in edges:
            if source == node:
                visit(target, row + 1, (*way, node))

    visit(nodes[0], 0, ())
    return rows


def _places(
    slots: dict[int, list[Any]], widths: Mapping[str, float]
) -> tuple[dict[Any, Point], float]:
    """The middle of every slot, rows centred over each other; and the width of it all."""
    spans = {
        row: [widths.get(one, 130.0) if isinstance(one, str) else 130.0 for one in row_slots]
        for row, row_slots in slots.items()
    }
    whole = max(sum(span) + GAP * (len(span) - 1) for span in spans.values())
    places: dict[Any, Point] = {}
    for row, row_slots in slots.items():
        x = MARGIN + (whole - sum(spans[row]) - GAP * (len(row_slots) - 1)) / 2
        for one, span in zip(row_slots, spans[row], strict=True):
            places[one] = (x + span / 2, MARGIN + BOX_HEIGHT / 2 + ROW * row)
            x += span + GAP
    return places, whole + 2 * MARGIN


def _corners(
    source: str, target: str, rows: Mapping[str, int], places: Mapping[Any, Point]
) -> tuple[Point, ...]:
    half = BOX_HEIGHT / 2
    between = [places[row, source, target] for row in range(rows[source] + 1, rows[target])]
    (x0, y0), (x1, y1) = places[source], places[target]
    return ((x0, y0 + half), *between, (x1, y1 - half))


def _lines(
    edges: list[tuple[str, str, str]], rows: Mapping[str, int], places: Mapping[Any, Point]
) -> Iterator[Line]:
    """The edges; the reasons of one step stand at different heights, so that all can be read."""
    labels = Counter(source for source, _, label in edges if label)
    placed: Counter[str] = Counter()
    for source, target, label in edges:
        points = _corners(source, target, rows, places)
        placed[source] += bool(label)
        along = placed[source] / (labels[source] + 1)
        (x0, y0), (x1, y1) = points[:2]
        yield Line(points, label, (x0 + along * (x1 - x0), y0 + along * (y1 - y0)))
