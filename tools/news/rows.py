"""One row of a news file as a headline, or the name of what is wrong with it.

A date without a time is refused: read as midnight it would be known hours before it was. A time
without a zone is refused unless the user names the zone. Texts are taken as they are or refused,
never cut.
"""

import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from zoneinfo import ZoneInfo

from quant_core.types import Headline

FIELDS: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "news_id", "guid", "uuid", "url", "link"),
    "published_at": (
        "published_at", "published_utc", "published", "pubdate", "datetime", "created_at",
        "timestamp", "time", "date",
    ),
    "received_at": ("received_at", "received_utc", "received"),
    "source": ("source", "publisher", "provider"),
    "title": ("title", "headline"),
    "summary": ("summary", "description", "body", "text"),
    "symbols": ("symbols", "symbol", "tickers", "ticker", "related"),
}  # fmt: skip
TITLE_CHARACTERS = 1_000
SUMMARY_CHARACTERS = 100_000
SYMBOLS = 100
YEARS = range(1990, 2200)
_SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-^]{0,14}")
_LARGEST = (1e11, 1e14, 1e17, math.inf)  # of epoch seconds, milli-, micro-, nanoseconds


class Refused(ValueError):
    """A row is none of ours; `args` are the reason's name and the offending value."""


@dataclass(frozen=True, slots=True)
class NewsRejection:
    """A row that was refused: where it stands (1-based data row), why, and with which value."""

    file: str
    row: int
    reason: str
    value: str


def headline(row: Mapping[str, Any], columns: Mapping[str, str], zone: ZoneInfo | None) -> Headline:
    """The headline that a row holds; `columns` says which column holds which field.

    Raises Refused.
    """
    values = {name: row.get(column) for name, column in columns.items()}
    title = _text("title", values.get("title"), TITLE_CHARACTERS)
    if not title:
        raise Refused("no_title", "")
    published = _moment("published_at", values.get("published_at"), zone)
    if published is None:
        raise Refused("no_published_at", "")
    received = _moment("received_at", values.get("received_at"), zone) or published
    source = _text("source", values.get("source"), TITLE_CHARACTERS)
    summary = _text("summary", values.get("summary"), SUMMARY_CHARACTERS)
    return Headline(
        id=_text("id", values.get("id"), TITLE_CHARACTERS) or _own_id(published, source, title),
        published_at=published,
        received_at=received,
        source=source,
        title=title,
        summary="" if summary == title else summary,
        symbols=_symbols(values.get("symbols")),
    )


def _own_id(published: datetime, source: str, title: str) -> str:
    """An id for an item that has none: the same item has the same one in every file."""
    text = "\n".join((published.isoformat(), source, title))
    return hashlib.sha256(text.encode()).hexdigest()[:24]


def _text(name: str, value: object, limit: int) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Refused(f"{name}_is_no_text", type(value).__name__)
    text = str(value).strip()
    if len(text) > limit:
        raise Refused(f"{name}_too_long", f"{len(text)} characters")
    if "\x00" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise Refused(f"{name}_unreadable", ascii(text[:40]))
    return text


def _symbols(value: object) -> tuple[str, ...]:
    """Symbols from a list, or from text with commas, semicolons, spaces or bars between them."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ()
    if isinstance(value, str):
        parts = re.split(r"[\s,;|]+", value.strip().strip("[]"))
    elif isinstance(value, list | tuple):
        parts = [str(part) for part in value]
    else:
        raise Refused("bad_symbols", repr(value)[:60])
    cleaned = [part.strip("\"' ").lstrip("$").upper() for part in parts]
    named = tuple(dict.fromkeys(part for part in cleaned if part))
    if len(named) > SYMBOLS or not all(map(_SYMBOL.fullmatch, named)):
        raise Refused("bad_symbols", repr(value)[:60])
    return named


def _moment(name: str, value: object, zone: ZoneInfo | None) -> datetime | None:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    try:
        found = _read(value)
    except (ValueError, OverflowError, OSError, TypeError):
        raise Refused(f"bad_{name}", repr(value)[:60]) from None
    if found is None:
        raise Refused(f"{name}_is_a_date", repr(value)[:60])
    if found.tzinfo is None:
        if zone is None:
            raise Refused(f"{name}_without_zone", repr(value)[:60])
        found = found.replace(tzinfo=zone)
    found = found.astimezone(UTC)
    if found.year not in YEARS:
        raise Refused(f"bad_{name}", repr(value)[:60])
    return found


def _read(value: object) -> datetime | None:
    """A moment as written; None for a date that has no time of day."""
    if isinstance(value, datetime):
        return value
    if isinstance(value, date):
        return None
    if isinstance(value, str):
        text = value.strip()
        if re.fullmatch(r"-?\d{9,19}(\.\d+)?", text):
            return _from_number(float(text))
        if re.fullmatch(r"\d{4}-?\d\d-?\d\d|\d{4}-?W\d\d(-?\d)?", text):
            return None
        if re.match(r"[A-Za-z]{3}, |\d{1,2} [A-Za-z]{3}", text):
            return parsedate_to_datetime(text)
        return datetime.fromisoformat(text)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_number(float(value))
    raise TypeError


def _from_number(number: float) -> datetime:
    """Seconds, milli-, micro- or nanoseconds since the epoch, told apart by their size."""
    size = abs(number)
    power = next(n for n, limit in enumerate(_LARGEST) if size < limit)
    return datetime.fromtimestamp(number / 1000.0**power, UTC)
