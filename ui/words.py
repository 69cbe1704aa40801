"""How values are written: money, percent, times, and other people's text as text.

Every function gives HTML that is safe to put into a page: what came from outside is escaped. What
is not defined is written as a dash, never as zero. Times are New York's; UTC is in the tooltip.
"""

from datetime import UTC, date, datetime
from html import escape
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")
DASH = "–"
MINUS = "−"
LONGEST = 4_000


def text(value: object) -> str:
    """Anything as plain text: escaped, and cut where nobody reads on."""
    plain = str(value)
    return escape(plain if len(plain) <= LONGEST else plain[:LONGEST] + " …")


def number(value: float | None, digits: int = 2) -> str:
    """`1,234.50`, with a true minus."""
    if value is None:
        return DASH
    return f"{value:,.{digits}f}".replace("-", MINUS)


def signed(value: float | None, digits: int = 2) -> str:
    """`+1.20` or `−1.20`."""
    if value is None:
        return DASH
    return f"{value:+,.{digits}f}".replace("-", MINUS)


def money(value: float | None, digits: int = 2) -> str:
    """`$1,234.50`, `−$3.10`."""
    if value is None:
        return DASH
    sign = MINUS if value < 0 else ""
    return f"{sign}${abs(value):,.{digits}f}"


def earned(value: float | None, digits: int = 2) -> str:
    """Money won or lost, with its sign: `+$12.00`."""
    if value is None:
        return DASH
    sign = MINUS if value < 0 else "+" if value > 0 else ""
    return f"{sign}${abs(value):,.{digits}f}"


def percent(fraction: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """A fraction as `12.34 %`."""
    if fraction is None:
        return DASH
    written = f"{fraction * 100:+,.{digits}f}" if sign else f"{fraction * 100:,.{digits}f}"
    return f"{written.replace('-', MINUS)} %"


def tone(value: float | None) -> str:
    """The class that colours a gain or a loss; the sign says the same."""
    return "" if value is None or value == 0 else "gain" if value > 0 else "loss"


def coloured(value: float | None, written: str) -> str:
    """A figure in the colour of its sign."""
    return f'<span class="{tone(value)}">{written}</span>'


def local(moment: datetime) -> datetime:
    """A moment in New York."""
    return moment.astimezone(NEW_YORK)


def clock(moment: datetime | None, *, day: bool = False) -> str:
    """`10:41`, or `8 Jan 10:41`, New York; UTC on hover."""
    if moment is None:
        return DASH
    here, there = local(moment), moment.astimezone(UTC)
    shown = f"{here.day} {here:%b %H:%M}" if day else f"{here:%H:%M}"
    return (
        f'<time datetime="{there:%Y-%m-%dT%H:%M:%SZ}" title="{there:%Y-%m-%d %H:%M} UTC">'
        f"{shown}</time>"
    )


def day(value: date | None) -> str:
    """`Wed 8 Jan 2025`."""
    return DASH if value is None else f"{value:%a} {value.day} {value:%b %Y}"


def span(seconds: float) -> str:
    """`8 s`, `4 min`, `3 h`, `2 days`: how long ago, to one figure."""
    if seconds < 90:
        return f"{max(0, round(seconds))} s"
    if seconds < 5_400:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3_600)} h" if seconds < 172_800 else f"{round(seconds / 86_400)} days"


def plural(count: int, word: str) -> str:
    """`1 trade`, `2 trades`."""
    return f"{count:,} {word}{'' if count == 1 else 's'}"


SETUPS = {"MR": "Mean reversion", "TC": "Trend continuation"}
STATES = {
    "idle": "idle",
    "mr_armed": "MR armed",
    "tc_armed": "TC armed",
    "triggered": "triggered",
    "in_trade": "in trade",
    "cooldown": "cooldown",
}


def plain_words(name: str) -> str:
    """`max_symbol_exposure` as `max symbol exposure`, safe."""
    return text(name.replace("_", " "))
