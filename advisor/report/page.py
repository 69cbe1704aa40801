"""The page: template, style, script and data in one HTML file that needs nothing else.

Invariants: no request leaves the page (the content security policy forbids every source, and lets
run only the one script and style whose digests it names); no value of the data can become markup
(what stands in the HTML is escaped here, the data is JSON without `<`, `>` and `&`, and the script
writes text nodes only); the same payload gives the same bytes.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from advisor.report.packing import embed

ASSETS = Path(__file__).parent / "assets"
STYLES = ("base", "controls", "charts", "tables")
SCRIPTS = (
    "dom", "format", "model", "lanes", "plot", "stage", "view", "words", "equity", "session",
    "marks", "reasons", "analyses", "log", "overview", "premises", "main",
)  # fmt: skip
SYNTHETIC = (
    "SYNTHETIC: these bars were generated, not recorded from a market. "
    "Nothing here says how any of this would have done."
)


def render(payload: Mapping[str, Any]) -> str:
    """The whole page."""
    run = payload["run"]
    synthetic = run["feed"] == "synthetic"
    banner = f'<div class="synthetic" role="note">{escape(SYNTHETIC)}</div>' if synthetic else ""
    style, script = styles(STYLES), _script()
    parts = {
        "policy": policy(style, script),
        "title": escape(("SYNTHETIC · " if synthetic else "") + f"Replay of {run['period']}"),
        "banner": banner,
        "kicker": escape(f"Replay of {', '.join(payload['symbols'])} · {run['period']}"),
        "headline": _headline(run["headline"]),
        "identity": escape(f"Run {run['id']}, settings {run['config']}, code {run['code']}."),
        "style": style,
        "script": script,
        "data": embed(payload),
    }
    template = (ASSETS / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], template)


def _headline(parts: Sequence[str]) -> str:
    return " ".join(f'<span class="keep">{escape(part)}</span>' for part in parts)


@lru_cache(maxsize=2)
def styles(names: tuple[str, ...]) -> str:
    """Style files as one, in this order; every page of ours is made of the same ones."""
    return "\n".join((ASSETS / "css" / f"{name}.css").read_text(encoding="utf-8") for name in names)


@lru_cache(maxsize=1)
def _script() -> str:
    """All script files as one strict function, in the order of their dependence."""
    body = "\n".join((ASSETS / "js" / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return f'(() => {{\n"use strict";\n{body}}})();\n'


def policy(style: str, script: str = "") -> str:
    """A content security policy that lets a page run this style and script, and fetch nothing."""
    scripts = f"script-src '{digest(script)}'; " if script else ""
    return (
        f"default-src 'none'; style-src '{digest(style)}'; {scripts}"
        "base-uri 'none'; form-action 'none'"
    )


def digest(text: str) -> str:
    """A text as the source expression of a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
