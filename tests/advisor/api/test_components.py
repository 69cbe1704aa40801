"""What health says of a session, its feed, broker, jobs and budget: read off what they left."""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path

import pytest

from advisor.api.components import components_of
from advisor.api.keys import KeyFile
from advisor.api.metrics import Metrics
from advisor.api.parts import Parts
from advisor.api.view import LedgerView
from advisor.hold_reasons import DISAGREE
from advisor.settings import ApiSettings, ScheduleSettings, Settings, SpendingSettings
from advisor.spending import counted_on
from quant_core.types import RiskChange, RiskState
from tests.advisor.api.worlds import api, client
from tests.tools.store import examples
from tools.llm.budget import BudgetLimits
from tools.llm.spending import SpendingFile, Spent
from tools.store import Store
from tools.store.paging import Pages

OPEN = datetime(2025, 1, 8, 14, 30, tzinfo=UTC)  # a Wednesday; the Thursday after was no session
MINUTE = timedelta(minutes=1)


class Watched:
    """A paper session whose loop decided some minutes after the open, and what is said of it."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store, self.folder = store, folder
        store.start_run("r", kind="paper", config_hash="", code_version="", config_json="{}")

    def decide(self, first: datetime, minutes: int, *, silent: str = "") -> None:
        rows = examples.minutes(first, minutes, ("SPY", "NVDA"))
        if silent:
            heard = rows.symbol != rows.symbols.index(silent)
            columns = [one.name for one in fields(rows) if one.name != "symbols"]
            rows = replace(rows, **{name: getattr(rows, name)[heard] for name in columns})
        self.store.commit_cycle("r", "advised", rows, [], b"{}")

    def say(self, now: datetime, **more: object) -> dict[str, tuple[str, str]]:
        view = LedgerView(Pages(self.store))
        parts = Parts(
            view=view, settings=ApiSettings(), config=None, keys=KeyFile(self.folder / "keys"),
            metrics=Metrics(view), **more,  # type: ignore[arg-type]
        )  # fmt: skip
        return {one.name: (one.state, one.detail) for one in components_of(parts, now)}


@pytest.fixture
def paper(tmp_path: Path) -> Iterator[Watched]:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        yield Watched(store, tmp_path)


def test_a_session_owes_minutes_only_while_the_market_is_open(paper: Watched) -> None:
    assert paper.say(OPEN - MINUTE)["run"][0] == "ok"
    assert paper.say(OPEN + 4 * MINUTE)["run"] == (
        "degraded",
        "paper, no minute for 4 min while the market is open; no minute is decided yet. "
        "`advisor live` goes on with it",
    )
    paper.decide(OPEN, 30)
    assert paper.say(OPEN + 31 * MINUTE)["run"] == ("ok", "paper, newest minute closed 60 s ago")
    silent = paper.say(OPEN + 40 * MINUTE)
    assert silent["run"][0] == silent["feed"][0] == "degraded"
    assert "no minute for 10 min while the market is open" in silent["run"][1]
    night = paper.say(OPEN + timedelta(hours=12))
    assert night["run"][0] == "degraded", "it ended before the session did"
    assert night["feed"][0] == "ok"


def test_a_session_that_was_decided_to_its_end_is_well_at_night_and_on_holidays(
    paper: Watched,
) -> None:
    paper.decide(OPEN, 390)
    for hours in (7, 12, 20, 36):
        said = paper.say(OPEN + timedelta(hours=hours))
        assert said["run"][0] == said["feed"][0] == "ok", hours
    assert "between sessions" in paper.say(OPEN + timedelta(hours=36))["run"][1]
    friday = paper.say(OPEN + timedelta(days=2, minutes=5))
    assert friday["run"][0] == friday["feed"][0] == "degraded", "nobody trades the next session"


def test_a_symbol_without_bars_is_named(paper: Watched) -> None:
    paper.decide(OPEN, 10)
    paper.decide(OPEN + 10 * MINUTE, 10, silent="NVDA")
    state, detail = paper.say(OPEN + 20 * MINUTE)["feed"]
    assert (state, detail) == (
        "degraded",
        "bars until 2025-01-08 09:50 New York, 0 s ago; none of NVDA since 09:40",
    )


def test_what_the_ledger_says_of_the_broker_is_told_while_it_holds(paper: Watched) -> None:
    paper.decide(OPEN, 2)
    now = OPEN + 3 * MINUTE
    assert paper.say(now)["broker"][1].endswith("no order is open")
    for state, told in ((RiskState.REDUCING, "degraded"), (RiskState.ACTIVE, "ok")):
        change = RiskChange(start=now, state=state, reason=f"{DISAGREE}: SPY 5, not 7", equity=1e5)
        paper.store.commit_cycle("r", "advised", None, [change], b"{}")
        assert paper.say(now)["broker"][0] == told


def test_the_budget_of_the_day_is_told_and_when_it_is_used_up(paper: Watched) -> None:
    place, limits = paper.folder / "spending.sqlite", BudgetLimits(usd_per_day=2.0)
    settings = Settings(spending=SpendingSettings(file=str(place)))
    counted = partial(counted_on, settings=settings)
    assert paper.say(OPEN)["budget"][0] == "not_configured"
    assert paper.say(OPEN, counted=counted)["budget"][0] == "not_configured"
    assert not place.exists(), "looking makes no file"
    with SpendingFile.open(place) as file:
        file.hold(OPEN.date(), Spent(Decimal("0.5"), 1_000), Spent(Decimal(9), 10**9))
        state, detail = paper.say(OPEN, counted=counted, llm_budget=limits)["budget"]
        assert state == "ok"
        assert detail.startswith("$0.50 of $2.00 and 1,000 of 5,000,000 tokens")
        file.hold(OPEN.date(), Spent(Decimal("1.5"), 0), Spent(Decimal(9), 10**9))
    assert paper.say(OPEN, counted=counted, llm_budget=limits)["budget"][0] == "degraded"
    tomorrow = paper.say(OPEN + timedelta(days=1), counted=counted, llm_budget=limits)
    assert tomorrow["budget"][0] == "ok"


def test_a_budget_that_cannot_be_read_is_degraded(paper: Watched) -> None:
    away = SpendingSettings(url="postgresql://advisor@127.0.0.1:1/advisor")
    counted = partial(counted_on, settings=Settings(spending=away))
    state, detail = paper.say(OPEN, counted=counted)["budget"]
    assert (state, "cannot be read: no model is asked" in detail) == ("degraded", True)


def test_jobs_are_told_with_when_they_are_due(paper: Watched) -> None:
    schedule = ScheduleSettings(session_start="advisor live --out o", nightly="")
    told = paper.say(OPEN + MINUTE, schedule=schedule)["jobs"][1]
    assert "session start Fri 09:30" in told
    none = ScheduleSettings(nightly="")
    assert "no command" in paper.say(OPEN, schedule=none)["jobs"][1]


@pytest.mark.parametrize(
    ("first", "minutes", "is_open"),
    [
        (OPEN, 30, True),
        (OPEN, 390, False),
        (datetime(2025, 7, 3, 13, 30, tzinfo=UTC), 209, True),
        (datetime(2025, 7, 3, 13, 30, tzinfo=UTC), 210, False),  # a half-day ends at 13:00
    ],
)
def test_the_watchlist_says_whether_the_market_is_open(
    paper: Watched, first: datetime, minutes: int, is_open: bool
) -> None:
    paper.decide(first, minutes)
    site = client(api(paper.store, paper.folder))
    assert site.get("/api/watchlist").json()["market_open"] is is_open
