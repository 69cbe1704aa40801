"""Small pieces of HTML that every page uses. Arguments named `safe` are HTML, all others text."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import streamlit as st

from ui import words

_CSS = (Path(__file__).parents[1] / "style.css").read_text(encoding="utf-8")


def draw_style() -> None:
    """The style sheet of every page."""
    st.html(f"<style>{_CSS}</style>")


def chip(shown: object, tone: str = "") -> str:
    """A word in a capsule."""
    return f'<span class="chip {tone}">{words.text(shown)}</span>'


def tile(label: str, safe: str, note: str = "") -> str:
    """A figure with its name; `note` is HTML too."""
    more = f'<div class="note">{note}</div>' if note else ""
    return (
        f'<div class="tile"><div class="label">{words.text(label)}</div>'
        f'<div class="value">{safe}</div>{more}</div>'
    )


def tiles(found: Iterable[str]) -> str:
    """Figures side by side."""
    return f'<div class="tiles">{"".join(found)}</div>'


def card(title: str, safe: str) -> str:
    """A titled box."""
    head = f"<h3>{words.text(title)}</h3>" if title else ""
    return f'<div class="a-card">{head}{safe}</div>'


def table(
    head: Sequence[str], rows: Iterable[Sequence[str]], *, numeric: Sequence[int] = (),
    stack: bool = False, key: int | None = None,
) -> str:  # fmt: skip
    """A table; cells are HTML. `stack` lays each row out as lines on a phone."""
    classes = ["num" if at in numeric else "key" if at == key else "" for at in range(len(head))]
    top = "".join(
        f'<th class="{c}">{words.text(h)}</th>' for h, c in zip(head, classes, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(
            f'<td class="{c}"{_label(name) if stack else ""}>{cell}</td>'
            for cell, c, name in zip(row, classes, head, strict=True)
        )
        + "</tr>"
        for row in rows
    )
    style = "a-table stack" if stack else "a-table"
    return (
        f'<div class="scroll"><table class="{style}"><thead><tr>{top}</tr></thead>'
        f"<tbody>{body}</tbody></table></div>"
    )


def _label(name: str) -> str:
    return f' title="{words.text(name)}"' if name else ""


def facts(pairs: Iterable[tuple[str, str]]) -> str:
    """Names with their values; values are HTML."""
    inside = "".join(f"<dt>{words.text(name)}</dt><dd>{safe}</dd>" for name, safe in pairs)
    return f'<dl class="facts">{inside}</dl>'


def fold(safe_summary: str, safe: str, *, opened: bool = False) -> str:
    """Something that opens on a click."""
    state = " open" if opened else ""
    return (
        f'<details class="a-fold"{state}><summary>{safe_summary}</summary>'
        f"<div>{safe}</div></details>"
    )


def link(address: str, shown: object) -> str:
    """A link to another page of the dashboard."""
    return f'<a href="{words.text(address)}" target="_self">{words.text(shown)}</a>'


def confidence(value: float | None) -> str:
    """0 to 100 as a bar and a number."""
    if value is None:
        return words.DASH
    width = min(max(value, 0.0), 100.0)
    return (
        f'<span class="confidence"><i style="width:{width:.0f}%"></i></span>'
        f'<span class="stated">{words.number(value, 0)}</span>'
    )
