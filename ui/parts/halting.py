"""Halt and resume, from every page: what is asked for, by whom, and the form that asks.

A form opens first and is sent second, so nothing happens by one slip of a finger. The key must
reach as far as `admin`; that of this tab is used unless another is given, which is not kept.
"""

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.client import Reading
from ui.parts import notices
from ui.visit import Visit


def health_of(visit: Visit) -> Reading[schemas.Health]:
    """The parts of the program, and what was asked of the session."""
    return visit.read_all(schemas.Health, "/api/health", fresh=1.0)


def is_resumable(health: schemas.Health) -> bool:
    """Whether the session is halted, so that the button resumes."""
    return health.control.asked == "halt" if health.control else health.halted


def is_halted(health: schemas.Health | None, seen: schemas.Watchlist | None) -> bool:
    """Whether what is shown is halted, or about to be."""
    asked = health.control.asked if health and health.control else None
    return asked == "halt" or (asked is None and seen is not None and seen.risk_state == "HALTED")


def draw_button(visit: Visit, health: schemas.Health) -> None:
    """The one that opens the form. The forms are two widgets: after one is sent it is closed."""
    if is_resumable(health):
        with st.popover(
            "Resume …", key="open-resume", on_change="rerun", type="primary", width="stretch"
        ) as form:
            if form.open:
                _resume(visit)
    else:
        with st.popover("Halt …", key="open-halt", on_change="rerun", width="stretch") as form:
            if form.open:
                _halt(visit)


def _halt(visit: Visit) -> None:
    with st.form("halt-form", border=False):
        st.html(
            "<h3>Halt this session?</h3><p>No new entries. Positions keep their stops and targets."
            " Only a person starts it again.</p>"
        )
        reason = st.text_input("Reason", max_chars=500, placeholder="why; kept in the ledger")
        flatten = st.checkbox("Also close every position at market")
        key = _key(visit)
        if st.form_submit_button("Halt now", type="primary", width="stretch"):
            body = schemas.HaltRequest(reason=reason, flatten=flatten)
            _done(visit.client.tell(schemas.Control, "/api/halt", body, key=key or visit.key))


def _resume(visit: Visit) -> None:
    with st.form("resume-form", border=False):
        st.html("<h3>Resume trading?</h3><p>New entries are let through again.</p>")
        sure = st.checkbox("I have looked at why it was halted")
        key = _key(visit)
        if st.form_submit_button("Resume", type="primary", width="stretch"):
            if sure:
                _done(visit.client.tell(schemas.Control, "/api/resume", key=key or visit.key))
            else:
                st.html(notices.notice("warn", "Tick the box first", "Resuming is confirmed."))


def _key(visit: Visit) -> str:
    hint = "that of this tab, unless you give another" if visit.key else "adv_…"
    return st.text_input("Admin key", type="password", placeholder=hint).strip()


def _done(answer: Reading[schemas.Control]) -> None:
    if answer.trouble is None:
        st.rerun()
    if answer.trouble.why in ("scope", "key"):
        body = "`advisor keys create NAME --scope admin` makes one that may."
        st.html(notices.notice("warn", "This key may not halt or resume", body))
    else:
        st.html(notices.explained(answer.trouble))


def box(health: schemas.Health | None, seen: schemas.Watchlist | None, why: str) -> str:
    """What everybody must see while trading is stopped, or about to change; empty otherwise.

    `why` is the ledger's own reason, for a halt that no person asked for.
    """
    asked = health.control if health else None
    state = seen.risk_state if seen else "ACTIVE"
    if asked is not None and asked.asked == "halt":
        title = "HALTED" if asked.applied else "HALT asked for, not done yet"
        rest = "" if asked.applied else " The session does it within a second, or when it starts."
        held = "Positions are closed at market." if asked.flatten else (
            "Nothing is sent but exits; positions keep their stops and targets."
        )  # fmt: skip
        return _notice("stop", title, _who(asked), f"{held}{rest} Only a person starts it again.")
    if asked is not None:
        return _notice(
            "warn", "Resume asked for, not done yet", _who(asked),
            "The session does it within a second, or when it starts.",
        )  # fmt: skip
    if state == "HALTED":
        body = "Nothing is sent but exits, and only a person starts it again."
        return _notice("stop", "HALTED", words.text(f"Reason: {why}") if why else "", body)
    if state == "REDUCING":
        body = "Exits only: no new position is opened."
        return _notice("stop", "REDUCING", words.text(f"Reason: {why}") if why else "", body)
    return ""


def _who(asked: schemas.Control) -> str:
    reason = f": {words.text(asked.reason)}" if asked.reason else ""
    return f"by {words.text(asked.by)}, {words.clock(asked.at, day=True)} New York{reason}"


def _notice(tone: str, title: str, safe: str, body: str) -> str:
    return (
        f'<div class="a-notice {tone}" role="alert"><b>{words.text(title)} '
        f'<span class="who">{safe}</span></b>{words.text(body)}</div>'
    )
