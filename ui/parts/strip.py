"""The line on top of every page: what is shown, how it stands, and what is wrong with it.

HALTED, REDUCING, DEGRADED and an absent API are boxes of their own under it, with which every page
begins; HALTED and DEGRADED also mark the bar that stays when the page is scrolled.
"""

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.client import Reading
from ui.parts import halting, html, notices
from ui.parts.log import UNSCALED, factors
from ui.visit import Visit, choose


def draw_strip(visit: Visit) -> None:
    """The line, live, with halt or resume and the choice of run and lane at its end."""
    seen, health = _read(visit)
    drawn = _outside(seen, health)
    notices.is_waiting()  # that of the run before: this one draws the page anyway

    @st.fragment(run_every=visit.tick)
    def live() -> None:
        watchlist, (_, now) = visit.read(schemas.Watchlist, "/api/watchlist"), _read(visit)
        moved = now is not None and _outside(watchlist.value, now) != drawn
        if moved or notices.is_waiting():
            st.rerun()
        st.html(strip(watchlist, chosen_run(visit), now) + warnings(visit, watchlist, now))

    with st.container(horizontal=True, vertical_alignment="top", key="strip"):
        with st.container(width="stretch"):
            live()
        if health is not None and health.can_halt:
            with st.container(width=130):
                halting.draw_button(visit, health)
        with (
            st.container(width=110),
            st.popover("View", width="stretch", help="Which run and lane is shown"),
        ):
            _choice(visit)


def _outside(seen: schemas.Watchlist | None, health: schemas.Health | None) -> tuple[bool, ...]:
    """What the button and the tab's title depend on, which are not drawn anew at every tick."""
    can = health is not None and health.can_halt
    return can, health is not None and halting.is_resumable(health), halting.is_halted(health, seen)


def title(visit: Visit) -> str:
    """What the browser's tab is called: HALTED is read there too."""
    seen, health = _read(visit)
    return "HALTED · Advisor" if halting.is_halted(health, seen) else "Advisor"


def _read(visit: Visit) -> tuple[schemas.Watchlist | None, schemas.Health | None]:
    return visit.read(schemas.Watchlist, "/api/watchlist").value, halting.health_of(visit).value


def runs_of(visit: Visit) -> Reading[schemas.Runs]:
    """Every run of the ledger; it seldom changes."""
    return visit.read_all(schemas.Runs, "/api/runs", fresh=3.0)


def chosen_run(visit: Visit) -> schemas.Run | None:
    """The run that is shown."""
    runs = runs_of(visit).value
    found = runs.data if runs else []
    return next((one for one in found if visit.run in (None, one.run)), None)


def strip(
    reading: Reading[schemas.Watchlist], run: schemas.Run | None, health: schemas.Health | None
) -> str:
    """The line itself."""
    seen = reading.value
    if seen is None:
        return '<div class="a-strip"><b>Advisor</b></div>'
    kind = run.kind if run else "run"
    going = run is not None and run.status == "running"
    parts = [
        html.chip(f"{kind} · {run.status if run else ''}", "accent" if going else "soft"),
        _labelled("Lane", f"<b>{words.text(seen.lane)}</b>"),
        _labelled("Session", f"<b>{words.day(seen.date)}</b>"),
        _labelled("Now", f"<b>{words.clock(seen.now)}</b> New York"),
        html.chip(_market(seen), "soft"),
        html.chip(seen.risk_state, "soft" if seen.risk_state == "ACTIVE" else "stop"),
        _labelled("Equity", f"<b>{words.money(seen.equity, 0)}</b>"),
        _labelled(
            "Today", f"<b>{words.coloured(seen.pnl_today, words.earned(seen.pnl_today))}</b>"
        ),
    ]
    mark = "halted" if halting.is_halted(health, seen) else ""
    return f'<div class="a-strip {mark}">{"".join(parts)}</div>'


def _labelled(label: str, safe: str) -> str:
    return f'<span><span class="label">{label}</span>{safe}</span>'


def _market(seen: schemas.Watchlist) -> str:
    if seen.now is None:
        return "no minute yet"
    return "market open" if seen.market_open else "market closed"


def warnings(
    visit: Visit, reading: Reading[schemas.Watchlist], health: schemas.Health | None
) -> str:
    """The boxes under the line; empty when all is well."""
    boxes = []
    trouble, seen = reading.trouble, reading.value
    if trouble is not None and seen is not None:
        boxes.append(notices.explained(trouble, reading.age))
    stopped = seen is not None and seen.risk_state != "ACTIVE"
    boxes.append(halting.box(health, seen, _why_halted(visit) if stopped else ""))
    boxes += _degraded(visit, seen)
    for part in health.components if health else []:
        told = part.name == "trading" or (part.name == "ledger" and seen is None)
        if part.state in ("degraded", "down") and not told:
            tone = "stop" if part.state == "down" else "warn"
            boxes.append(
                notices.notice(tone, f"DEGRADED: {part.name} is {part.state}", part.detail)
            )
    return "".join(boxes)


def _why_halted(visit: Visit) -> str:
    found = visit.read(schemas.Page[schemas.LogEntry], "/api/log", kind="risk", limit=1).value
    record = found.data[0].record if found and found.data else None
    return record.reason if isinstance(record, schemas.RiskChange) else ""


def _degraded(visit: Visit, seen: schemas.Watchlist | None) -> list[str]:
    """The newest analysis of the session, if it did not come about as intended."""
    found = visit.read(schemas.Page[schemas.PaidAnalysis], "/api/market-analysis", limit=1).value
    if seen is None or found is None or not found.data or seen.date is None:
        return []
    newest = found.data[0]
    if newest.status != "DEGRADED" or words.local(newest.as_of).date() != seen.date:
        return []
    base = factors(newest.multipliers) == UNSCALED
    body = (newest.degraded_reason or "no reason is recorded") + ". "
    body += "Base thresholds are in force." if base else ""
    return [notices.notice("warn", "DEGRADED: the newest analysis did not come about", body)]


def _choice(visit: Visit) -> None:
    runs = runs_of(visit).value
    if runs is None or not runs.data:
        st.caption("There is no run yet.")
        return
    names = [one.run for one in runs.data]
    run = st.selectbox(
        "Run", names, index=names.index(visit.run) if visit.run in names else 0,
        format_func=lambda name: _named(next(one for one in runs.data if one.run == name)),
    )  # fmt: skip
    lanes = [name for name in next(one for one in runs.data if one.run == run).lanes
             if name != "market"]  # fmt: skip
    preferred = "advised" if "advised" in lanes else next(iter(lanes), None)
    shown = visit.lane if visit.lane in lanes else preferred
    lane = st.selectbox("Lane", lanes, index=lanes.index(shown) if shown in lanes else None)
    wanted = (None if run == names[0] else run, None if lane == preferred else lane)
    if wanted != (visit.run, visit.lane):
        choose(*wanted)
        st.rerun()


def _named(run: schemas.Run) -> str:
    days = f"{run.first_date} … {run.last_date}" if run.first_date else "no session closed yet"
    return f"{run.kind}, {run.status}, {days} ({run.run[:8]})"
