"""Premarket: what was known before a session opened: biases, snapshots of symbols, and news."""

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.parts import html, notices
from ui.parts.sessions import choose_session
from ui.visit import current

_NEWS = 100
_TRENDS = {1: "▲ up", 0: "▬ none", -1: "▼ down"}


def show() -> None:
    """Choose a session; what was prepared for it."""
    visit = current()
    seen = notices.usable(visit.read(schemas.Watchlist, "/api/watchlist"))
    if seen is None:
        return
    first, _ = st.columns([1, 2.2])
    with first:
        day = choose_session(visit, seen, "premarket-session")
    found = notices.usable(
        visit.read(schemas.Listing[schemas.Snapshot], "/api/premarket", date=day, fresh=3.0)
    )
    if found is None:
        return
    if not found.data:
        st.html(notices.notice("", "No snapshot for this session", "It was not prepared."))
        return
    biases = visit.read(schemas.DailyBiases, "/api/daily-bias", date=day, fresh=3.0).value
    if biases is not None and biases.data:
        st.html(html.card("Biases", _context(biases) + _biases(biases.data)))
    st.html(html.card("Snapshots", _table(found.data)))
    st.caption(
        "A trend needs both slopes on one side and swings that do not speak against it. MR does "
        "not arm with the trend, TC only with it; above the ATR percentile cap nothing arms."
    )
    news = visit.read(schemas.News, "/api/news", date=day, limit=_NEWS, fresh=3.0).value
    if news is not None:
        st.html(html.card("News that was read", _news(news)))


def _news(found: schemas.News) -> str:
    """What was known before the open, newest first; other people's words, as text."""
    if not found.data:
        return (
            '<p class="soft">None. A replay reads what <code>--news FILE</code> names; '
            "<code>advisor news fetch</code> collects it from feeds.</p>"
        )
    entries = "".join(
        f'<div class="entry"><span class="when">{words.clock(one.known_at, day=True)}</span>'
        f"<span>{''.join(html.chip(name, 'soft') for name in one.symbols[:6])} "
        f"{words.text(one.title)}</span>{_under(one)}</div>"
        for one in found.data
    )
    more = found.total - len(found.data)
    rest = f'<p class="small soft">{more:,} older ones are not shown.</p>' if more else ""
    return f'<div class="log wide tall">{entries}</div>{rest}'


def _under(one: schemas.NewsItem) -> str:
    summary = "" if one.summary.strip() == one.title.strip() else words.text(one.summary)
    told = f"{words.text(one.source)} · {summary}" if summary else words.text(one.source)
    return f'<div class="more">{told}</div>'


def _context(found: schemas.DailyBiases) -> str:
    """The market as a whole, in a line."""
    if found.context is None:
        return ""
    one = found.context
    return f"<p>{words.text(one.degraded_reason or one.summary)}</p>"


def _biases(found: list[schemas.DailyBias]) -> str:
    rows = [
        (
            f"<b>{words.text(one.symbol)}</b>",
            words.text(one.bias),
            words.number(one.confidence, 0),
            words.number(one.premarket_price)
            if one.premarket_price is not None
            else f'<span class="soft small">{words.text(one.price_note)}</span>',
            words.text(one.degraded_reason or one.reasoning),
            words.text(one.news_summary),
        )
        for one in found
    ]
    head = ("Symbol", "Bias", "Confidence", "Premarket price", "Why", "News")
    return html.table(head, rows, numeric=(2, 3), stack=True)


def _table(found: list[schemas.Snapshot]) -> str:
    rows = [
        (
            f"<b>{words.text(one.symbol)}</b>",
            _TRENDS[one.htf_trend],
            words.signed(one.ema_slope_daily),
            words.signed(one.ema_slope_hourly),
            words.text(one.hh_ll_tag),
            f"{words.number(one.atr_percentile, 0)} "
            f'<span class="soft small">in {one.sessions}</span>',
            words.number(one.atr_5m),
            f"{words.number(one.mean_5m)} ± {words.number(one.deviation_5m)}",
            words.number(one.previous_close),
            "–" if one.average_volume is None else f"{one.average_volume / 1e6:,.1f} M",
            html.chip(", ".join(one.incomplete), "warn") if one.incomplete else "complete",
        )
        for one in found
    ]
    head = ("Symbol", "Trend", "Daily slope", "Hourly slope", "Swings", "ATR percentile",
            "ATR 5 min", "Band 5 min", "Last close", "Volume a day", "Can arm")  # fmt: skip
    return html.table(head, rows, numeric=(2, 3, 5, 6, 7, 8, 9), stack=True)
