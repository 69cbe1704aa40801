"""The report of a replay: one HTML page that opens anywhere, and its short form for a terminal.

`write_report` and `terminal_summary` are the whole interface. Both read a `ReplayResult` and the
summary made from it (`advisor.summary.summarise`), and add nothing that is not in them.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from advisor.exports import write_whole
from advisor.report.page import render
from advisor.report.payload import build_payload
from advisor.report.terminal import terminal_summary
from advisor.results import ReplayResult

__all__ = ["terminal_summary", "write_report"]


def write_report(result: ReplayResult, summary: Mapping[str, Any], path: Path) -> None:
    """Write the page; the same result and summary give the same bytes, whole or not at all."""
    write_whole(path, render(build_payload(result, summary)))
