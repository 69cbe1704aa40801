"""Trades as a table: for the screen in New York time, for the export in UTC with every digit."""

import csv
import io
from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts.story import result_in_r
from ui.visit import Visit

AT_ONCE = 500


def frame(trades: Sequence[schemas.Trade]) -> pd.DataFrame:
    """What the table shows; names of columns are those of `columns()`."""
    return pd.DataFrame(
        {
            "closed": [words.local(one.exit_time).replace(tzinfo=None) for one in trades],
            "symbol": [one.symbol for one in trades],
            "pnl": [one.pnl for one in trades],
            "r": [result_in_r(one) for one in trades],
            "setup": [one.setup for one in trades],
            "side": ["▲ long" if one.side == "long" else "▼ short" for one in trades],
            "quantity": [one.quantity for one in trades],
            "entry": [one.entry_price for one in trades],
            "exit": [one.exit_price for one in trades],
            "reason": [one.exit_reason.replace("_", " ") for one in trades],
            "fees": [one.fees for one in trades],
            "utc": [f"{one.exit_time:%Y-%m-%d %H:%M}" for one in trades],
        }
    )


def columns() -> dict[str, Any]:
    """How each column is headed and written."""
    made = st.column_config
    return {
        "closed": made.DatetimeColumn("Closed", format="D MMM YYYY HH:mm", help="New York time"),
        "symbol": made.TextColumn("Symbol"),
        "setup": made.TextColumn("Setup", help="MR mean reversion, TC trend continuation"),
        "side": made.TextColumn("Side"),
        "quantity": made.NumberColumn("Shares", format="localized"),
        "entry": made.NumberColumn("Entry", format="%.2f"),
        "exit": made.NumberColumn("Exit", format="%.2f"),
        "reason": made.TextColumn("Why closed"),
        "pnl": made.NumberColumn("P/L, $", format="%+.2f", help="After fees"),
        "r": made.NumberColumn("R", format="%+.2f", help="Profit over risk to the stop"),
        "fees": made.NumberColumn("Fees, $", format="%.2f"),
        "utc": made.TextColumn("Closed, UTC"),
    }


def csv_of(visit: Visit, asked: dict[str, Any]) -> bytes:
    """Every trade that matches, page by page; what cannot be read ends the file with a line."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(schemas.Trade.model_fields)
    cursor: str | None = None
    while True:
        page = visit.read(
            schemas.Page[schemas.Trade], "/api/trades", limit=AT_ONCE, cursor=cursor, **asked
        )
        if page.value is None or page.trouble is not None:
            writer.writerow([f"incomplete: {page.trouble.detail if page.trouble else ''}"])
            break
        for trade in page.value.data:
            writer.writerow(trade.model_dump(mode="json").values())
        cursor = page.value.next
        if cursor is None:
            break
    return out.getvalue().encode()
