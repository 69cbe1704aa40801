"""The rows that an answer rests on, as a page can open them: number, words, and an address.

The address is the resource of this API that shows the row: the record itself where records have
addresses, else the shortest list that it stands in. What nothing shows (a document) has none.
"""

from collections.abc import Mapping
from datetime import date, datetime
from urllib.parse import urlencode

from advisor.api.schemas import Citation
from graph.sentences import day_of, minute
from tools.evidence import Row

_LISTS = {
    "signal": "/api/signals",
    "transition": "/api/log",
    "day": "/api/pnl",
    "trades": "/api/trades",
    "signals": "/api/signals",
    "skipped": "/api/signals",
    "analyses": "/api/market-analysis",
    "account": "/api/pnl",
}


def cite(row: Row, run: str, lane: str, asked: datetime | None) -> Citation:
    """A row of a run; `lane` is the answer's, for rows that all lanes share."""
    own = row.text("lane") or lane
    known = row.known_at or row.moment("known_at")
    return Citation(
        kind=row.kind, lane=own, id=row.seq, row=row.id, label=_label(row), known_at=known,
        path=_path(row, {"run": run, "lane": own}, asked),
    )  # fmt: skip


def _label(row: Row) -> str:
    """What is seen of a citation."""
    when = next((row.moment(one) for one in ("exit_time", "time", "entry_time", "known_at")
                 if one in row.facts), None)  # fmt: skip
    days = "–".join(dict.fromkeys(str(day) for day in _days(row) if day))
    said = minute(when) if when else days
    kind = f"{row.text('kind')} document" if row.kind == "document" else row.kind
    return " ".join(part for part in (kind, row.symbol or row.text("symbols"), said) if part)[:120]


def _path(row: Row, of: Mapping[str, str], asked: datetime | None) -> str | None:
    """The address that shows a row as it was known when it was asked about."""
    when = {"as_of": asked.isoformat()} if asked else {}
    if row.kind == "trade" and row.seq is not None:
        return _address(f"/api/trades/{row.seq}", of, when)
    if row.kind == "analysis" and row.known_at is not None:
        return _address(
            "/api/market-analysis", of, when, {"timestamp": row.known_at.isoformat(), "limit": "1"}
        )
    if row.kind in ("position", "positions"):
        return _address("/api/positions", of, when)
    if row.kind == "difference":
        return _address("/api/lanes", {"run": of["run"]}, when)
    if row.kind == "bias":
        return _address("/api/daily-bias", of, when, {"date": row.text("date")}, _symbol(row))
    if row.kind not in _LISTS:
        return None
    first, last = _days(row)
    span = {"start_date": str(first)} if first else {}
    span |= {"end_date": str(last)} if last else {}
    more = {"kind": "transition"} if row.kind == "transition" else {}
    symbol = _symbol(row) if _LISTS[row.kind] != "/api/pnl" else {}
    return _address(_LISTS[row.kind], of, when, more, span, symbol)


def _days(row: Row) -> tuple[date | None, date | None]:
    """The first and last New York day that a row is about."""
    if moment := row.moment("time"):
        return day_of(moment), day_of(moment)
    one = row.text("date") or row.text("day")
    first, last = one or row.text("first"), one or row.text("last")
    return (date.fromisoformat(first) if first else None,
            date.fromisoformat(last) if last else None)  # fmt: skip


def _symbol(row: Row) -> dict[str, str]:
    symbol = row.symbol or row.text("symbols")
    return {"symbol": symbol} if symbol and " " not in symbol else {}


def _address(path: str, *parameters: Mapping[str, str]) -> str:
    return f"{path}?{urlencode({key: value for one in parameters for key, value in one.items()})}"
