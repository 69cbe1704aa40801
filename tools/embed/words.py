"""Text as the words that are searched: one reading for documents and questions, on every index.

A word here is what a trader would look for: a date whichever way it is written (`January 14th`,
`2025-01-14`), a time of day (`10:41`, `2:05 pm`), a number, or a word without its ending. Tickers
stay words even where they look like one that says nothing (`IT`, `ON`), when written in capitals.
Words hold no space and no quote, so an index can join and quote them without reading them again.
"""

import re
import unicodedata
from functools import lru_cache

VERSION = 1
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DAYS_IN = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FOUND = re.compile(
    r"(?P<iso>\b\d{4}-\d{2}-\d{2}\b)"
    rf"|(?P<day_first>\b\d{{1,2}}(?:st|nd|rd|th)?\s{{1,3}}(?:of\s)?{_MONTH}\b(?:,?\s\d{{4}}\b)?)"
    rf"|(?P<month_first>\b{_MONTH}\.?\s{{1,3}}\d{{1,2}}(?:st|nd|rd|th)?\b(?:,?\s\d{{4}}\b)?)"
    r"|(?P<time>\b\d{1,2}:\d{2}(?::\d{2})?\b(?:\s?[ap]\.?m\b)?|\b\d{1,2}\s?[ap]\.?m\b)"
    r"|(?P<number>\d[\d,]*(?:\.\d+)?)"
    r"|(?P<word>[^\W\d_]+(?:['’][^\W\d_]+)?)",
    re.IGNORECASE,
)
_SILENT_WORDS = """
a about after all also am an and any are as at be because been before being between but by
can could did do does doing each for from get give had has have he her him his how i if in
into is it its just let may me might more most much must my new of on or other our out over
she should show so some such tell than that the their them then there these they this those
through to too under until up us was we were what when where which while who whose why will
with would york you your please happened happen
"""
_SILENT = frozenset(_SILENT_WORDS.split())


def words(text: str) -> list[str]:
    """The words of a text in order, with repeats; empty for a text that says nothing."""
    found: list[str] = []
    for match in _FOUND.finditer(unicodedata.normalize("NFKC", text)):
        kind, piece = match.lastgroup, match.group()
        if kind == "word":
            word = _word(piece)
            if word:
                found.append(word)
        elif kind == "number":
            found.append(_number(piece))
        elif kind == "time":
            found.append(_time(piece))
        else:
            found += _date(piece)
    return found


@lru_cache(maxsize=65_536)
def _word(piece: str) -> str:
    """A word without its ending; empty for one that says nothing."""
    word = re.split("['’]", piece)[0].casefold()
    is_ticker = piece.isupper() and 1 <= len(piece) <= 5
    if word in _SILENT and not (is_ticker and piece != "I"):
        return ""
    return stem(word)


def stem(word: str) -> str:
    """An English word without plural, -ed, -ing or final e; what is short is left alone.

    Deliberately light: it joins skip, skipped and skipping; trade, trades, traded and trading;
    analysis and analyses; and leaves bias, loss and tickers as they are.
    """
    if not word.isascii() or len(word) < 4:
        return word
    if word.endswith("sis"):
        return word[:-2]
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "ases", "yses", "ches", "shes", "xes")):
        word = word[:-2]
    elif word.endswith("s") and word[-2] not in "sua":
        word = word[:-1]
    for ending in ("ing", "ed"):
        base = word[: -len(ending)]
        if word.endswith(ending) and len(base) >= 3 and re.search("[aeiouy]", base):
            doubled = base[-1] == base[-2] and base[-1] not in "lsz"
            word = base[:-1] if doubled else base
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


def _number(piece: str) -> str:
    """A number as it is shortest: $1,234.50 and 1234.5 are one."""
    number = piece.replace(",", "")
    return number.rstrip("0").rstrip(".") if "." in number else number


@lru_cache(maxsize=4_096)
def _time(piece: str) -> str:
    """A time of day as hh:mm on 24 hours; what is no time of day stays as it is."""
    numbers = [int(digits) for digits in re.findall(r"\d+", piece)]
    hour, minute = numbers[0], numbers[1] if len(numbers) > 1 else 0
    half = re.search("[ap]", piece.casefold())
    if half and 1 <= hour <= 12:
        hour = hour % 12 + (12 if half.group() == "p" else 0)
    return f"{hour:02d}:{minute:02d}"


@lru_cache(maxsize=4_096)
def _date(piece: str) -> tuple[str, ...]:
    """A date as mm-dd, and as yyyy-mm-dd where it has a year; an impossible one as its numbers."""
    numbers = re.findall(r"\d+", piece)
    name = re.search("[a-z]{3}", re.sub(r"\d+(?:st|nd|rd|th)", "", piece.casefold()))
    if name is None:
        year, month, day = numbers[0], int(numbers[1]), int(numbers[2])
    else:
        month, day = _MONTHS.index(name.group()) + 1, int(numbers[0])
        year = numbers[1] if len(numbers) > 1 else ""
    if not (1 <= month <= 12 and 1 <= day <= _DAYS_IN[month - 1]):
        return tuple(numbers)
    short = f"{month:02d}-{day:02d}"
    return (f"{year}-{short}", short) if year else (short,)
