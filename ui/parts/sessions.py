"""Which sessions a run has, and choosing one of them. The choice is part of the address."""

from datetime import date

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.visit import Visit


def sessions(visit: Visit, seen: schemas.Watchlist) -> list[date]:
    """New York days with a session, newest first, the open one included."""
    closed = visit.read(schemas.Page[schemas.LogEntry], "/api/log", kind="day", limit=250).value
    days = [one.record.date for one in closed.data if isinstance(one.record, schemas.Day)] \
        if closed else []  # fmt: skip
    if seen.date is not None and seen.date not in days:
        days.insert(0, seen.date)
    return days


def choose_session(visit: Visit, seen: schemas.Watchlist, key: str) -> date | None:
    """The session to look at: the newest, the one in the address, or the one chosen here."""
    days = sessions(visit, seen)
    if not days:
        return None
    asked = st.query_params.get("date")
    index = next((at for at, one in enumerate(days) if one.isoformat() == asked), 0)
    chosen = st.selectbox("Session", days, index=index, format_func=words.day, key=key)
    if chosen != days[0]:
        st.query_params["date"] = chosen.isoformat()
    else:
        st.query_params.pop("date", None)
    return chosen


def offset(moment_date: date) -> str:
    """How far New York is behind UTC on a day, as a sentence for under a chart."""
    from datetime import datetime, time

    noon = datetime.combine(moment_date, time(12), words.NEW_YORK).utcoffset()
    hours = -round(noon.total_seconds() / 3600) if noon is not None else 0
    return f"New York time; UTC is {hours} hours ahead."
