"""Questions in plain English, read without a model: what is not understood is not answered.

The parser takes out periods (`graph.dates`), symbols and known expressions (`graph.phrases`); what
is left must be fillers. A word left over refuses the question and is named, because it may be the
one that changes the meaning. What a follow-up leaves out comes from the conversation's topic.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from graph.date_atoms import NUMBERS, NoSuchTime
from graph.dates import Period, read_periods
from graph.guards import HELP, guard, plain
from graph.phrases import COMPANIES, DICTIONARY, FILLERS, VOCABULARY
from graph.requests import MEASURES, Known, Refusal, Request, Tool, Topic
from quant_core.types import ExitReason, Setup
from tools.scopes import Scope

_FOLLOWS = re.compile(
    r"^(?:and|also|then|so|but)\b|\b(?:what|how) about\b|\bsame\b|\b(?:those|them|they|these|it|"
    r"its|there|that day|that week|then)\b"
)
_LIMIT = re.compile(
    r"\b(?P<which>last|latest|most recent|newest|first|earliest|oldest) "
    rf"(?:(?P<many>\d{{1,4}}|{'|'.join(NUMBERS)}) )?"
    r"(?=(?:\w+ )?(?:trades?|signals?|skips?|analys[ei]s|skipped|veto|winners?|losers?))"
)
_TICKER = re.compile(r"\$?\b[A-Z]{2,5}\b(?!')")
_COUNTED: Mapping[str, str] = {
    "trades": "trades", "signals": "signals", "skipped": "skipped", "analyses": "analyses",
    "positions": "positions", "lanes": "trades",
}  # fmt: skip
_BY_RULING = {
    "veto": "vetoed", "reduce": "reduced", "approve": "approved", "abstain": "abstained"
}  # fmt: skip


def read_question(question: str, known: Known, topic: Topic | None = None) -> tuple[Request, ...]:
    """What a question asks for. Refusal says why it is not answered."""
    text = plain(question)
    guard(text)
    try:
        reading = read_periods(text.lower(), known.as_of, known.calendar)
    except NoSuchTime as error:
        raise Refusal(error.trouble, f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    last = topic.last if topic else None
    words = reading.rest
    limit, newest, words = _limit(words)
    symbols, words = _symbols(text, words, known)
    lanes, words = _lanes(words)
    found, words = _expressions(words)
    follows = bool(last) and bool(_FOLLOWS.search(text.lower()))
    _nothing_left(words, found, known)
    meaning = _Meaning(found, last)
    grouped = symbols[1:] or any(len(found.get(one, ())) > 1 for one in ("setup", "side", "by"))
    comparable = (found.get("compare") or found.get("by")) and (
        grouped or lanes or found.get("by") or len(reading.periods) > 1
    )
    if comparable and not meaning.tool and not last:
        meaning.tool = "trades"
    follows = follows or bool(found.get("why") or found.get("list") or found.get("count"))
    if not meaning.tool and not (last and (follows or reading.periods or symbols or lanes)):
        raise Refusal("not_understood", HELP)
    asked = meaning.request(known, symbols, lanes, last)
    asked = replace(asked, limit=limit, newest=newest, query=_query(asked, text))
    each = [replace(asked, measure=one) for one in meaning.measures(asked)]
    kept = last.period if last and not found.get("whole") else Period()
    if asked.tool == "positions":
        kept = Period()  # what is held is asked of now, never of the time last spoken of
    periods = reading.periods or (kept,)
    return tuple(_with_period(one, period, known, last) for one in each for period in periods)


def named_tool(question: str) -> Tool | None:
    """What kind of thing a question names; None when it names none, or several, or asks why.

    A reason may speak of another kind of thing than it belongs to: "why … after too many trades".
    """
    found, _ = _expressions(question.lower(), nouns=True)
    tools = set(found.get("tool", ()))
    return tools.pop() if len(tools) == 1 and not found.get("why") else None


def _limit(text: str) -> tuple[int, bool, str]:
    """The 3 of "last 3 trades", and whether the newest are meant."""
    found = _LIMIT.search(text)
    if not found:
        return 0, True, text
    many = found["many"] or "1"
    number = int(many) if many.isdigit() else NUMBERS[many]
    newest = found["which"] not in ("first", "earliest", "oldest")
    return max(number, 1), newest, f"{text[: found.start()]} {text[found.end() :]}"


def _symbols(text: str, words: str, known: Known) -> tuple[tuple[str, ...], str]:
    """The symbols named, each once in the question's order, and the words without them."""
    shouted = not re.search(r"[a-z]", text)
    capitals = {found.strip("$") for found in _TICKER.findall(text)}
    named: dict[str, None] = {}

    def put(match: re.Match[str]) -> str:
        word = match["word"]
        upper = word.upper()
        said_so = bool(match["dollar"]) or (upper in capitals and not shouted)
        known_word = word in FILLERS or any(one.fullmatch(word) for one, _ in DICTIONARY)
        if upper in known.symbols and (said_so or not known_word):
            named[upper] = None
        elif word in COMPANIES:
            named[COMPANIES[word]] = None
        elif match["dollar"] or (said_so and not known_word) or upper in COMPANIES.values():
            named[upper] = None
        else:
            return match[0]
        return " "

    rest = re.sub(r"(?P<dollar>\$)?(?<![\w⟦'])(?P<word>[a-z&]{1,10})(?:'s)?(?![\w⟧])", put, words)
    known.check_symbols(tuple(named))
    return tuple(named), rest


def _lanes(words: str) -> tuple[tuple[str, ...], str]:
    """The lanes named, and the words without them."""
    pattern = r"\b(advised|baseline|placebo)(?: lanes?)?(?!\w)"
    return tuple(dict.fromkeys(re.findall(pattern, words))), re.sub(pattern, " ", words)


def _expressions(words: str, *, nouns: bool = False) -> tuple[dict[str, list[Any]], str]:
    """Every effect of every expression in the words, by name, and the words without them.

    With `nouns` only of those that name a kind of thing, or ask why.
    """
    found: dict[str, list[Any]] = {}
    for pattern, effect in DICTIONARY:
        if nouns and not effect.keys() & {"noun", "why"}:
            continue
        words, times = pattern.subn(" ", words)
        if times:
            for name, value in effect.items():
                values = found.setdefault(name, [])
                if value not in values:
                    values.append(value)
    return found, words


def _nothing_left(words: str, found: Mapping[str, Any], known: Known) -> None:
    """Refuse a question with a word that nobody knows, unless it is searched for."""
    left = [word for word in re.findall(r"[^\s?!.,;:()\"“”…]+", words) if word.strip("'-–—/")]
    strange = [word for word in left if word.strip("'-–—/") not in FILLERS]
    if strange and not found.get("search"):
        shown = ", ".join(f"“{word[:40]}”{_meant(word)}" for word in dict.fromkeys(strange[:5]))
        raise Refusal(
            "not_understood",
            f"I do not know what {shown} means here, and would rather not guess. It is no symbol "
            f"of this run ({', '.join(known.symbols) or 'which has none'}) either.",
        )


def _meant(word: str) -> str:
    """The word that was perhaps meant: said to the person, never acted upon."""
    bare = word.strip("'-–—/")
    near = get_close_matches(bare, VOCABULARY, 1, cutoff=0.8) if len(bare) > 3 else []
    return f" (did you mean “{near[0]}”?)" if near and near[0] != bare else ""


class _Meaning:
    """From expressions to one request, with the conversation's last one to fill in."""

    def __init__(self, found: dict[str, list[Any]], last: Request | None) -> None:
        self.found = found
        self.tool = self._tool()
        self.last = last

    def _tool(self) -> Tool | None:
        tools = list(self.found.get("tool", ()))
        if self.found.get("both"):
            raise Refusal(
                "not_understood", "The question mixes signals and trades; ask for one at a time."
            )
        if self.found.get("search"):
            for name in ("measure", "by", "pick", "count", "outcome", "exit", "ruling"):
                self.found.pop(name, None)  # words to search for, like the others
            return "search"
        if "lanes" in tools or self.found.get("lanes"):
            return "lanes"
        if "skipped" in tools:
            if self.found.get("verdicts"):
                self.found.setdefault("blocked_by", ["validation"])  # skipped by the validator
            if "positions" in tools:
                self.found.setdefault("blocked_by", ["positions"])  # skipped for positions
            return "skipped"
        if "positions" in tools and "trades" in tools:
            tools.remove("positions" if self.found.get("measure") else "trades")
        if "signals" in tools and "trades" in tools and not self.found.get("measure"):
            tools.remove("trades")
        if len(tools) > 1:
            said = " and ".join(tools)
            raise Refusal("not_understood", f"The question mixes {said}; ask for one at a time.")
        return tools[0] if tools else None

    def request(
        self, known: Known, symbols: tuple[str, ...], lanes: tuple[str, ...], last: Request | None
    ) -> Request:
        """The request, without its period."""
        found, kept = self.found, last.scope if last and not self.found.get("whole") else None
        tool = self.tool or (last.tool if last else "trades")
        if len(lanes) > 1 or (lanes and found.get("compare")):
            tool = "lanes"
        lane = lanes[0] if lanes else kept.lane if kept else known.lane
        if known.lanes and tool != "lanes" and lane not in known.lanes:
            there = ", ".join(known.lanes) or "none"
            raise Refusal("no_evidence", f"This run has no lane {lane}; it has {there}.")
        continues = last is not None and self.tool is None
        scope = Scope(
            lane=known.lane if tool == "lanes" else lane,
            symbols=symbols or (kept.symbols if kept else ()),
            setup=self._one("setup", Setup, kept.setup if continues and kept else None),
            side=self._one("side", int, kept.side if continues and kept else 0) or 0,
            outcome=self._one("outcome", str, kept.outcome if continues and kept else None),
            exit_reason=self._one(
                "exit", ExitReason, kept.exit_reason if continues and kept else None
            ),
            ruling=self._one("ruling", str, kept.ruling if continues and kept else None),
            blocked_by=self._one(
                "blocked_by", str, kept.blocked_by if continues and kept else None
            ),
        )
        kept_shape = last if continues and not found.get("list") else None  # "show them": records
        by = self._by(symbols) or (kept_shape.by if kept_shape else "")
        measure = self._measure(tool, by)
        if not measure and kept_shape:
            measure = kept_shape.measure
        if len(found.get("pick", ())) > 1:
            raise Refusal("not_understood", "The question asks for best and worst; ask for one.")
        pick = (found.get("pick") or [kept_shape.pick if kept_shape else ""])[0]
        reason = bool(found.get("why")) or bool(continues and last and last.reason)
        if pick and not measure:
            measure = "pnl"
        _check(tool, measure, found)
        return Request(
            tool=tool, scope=scope, measure=measure, by=by, pick=pick,
            reason=reason or tool == "search",
        )  # fmt: skip

    def measures(self, asked: Request) -> tuple[str, ...]:
        """Every value that the question asks for: "P/L and win rate" are two."""
        if not asked.measure or asked.reason:
            return (asked.measure,)
        named = [one for one in self.found.get("measure", ()) if one != "pnl"]
        itself = ["pnl"] if self.found.get("pnl_itself") else []
        wanted = tuple(dict.fromkeys((*itself, asked.measure, *named)))
        for one in wanted:
            _check(asked.tool, one, self.found)
        return wanted

    def _one(self, name: str, kind: Any, otherwise: Any) -> Any:
        """The one value of a filter; None when both sides of it were named, to be compared."""
        values = self.found.get(name, [])
        if len(values) > 1:
            if name not in ("setup", "side"):
                raise Refusal(
                    "not_understood",
                    f"The question names {' and '.join(map(str, values))}; ask for one at a time.",
                )
            return None
        return kind(values[0]) if values else otherwise

    def _by(self, symbols: tuple[str, ...]) -> Any:
        groups = list(self.found.get("by", ()))
        groups += [name for name in ("setup", "side") if len(self.found.get(name, ())) > 1]
        valued = self.found.keys() & {"measure", "count", "pick", "compare", "why"}
        records = self.found.get("noun") and not valued  # "show SPY and NVDA trades" is a list
        if (
            not groups
            and not records
            and len(symbols) > 1
            and self.tool in (None, "trades", "signals")
        ):
            groups = ["symbol"]
        if len(set(groups)) > 1:
            raise Refusal(
                "not_understood", f"The question groups by {' and '.join(groups)}; choose one."
            )
        return groups[0] if groups else ""

    def _measure(self, tool: Tool, by: str) -> str:
        found = self.found
        named = found.get("measure", [])
        strong = [one for one in named if one != "pnl"]
        if found.get("count"):
            ruling = found.get("ruling")
            if ruling and tool == "signals":
                return _BY_RULING[ruling[0]]
            if strong and strong[0] in ("degraded", "shares"):
                return str(strong[0])
            return _COUNTED.get(tool, "")
        if strong:
            return str(strong[0])
        if named:
            return "pnl"
        if tool in ("trades", "lanes") and (by or found.get("compare")):
            return "pnl"
        return (
            "signals" if by and tool == "signals" else "skipped" if by and tool == "skipped" else ""
        )


def _check(tool: Tool, measure: str, found: Mapping[str, Any]) -> None:
    if measure and measure not in MEASURES[tool]:
        what = measure.replace("_", " ").replace("pnl", "P/L")
        raise Refusal(
            "not_understood", f"{what} is not something that {tool} have; ask for one at a time."
        )
    if tool in ("signals", "skipped", "analyses", "positions") and found.get("outcome"):
        raise Refusal("not_understood", f"Whether it won is not something that {tool} have.")


def _query(asked: Request, text: str) -> str:
    return text if asked.reason else ""


def _with_period(asked: Request, period: Period, known: Known, last: Request | None) -> Request:
    """The request over a period within what was recorded."""
    timed = not period.names_days and (period.at or period.after or period.before)
    if last and timed and last.period.first and last.period.first == last.period.last:
        # "And at 10:41?" means the day that was spoken of.
        period = replace(period, first=last.period.first, last=last.period.last)
    period = known.covered(period)
    after, before = period.after, period.before
    return replace(
        asked,
        period=period,
        scope=replace(
            asked.scope, first=period.first, last=period.last, after=after, before=before
        ),
    )
