"""The premarket of one session: what is known at 08:30 New York, and the opinion formed of it.

`morning_of` collects, `open_day` has the day prepared and says what a ledger keeps of it: the news
that was read, the calls and findings that led to the biases, the biases, and the market's context.
Nothing here reaches the engine: biases are opinions that are scored, not orders.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta

import numpy as np

from advisor.bootstrap import Advisers
from advisor.market import Market
from graph.premarket_facts import Morning
from prompts.enclosure import capped, clean
from quant_core.bars import BarSeries
from quant_core.calendar import NEW_YORK, Calendar, Session, premarket_moment, to_datetime
from quant_core.types import DailyBias, Headline, Snapshot, Status
from tools.errors import NoData, NotConfigured
from tools.ports import LedgerRecord

NEWS_LINE = 200


def morning_of(
    market: Market, session: Session, snapshots: Sequence[Snapshot], news_hours: float
) -> Morning:
    """What is known of a session of a market at the moment of its premarket."""
    index = market.index(session)
    moment = premarket_moment(session)
    vix, day = vix_before(market.vix, market.calendar, index)
    return Morning(
        as_of=moment,
        snapshots=snapshots,
        prices=market.premarket.get(session.date, {}),
        vix=vix,
        vix_date=day,
        news_since=news_since(market.calendar, index, moment, news_hours),
    )


def vix_before(vix: BarSeries | None, calendar: Calendar, index: int) -> tuple[float, date | None]:
    """The last VIX close of an earlier session, and of which; NaN and None without one."""
    count = 0 if vix is None else int(np.searchsorted(vix.session, index, side="left"))
    if vix is None or count == 0:
        return float("nan"), None
    return float(vix.close[count - 1]), calendar.session(int(vix.session[count - 1])).date


def news_since(calendar: Calendar, index: int, moment: datetime, hours: float) -> datetime:
    """How far back a premarket reads: `hours`, or to the last close, if that is longer ago."""
    since = moment - timedelta(hours=hours)
    if index == 0:
        return since
    return min(since, to_datetime(int(calendar.closes[index - 1])))


def open_day(chosen: Advisers, morning: Morning) -> list[LedgerRecord]:
    """Have a day prepared; what a ledger keeps of it, nothing when nobody prepares."""
    if chosen.prepare is None:
        return []
    items, failure = _read_news(chosen, morning)
    opinion = chosen.prepare(morning)
    biases = [_with_news(one, items, failure) for one in opinion.value.biases]
    return [*chosen.kept.at_once(opinion, items or ()), *biases, opinion.value.context]


def _read_news(chosen: Advisers, morning: Morning) -> tuple[Sequence[Headline] | None, str]:
    """The news known by now (None without a source), and why it could not be read."""
    if chosen.news is None or morning.news_since is None:
        return None, ""
    symbols = [one.symbol for one in morning.snapshots]
    try:
        read = chosen.news.news(symbols, as_of=morning.as_of, since=morning.news_since)
        return [one for one in read if one.known_at <= morning.as_of], ""
    except (NoData, NotConfigured):
        return None, ""
    except Exception as error:
        return None, f"news could not be read: {type(error).__name__}: {error}"[:300]


def _with_news(bias: DailyBias, items: Sequence[Headline] | None, failure: str) -> DailyBias:
    """A bias with a line on its news where it has none; DEGRADED when news could not be read."""
    if failure and bias.status is Status.OK:
        bias = replace(bias, status=Status.DEGRADED, degraded_reason=failure)
    if bias.news_summary or items is None:
        return bias
    return replace(bias, news_summary=news_line(bias.symbol, items))


def news_line(symbol: str, items: Sequence[Headline]) -> str:
    """How many items a symbol has, and the title of the latest; by code, in one bounded line."""
    own = [one for one in items if symbol in one.symbols]
    if not own:
        return "no news"
    latest = max(own, key=lambda one: (one.known_at, one.id))
    count = f"{len(own)} items" if len(own) > 1 else "1 item"
    when = f"{latest.known_at.astimezone(NEW_YORK):%m-%d %H:%M}"
    return capped(f"{count}; latest {when} {clean(latest.title)}", NEWS_LINE)
