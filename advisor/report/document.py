"""Pages that are read rather than operated: sections of text, tables and drawings, no script.

The style is the report's own. The content security policy allows nothing but the one style whose
digest it names, so no value can become anything but text; everything that is not markup made here
goes through `escape`. The same sections give the same bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape

from advisor.report.figures import DASH, MINUS
from advisor.report.page import ASSETS, STYLES, SYNTHETIC, digest

_TEMPLATE = """<!doctype html>
<html lang="en" data-theme="auto">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; \
style-src '{digest}'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{banner}<div class="topbar">
  <strong>Advisor</strong>
  <nav aria-label="Parts of the page">{links}</nav>
</div>
<main>
{sections}
<footer><p>{footer}</p></footer>
</main>
</body>
</html>
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One section: its anchor, what the navigation calls it, its heading and its markup."""

    anchor: str
    label: str
    heading: str
    body: str


@dataclass(frozen=True, slots=True)
class Cell:
    """A table's cell: text, its tone (gain, loss, warn or plain), and what hovering says."""

    text: str
    tone: str = "plain"
    why: str = ""


@lru_cache(maxsize=1)
def _style() -> str:
    return "\n".join(
        (ASSETS / "css" / f"{name}.css").read_text(encoding="utf-8")
        for name in (*STYLES, "document")
    )


def document(
    *, title: str, kicker: str, headline: str, parts: Sequence[Part], footer: str, synthetic: bool
) -> str:
    """A whole page; the first part carries the headline."""
    sections = []
    for position, part in enumerate(parts):
        head = f"<h2>{escape(part.heading)}</h2>"
        if position == 0:
            head = f'<p class="kicker">{escape(kicker)}</p><h1>{escape(headline)}</h1>'
        sections.append(f'<section id="{part.anchor}">{head}{part.body}</section>')
    style = _style()
    banner = f'<div class="synthetic" role="note">{escape(SYNTHETIC)}</div>\n' if synthetic else ""
    return _TEMPLATE.format(
        digest=digest(style),
        title=escape(("SYNTHETIC · " if synthetic else "") + title),
        style=style,
        banner=banner,
        links="".join(f'<a href="#{p.anchor}">{escape(p.label)}</a>' for p in parts),
        sections="\n".join(sections),
        footer=escape(footer),
    )


def paragraph(text: str, kind: str = "") -> str:
    """A paragraph of plain text."""
    mark = f' class="{kind}"' if kind else ""
    return f"<p{mark}>{escape(text)}</p>"


def table(
    heads: Sequence[str], rows: Sequence[Sequence[Cell | str]], *, caption: str = "", words: int = 1
) -> str:
    """A table; the first `words` columns are words, the others numbers."""
    head = "".join(
        f'<th scope="col"{"" if i < words else _NUMBER}>{escape(name)}</th>'
        for i, name in enumerate(heads)
    )
    body = "".join(f"<tr>{''.join(_cells(row, words))}</tr>" for row in rows)
    title = f"<caption>{escape(caption)}</caption>" if caption else ""
    return (
        f'<div class="scroll"><table class="plain-table narrow">{title}'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


_NUMBER = ' class="number"'


def _cells(row: Sequence[Cell | str], words: int) -> list[str]:
    found = []
    for i, value in enumerate(row):
        cell = value if isinstance(value, Cell) else Cell(value)
        kinds = ([] if i < words else ["number"]) + ([] if cell.tone == "plain" else [cell.tone])
        marks = f' class="{" ".join(kinds)}"' if kinds else ""
        marks += f' title="{escape(cell.why)}"' if cell.why else ""
        found.append(f"<td{marks}>{escape(cell.text)}</td>")
    return found


def side_by_side(*blocks: str, wide: bool = False) -> str:
    """Blocks beside each other where there is room."""
    inner = "".join(f"<div>{block}</div>" for block in blocks)
    return f'<div class="blocks{" wide" if wide else ""}">{inner}</div>'


def figure(value: float | None, digits: int = 2, *, signed: bool = False) -> str:
    """A plain number with a true minus; a dash where it is undefined."""
    if value is None or not math.isfinite(value):
        return DASH
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    return text.replace("-", MINUS)


def toned(value: float | None, text: str, why: str = "") -> Cell:
    """A cell coloured by its sign."""
    if value is None or not math.isfinite(value) or value == 0.0:
        return Cell(text, "plain", why)
    return Cell(text, "gain" if value > 0 else "loss", why)
