"""Settings: what is in force, where each value came from, and what the newest run was made with."""

from itertools import groupby

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import html, notices
from ui.visit import current


def show() -> None:
    """A table a group; nothing here can be changed."""
    visit = current()
    found = notices.usable(visit.read_all(schemas.SettingsAnswer, "/api/settings", fresh=3.0))
    if found is None:
        return
    first, second = st.columns([2, 1], vertical_alignment="bottom")
    sought = first.text_input("Find", placeholder="max_positions", key="settings-find")
    changed = second.toggle("Only what is not the default", key="settings-changed")
    rows = [
        one
        for one in found.data
        if sought.strip().lower() in one.key.lower()
        and (not changed or one.source != "default" or _differs(one, found))
    ]
    if not rows:
        st.html(notices.notice("", "No setting matches", "Everything else is as it was shipped."))
        return
    st.caption(
        "Read only. `advisor.toml` or `ADVISOR_GROUP__NAME` in the environment change a value for "
        "the next run."
    )
    for group, members in groupby(rows, key=lambda one: one.key.partition(".")[0]):
        st.html(html.card(group, f'<div class="even">{_table(list(members), found)}</div>'))


def _differs(one: schemas.Setting, found: schemas.SettingsAnswer) -> bool:
    return found.run is not None and one.in_run is not None and one.in_run != one.value


def _table(members: list[schemas.Setting], found: schemas.SettingsAnswer) -> str:
    rows = [
        (
            words.text(one.key.partition(".")[2] or one.key),
            f'<span class="words">{_value(one.value)}</span>',
            html.chip(one.source, "soft" if one.source == "default" else "accent"),
            f"{html.chip('differs', 'warn')} {_value(one.in_run)}" if _differs(one, found) else "",
        )
        for one in members
    ]
    return html.table(("Name", "Value", "From", "In the newest run"), rows, key=0, stack=True)


def _value(value: object) -> str:
    if isinstance(value, list):
        return words.text(", ".join(map(str, value))) if value else words.DASH
    if isinstance(value, dict):
        return words.text(", ".join(f"{name}: {one}" for name, one in value.items())) or words.DASH
    if isinstance(value, float) and value.is_integer():
        return words.number(value, 0).replace(",", "")
    return words.DASH if value is None or value == "" else words.text(value)
