"""The key figures of a replay in words: what the page's header and the terminal both say.

An undefined figure is shown as a dash and carries the reason; it is never shown as 0. The paired
difference is put into words here, once, and the words claim no more than its interval allows.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from advisor.results import LaneResult, ReplayResult
from advisor.summary import daily_results
from quant_core.bootstrap import (
    BOOTSTRAP_SEED,
    MINIMUM_SESSIONS,
    PairedDifference,
    paired_difference,
)

Tone = Literal["gain", "loss", "plain", "warn"]
DASH = "–"
MINUS = "−"


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure of one lane: its name, its text, what it means or why it is undefined."""

    label: str
    text: str
    why: str = ""
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Difference:
    """Advised minus another lane, a session, in dollars; the interval is NaN when unknown."""

    against: str
    measured: PairedDifference
    words: str


def money(value: float, *, signed: bool = True) -> str:
    """Dollars and cents with a true minus: +$1,234.50."""
    sign = MINUS if round(value, 2) < 0 else "+" if signed and round(value, 2) > 0 else ""
    return f"{sign}${abs(value):,.2f}"


def percent(fraction: float, digits: int = 2, *, signed: bool = True) -> str:
    """A fraction as percent: +1.25 %."""
    shown = round(100.0 * fraction, digits)
    sign = MINUS if shown < 0 else "+" if signed and shown > 0 else ""
    return f"{sign}{abs(shown):.{digits}f} %"


def count(number: int, noun: str) -> str:
    """`1 trade`, `2 trades`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _tone(value: float) -> Tone:
    return "gain" if value > 0 else "loss" if value < 0 else "plain"


def lane_figures(lane: LaneResult, account: Mapping[str, Any]) -> list[Figure]:
    """The figures of one lane; `account` is its part of the summary."""
    metrics = account.get("metrics") or {}
    pnl = float(account.get("pnl", 0.0))
    blocked = sum(decision.plan.quantity == 0 for decision in lane.decisions)
    lost = any(trade.pnl < 0 for trade in lane.trades)
    no_trade = "" if lane.trades else "No trade was closed."
    sessions = len(lane.days)
    too_short = f"Needs at least two sessions; this run has {sessions}."
    ratio_why = "The sessions' returns leave nothing to divide by."
    ratio = (
        f"From {count(sessions, 'session')}, annualised by √252, risk-free rate 0. "
        "On few sessions it says little."
    )

    def shown(name: str, form: Any, label: str, meaning: str, undefined: str) -> Figure:
        value = metrics.get(name)
        return Figure(label, DASH, undefined) if value is None else form(label, value, meaning)

    return [
        Figure("P/L", money(pnl), "All closed trades, after fees.", _tone(pnl)),
        shown("total_return", _signed, "Return", "Compounded over the sessions.", "No session."),
        Figure("Trades", f"{len(lane.trades):,}", "Positions opened and closed."),
        shown("win_rate", _share, "Win rate", "Trades with a profit after fees.", no_trade),
        shown(
            "profit_factor", _plain, "Profit factor", "Money won over money lost.",
            no_trade or ("" if lost else "No trade lost, so there is nothing to divide by."),
        ),
        shown(
            "average_r", _r, "Average R", "Profit over the risk planned for it, a trade.", no_trade
        ),
        shown("max_drawdown_by_minute", _fall, "Max drawdown", _drawdown(metrics), "No minutes."),
        shown("sharpe", _plain, "Sharpe", ratio, too_short if sessions < 2 else ratio_why),
        shown("sortino", _plain, "Sortino", ratio, too_short if sessions < 2 else ratio_why),
        shown("exposure", _share, "Exposure", "Minutes with a position open.", "No minutes."),
        Figure("Fees", money(float(metrics.get("fees") or 0.0), signed=False), "On all fills."),
        Figure(
            "Signals", f"{len(lane.decisions):,}", f"{blocked:,} of them blocked by risk or a veto."
        ),
    ]  # fmt: skip


def _signed(label: str, value: float, why: str) -> Figure:
    return Figure(label, percent(value), why, _tone(value))


def _share(label: str, value: float, why: str) -> Figure:
    return Figure(label, percent(value, 1, signed=False), why)


def _plain(label: str, value: float, why: str) -> Figure:
    return Figure(label, f"{value:.2f}".replace("-", MINUS), why)


def _r(label: str, value: float, why: str) -> Figure:
    return Figure(label, f"{value:+.2f} R".replace("-", MINUS), why, _tone(value))


def _fall(label: str, value: float, why: str) -> Figure:
    return Figure(label, percent(value), why)


def _drawdown(metrics: Mapping[str, Any]) -> str:
    """What else is known of the deepest fall."""
    minutes, by_session = metrics.get("max_drawdown_minutes"), metrics.get("max_drawdown")
    parts = ["Deepest fall from a peak, minute by minute"]
    if minutes is not None:
        parts.append(f", {count(int(minutes), 'minute')} to recover or to the end")
    if by_session is not None:
        parts.append(f"; {percent(by_session)} on session ends")
    return "".join(parts) + "."


def differences(result: ReplayResult) -> list[Difference]:
    """Advised against the baseline and the placebo, as far as these lanes ran."""
    advised = result.lanes.get("advised")
    if advised is None:
        return []
    found = []
    for name in ("baseline", "placebo"):
        other = result.lanes.get(name)
        if other is None or len(other.days) != len(advised.days):
            continue
        measured = paired_difference(daily_results(advised), daily_results(other), BOOTSTRAP_SEED)
        found.append(Difference(name, measured, in_words(measured, name)))
    return found


def in_words(difference: PairedDifference, against: str) -> str:
    """The verdict on a paired difference, claiming no more than its interval."""
    if difference.verdict == "too few sessions to tell":
        return (
            f"Too few sessions to tell: {difference.sessions} of the {MINIMUM_SESSIONS} that an "
            "interval needs."
        )
    if difference.verdict == "positive":
        return f"Advised did better than the {against}: the whole interval lies above zero."
    if difference.verdict == "negative":
        return f"Advised did worse than the {against}: the whole interval lies below zero."
    return (
        f"Not distinguishable from the {against}: the interval contains zero, so no added value "
        "is claimed."
    )


def period(result: ReplayResult) -> str:
    """What was replayed, in a few words."""
    sessions = result.sessions
    if not sessions:
        return "no session"
    first, last = sessions[0].date, sessions[-1].date
    days = f"{first}" if first == last else f"{first} to {last}"
    return f"{count(len(sessions), 'session')}, {days}"


def headline(result: ReplayResult, summary: Mapping[str, Any]) -> list[str]:
    """The result in one line, lane by lane, so that a line may break between lanes only."""
    parts = []
    for name, lane in result.lanes.items():
        account = (summary.get("lanes") or {}).get(name, {})
        pnl = float(account.get("pnl", 0.0))
        gained = (account.get("metrics") or {}).get("total_return")
        share = "" if gained is None else f" ({percent(gained)})"
        detail = f" in {count(len(lane.trades), 'trade')}" if lane is result.main else ""
        parts.append(f"{name} {money(pnl)}{share}{detail}")
    return parts
