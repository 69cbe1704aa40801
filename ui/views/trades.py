"""Trades: figures, curves and sums, the table with filters, and a trade's story."""

from collections.abc import Callable
from datetime import date
from typing import Any

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import charts, html, notices
from ui.parts.sessions import offset
from ui.parts.story import story
from ui.parts.trade_table import columns, csv_of, frame
from ui.visit import Visit, current

PAGE = 100
_GROUPS = (("By symbol", "symbol"), ("By setup", "setup"), ("By hour of entry", "hour"),
           ("By exit", "exit_reason"))  # fmt: skip
_CURVE_POINTS = 600


def show() -> None:
    """Filters first: everything below is about what they leave."""
    visit = current()
    seen = notices.usable(visit.read(schemas.Watchlist, "/api/watchlist"))
    if seen is None:
        return
    asked = _filters([one.symbol for one in seen.data])
    groups = notices.usable(
        visit.read(schemas.TradeGroups, "/api/trade-groups", fresh=3.0, **_dates(asked))
    )
    if groups is None:
        return
    if not groups.total.trades and "symbol" not in asked:
        _nothing(asked)
        return
    _story_from_address(visit)
    _figures(visit, asked, groups)
    _table(visit, asked)
    _curves(visit, asked, groups)


def _filters(symbols: list[str]) -> dict[str, Any]:
    """What the visitor left in: symbol, first and last day; absent means all."""
    first, second, third = st.columns([1, 1, 1])
    symbol = first.selectbox("Symbol", ["All", *symbols], key="trades-symbol")
    start = second.date_input("From", value=None, key="trades-from", format="YYYY-MM-DD")
    end = third.date_input("To", value=None, key="trades-to", format="YYYY-MM-DD")
    given = {
        "symbol": None if symbol == "All" else symbol,
        "start_date": start if isinstance(start, date) else None,
        "end_date": end if isinstance(end, date) else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _dates(asked: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if name != "symbol"}


def _nothing(asked: dict[str, Any]) -> None:
    if asked:
        st.html(notices.notice("", "No trade in these days", "Widen From and To."))
    else:
        st.html(
            notices.notice(
                "", "No trade yet",
                "A trade appears here when its position is closed. Signals that were not taken, "
                "and why, are on the Symbol page.",
            )
        )  # fmt: skip


def _figures(visit: Visit, asked: dict[str, Any], groups: schemas.TradeGroups) -> None:
    total = groups.total
    if "symbol" in asked:
        none = schemas.TradeGroup(name="", trades=0, wins=0, pnl=0.0, fees=0.0)
        total = next((one for one in groups.symbol if one.name == asked["symbol"]), none)
    pnl = visit.read(schemas.Pnl, "/api/pnl", fresh=3.0, **_dates(asked)).value
    rate = total.wins / total.trades if total.trades else None
    mean = (total.pnl or 0.0) / total.trades if total.trades else None
    found = [
        html.tile("P/L after fees", words.coloured(total.pnl, words.earned(total.pnl))),
        html.tile("Trades", f"{total.trades:,}"),
        html.tile("Won", words.percent(rate, 1), f"{total.wins:,} of {total.trades:,}"),
        html.tile("Mean trade", words.coloured(mean, words.earned(mean))),
        html.tile("Fees", words.money(total.fees)),
    ]
    if pnl is not None and "symbol" not in asked:
        found.insert(3, html.tile("Profit factor", words.number(pnl.total.profit_factor)))
    st.html(html.tiles(found))


def _curves(visit: Visit, asked: dict[str, Any], groups: schemas.TradeGroups) -> None:
    equity = visit.read(
        schemas.Listing[schemas.EquityPoint], "/api/equity", fresh=3.0, **_dates(asked)
    ).value
    left, right = st.columns([1.6, 1], gap="small")
    if equity is not None and equity.data:
        with left:
            _equity(visit, equity.data)
    with right:
        st.html("<h3>Results in R, from each label on</h3>")
        labels = [_bucket(one.low, groups) for one in groups.returns]
        option = charts.columns(labels, [one.trades for one in groups.returns], "Trades")
        st.echarts_chart(option, height=320, key="trades-returns")
    st.html("<h3>P/L after fees</h3>")
    for place, (title, name) in zip(st.columns(4, gap="small"), _GROUPS, strict=True):
        found: list[schemas.TradeGroup] = getattr(groups, name)
        with place:
            st.html(html.card(title, _sums(found)))


def _equity(visit: Visit, points: list[schemas.EquityPoint]) -> None:
    """At session ends; minute by minute when there is only one session."""
    form = "%Y-%m-%d"
    if len(points) == 1:
        day = words.local(points[0].time).date()
        minutes = visit.read(
            schemas.Listing[schemas.EquityPoint], "/api/equity", resolution="minute", date=day
        ).value
        points, form = (minutes.data if minutes else []), "%H:%M"
    title = "at session ends" if form == "%Y-%m-%d" else "in the only session"
    st.html(f"<h3>Equity and drawdown {title}</h3>")
    points = points[:: max(1, len(points) // _CURVE_POINTS)]
    option = charts.equity(
        [words.local(one.time).strftime(form) for one in points],
        [one.equity for one in points], [one.drawdown for one in points],
    )  # fmt: skip
    st.echarts_chart(option, height=320, key="trades-equity")
    if form == "%H:%M" and points:
        st.caption(offset(words.local(points[0].time).date()))


def _bucket(low: float, groups: schemas.TradeGroups) -> str:
    first, last = groups.returns[0].low, groups.returns[-1].low
    if low == first:
        return f"< {words.signed(low + groups.bucket_width, 1)}"
    return f"≥ {words.signed(low, 1)}" if low == last else words.signed(low, 1)


def _sums(groups: list[schemas.TradeGroup]) -> str:
    rows = [
        (
            words.plain_words(one.name),
            f"{one.trades:,}",
            words.percent(one.wins / one.trades, 0) if one.trades else words.DASH,
            words.coloured(one.pnl, words.earned(one.pnl)),
        )
        for one in groups
    ]
    return html.table(("", "Trades", "Won", "P/L"), rows, numeric=(1, 2, 3))


def _table(visit: Visit, asked: dict[str, Any]) -> None:
    """Pages of the table; a chosen row tells its story below."""
    key = "/".join(str(part) for part in (visit.run, visit.lane, *asked.items()))
    pages: dict[str, list[str | None]] = st.session_state.setdefault("trade-pages", {})
    cursors = pages.setdefault(key, [None])
    found = notices.usable(
        visit.read(
            schemas.Page[schemas.Trade], "/api/trades", limit=PAGE, cursor=cursors[-1], **asked
        )
    )
    if found is None:
        return
    if not found.data:
        st.html(notices.notice("", "No trade matches", "Choose other filters."))
        return
    st.html(
        '<h3>Trades <span class="soft small">newest first, New York time; choose a row for its '
        "story</span></h3>"
    )
    chosen = st.dataframe(
        frame(found.data), column_config=columns(), hide_index=True, on_select="rerun",
        selection_mode="single-row", height=min(38 + 35 * len(found.data), 390),
        key=f"trades-table-{key}-{len(cursors)}",
    )  # fmt: skip
    with st.container(horizontal=True):
        if len(cursors) > 1:
            st.button("Newer", on_click=_back(cursors))
        if found.next is not None:
            st.button("Older", on_click=_on(cursors, found.next))
        st.download_button(
            "Export CSV", data=lambda: csv_of(visit, asked), file_name="trades.csv",
            mime="text/csv", on_click="ignore", help="All trades that match, times in UTC",
        )  # fmt: skip
    rows = chosen.selection.rows if hasattr(chosen, "selection") else []
    if rows and rows[0] < len(found.data):
        _story(visit, found.data[rows[0]].id)


def _on(cursors: list[str | None], following: str) -> Callable[[], None]:
    return lambda: cursors.append(following)


def _back(cursors: list[str | None]) -> Callable[[], None]:
    return lambda: cursors.__delitem__(-1)


def _story_from_address(visit: Visit) -> None:
    """A link names a trade: its story comes first, and can be put away."""
    asked = st.query_params.get("trade", "")
    if not asked.isdigit():
        return
    _story(visit, int(asked))
    if st.button("Close this story"):
        st.query_params.pop("trade", None)
        st.rerun()


def _story(visit: Visit, number: int) -> None:
    reading = visit.read(schemas.TradeStory, f"/api/trades/{number}")
    found = notices.usable(reading)
    if found is None:
        return
    trade = found.trade
    day = words.local(trade.exit_time).date()
    title = f"{trade.symbol} {trade.side}, {words.SETUPS[trade.setup]}, {words.day(day)}"
    chart = html.link(visit.link("symbol", symbol=trade.symbol, date=day), "see it on the chart")
    st.html(html.card(title, f'<p class="small">{chart}</p>{story(found)}'))
