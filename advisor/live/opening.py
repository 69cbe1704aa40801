"""What a live session is made of, opened in order and closed with it.

The account is locked before anything else is touched, and the ledger has one writer. The history
that a session is seeded from is in the run's folder or named by the user, so a replay of these bars
and the folder's is a replay of the session.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal

from advisor.beside import Beside
from advisor.bootstrap import Advisers, ReplayOptions, advisers, make_lanes
from advisor.control import Control
from advisor.cycle import CycleDependencies, dependencies
from advisor.gates import open_gates
from advisor.halting import obey
from advisor.keeping import Keeping
from advisor.lanes import Lane, TradingDay
from advisor.ledgers import open_ledger
from advisor.live.alerts import ChartAlerts
from advisor.live.apart import Apart, AtBroker, NoStream
from advisor.live.clock import LiveClock
from advisor.live.elsewhere import Bystander
from advisor.live.feed import LiveFeed
from advisor.live.freshness import WhileFresh
from advisor.live.history import History, fetched
from advisor.live.kept_bars import BarsFile, LocalBars
from advisor.live.loop import Crew, LiveSession, Parts
from advisor.live.minutes import SessionBars
from advisor.live.standing import adopt_equity, enter_run, run_left_open, run_of, take_over
from advisor.live.telling import Telling
from advisor.morning_bars import MorningBars
from advisor.news import open_news
from advisor.premarket import open_day
from advisor.replay import LEDGER, MARKET_LANE
from advisor.settings import Settings
from advisor.steps import StepsWriter
from advisor.taking_up import take_up_session
from advisor.telemetry.serving import open_telemetry
from advisor.trading import Trading
from quant_core.calendar import Session, new_york, to_datetime, to_minute, xnys
from quant_core.desk import Desk
from quant_core.grid import session_clock
from tools.broker.alpaca import AlpacaBroker
from tools.broker.lock import account_lock
from tools.broker.updates import OrderUpdates
from tools.errors import BookMismatch, NoData, Rejected
from tools.market.alert_inboxes import FOLDER, FolderInbox
from tools.market.alpaca import AlpacaBars
from tools.market.alpaca_stream import AlpacaBarStream
from tools.notify import Alerts, open_channels
from tools.ports import BarStream, Inbox
from tools.secrets import Secrets
from tools.store import codec
from tools.store.paging import Pages
from tools.store.store import Store

Mode = Literal["dry", "paper", "live"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveRequest:
    """What to trade, in which folder, seeded from which bars; without any they are fetched.

    `dry` decides on live bars with simulated fills, and needs no account.
    """

    mode: Mode
    folder: Path
    symbols: tuple[str, ...]
    bars: tuple[Path, ...] = ()
    daily: Path | None = None


def session_at(now: datetime) -> Session:
    """The session that is running or comes today; NoData says when the next one is."""
    later = xnys(now.year, now.year + 1).running_or_next(to_minute(now))
    if new_york(to_datetime(later.open))[:10] == new_york(now)[:10]:
        return later
    raise NoData(
        "no session is running or comes today; the next one opens "
        f"{new_york(to_datetime(later.open))} New York"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """Everything that is decided about a session before it is opened."""

    request: LiveRequest
    options: ReplayOptions
    settings: Settings
    environment: Mapping[str, str]
    session: Session
    clock: LiveClock
    stop: threading.Event
    say: Callable[[str], None]
    apart: Apart | None = None

    @contextmanager
    def open(self) -> Iterator[LiveSession]:
        """The session with everything it keeps open; call it when its premarket is due, or later.

        Raises what a user can act on: NotConfigured, Rejected, BadInput, NoData, Transient.
        """
        request, settings, clock = self.request, self.settings, self.clock
        with ExitStack() as stack:
            telling = self._telling(stack)
            account = self._account(stack)
            store = self._store(stack)
            run_id = enter_run(
                store, request.mode, account.number if account else "", request.symbols,
                self.options, settings, self.session.date,
            )  # fmt: skip
            archive = AlpacaBars(
                self.environment, feed=settings.live.feed, base_url=settings.broker.data_url,
                clock=clock,
            )  # fmt: skip
            morning = self._morning(archive, telling)
            steps = StepsWriter(request.folder, run_id)
            stack.callback(steps.close)
            news = open_news(self.options.news, settings, stack)
            chosen = stack.enter_context(
                advisers(
                    self.options, settings, request.folder, store, run_id, news.reader,
                    clock=clock, watch=steps.tell, secrets=self._secrets,
                )
            )  # fmt: skip
            if self.apart is not None:
                chosen = self.apart.advisers(chosen, run_id, clock, settings)
            chosen.kept.begin(run_id, to_minute(clock.now()))
            self._prepare(store, run_id, chosen, morning)
            bars = SessionBars(
                self._bars_file(), self.session, morning.calendar, morning.minutes, settings
            )
            telemetry = stack.enter_context(
                open_telemetry(settings.telemetry, run_id, store, clock)
            )
            deps = dependencies(run_id, settings, store, telemetry)
            if settings.ledger.url is None:
                stack.enter_context(Keeping(request.folder / LEDGER, settings.rag))
            yield LiveSession(
                Parts(
                    day=TradingDay(
                        session=self.session,
                        grid=bars.take(-1),
                        snapshots=morning.morning.snapshots,
                        clock=session_clock(self.session, settings.stdev),
                    ),
                    bars=bars,
                    feed=LiveFeed(
                        self._stream(stack),
                        archive,
                        bars,
                        self.session,
                        settings.live,
                        telling.matter,
                    ),
                    deps=deps,
                    ledger=store,
                    control=self._control(),
                    alerts=ChartAlerts(
                        self._inbox(telling), store, deps.ledger or store, run_id, telling.say
                    ),
                    take_up=lambda: self._crew(store, deps, chosen, account, telling),
                    updates=self._updates(stack),
                    quotes=archive if settings.live.quotes else None,
                    telling=telling,
                    settings=settings.live,
                ),
                clock,
                self.stop,
            )

    @contextmanager
    def at_the_broker(self) -> Iterator[AtBroker | None]:
        """The run's orders without its minutes, for whoever sends or watches them beside it.

        A run of other settings or code that is in the middle of its session, or holds something, is
        that run. None where there is none yet, or no account. Raises what `open` raises.
        """
        with ExitStack() as stack:
            telling = self._telling(stack)
            account = self._account(stack)
            store = self._store(stack)
            request = self.request
            if account is None:
                yield None
                return
            run_id = run_of(
                store, request.mode, account.number, request.symbols, self.options, self.settings
            )
            run_id = run_id or run_left_open(store, request.mode, self.session.date)
            if run_id is None:
                yield None
                return
            watching = self._as_run(store, run_id)
            telemetry = stack.enter_context(
                open_telemetry(self.settings.telemetry, run_id, store, self.clock)
            )
            deps = dependencies(run_id, self.settings, store, telemetry)
            beside = Advisers(None, None, Bystander())
            crew = watching._crew(store, deps, beside, account, telling, hands_over=False)
            assert crew.trading is not None
            telling.begin(crew.lanes)
            control = self._control()

            def obeyed(now: datetime) -> None:
                symbols, rules = watching.request.symbols, deps.rules
                obey(control, crew.lanes[:1], symbols, rules, store, run_id, now)

            yield AtBroker(crew.lanes[0], crew.trading, obeyed)
            telling.since(crew.lanes, self.clock.now())

    def _as_run(self, store: Store, run_id: str) -> "Opening":
        """With the watchlist that a run began with, and with the lane of it that trades."""
        options, lanes = self.options, store.heads(run_id)
        if "advised" not in lanes and "baseline" in lanes:
            options = replace(options, analyst="none", validation="off")
        name = "advised" if "advised" in lanes else "baseline"
        symbols = store.watchlist(run_id, name) or self.request.symbols
        return replace(self, request=replace(self.request, symbols=symbols), options=options)

    def _telling(self, stack: ExitStack) -> Telling:
        settings = self.settings
        channels = open_channels(settings.alerts, self.environment, settings.aws)
        alerts = Alerts(channels, settings.alert_limits)
        stack.callback(alerts.close)
        return Telling(self.say, alerts.tell)

    def _store(self, stack: ExitStack) -> Store:
        """The ledger, as its only writer."""
        self.request.folder.mkdir(parents=True, exist_ok=True)
        place = self.settings.ledger.url or self.request.folder / LEDGER
        heads = self.apart.heads if self.apart else None
        return stack.enter_context(
            open_ledger(place, self.settings, read_only=False, secrets=self._secrets, heads=heads)
        )

    @property
    def _secrets(self) -> Secrets | None:
        """Those of the environment, where it has some of its own."""
        return self.environment if isinstance(self.environment, Secrets) else None

    def _control(self) -> Control:
        """What a person wants of the session."""
        return self.apart.control if self.apart else Control(self.request.folder)

    def _inbox(self, telling: Telling) -> Inbox:
        """Where chart alerts arrive."""

        def say(text: str) -> None:
            telling.say(text, self.clock.now())

        if self.apart is not None:
            return self.apart.inbox(say)
        return FolderInbox(self.request.folder / FOLDER, say)

    def _bars_file(self) -> BarsFile:
        """Where the session's bars are kept."""
        if self.apart is not None:
            return self.apart.bars(self.session.date)
        return LocalBars(self.request.folder / "bars" / f"{self.session.date}.csv")

    def _account(self, stack: ExitStack) -> "_Account | None":
        """The account, locked; None for a dry session."""
        mode = self.request.mode
        if mode == "dry":
            return None
        url = self.settings.broker.base_url
        broker = AlpacaBroker(self.environment, mode=mode, base_url=url, clock=self.clock)
        account = broker.account()
        if mode == "live":
            approval = Path(self.settings.broker.approval_file).expanduser()
            open_gates(mode, self.environment, approval, account, self.clock.now())
        if account.blocked:
            raise Rejected(
                f"account {account.number} may not trade: {account.blocked}; Alpaca's dashboard "
                "says why"
            )
        ours = to_datetime(self.session.open), to_datetime(self.session.close)
        if (theirs := broker.session(self.session.date)) != ours:
            told = "no session" if theirs is None else " to ".join(new_york(one) for one in theirs)
            raise BookMismatch(
                f"our calendar has a session on {self.session.date}, {new_york(ours[0])} to "
                f"{new_york(ours[1])[11:]} New York; the broker has {told}. Nothing was opened; "
                "update exchange_calendars"
            )
        stack.enter_context(account_lock(self.settings.spending.place().parent, account.number))
        return _Account(broker, account.number)

    def _morning(self, archive: AlpacaBars, telling: Telling) -> MorningBars:
        """What is known before the session, from the given bars or from those that are fetched."""
        request = self.request
        known = self.apart.mornings if self.apart else {}
        if self.session.date in known:
            return known[self.session.date]

        def tell(text: str) -> None:
            telling.say(text, self.clock.now())

        if request.bars:
            history = History(bars=request.bars, daily=request.daily)
        else:
            lake = request.folder / "history"
            history = fetched(archive, request.symbols, lake, self.session, self.settings, tell)
            if request.daily:
                history = replace(history, daily=request.daily)
        morning = history.morning(request.symbols, self.session, self.settings)
        for note in morning.notes:
            tell(f"note: {note}")
        known.clear()
        known[self.session.date] = morning
        return morning

    def _prepare(self, store: Store, run_id: str, chosen: Advisers, morning: MorningBars) -> None:
        """Prepare the day, unless a process did so already."""
        pages, close = Pages(store), to_datetime(self.session.close)
        market = pages.place(run_id).lanes.get(MARKET_LANE)
        known = pages.newest(codec.SNAPSHOTS, market, as_of=close, limit=1) if market else []
        if any(one.record.date == self.session.date for one in known):
            return
        opening = [*morning.morning.snapshots, *open_day(chosen, morning.morning)]
        store.commit_cycle(run_id, MARKET_LANE, None, opening, None)

    def _stream(self, stack: ExitStack) -> BarStream:
        settings = self.settings
        if self.apart is not None:
            return NoStream()
        stream = AlpacaBarStream(
            self.environment, self.request.symbols, feed=settings.live.feed,
            url=settings.broker.bar_stream_url,
        )  # fmt: skip
        stream.start()
        stack.callback(stream.close)
        return stream

    def _updates(self, stack: ExitStack) -> OrderUpdates | None:
        mode = self.request.mode
        if mode == "dry" or self.apart is not None:
            return None
        url = self.settings.broker.order_stream_url
        updates = OrderUpdates(self.environment, mode=mode, url=url)
        updates.start()
        stack.callback(updates.close)
        return updates

    def _crew(
        self,
        store: Store,
        deps: CycleDependencies,
        chosen: Advisers,
        account: "_Account | None",
        telling: Telling,
        *,
        hands_over: bool = True,
    ) -> Crew:
        """The lanes as the ledger has them, and the broker's side of the one that trades."""
        lanes = self._lanes(store, deps.run_id, chosen, account, telling)
        deps.telemetry.watch(lanes)
        if account is None:
            return Crew(lanes, None)
        lanes[0].external = True
        broker = deps.telemetry.broker(account.broker)
        trading = Trading(
            lanes[0], self.request.symbols, deps.rules, deps.ledger or store, deps.run_id, broker,
            limits=self.settings.broker_limits, expected_bps=self.settings.fills.slippage_bps,
            unknown=self.settings.broker.unknown, alert=telling.matter,
            hand_over=self.apart.hand_over if self.apart and hands_over else None,
        )  # fmt: skip
        return Crew(lanes, trading)

    def _lanes(
        self,
        store: Store,
        run_id: str,
        chosen: Advisers,
        account: "_Account | None",
        telling: Telling,
    ) -> tuple[Lane, ...]:
        """Lanes with a past go on with it; new ones begin with the account's equity.

        A lane that begins while the session runs begins with what the session began with.
        """
        settings, session = self.settings, self.session
        if isinstance(chosen.asking, Beside):
            limit = timedelta(seconds=settings.analysis.deadline_seconds)
            chosen = replace(chosen, asking=WhileFresh(chosen.asking, self.clock, limit))
        lanes = make_lanes(len(self.request.symbols), self.options, settings, chosen)
        take_up_session(store, run_id, lanes, session.date, to_datetime(session.close))
        first, equity = lanes[0], settings.account.start_equity
        if account is not None and first.day == session.date:
            equity = float(first.desk.account["session_equity"][0])
        elif account is not None:
            equity = account.broker.account().equity
        for lane in (one for one in lanes if one.day is None):
            lane.desk = Desk.new(len(self.request.symbols), equity)
        take_over(store, run_id, lanes)
        if account is not None and first.day != session.date:
            differs = adopt_equity(first.desk, equity)
            if abs(differs) >= 0.01:
                told = (
                    f"the broker's equity, ${equity:,.2f}, differs by ${differs:+,.2f}: taken over"
                )
                telling.say(told, self.clock.now())
        return lanes


@dataclass(frozen=True, slots=True)
class _Account:
    """A broker's account that is locked."""

    broker: AlpacaBroker
    number: str
