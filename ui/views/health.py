"""Health: the parts of the program, the runs of the ledger, and the heads of its hash chains."""

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import html, notices
from ui.parts.strip import runs_of
from ui.visit import Visit, current

_TONES = {"ok": "gain", "degraded": "warn", "down": "stop", "not_configured": "soft"}


def show() -> None:
    """Draw the page, live."""
    visit = current()
    st.fragment(_live, run_every=2 * visit.tick)(visit)


def _live(visit: Visit) -> None:
    reading = visit.read_all(schemas.Health, "/api/health")
    found = notices.usable(reading)
    if found is not None:
        age = reading.age if reading.trouble else 0.0
        st.html(html.card(f"Parts of version {found.version}", _components(found, age)))
    runs = notices.usable(runs_of(visit))
    if runs is not None and runs.data:
        st.html(html.card("Runs", _runs(runs.data)))
        st.html(html.card("Heads of the hash chains, newest run", _heads(runs.data[0])))
    elif runs is not None:
        title, body, command = notices.COMMANDS["no-run"]
        st.html(notices.notice("", title, body, command))


def _components(found: schemas.Health, age: float) -> str:
    rows = [
        (
            f"<b>{words.plain_words(one.name)}</b>",
            html.chip(one.state.replace("_", " "), _TONES[one.state]),
            notices.with_commands(one.detail),
        )
        for one in found.components
    ]
    when = f"{words.span(age)} ago" if age else words.clock(found.time)
    return html.table(("Part", "State", "Detail"), rows, stack=True) + (
        f'<p class="small soft">Asked {when}. “not configured” is no fault.</p>'
    )


def _runs(found: list[schemas.Run]) -> str:
    rows = [
        (
            words.text(one.run),
            f"{words.text(one.kind)} {_status(one)}",
            f"{words.day(one.first_date)} … {words.day(one.last_date)}",
            words.text(", ".join(name for name in one.lanes if name != "market")),
            words.clock(one.created_at, day=True),
            words.text(one.code_version[:12]),
            words.text(one.config_hash),
        )
        for one in found
    ]
    head = ("Run", "Kind", "Sessions", "Lanes", "Started", "Code", "Settings")
    return html.table(head, rows, key=0, stack=True)


def _status(run: schemas.Run) -> str:
    return html.chip(run.status, "accent" if run.status == "running" else "soft")


def _heads(run: schemas.Run) -> str:
    rows = [(words.text(lane), words.text(head)) for lane, head in run.chain_heads.items()]
    return html.table(("Lane", "Hash of the newest record"), rows, key=1) + (
        '<p class="small soft"><code>advisor ledger verify DIR</code> reads the whole chain.</p>'
    )
