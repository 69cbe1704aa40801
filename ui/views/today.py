"""Today: the watchlist, what is in force, what is held and what was decided — live."""

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import charts, html, notices
from ui.parts.chart_alerts import chart_alerts
from ui.parts.log import log
from ui.parts.sessions import offset
from ui.parts.steps import steps
from ui.parts.watchlist import grid
from ui.visit import Visit, current

SHOWN = 16
MOST_CHARTS = 8
_DECISIONS = ["trade", "signal", "transition", "fill", "order_rejection", "risk", "day"]
_WHY = {
    "analysis": "from the newest analysis",
    "none": "no analysis is in force: base thresholds",
    "expired": "the last analysis has expired: base thresholds",
    "tightened": "loss beyond half the daily limit: arms may not be eased",
}
_FACTORS = (("mr_arm", "MR arm"), ("mr_trigger", "MR trigger"), ("tc_arm", "TC arm"),
            ("tc_trigger", "TC trigger"))  # fmt: skip


def show() -> None:
    """Draw the page; everything on it is read again at every tick."""
    visit = current()
    st.fragment(_live, run_every=visit.tick)(visit)


def _live(visit: Visit) -> None:
    seen = notices.usable(visit.read(schemas.Watchlist, "/api/watchlist"))
    if seen is None:
        return
    left, right = st.columns([2.1, 1], gap="small")
    with left:
        st.html(html.card("Watchlist", grid(seen, visit)))
        if told := _chart_alerts(seen, visit):
            st.html(html.card("Chart alerts", told))
        _equity(seen, visit)
    with right:
        if doing := steps(visit):
            st.html(html.card("What the analyst is doing", doing))
        st.html(html.card("In force", _in_force(seen, visit)))
        st.html(html.card("Alerts", _alerts(visit)))
        with st.container(key="tall-today"):
            st.html(html.card("Decisions", _decisions(visit, seen)))


def _decisions(visit: Visit, seen: schemas.Watchlist) -> str:
    found = visit.read(
        schemas.Page[schemas.LogEntry],
        "/api/log",
        kind=_DECISIONS,
        limit=SHOWN,
        start_date=seen.date,
    ).value
    return log(found.data if found else (), visit)


def _in_force(seen: schemas.Watchlist, visit: Visit) -> str:
    scaled = seen.multipliers
    given = scaled.factors.model_dump()
    rows = [
        (
            words.text(label),
            words.number(seen.thresholds.get(f"{name}_z")),
            _factor(given[name]),
            f"<b>{words.number(seen.thresholds.get(f'{name}_z', 0.0) * given[name])}</b>",
        )
        for name, label in _FACTORS
    ]
    table = html.table(("Threshold", "Base z", "×", "In force"), rows, numeric=(1, 2, 3))
    lines = [("Why", words.text(_WHY[scaled.reason]))]
    if scaled.until is not None:
        lines.append(("Until", words.clock(scaled.until)))
    lines.append(("Next analysis", _until(seen)))
    found = visit.read(schemas.Page[schemas.PaidAnalysis], "/api/market-analysis", limit=1).value
    if found is not None and found.data:
        newest = found.data[0]
        lines.append(
            (
                f"Analysis {words.local(newest.as_of):%H:%M}",
                f'<div class="clamp">{words.text(newest.assessment)}</div>',
            )
        )
    return table + html.facts(lines)


def _factor(value: float) -> str:
    if value == 1.0:
        return words.number(value)
    word = "easier" if value < 1.0 else "harder"
    return f'{words.number(value)} <span class="soft small">{word}</span>'


def _until(seen: schemas.Watchlist) -> str:
    if seen.next_analysis is None or seen.now is None:
        return "none in this session"
    minutes = round((seen.next_analysis - seen.now).total_seconds() / 60)
    when = words.clock(seen.next_analysis)
    return f"in {minutes} min, at {when}" if minutes > 0 else f"due, {when}"


def _alerts(visit: Visit) -> str:
    found = visit.read(schemas.Page[schemas.Alert], "/api/alerts", limit=5).value
    if found is None or not found.data:
        return '<p class="soft">None.</p>'
    lines = "".join(
        f'<div class="entry"><span class="when">{words.clock(one.known_at)}</span><span>'
        f"{html.chip(one.severity, 'stop' if one.severity == 'critical' else 'warn')} "
        f"{words.text(one.symbol or one.source)}</span>"
        f'<div class="more">{words.clock(one.known_at, day=True)} · {words.text(one.message)}</div>'
        "</div>"
        for one in found.data
    )
    return f'<div class="log">{lines}</div>'


def _chart_alerts(seen: schemas.Watchlist, visit: Visit) -> str:
    """What charts told in the session that is shown; empty where they told nothing."""
    found = visit.read(
        schemas.Page[schemas.ChartAlert],
        "/api/chart-alerts",
        limit=MOST_CHARTS,
        start_date=seen.date,
        end_date=seen.date,
    ).value
    return chart_alerts(found.data, seen.now) if found is not None and found.data else ""


def _equity(seen: schemas.Watchlist, visit: Visit) -> None:
    if seen.date is None:
        return
    found = visit.read(
        schemas.Listing[schemas.EquityPoint], "/api/equity", resolution="minute", date=seen.date
    ).value
    if found is None or not found.data:
        return
    st.html(f"<h3>Equity, {words.day(seen.date)}</h3>")
    st.echarts_chart(
        charts.curve([f"{words.local(p.time):%H:%M}" for p in found.data],
                     [p.equity for p in found.data], "Equity"),
        height=300, key="today-equity",
    )  # fmt: skip
    st.caption(offset(seen.date))
