"""Figures over rows: profit and loss, counts, rates, by day, symbol or lane.

Each value is derived by a named operation from named rows (`tools.evidence.Figure`), with exact
decimals, so that an answer can be checked by making it again.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Literal, NamedTuple

from quant_core.calendar import NEW_YORK
from tools.evidence import Fact, Figure, Row, Unit, count, facts, key, moment, real, usd, word
from tools.session_sums import AnalysisDay, SignalKind
from tools.trade_sums import TradeSum

Group = Literal["", "day", "symbol", "setup", "side", "exit_reason", "blocked_by", "ruling"]
RULINGS = {"approved": "approve", "reduced": "reduce", "vetoed": "veto", "abstained": "abstain"}

_SUMMED: Mapping[str, Unit] = {
    "trades": "count", "won": "count", "lost": "count", "pnl": "usd", "gross_profit": "usd",
    "gross_loss": "usd", "fees": "usd", "shares": "count",
}  # fmt: skip


_SIGNAL_COUNTS = ("signals", "ordered", "skipped", *RULINGS)


class About(NamedTuple):
    """What a figure is about: its key, and the facts that its scope fixes."""

    key: str
    facts: Mapping[str, Fact]


def of_trades(
    about: About, rows: Sequence[Row], by: Group, dates: Sequence[date] = ()
) -> tuple[Row, ...]:
    """Figures over trades: all of them, then each group; `dates` are groups even when empty."""
    return _grouped("trades", about, rows, by, "exit_time", dates, _trade_figures)


def of_trade_sums(
    about: About, groups: Mapping[str, TradeSum], by: Group
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The same figures from sums of trades, and the rows of sums that they are made of.

    Without `by` the groups are months: those rows are no part of the answer, only its ground.
    """
    name_of = by or "month"
    rows = [_sum_row(about, name_of, name, one) for name, one in groups.items()]
    whole = _figure("trades", about, rows)
    for name, unit in _SUMMED.items():
        whole.add(name, "sum", name, rows, unit)
    traded = [row for row in rows if "best_pnl" in row.facts]
    whole.add("best_pnl", "greatest", "best_pnl", traded, "usd")
    whole.add("worst_pnl", "least", "worst_pnl", traded, "usd")
    _add_means(whole, rows)
    made = whole.row()
    return ((made, *rows) if by else (made,)), tuple(rows)


def _sum_row(about: About, by: str, name: str, one: TradeSum) -> Row:
    """A group's sums as a row: they are facts, its means are derived of them."""
    key = f"{about.key}:{by}={name}"
    given = facts(
        **{by: Fact("date", name) if by == "day" else word(name)},
        **{field: count(getattr(one, field)) for field in ("trades", "won", "lost", "shares",
                                                           "minutes_held")},
        **{field: usd(getattr(one, field)) for field in ("pnl", "gross_profit", "gross_loss",
                                                         "fees")},
        r_sum=real(one.r) if one.rated == one.trades else None,
        best_pnl=usd(one.best_pnl) if one.trades else None,
        worst_pnl=usd(one.worst_pnl) if one.trades else None,
    )  # fmt: skip
    figure = _figure(
        "trades", About(key, {**about.facts, **given}), (), name if by == "symbol" else ""
    )
    itself = Row(id=figure.id, kind="trades", facts=figure.facts)
    figure.rows = {figure.id: itself}
    _add_means(figure, [itself])
    return figure.row()


def _add_means(figure: Figure, of: Sequence[Row]) -> None:
    figure.add("win_rate", "percentage", "won/trades", of, "percent")
    figure.add("mean_pnl", "quotient", "pnl/trades", of, "usd")
    figure.add("mean_win", "quotient", "gross_profit/won", of, "usd")
    figure.add("mean_loss", "quotient", "gross_loss/lost", of, "usd")
    figure.add("mean_r", "quotient", "r_sum/trades", of, "number")
    figure.add("mean_minutes_held", "quotient", "minutes_held/trades", of, "number")


def of_signals(about: About, rows: Sequence[Row], by: Group) -> tuple[Row, ...]:
    """Figures over signals: all of them, then each group."""
    return _grouped("signals", about, rows, by, "time", (), _signal_figures)


def of_signal_counts(
    about: About, groups: Mapping[str, Mapping[SignalKind, int]], by: Group
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The same figures from counted signals, and the rows of counts that they are made of.

    Without `by` the groups are months: those rows are no part of the answer, only its ground.
    """
    rows = [_counts_row(about, by or "month", name, one) for name, one in groups.items()]
    whole = _figure("signals", about, rows)
    for name in _SIGNAL_COUNTS:
        whole.add(name, "sum", name, rows, "count")
    made = whole.row()
    return ((made, *rows) if by else (made,)), tuple(rows)


def _counts_row(about: About, by: str, name: str, counts: Mapping[SignalKind, int]) -> Row:
    """A group's counts as a row: they are facts."""
    numbers = Counter[str]()
    for kind, number in counts.items():
        numbers["signals"] += number
        numbers[kind.outcome] += number
        numbers[kind.ruling] += number
    given = facts(
        **{by: Fact("date", name) if by == "day" else word(name)},
        **{said: count(numbers[RULINGS.get(said, said)]) for said in _SIGNAL_COUNTS},
    )
    figure = _figure(
        "signals", About(f"{about.key}:{by}={name}", {**about.facts, **given}), (),
        name if by == "symbol" else "",
    )  # fmt: skip
    return figure.row()


def of_analysis_counts(
    about: About, months: Mapping[str, Sequence[AnalysisDay]]
) -> tuple[tuple[Row, ...], tuple[Row, ...]]:
    """The figure over analyses from counted ones, and the rows of months that it is made of."""
    rows = [_analyses_row(about, name, days) for name, days in months.items()]
    whole = _figure("analyses", about, rows)
    whole.add("analyses", "sum", "analyses", rows, "count")
    whole.add("degraded", "sum", "degraded", rows, "count")
    whole.add("mean_confidence", "quotient", "confidence_sum/analyses", rows, "number")
    return (whole.row(),), tuple(rows)


def _analyses_row(about: About, month: str, days: Sequence[AnalysisDay]) -> Row:
    number, rated = sum(one.analyses for one in days), sum(one.rated for one in days)
    given = facts(
        month=word(month),
        analyses=count(number),
        degraded=count(sum(one.degraded for one in days)),
        # As with a mean over the analyses: one that states none makes the mean unknown.
        confidence_sum=real(sum((one.confidence for one in days), Decimal(0)))
        if rated == number
        else None,
    )
    key = About(f"{about.key}:month={month}", {**about.facts, **given})
    return _figure("analyses", key, ()).row()


def of_analyses(about: About, rows: Sequence[Row]) -> tuple[Row, ...]:
    """The figure over analyses."""
    figure = _figure("analyses", about, rows)
    degraded = [row for row in rows if row.text("status") == "DEGRADED"]
    figure.add("analyses", "count", "", rows, "count")
    figure.add("degraded", "count", "", degraded, "count")
    figure.add("mean_confidence", "mean", "confidence", rows, "number")
    return (figure.row(),)


def of_biases(about: About, rows: Sequence[Row]) -> tuple[Row, ...]:
    """How many biases there are, and of which kind."""
    figure = _figure("biases", about, rows)
    figure.add("biases", "count", "", rows, "count")
    for kind in ("bullish", "bearish", "choppy"):
        figure.add(kind, "count", "", [row for row in rows if row.text("bias") == kind], "count")
    return (figure.row(),)


def of_days(about: About, rows: Sequence[Row]) -> tuple[Row, ...]:
    """The account over several sessions: where it began, where it ended, best and worst day."""
    figure = _figure("account", about, rows)
    figure.add("sessions", "count", "", rows, "count")
    if rows:
        figure.add("start_equity", "sum", "start_equity", rows[:1], "usd")
        figure.add("end_equity", "sum", "end_equity", rows[-1:], "usd")
        figure.add("change", "sum", "change", rows, "usd")
        figure.add("best_change", "greatest", "change", rows, "usd")
        figure.add("worst_change", "least", "change", rows, "usd")
    return (figure.row(),)


def of_positions(about: About, rows: Sequence[Row], at: datetime) -> Row:
    """How many positions were open at a moment."""
    figure = _figure("positions", About(f"{about.key}:{key(at)}", about.facts), rows)
    figure.facts["time"] = moment(at)
    figure.add("positions", "count", "", rows, "count")
    return figure.row()


def of_lanes(about: About, heads: Mapping[str, Row]) -> tuple[Row, ...]:
    """Each lane's figure minus the baseline's."""
    base = heads.get("baseline")
    made = []
    for lane, head in heads.items():
        if base is None or lane == "baseline":
            continue
        figure = _figure(
            "difference", About(f"{lane}-baseline:{about.key}", about.facts), [head, base]
        )
        figure.facts |= {"lane": word(lane), "against": word("baseline")}
        for name, unit in (("pnl", "usd"), ("trades", "count"), ("win_rate", "percent")):
            figure.add(name, "difference", name, [head, base], unit)  # type: ignore[arg-type]
        made.append(figure.row())
    return tuple(made)


def _figure(kind: str, about: About, rows: Sequence[Row], symbol: str = "") -> Figure:
    members = {row.id: row for row in rows}
    return Figure(f"{kind}:{about.key}", kind, members, symbol, dict(about.facts))


def _grouped(
    kind: str,
    about: About,
    rows: Sequence[Row],
    by: Group,
    when: str,
    dates: Sequence[date],
    fill: Callable[[Figure, Sequence[Row]], None],
) -> tuple[Row, ...]:
    whole = _figure(kind, about, rows)
    fill(whole, rows)
    made = [whole.row()]
    if not by:
        return tuple(made)
    groups: dict[str, list[Row]] = {day.isoformat(): [] for day in dates}
    for row in rows:
        groups.setdefault(_group_of(row, by, when), []).append(row)
    for name in sorted(groups) if by == "day" else groups:
        symbol = name if by == "symbol" else ""
        figure = _figure(kind, About(f"{about.key}:{by}={name}", about.facts), groups[name], symbol)
        figure.facts[by] = Fact("date", name) if by == "day" else word(name)
        fill(figure, groups[name])
        made.append(figure.row())
    return tuple(made)


def _group_of(row: Row, by: Group, when: str) -> str:
    if by == "day":
        return datetime.fromisoformat(row.text(when)).astimezone(NEW_YORK).date().isoformat()
    return row.text(by) or "none"


def _trade_figures(figure: Figure, rows: Sequence[Row]) -> None:
    won = [row for row in rows if row.text("outcome") == "won"]
    lost = [row for row in rows if row.text("outcome") == "lost"]
    figure.add("trades", "count", "", rows, "count")
    figure.add("won", "count", "", won, "count")
    figure.add("lost", "count", "", lost, "count")
    figure.add("win_rate", "share", "", won, "percent", whole=rows)
    figure.add("pnl", "sum", "pnl", rows, "usd")
    figure.add("mean_pnl", "mean", "pnl", rows, "usd")
    figure.add("best_pnl", "greatest", "pnl", rows, "usd")
    figure.add("worst_pnl", "least", "pnl", rows, "usd")
    figure.add("gross_profit", "sum", "pnl", won, "usd")
    figure.add("gross_loss", "sum", "pnl", lost, "usd")
    figure.add("mean_win", "mean", "pnl", won, "usd")
    figure.add("mean_loss", "mean", "pnl", lost, "usd")
    figure.add("fees", "sum", "fees", rows, "usd")
    figure.add("mean_r", "mean", "r", rows, "number")
    figure.add("mean_minutes_held", "mean", "minutes_held", rows, "number")
    figure.add("shares", "sum", "quantity", rows, "count")


def _signal_figures(figure: Figure, rows: Sequence[Row]) -> None:
    figure.add("signals", "count", "", rows, "count")
    for outcome in ("ordered", "skipped"):
        figure.add(outcome, "count", "", [r for r in rows if r.text("outcome") == outcome], "count")
    for name, ruling in RULINGS.items():
        figure.add(name, "count", "", [r for r in rows if r.text("ruling") == ruling], "count")
