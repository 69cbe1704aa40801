"""Streams that fall silent, archives that do not answer, bars that cannot be."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from quant_core.calendar import new_york, to_datetime
from tests.advisor.live.theatre import (
    ARRIVES,
    BUSY,
    SYMBOLS,
    Kept,
    Play,
    Theatre,
    agrees,
    is_flat,
    theatre,
)
from tests.stand_ins.alpaca_streams import minute_bar
from tests.stand_ins.webhook import webhook

pytestmark = pytest.mark.slow
ARCHIVE = "/v2/stocks/bars"


def closes(kept: Kept, stage: Theatre) -> None:
    """Every minute was decided on the bars that there were."""
    cycles = kept.cycles
    for minute, symbol, close in zip(cycles.minute, cycles.symbol, cycles.close, strict=True):
        assert stage.today[SYMBOLS[symbol]][int(minute) - stage.session.open][3] == close


def test_a_stream_that_is_mute_for_minutes_is_replaced_by_the_archive(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.heard = lambda row: not 2 <= row < 7
        play = Play(stage)
        assert play.run(until=13) == "stopped"
        kept = agrees(stage)
        closes(kept, stage)
        asked = sum(path.startswith(ARCHIVE) for _, path in stage.rest.seen)
    assert len(kept.cycles.minute) == 12 * 3
    assert asked == 5
    assert [(one.symbol, one.exit_reason) for one in kept.trades] == [
        ("QQQ", "target"),
        ("SPY", "stop"),
    ]


def test_a_stream_that_is_cut_comes_back_by_itself(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.at[3] = stage.bars.cut
        stage.at[5] = stage.updates.cut
        stage.at[12] = lambda: (stage.bars.wait_for_client(2), stage.updates.wait_for_client(2))
        play = Play(stage)
        assert play.run(until=20) == "stopped"
        kept = agrees(stage)
        closes(kept, stage)
        asked = sum(path.startswith(ARCHIVE) for _, path in stage.rest.seen)
    assert len(kept.cycles.minute) == 19 * 3
    assert 1 <= asked <= 9  # while it was away, and not after
    assert [one.symbol for one in kept.trades] == ["QQQ", "SPY"]


def test_while_nothing_is_known_minutes_wait_and_then_are_caught_up(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage, webhook() as told:
        settings = stage.settings(alerts={"webhook": "json"})
        stage.heard = lambda row: not 2 <= row < 12
        stage.at[2] = lambda: stage.rest.down.add(ARCHIVE)
        waiting: list[int] = []
        stage.at[11] = lambda: waiting.append(len(Kept(tmp_path / "run").cycles.minute))
        stage.at[12] = stage.rest.down.clear
        play = Play(stage, settings=settings, environment={"ADVISOR_ALERT_WEBHOOK": told.url})
        assert play.run(until=20) == "stopped"
        kept = agrees(stage)
        closes(kept, stage)
    assert waiting == [2 * 3]
    assert len(kept.cycles.minute) == 19 * 3
    # The signal of the fourth minute was seen when it was minutes old.
    signal = kept.decisions[0]
    assert (signal.signal.symbol, signal.plan.blocked_by) == ("QQQ", "bar_age")
    back = to_datetime(stage.session.open + 12)
    assert all(one.signal.start >= back for one in kept.decisions if one.plan.quantity)
    titles = told.titles("feed")
    assert sorted(titles[:3]) == sorted(f"{symbol} is silent" for symbol in SYMBOLS)
    assert sorted(titles[3:]) == sorted(f"{symbol} is heard again" for symbol in SYMBOLS)


def test_what_is_open_is_closed_in_time_when_no_bar_comes_and_the_session_ends(
    tmp_path: Path,
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.heard = lambda row: row < 60
        stage.at[60] = lambda: stage.rest.down.add(ARCHIVE)
        # Stops so far away that both positions are held to the end.
        play = Play(stage, settings=stage.settings(stdev={"atr_multiplier_sl": 9.0}))
        assert play.run() == "closed"
        kept = is_flat(stage)
    assert "end_of_day" in {one.exit_reason for one in kept.trades}
    ends = [
        new_york(one.exit_time)[11:16] for one in kept.trades if one.exit_reason == "end_of_day"
    ]
    assert set(ends) == {"12:46"}
    assert len(kept.cycles.minute) == 60 * 3
    assert len(kept.days) == 1
    assert new_york(stage.now)[11:16] == "13:02"


def test_a_session_ends_although_nothing_is_heard_of_it_at_all(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.heard = lambda _: False
        stage.rest.down.add(ARCHIVE)
        stage.until(to_datetime(stage.session.close - 20))
        play = Play(stage)
        assert play.run() == "closed"
        kept = is_flat(stage)
    assert len(kept.cycles.minute) == 0
    assert len(kept.days) == 1


def test_a_symbol_without_a_trade_in_a_minute_delays_nobody(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage:
        for row in range(2, 8):
            del stage.today["NVDA"][row]
        stage.grid.present[2:8, SYMBOLS.index("NVDA")] = False
        play = Play(stage)
        assert play.run(until=13) == "stopped"
        kept = agrees(stage)
        closes(kept, stage)
    assert len(kept.cycles.minute) == 12 * 3 - 6
    assert [(one.symbol, one.exit_reason) for one in kept.trades] == [
        ("QQQ", "target"),
        ("SPY", "stop"),
    ]
    for order in kept.orders:
        row = next(row for row in kept.outbox if row.client_order_id == order.client_order_id)
        assert row.filled == order.quantity


def test_bars_that_come_twice_changed_or_broken_are_counted_and_change_nothing(
    tmp_path: Path,
) -> None:
    with theatre(tmp_path / "calm", BUSY) as stage:
        assert Play(stage).run(until=13) == "stopped"
        calm = agrees(stage)
    with theatre(tmp_path / "noisy", BUSY) as stage:
        opening = to_datetime(stage.session.open)

        def noise() -> None:
            row = stage.row
            before, this = (opening + timedelta(minutes=row - back) for back in (1, 0))
            stage.bars.send(
                minute_bar("QQQ", before, 10.0),  # decided by now
                minute_bar("QQQ", before, 10.0) | {"T": "u"},
                minute_bar("TSLA", before, 10.0),
                minute_bar("QQQ", opening - timedelta(minutes=3), 10.0),
                minute_bar("QQQ", opening + timedelta(days=1), 10.0),
                minute_bar("QQQ", this, float("nan")),  # the real one comes after it
            )
            stage.bars.send({"T": "b", "S": "QQQ"}, {"T": "?"})
            time.sleep(ARRIVES)

        stage.before_trading = noise
        play = Play(stage)
        assert play.run(until=13) == "stopped"
        noisy = agrees(stage)
        closes(noisy, stage)
    assert noisy.trades == calm.trades
    assert noisy.cycles.close.tolist() == calm.cycles.close.tolist()
