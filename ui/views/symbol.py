"""One symbol through one session: price with band and marks, z, multipliers, and the log beside."""

from datetime import date

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import html, notices
from ui.parts.log import log
from ui.parts.price import Session, price_chart
from ui.parts.sessions import choose_session, offset
from ui.parts.strip import chosen_run
from ui.parts.watchlist import state_chip
from ui.visit import Visit, current

TIMEFRAMES = {"1 min": "1min", "5 min": "5min", "15 min": "15min", "1 hour": "1hour"}
_KINDS = ["trade", "signal", "transition", "fill", "order_rejection"]


def show() -> None:
    """Choose symbol, session and timeframe; the newest session of a going run stays live."""
    visit = current()
    seen = notices.usable(visit.read(schemas.Watchlist, "/api/watchlist"))
    if seen is None:
        return
    names = [one.symbol for one in seen.data]
    if not names:
        st.html(notices.notice("", "No symbol yet", "The run has not read its first bar."))
        return
    chosen = _choose(visit, seen, names)
    if chosen is None:
        return
    symbol, day, timeframe = chosen
    run = chosen_run(visit)
    live = day == seen.date and run is not None and run.status == "running"
    st.fragment(_draw, run_every=visit.tick if live else None)(visit, symbol, day, timeframe)


def _choose(
    visit: Visit, seen: schemas.Watchlist, names: list[str]
) -> tuple[str, date, str] | None:
    asked = st.query_params.get("symbol", names[0]).upper()
    if asked not in names:
        st.html(
            notices.notice(
                "warn", f"{asked[:40]} is not on the watchlist of this run",
                f"It has {', '.join(names)}.",
            )
        )  # fmt: skip
        asked = names[0]
    first, second, third = st.columns([1, 1.3, 1.7], vertical_alignment="bottom")
    with first:
        symbol = st.selectbox("Symbol", names, index=names.index(asked), key="symbol-name")
    with second:
        day = choose_session(visit, seen, "symbol-session")
    with third:
        frame = st.segmented_control(
            "Timeframe", list(TIMEFRAMES), default="5 min", key="symbol-frame", required=True
        )
    st.query_params["symbol"] = symbol
    if day is None:
        st.html(notices.notice("", "No minute yet", "The run has not read its first bar."))
        return None
    return symbol, day, TIMEFRAMES[frame or "5 min"]


def _draw(visit: Visit, symbol: str, day: date, timeframe: str) -> None:
    seen = visit.read(schemas.Watchlist, "/api/watchlist").value
    candles = notices.usable(
        visit.read(schemas.Candles, "/api/candles", symbol=symbol, date=day, timeframe=timeframe)
    )
    if candles is None or seen is None:
        return
    entries = visit.read(
        schemas.Page[schemas.LogEntry], "/api/log", kind=_KINDS, symbol=symbol, start_date=day,
        end_date=day, limit=200,
    ).value  # fmt: skip
    found = entries.data if entries else []
    left, right = st.columns([2.4, 1], gap="small")
    with left:
        st.html(_figures(candles, found))
        if candles.data:
            session = Session(candles.data, found, _analyses(visit, day), seen.thresholds)
            st.echarts_chart(price_chart(session), height=620, key="symbol-chart")
            st.caption(
                f"{offset(day)} Shaded: μ ± the MR arm in force. Candles are made of minute "
                "closes. Dashed in the z panel: the arms in force. Scroll or pinch to zoom."
            )
        else:
            st.html(notices.notice("", f"No minute of {symbol}", f"on {day}"))
    with right, st.container(key="tall-symbol"):
        st.html(html.card("Decisions", log(found, visit)))


def _analyses(visit: Visit, day: date) -> list[schemas.Analysis]:
    """The session's analyses, oldest first."""
    found = visit.read(
        schemas.Page[schemas.PaidAnalysis], "/api/market-analysis", start_date=day, end_date=day,
        limit=100,
    ).value  # fmt: skip
    return list(reversed(found.data)) if found else []


def _figures(candles: schemas.Candles, entries: list[schemas.LogEntry]) -> str:
    last = candles.data[-1] if candles.data else None
    trades = [one.record for one in entries if isinstance(one.record, schemas.Trade)]
    earned = sum(one.pnl or 0.0 for one in trades)
    signals = sum(isinstance(one.record, schemas.Signal) for one in entries)
    return html.tiles(
        [
            html.tile("Last price", words.number(last.close if last else None)),
            html.tile("z", words.signed(last.z if last else None)),
            html.tile("State", state_chip(last.state, last.side) if last else words.DASH),
            html.tile("Signals", f"{signals:,}"),
            html.tile("Trades", f"{len(trades):,}"),
            html.tile("P/L", words.coloured(earned, words.earned(earned) if trades else "–")),
        ]
    )
