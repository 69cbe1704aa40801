"""Reads: news, trades and orders as of a moment, as plain values with ids to cite.

Nothing that was not known at `as_of` passes, whatever the source returned. A source that is not
set up or has nothing is read as nothing; one that keeps failing is a failure of the machine, with
its reason, because an opinion formed without news that exists is not the opinion that was asked.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from graph.machine import READ_ATTEMPTS
from graph.masking import Mask
from graph.ports import Runtime
from graph.sheet import SIDES, Sheet, add_fact, new_sheet
from prompts import Item, Untrusted
from prompts.enclosure import ITEM_LIMIT, ITEMS_LIMIT, capped, clean
from quant_core.market_view import MarketView
from quant_core.types import Headline, Order, State, Trade
from tools.errors import NoData, NotConfigured, Transient

T = TypeVar("T")
WITHHELD = "(text withheld)"
MINUTE = timedelta(minutes=1)
TRADES_TODAY = 10
SIMILAR = 6


def attempt(
    runtime: Runtime, what: str, read: Callable[[], Sequence[T]]
) -> tuple[list[T], list[str]]:
    """(rows, failures) of a read; Transient passes while the node may be tried again."""
    try:
        return list(read()), []
    except (NoData, NotConfigured):
        return [], []
    except Transient as error:
        if runtime.execution_info.node_attempt < READ_ATTEMPTS:
            raise
        return [], [f"{what} could not be read: {error}"]
    except Exception as error:
        return [], [f"{what} could not be read: {type(error).__name__}: {error}"]


def read_news(
    runtime: Runtime, symbols: Sequence[str], as_of: datetime, mask: Mask
) -> tuple[list[dict[str, str]], list[str]]:
    """News known at `as_of`, newest first, as {id, kept, note, text}; and failures."""
    wiring = runtime.context
    reader = wiring.news
    if reader is None:
        return [], []
    since = as_of - timedelta(hours=wiring.news_hours)
    found, failures = attempt(
        runtime, "news", lambda: reader.news(symbols, as_of=as_of, since=since)
    )
    known = [one for one in found if one.known_at <= as_of]
    known.sort(key=lambda one: (one.known_at, one.id), reverse=True)
    shown = known[:ITEMS_LIMIT]
    return [_item(n, one, as_of, mask) for n, one in enumerate(shown, 1)], failures


def _item(number: int, headline: Headline, as_of: datetime, mask: Mask) -> dict[str, str]:
    """One headline; its id is ours, because a feed's id is foreign text too."""
    about = " ".join(mask.shown(one) for one in headline.symbols if one in mask.symbols)
    minutes = int((as_of - headline.published_at) / MINUTE)
    text = f"{headline.source}: {headline.title} {headline.summary}"
    return {
        "id": f"N{number}",
        "kept": f"news:{clean(headline.id)[:80]}",
        "note": f"{about or 'market'}, {minutes} minutes ago",
        "text": WITHHELD if mask.hides else capped(clean(text), ITEM_LIMIT),
    }


def enclosed(news: Sequence[dict[str, str]]) -> Untrusted:
    """News for a prompt."""
    items = [Item(id=one["id"], text=one["text"], note=one["note"]) for one in news]
    return Untrusted(items, empty="(no news)")


def news_ids(news: Sequence[dict[str, str]]) -> dict[str, str]:
    """Ids by which news may be cited."""
    return {one["id"]: one["kept"] for one in news}


def read_positions(runtime: Runtime, view: MarketView, mask: Mask) -> tuple[Sheet, list[str]]:
    """Open positions with their brackets, and trades closed today, as of the view's moment."""
    history, as_of = runtime.context.history, view.as_of
    if history is None:
        return new_sheet(), []
    opened = as_of - view.minutes_since_open * MINUTE
    orders, failed = attempt(runtime, "orders", lambda: history.orders(as_of=as_of))
    trades, failed_too = attempt(runtime, "trades", lambda: history.trades(as_of=as_of))
    sheet = new_sheet()
    for one in view.symbols:
        if tuple(State)[one.state] is State.IN_TRADE:
            _add_position(sheet, one.symbol, _today(orders, opened, as_of), mask)
    today = [one for one in trades if opened <= one.exit_time and _closed_by(one, as_of)]
    _add_trades(sheet, sorted(today, key=_recent)[:TRADES_TODAY], as_of, mask)
    return sheet, failed + failed_too


def _today(orders: Sequence[Order], opened: datetime, as_of: datetime) -> list[Order]:
    return [one for one in orders if opened <= one.decided_at <= as_of]


def _add_position(sheet: Sheet, symbol: str, orders: Sequence[Order], mask: Mask) -> None:
    own = [one for one in orders if one.symbol == symbol]
    if not own or symbol not in mask.symbols:
        return
    order = max(own, key=lambda one: (one.decided_at, one.client_order_id))
    prices = [order.reference, order.stop, order.target]
    text = (
        f"{SIDES[order.side]} {order.quantity}, entry near {prices[0]:.2f}, "
        f"stop {prices[1]:.2f}, target {prices[2]:.2f}"
    )
    kept = f"order:{order.client_order_id}"
    add_fact(sheet, f"position.{mask.shown(symbol)}", text, kept, prices)


def read_similar(
    runtime: Runtime, symbol: str, setup: str, side: int, before: datetime, mask: Mask
) -> tuple[Sheet, list[str]]:
    """Trades of this setup closed before a moment: same symbol, then same side, then latest.

    The first fact sums up all of them, so that the few shown are not taken for the whole.
    """
    history = runtime.context.history
    if history is None:
        return new_sheet(), []
    trades, failures = attempt(runtime, "past trades", lambda: history.trades(as_of=before))
    alike = [one for one in trades if one.setup == setup and _closed_by(one, before)]
    sheet = new_sheet()
    if alike:
        won = sum(one.pnl > 0 for one in alike)
        mean = sum(map(_in_r, alike)) / len(alike)
        add_fact(sheet, "trades.count", f"{len(alike)} earlier {setup} trades")
        add_fact(sheet, "trades.won", f"{100.0 * won / len(alike):.0f} % with a profit")
        add_fact(sheet, "trades.mean", f"{mean:+.2f} R on average")
    alike.sort(key=lambda one: (one.symbol != symbol, one.side != side, *_recent(one)))
    _add_trades(sheet, alike[:SIMILAR], before, mask)
    return sheet, failures


def _add_trades(sheet: Sheet, trades: Sequence[Trade], as_of: datetime, mask: Mask) -> None:
    for number, one in enumerate(trades, 1):
        name = mask.shown(one.symbol) if one.symbol in mask.symbols else "another symbol"
        ago = as_of - one.exit_time
        when = f"{ago.days} days" if ago.days else f"{int(ago / MINUTE)} minutes"
        text = (
            f"{name} {one.setup.value} {SIDES[one.side]}, {_in_r(one):+.2f} R, "
            f"closed by {one.exit_reason.value} {when} ago"
        )
        kept = f"trade:{one.symbol}:{one.signal_start.astimezone(UTC):%Y%m%dT%H%MZ}"
        add_fact(sheet, f"trade.{number}", text, kept)


def _closed_by(trade: Trade, as_of: datetime) -> bool:
    """A trade is known when the minute in which it was closed has ended."""
    return trade.exit_time + MINUTE <= as_of


def _recent(trade: Trade) -> tuple[float, str]:
    return (-trade.exit_time.timestamp(), trade.symbol)


def _in_r(trade: Trade) -> float:
    """Profit in units of the risk at entry; 0 where there was none to measure by."""
    risk = abs(trade.entry_price - trade.stop) * trade.quantity
    return trade.pnl / risk if risk > 0 else 0.0
