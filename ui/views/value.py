"""Advisor value: does the advice add anything? Lanes, paired differences, confidence, vetoes."""

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import charts, html, notices
from ui.visit import Visit, current

_WHAT = {
    "advised": "with the analyst's multipliers and the validator's rulings",
    "baseline": "the same bars and rules, no advice",
    "placebo": "the same advice, shuffled in time, no rulings",
}


def show() -> None:
    """Draw the page."""
    visit = current()
    found = notices.usable(
        visit.read_all(schemas.LaneComparison, "/api/lanes", run=visit.run, fresh=3.0)
    )
    if found is None:
        return
    if not found.lanes:
        st.html(notices.notice("", "No lane yet", "The run has not closed its first minute."))
        return
    st.html(html.card("Lanes: identical bars, one engine", _lanes(found)))
    st.html(html.card("What the advice added, a session", _differences(found)))
    st.html(html.card("What it cost", _cost(found)))
    quality = notices.usable(visit.read(schemas.AdviceQuality, "/api/advice-quality", fresh=3.0))
    if quality is None:
        return
    left, right = st.columns([1.3, 1], gap="small")
    with left:
        _reliability(quality)
    with right:
        st.html(html.card("Rulings and what was not ordered", _rulings(found, visit)))
        st.html(html.card("Vetoes", _vetoes(quality)))


def _lanes(found: schemas.LaneComparison) -> str:
    rows = [
        (
            f'<b>{words.text(one.lane)}</b><div class="soft small">{_WHAT.get(one.lane, "")}</div>',
            words.coloured(one.pnl, words.earned(one.pnl)),
            words.percent(one.total_return, sign=True),
            words.percent(one.max_drawdown),
            f"{one.trades:,}",
            words.percent(one.win_rate, 1),
            words.number(one.profit_factor),
            f"{one.signals:,}",
            f"{one.analyses:,}",
            html.chip(one.degraded, "warn") if one.degraded else "0",
        )
        for one in found.lanes
    ]
    head = ("Lane", "P/L", "Return", "Drawdown at session ends", "Trades", "Won", "Profit factor",
            "Signals", "Analyses", "Degraded")  # fmt: skip
    return html.table(head, rows, numeric=range(1, 10), stack=True)


def _differences(found: schemas.LaneComparison) -> str:
    if not found.differences:
        return '<p class="soft">Only one lane ran: run with an analyst to compare.</p>'
    bounds = [value for one in found.differences for value in (one.low, one.high, one.mean)]
    widest = max(abs(value or 0.0) for value in bounds) * 1.1 or 1.0
    rows = [
        (
            f"advised − {words.text(one.against)}",
            words.coloured(one.mean, words.earned(one.mean)),
            _interval(one, widest),
            "" if one.low is None else f"{words.earned(one.low)} … {words.earned(one.high)}",
            words.coloured(one.total, words.earned(one.total)),
            f"{one.sessions:,}",
            f"<b>{words.text(one.verdict)}</b>",
        )
        for one in found.differences
    ]
    head = ("", "Mean", "95 % interval around zero", "from … to", "Total", "Sessions", "Verdict")
    return html.table(head, rows, numeric=(1, 4, 5), stack=True) + (
        '<p class="small soft">Block bootstrap over paired sessions. An interval that holds zero '
        "claims nothing.</p>"
    )


def _cost(found: schemas.LaneComparison) -> str:
    """Questions to models by lane, and the difference to the baseline that is left after them."""
    asked = [one for one in found.lanes if one.model_cost.calls]
    if not asked:
        return '<p class="soft">No model was asked: this advice cost nothing.</p>'
    rows = [
        (
            f"<b>{words.text(one.lane)}</b>",
            words.money(one.model_cost.usd, 4),
            f"{one.model_cost.calls:,}",
            f"{one.model_cost.tokens_in:,}",
            f"{one.model_cost.tokens_out:,}",
            _left(one, found),
        )
        for one in asked
    ]
    head = ("Lane", "Cost", "Questions", "Tokens in", "Tokens out", "Added less cost")
    return html.table(head, rows, numeric=range(1, 6), stack=True) + (
        '<p class="small soft">Differences and P/L above are before this cost. '
        "<code>advisor evaluate</code> charges it session by session.</p>"
    )


def _left(one: schemas.LaneSummary, found: schemas.LaneComparison) -> str:
    """What advised minus baseline comes to when the models are paid."""
    total = next((each.total for each in found.differences if each.against == "baseline"), None)
    if one.lane != "advised" or total is None or one.model_cost.usd is None:
        return words.DASH
    left = total - one.model_cost.usd
    return words.coloured(left, words.earned(left))


def _interval(one: schemas.LaneDifference, widest: float) -> str:
    if one.low is None or one.high is None or one.mean is None:
        return words.DASH

    def place(value: float) -> float:
        return 50.0 + 50.0 * value / widest

    low, high = place(one.low), place(one.high)
    return (
        '<div class="interval" aria-hidden="true"><i class="zero" style="left:50%"></i>'
        f'<i class="range" style="left:{low:.1f}%;width:{high - low:.1f}%"></i>'
        f'<i class="mean" style="left:{place(one.mean):.1f}%"></i></div>'
    )


def _reliability(quality: schemas.AdviceQuality) -> None:
    st.html("<h3>Is the validator's confidence worth something?</h3>")
    if not quality.reliability:
        st.html('<p class="soft">No verdict with a confidence has a closed trade yet.</p>')
        return
    bins = quality.reliability
    option = charts.reliability(
        [f"{one.low:.0f}–{one.low + 10:.0f} ({one.trades})" for one in bins],
        [100 * one.wins / one.trades for one in bins],
        [one.mean_confidence for one in bins],
    )
    st.echarts_chart(option, height=300, key="value-reliability")
    st.caption(
        "By stated confidence, with the number of trades. Where bars reach the line, the stated "
        "confidence was right."
    )


def _rulings(found: schemas.LaneComparison, visit: Visit) -> str:
    wanted = visit.lane or "advised"
    lane = next((one for one in found.lanes if one.lane == wanted), found.lanes[0])
    rows = [(f"ruled {words.text(name)}", f"{count:,}") for name, count in lane.rulings.items()]
    rows += [
        (f"not ordered: {words.plain_words(name)}", f"{count:,}")
        for name, count in lane.blocked.items()
    ]
    if not rows:
        return '<p class="soft">No signal yet.</p>'
    return html.table((f"{lane.signals:,} signals", ""), rows, numeric=(1,))


def _vetoes(quality: schemas.AdviceQuality) -> str:
    found = quality.vetoes
    if found is None:
        return '<p class="soft">This lane is the one to compare with; choose the advised lane.</p>'
    if not found.vetoes:
        return '<p class="soft">Nothing was vetoed.</p>'
    if not found.traded:
        return f"<p>{found.vetoes:,} vetoed; the baseline traded none of them.</p>"
    saved = -(found.pnl or 0.0)
    word = "saved" if saved >= 0 else "cost"
    return (
        f"<p>Of <b>{found.vetoes:,}</b> vetoed signals the baseline traded "
        f"<b>{found.traded:,}</b>: "
        f"{found.wins:,} won, together {words.coloured(found.pnl, words.earned(found.pnl))}.</p>"
        f"<p>The vetoes {word} <b>{words.money(abs(saved))}</b> there.</p>"
    )
