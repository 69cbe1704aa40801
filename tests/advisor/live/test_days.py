"""One folder from day to day: what goes on, what is taken over, what is refused, what reads it."""

from datetime import date
from pathlib import Path

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from quant_core.calendar import new_york, to_datetime
from tests.advisor.live.theatre import BUSY, Kept, Play, agrees, is_flat, tell_history, theatre
from tests.stand_ins.alpaca_exchange import Exchange
from tools.errors import BadInput, NoData

pytestmark = pytest.mark.slow
WEDNESDAY = date(2025, 11, 26)  # the session before BUSY; between them is Thanksgiving
AFTER = date(2025, 12, 1)
MONDAY = date(2025, 3, 10)  # after the clocks went forward


def advisor(*words: object) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == 0, result.output
    return result.output


def test_two_sessions_in_one_folder_are_one_account(tmp_path: Path) -> None:
    with theatre(tmp_path, date(2025, 7, 3)) as stage:  # closes early
        assert Play(stage).run() == "closed"
        first, exchange = is_flat(stage), stage.rest.exchange
    exchange.expire_day_orders()
    exchange.cash += 2_500.0  # a deposit over night
    with theatre(tmp_path, date(2025, 7, 7), exchange) as stage:
        play = Play(stage)
        assert play.run(until=45) == "stopped"
        second = agrees(stage)
    assert second.run_id == first.run_id
    assert [str(one.date) for one in second.days] == ["2025-07-03"]
    assert "differs by $+2,500.00: taken over" in play.said
    assert second.fills[: len(first.fills)] == first.fills
    assert sorted(path.name for path in (tmp_path / "run" / "bars").iterdir()) == [
        "2025-07-03.csv",
        "2025-07-07.csv",
    ]


def test_a_position_that_was_left_over_night_is_protected_at_once_and_closed(
    tmp_path: Path,
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        assert Play(stage).run(until=60) == "stopped"
        exchange = stage.rest.exchange
    assert exchange.positions.keys() == {"SPY", "QQQ"}
    exchange.expire_day_orders()  # and nobody was there
    with theatre(tmp_path, AFTER, exchange) as stage:
        assert Play(stage).run(until=3) == "stopped"
        kept = is_flat(stage)
    late = [(one.symbol, one.exit_reason) for one in kept.trades[-2:]]
    assert sorted(late) == [("QQQ", "end_of_day"), ("SPY", "end_of_day")]


def test_settings_that_change_wait_for_the_next_session_and_take_the_account_over(
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    with theatre(tmp_path, WEDNESDAY) as stage:
        other = stage.settings(risk={"max_risk_per_trade": 0.5})
        stage.at[2] = lambda: advisor("halt", run, "--reason", "enough")
        assert Play(stage).run(until=4) == "stopped"
        with pytest.raises(BadInput, match="under other settings, symbols or code"):
            Play(stage, settings=other).run(until=6)
        assert Play(stage).run(until=6) == "stopped"
        before, exchange = agrees(stage), stage.rest.exchange
    (run / "HALT").unlink()
    with theatre(tmp_path, BUSY, exchange) as stage:
        other = stage.settings(risk={"max_risk_per_trade": 0.5})
        assert Play(stage, settings=other).run(until=13) == "stopped"
        after = Kept(run)
        assert after.run_id != before.run_id
        assert {one.plan.blocked_by for one in after.decisions} == {"risk_state"}
    assert after.fills == []


def test_going_back_to_earlier_settings_does_not_lift_a_halt(tmp_path: Path) -> None:
    run, exchange = tmp_path / "run", Exchange()
    days = [date(2025, 11, 25), WEDNESDAY, BUSY]
    for which, (day, risk) in enumerate(zip(days, (1.0, 0.5, 1.0), strict=True)):
        with theatre(tmp_path, day, exchange) as stage:
            if which == 1:
                stage.at[1] = lambda: advisor("halt", run, "--reason", "enough")
            settings = stage.settings(risk={"max_risk_per_trade": risk})
            assert Play(stage, settings=settings).run(until=3 if which < 2 else 13) == "stopped"
            if which == 1:
                (run / "HALT").unlink()
    kept = Kept(run)
    blocked = {
        one.plan.blocked_by
        for one in kept.decisions
        if one.signal.start >= to_datetime(stage.session.open)
    }
    assert blocked == {"risk_state"}


def test_a_folder_is_read_while_its_session_runs_and_after(tmp_path: Path) -> None:
    run = tmp_path / "run"
    with theatre(tmp_path, BUSY) as stage:
        heard: list[str] = []

        def reads() -> None:
            heard.append(advisor("ledger", "verify", run))
            heard.append(
                advisor(
                    "ask", "Show all trades of today", "--run", run, "--as-of", "2025-11-28 11:00"
                )
            )

        stage.at[12] = reads
        assert Play(stage).run(until=20) == "stopped"
        reads()
        agrees(stage)
    assert len(heard) == 4


def test_a_session_fetches_what_it_is_seeded_from(tmp_path: Path) -> None:
    with theatre(tmp_path, MONDAY) as stage:
        tell_history(stage)
        settings = stage.settings(live={"history_sessions": 8})
        play = Play(stage, settings=settings, given=False)
        assert play.run(until=12) == "stopped"
        fetched = agrees(stage)
        asked = len(stage.rest.seen)
        again = Play(stage, settings=settings, given=False)
        assert again.run(until=13) == "stopped"
        later = [path for _, path in stage.rest.seen[asked:] if "stocks/bars" in path]
        assert [path for path in later if "timeframe=1Day" in path] == []
        assert [path for path in later if f"end={MONDAY}" not in path] == []
    with theatre(tmp_path / "given", MONDAY) as stage:
        assert Play(stage).run(until=12) == "stopped"
        given = agrees(stage)
    assert "fetching 8 sessions of minutes" in play.said
    assert fetched.cycles.z.tolist() == pytest.approx(given.cycles.z.tolist())
    assert [one.symbol for one in fetched.fills] == [one.symbol for one in given.fills]
    assert new_york(to_datetime(stage.session.open))[11:16] == "09:30"
    assert to_datetime(stage.session.open).hour == 13  # UTC; the Friday before it was 14
    assert len(fetched.fills) >= 1


def test_an_archive_without_bars_is_named(tmp_path: Path) -> None:
    with theatre(tmp_path, MONDAY) as stage:
        settings = stage.settings(live={"history_sessions": 8})
        with pytest.raises(NoData, match=r"feed iex has no minutes of SPY, QQQ, NVDA from 2025-"):
            Play(stage, settings=settings, given=False).run(until=12)
