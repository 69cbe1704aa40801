"""Bounds: whatever a model answers, this much of it reaches the engine and not more.

Total functions: any mapping, of any types, gives a bounded result and the list of what was changed
or rejected; nothing raises and nothing grows. Multipliers lie in [0.5, 2.0], a missing or
non-finite one is 1.0; confidence lies in [0, 100]; texts and lists have a maximum length; an id of
evidence or a symbol that the model was not shown is dropped and listed; a price that it was not
shown is listed. Tightening is honoured, widening never: an approval with a factor below 1 counts
as a reduction, a reduction without a usable factor as one to half.
"""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from graph.masking import Mask
from prompts.enclosure import clean

MULTIPLIERS = ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")
LOWEST, HIGHEST = 0.5, 2.0
TEXT_LIMIT = 1_500
LINE_LIMIT = 300
OPPORTUNITIES = 5
EVIDENCE = 50
FINDINGS = 40
HALF = 0.5
LEAST_SIZE = 0.01
BIASES = ("bullish", "bearish", "choppy")
_NUMBER = re.compile(
    r"(?:(\$ ?|\bUSD ?)|(?<![\w.]))"
    r"(\d{1,3}(?:,\d{3})+|\d{1,15})(\.\d{1,12})?"
    r"(?: ?(?:(%)|(USD|dollars?)\b)|(?!\w))",
    re.IGNORECASE,
)

Kind = Literal["clamped", "replaced", "rejected", "unknown price", "cut"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was not as it should be: which field, and what was made of it."""

    kind: Kind
    field: str
    detail: str

    def in_words(self) -> str:
        """For people."""
        return f"{self.field} {self.kind}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Ground:
    """What an answer may refer to: ids as shown (to what is kept of them), and prices."""

    mask: Mask
    ids: Mapping[str, str]
    prices: Sequence[float]


@dataclass(slots=True)
class Bounding:
    """One answer on its way through the bounds; collects what is found."""

    answer: Mapping[str, Any]
    ground: Ground
    findings: list[Finding] = field(default_factory=list)

    def number(self, name: str, low: float, high: float, otherwise: float) -> float:
        """A number of the answer within bounds."""
        value = _finite(self.answer.get(name))
        if value is None:
            self.note("replaced", name, f"{_shown(self.answer.get(name))} by {otherwise:g}")
            return otherwise
        bounded = min(max(value, low), high)
        if bounded != value:
            self.note("clamped", name, f"{value:.6g} to {bounded:g}")
        return bounded

    def text(self, name: str, limit: int = TEXT_LIMIT) -> str:
        """A text of the answer: one line, unmasked, capped, its prices checked."""
        value = self.answer.get(name)
        if not isinstance(value, str):
            self.note("replaced", name, f"{_shown(value)} by an empty text")
            return ""
        text = self.ground.mask.unmask(clean(value))
        if len(value) > limit or len(text) > limit:
            self.note("cut", name, f"{len(value)} characters to {limit}")
            text = text[:limit]
        for price in unknown_prices(text, self.ground.prices):
            self.note("unknown price", name, price)
        return text

    def choice(self, name: str, among: Sequence[str]) -> str | None:
        """A word of the answer, or None when it is none of those allowed."""
        value = self.answer.get(name)
        if isinstance(value, str) and value in among:
            return value
        self.note("rejected", name, _shown(value))
        return None

    def symbol(self, name: str = "symbol") -> str | None:
        """The symbol the answer names, or None when it was not shown to the model."""
        value = self.answer.get(name)
        real = self.ground.mask.real(value) if isinstance(value, str) else None
        if real is None:
            self.note("rejected", name, f"{_shown(value)} is not on the watchlist")
        return real

    def evidence(self) -> tuple[str, ...]:
        """The ids that the model was shown, each once; the others are listed."""
        kept: dict[str, None] = {}
        for value in self.items("evidence", EVIDENCE):
            known = self.ground.ids.get(value) if isinstance(value, str) else None
            if known is None:
                self.note("rejected", "evidence", f"{_shown(value)} was not given")
            else:
                kept[known] = None
        return tuple(kept)

    def items(self, name: str, limit: int) -> list[Any]:
        """The first items of a list of the answer."""
        value = self.answer.get(name)
        if not isinstance(value, list | tuple):
            self.note("replaced", name, f"{_shown(value)} by an empty list")
            return []
        if len(value) > limit:
            self.note("cut", name, f"{len(value)} items to {limit}")
        return list(value[:limit])

    def parts(self, name: str, limit: int) -> "Iterator[Bounding]":
        """The objects in a list of the answer, each to be bounded on the same ground."""
        for value in self.items(name, limit):
            if isinstance(value, Mapping):
                yield Bounding(value, self.ground, self.findings)
            else:
                self.note("rejected", name, _shown(value))

    def note(self, kind: Kind, name: str, detail: str) -> None:
        """Remember a finding, up to a limit, in the words of people and not of the mask."""
        if len(self.findings) < FINDINGS:
            self.findings.append(Finding(kind, name, self.ground.mask.unmask(detail)))


def bound_analysis(answer: Mapping[str, Any], ground: Ground) -> dict[str, Any]:
    """The plain parts of an `Analysis`, and `findings`.

    Multipliers keep their whole range here: how much of it counts is the lane's authority.
    """
    bounding = Bounding(answer, ground)
    opportunities = [
        f"{symbol}: {part.text('comment', LINE_LIMIT)}"
        for part in bounding.parts("opportunities", OPPORTUNITIES)
        if (symbol := part.symbol())
    ]
    return {
        "multipliers": {name: bounding.number(name, LOWEST, HIGHEST, 1.0) for name in MULTIPLIERS},
        "confidence": bounding.number("confidence", 0.0, 100.0, 0.0),
        "assessment": bounding.text("assessment"),
        "reasoning": bounding.text("reasoning"),
        "opportunities": opportunities,
        "evidence": list(bounding.evidence()),
        "findings": _plain(bounding),
    }


def bound_verdict(answer: Mapping[str, Any], ground: Ground) -> dict[str, Any]:
    """The plain parts of a `Verdict`, and `findings`. An unknown ruling abstains."""
    bounding = Bounding(answer, ground)
    ruling = bounding.choice("ruling", ("approve", "reduce", "veto", "abstain")) or "abstain"
    factor = 1.0
    if ruling in ("approve", "reduce"):
        ruling, factor = _tightened(bounding, ruling)
    return {
        "ruling": ruling,
        "size_factor": factor,
        "confidence": bounding.number("confidence", 0.0, 100.0, 0.0),
        "reasoning": bounding.text("reasoning"),
        "evidence": list(bounding.evidence()),
        "findings": _plain(bounding),
    }


def _tightened(bounding: Bounding, ruling: str) -> tuple[str, float]:
    """Ruling and factor that fit each other, never larger than the answer meant."""
    factor = bounding.number("size_factor", 0.0, 1.0, HALF if ruling == "reduce" else 1.0)
    if factor < LEAST_SIZE:
        bounding.note("replaced", "ruling", f"{ruling} to a size of {factor:g} by veto")
        return "veto", 1.0
    if ruling == "reduce" and factor == 1.0:
        bounding.note("replaced", "size_factor", f"a reduction to 1 by {HALF:g}")
        return "reduce", HALF
    if ruling == "approve" and factor < 1.0:
        bounding.note("replaced", "ruling", f"an approval of {factor:g} by reduce")
        return "reduce", factor
    return ruling, factor


def bound_biases(answer: Mapping[str, Any], ground: Ground) -> dict[str, Any]:
    """`biases` by symbol (the first entry of each counts), and `findings`."""
    bounding = Bounding(answer, ground)
    biases: dict[str, dict[str, Any]] = {}
    for part in bounding.parts("biases", 2 * len(ground.mask.symbols)):
        symbol, bias = part.symbol(), part.choice("bias", BIASES)
        if symbol is None or bias is None:
            continue
        if symbol in biases:
            bounding.note("rejected", "biases", f"a second entry for {symbol}")
            continue
        biases[symbol] = {
            "bias": bias,
            "confidence": part.number("confidence", 0.0, 100.0, 0.0),
            "reasoning": part.text("reasoning", LINE_LIMIT),
            "news_summary": part.text("news_summary", LINE_LIMIT),
            "evidence": list(part.evidence()),
        }
    return {"biases": biases, "findings": _plain(bounding)}


def bound_context(answer: Mapping[str, Any], ground: Ground) -> dict[str, Any]:
    """The plain parts of a market context, and `findings`. An unknown bias is choppy."""
    bounding = Bounding(answer, ground)
    return {
        "bias": bounding.choice("bias", BIASES) or "choppy",
        "volatility": bounding.choice("volatility", ("low", "normal", "high")) or "normal",
        "confidence": bounding.number("confidence", 0.0, 100.0, 0.0),
        "summary": bounding.text("summary"),
        "evidence": list(bounding.evidence()),
        "findings": _plain(bounding),
    }


def unknown_prices(text: str, prices: Sequence[float]) -> list[str]:
    """Prices in a text that are none of those shown, at the digits they are written with.

    A price is a number with `$`, USD or dollars beside it, or one with decimals between half and
    twice a price shown; a percentage is none.
    """
    found: dict[str, None] = {}
    for match in _NUMBER.finditer(text):
        before, whole, decimals, percent, after = match.groups()
        value = float(whole.replace(",", "") + (decimals or ""))
        near = decimals and any(0.5 * price <= value <= 2.0 * price for price in prices)
        if percent or not (before or after or near):
            continue
        half_digit = 0.5 * 10.0 ** -max(0, len(decimals or ".") - 1)
        if not any(abs(value - price) <= half_digit * 1.0001 for price in prices):
            found[match[0].strip()] = None
    return list(found)


def in_words(findings: Sequence[Mapping[str, str]]) -> str:
    """Findings as one bounded sentence; empty when there are none."""
    said = "; ".join(Finding(**one).in_words() for one in findings)  # type: ignore[arg-type]
    return f"[bounds: {said[:TEXT_LIMIT]}]" if said else ""


def _plain(bounding: Bounding) -> list[dict[str, str]]:
    return [
        {"kind": one.kind, "field": one.field, "detail": one.detail} for one in bounding.findings
    ]


def _finite(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    """A value that was not usable, short enough to keep."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(clean(value)[:60])
    if isinstance(value, bool | float):
        return repr(value)
    return f"a value of type {type(value).__name__}"
