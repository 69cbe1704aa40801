"""Verification: nothing in an answer that is not in the rows it cites.

Whoever wrote the sentences, code or model, each is checked alone. Its citations must be rows that
were really looked up. Every date, time, symbol and number in it must stand in those rows, at the
digits it is written with, or be a derivation that is made again here; a number with a unit or a
noun must be of that unit or count those things; money that was lost may not be told as won. Figures
are made again from their rows. Text quoted word by word from a cited row is taken as it is; from a
model only between quotation marks, for whoever wrote it might be believed through its mouth.
"""

import re
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

from graph.date_atoms import MONTHS
from graph.sentences import Sentence, clock, day_of
from tools.evidence import NUMERIC, Derivation, Row, remade

QUOTED = 12
_WORDS = {
    word: number
    for number, word in enumerate(
        ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
         "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
         "nineteen", "twenty"],
        start=2,
    )
} | {"thirty": 30, "forty": 40, "fifty": 50, "hundred": 100, "dozen": 12,
     "thousand": 1000,
     "million": 1_000_000,
     "half": Decimal("0.5")}  # fmt: skip
_RATIOS = frozenset(
    ["twice", "thrice", "double", "doubled", "triple", "tripled", "quadrupled", "tenfold"]
)
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_MONTH = "|".join(sorted(MONTHS, key=len, reverse=True))
_NAMED = re.compile(
    rf"\b(?:(?P<m1>{_MONTH})\.?\s+(?P<d1>\d{{1,2}})(?:st|nd|rd|th)?|"
    rf"(?P<d2>\d{{1,2}})(?:st|nd|rd|th)?\s+(?:of\s+)?(?P<m2>{_MONTH}))\b(?:,?\s+(?P<y>\d{{4}}))?",
    re.IGNORECASE,
)
_TIME = re.compile(r"(?<![\d:])([01]?\d|2[0-3]):([0-5]\d)(?::\d\d)?(?![\d:])")
_CAPITALS = re.compile(r"(?<![\w.])\$?([A-Z]{2,5})(?![\w])")
_ACRONYMS = frozenset(
    ["MR", "TC", "ET", "NY", "EST", "EDT", "USD", "PL", "ATR", "EMA", "OK", "AM", "PM", "UTC",
     "LLM",
     "CVAR", "EOD", "AI", "IT", "NO", "NOT", "ID"]
)  # fmt: skip
_NUMBER = re.compile(
    r"(?P<sign>[-−+])?\s?(?P<dollar>\$)?\s?(?P<sign2>[-−])?(?<![\w.])(?P<whole>\d{1,3}(?:,\d{3})+|\d+)"
    r"(?P<decimals>\.\d+)?(?P<scale>\s?(?:k|m|bn|million|thousand)\b)?(?P<percent>\s?(?:%|percent\b))?"
    r"(?:\s(?:[a-z]+\s)?(?P<noun>trades?|signals?|analys[ei]s|positions?|shares?|won|lost|winners?|"
    r"losers?|sessions?|bias(?:es)?)\b)?(?![\w])"
)
_COUNTS: Mapping[str, tuple[str, ...]] = {
    "trade": ("trades", "won", "lost"),
    "won": ("won",), "winner": ("won",), "lost": ("lost",), "loser": ("lost",),
    "signal": ("signals", "skipped", "ordered", "vetoed", "approved", "reduced", "abstained"),
    "analysi": ("analyses", "degraded"), "analyse": ("analyses", "degraded"),
    "position": ("positions",), "share": ("quantity", "shares"), "session": ("sessions",),
    "bia": ("biases", "bullish", "bearish", "choppy"), "biase": ("biases",),
}  # fmt: skip
_LOST = re.compile(
    r"\b(?:lost|lose|losing|loss(?:es)?|down|minus|negative|deficit|cost(?: us)?)\b"
    r"(?: of| was| by| a total of| about| is)*\s*$", re.IGNORECASE)  # fmt: skip
_WON = re.compile(
    r"\b(?:made|gained|earned|won|profit|gain|up|positive|plus)\b"
    r"(?: of| was| by| a total of| about| is)*\s*$", re.IGNORECASE)  # fmt: skip


@dataclass(slots=True)
class _Ground:
    """What a sentence may say: the values of its rows."""

    rows: Sequence[Row]
    derived: Sequence[tuple[Derivation, str, Decimal]]
    days: set[date] = field(default_factory=set)
    clocks: set[str] = field(default_factory=set)
    symbols: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        for row in self.rows:
            self.symbols |= {row.symbol} | set(row.text("symbols").split())
            self.symbols |= {row.text("symbol")}
            for fact in row.facts.values():
                if fact.unit == "moment":
                    self.days.add(day_of(fact.moment))
                    self.clocks.add(clock(fact.moment))
                elif fact.unit == "date":
                    self.days.add(date.fromisoformat(fact.value))
                elif fact.unit == "word" and re.fullmatch(r"\d\d:\d\d", fact.value):
                    self.clocks.add(fact.value)

    def values(self, named: Collection[str]) -> Iterator[tuple[str, str, Decimal]]:
        """(name, unit, value) of rows on the symbols named, and of the derivations."""
        for row in self.rows:
            if named and row.symbol and row.symbol not in named:
                continue
            for name, fact in row.facts.items():
                if fact.unit in NUMERIC:
                    yield name, fact.unit, fact.number
        for derivation, unit, value in self.derived:
            yield derivation.name, unit, value


def problems(
    sentences: Sequence[Sentence],
    rows: Mapping[str, Row],
    watched: Collection[str],
    *,
    marked: bool = False,
) -> list[str]:
    """What is wrong with an answer, a line each; empty when all of it holds.

    `marked`: what is quoted stands between quotation marks.
    """
    if not any(sentence.text.strip() for sentence in sentences):
        return ["the answer is empty"]
    return [
        f"“{sentence.text.strip()[:80]}”: {problem}"
        for sentence in sentences
        for problem in _of_sentence(sentence, rows, watched, marked)
    ]


def _of_sentence(
    sentence: Sentence, rows: Mapping[str, Row], watched: Collection[str], marked: bool
) -> Iterator[str]:
    if not sentence.cites:
        yield "it cites no row"
        return
    strange = [one for one in sentence.cites if one not in rows]
    if strange:
        yield f"it cites {', '.join(strange)[:120]}, which was not looked up"
        return
    cited = [rows[one] for one in sentence.cites]
    for row in cited:
        yield from _not_remade(row, rows)
    derived = []
    for derivation in sentence.derived:
        made = _derived(derivation, rows)
        if isinstance(made, str):
            yield made
        else:
            derived.append((derivation, *made))
    ground = _Ground(cited, derived)
    text = _without_quotations(sentence.text, cited, marked)
    text = yield from _dates(text, ground)
    text = yield from _clocks(text, ground)
    text, named = yield from _symbols(text, ground, watched)
    yield from _numbers(text, ground, named)


def _not_remade(row: Row, rows: Mapping[str, Row]) -> Iterator[str]:
    """Values of a figure that do not come out again."""
    for one in row.derived:
        try:
            again = remade(one, rows)
        except KeyError as missing:
            yield f"{row.id} is made of {missing}, which was not looked up"
            return
        if again is None or again != row.number(one.name):
            yield f"{one.name} of {row.id} is {row.text(one.name)}, but its rows make {again}"


def _derived(derivation: Derivation, rows: Mapping[str, Row]) -> tuple[str, Decimal] | str:
    """(unit, value) of a derivation, or what is wrong with it."""
    strange = [one for one in derivation.of if one not in rows]
    if strange:
        return f"a {derivation.operation} of {', '.join(strange)[:120]}, which was not looked up"
    value = remade(derivation, rows)
    if value is None:
        return f"a {derivation.operation} of {derivation.field} that has no value"
    if derivation.operation == "count":
        return "count", value
    facts = [rows[one].facts.get(derivation.field) for one in derivation.of]
    units = {fact.unit for fact in facts if fact}
    if len(units) > 1:
        return f"a {derivation.operation} of values with different units"
    return (units.pop() if units else "number"), value


def _without_quotations(text: str, rows: Sequence[Row], marked: bool) -> str:
    quoted = [
        fact.value
        for row in rows
        for fact in row.facts.values()
        if fact.unit == "text" and len(fact.value) >= QUOTED
    ]
    for one in sorted(quoted, key=len, reverse=True):
        for quoted_text in (f"“{one}”", f'"{one}"') if marked else (one,):
            text = text.replace(quoted_text, " ")
    return text


def _dates(text: str, ground: _Ground) -> Generator[str, None, str]:
    for found in _ISO.finditer(text):
        try:
            day = date(*(int(part) for part in found.groups()))
        except ValueError:
            yield f"there is no date {found[0]}"
            continue
        if day not in ground.days:
            yield f"the date {found[0]} is in none of the cited rows"
    text = _ISO.sub(" ", text)
    for found in _NAMED.finditer(text):
        month = MONTHS[(found["m1"] or found["m2"]).lower()]
        number, year = int(found["d1"] or found["d2"]), found["y"]
        fits = [
            day for day in ground.days
            if (day.month, day.day) == (month, number) and year in (None, str(day.year))
        ]  # fmt: skip
        if not fits:
            yield f"the date {found[0]} is in none of the cited rows"
    return _NAMED.sub(" ", text)


def _clocks(text: str, ground: _Ground) -> Generator[str, None, str]:
    for found in _TIME.finditer(text):
        hour, rest = int(found[1]), found[2]
        forms = {f"{hour:02d}:{rest}", f"{hour + 12:02d}:{rest}"}
        if not forms & ground.clocks:
            yield f"the time {found[0]} is in none of the cited rows"
    return _TIME.sub(" ", text)


def _symbols(
    text: str, ground: _Ground, watched: Collection[str]
) -> Generator[str, None, tuple[str, set[str]]]:
    named = set()
    for found in _CAPITALS.finditer(text):
        symbol = found[1]
        if symbol in _ACRONYMS and symbol not in watched:
            continue
        named.add(symbol)
        if symbol not in ground.symbols:
            yield f"the symbol {symbol} is in none of the cited rows"
    return text, named & set(watched)


def _numbers(text: str, ground: _Ground, named: Collection[str]) -> Iterator[str]:
    values = list(ground.values(named))
    for found in _NUMBER.finditer(text):
        if not any(_fits(found, text, *value) for value in values):
            yield f"the number {found[0].strip()} is in none of the cited rows"
    for word in re.findall(r"[a-z]+", text.lower()):
        if word in _RATIOS:
            yield f"“{word}” compares numbers, which only a difference may do"
        if word in _WORDS and not any(value == _WORDS[word] for _, _, value in values):
            yield f"the number “{word}” is in none of the cited rows"


def _fits(found: re.Match[str], text: str, name: str, unit: str, value: Decimal) -> bool:
    """Whether a number in a text is a value, at its digits, with its unit, noun and sign."""
    if found["scale"]:
        return False  # 1.2k hides digits: write the number out
    if bool(found["percent"]) != (unit == "percent") or (found["dollar"] and unit != "usd"):
        return False
    noun = (found["noun"] or "").removesuffix("s")
    if noun and not found["dollar"] and not found["percent"]:
        counted = unit == "count" and (name in _COUNTS.get(noun, ()) or name == "counted")
        of_shares = noun == "share" and name.endswith(("_before", "_after"))
        if not (counted or of_shares):
            return False
    decimals = found["decimals"] or ""
    written = Decimal(found["whole"].replace(",", "") + decimals)
    half = Decimal(5).scaleb(-max(len(decimals) - 1, 0) - 1)
    if abs(abs(value) - written) > half:
        return False
    return _sign_fits(found, text, value, written)


def _sign_fits(found: re.Match[str], text: str, value: Decimal, written: Decimal) -> bool:
    before = text[: found.start()]
    minus = (found["sign"] in ("-", "−") and not re.search(r"\w$", before)) or found["sign2"]
    lost, won = bool(_LOST.search(before)), bool(_WON.search(before))
    if written == 0 or value == 0:
        return True
    if value < 0:
        return bool(minus) or (lost and not won)
    return not minus and not (lost and found["dollar"])
