"""A day at a broker, over real sockets: the trades of its replay, whatever happens on the way."""

from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.market import MarketRequest, prepare_market
from advisor.replay import LEDGER, replay
from quant_core.calendar import to_datetime
from tests.advisor.live.theatre import DAY, SYMBOLS, Play, Theatre, theatre
from tools.errors import BookMismatch
from tools.store.store import Store


def trades(folder: Path, stage: Theatre):
    with Store.open(folder / LEDGER, read_only=True) as store:
        (run,) = store.runs()
        return store.trades(run.run_id, "advised", as_of=to_datetime(stage.session.close + 600))


def replayed(stage: Theatre, folder: Path):
    """The replay of the bars that a session kept."""
    request = MarketRequest(
        bars=(stage.history, stage.folder / "run" / "bars"),
        daily=stage.days,
        first=DAY,
        last=DAY,
        symbols=SYMBOLS,
    )
    settings = stage.settings()
    replay(request, ReplayOptions(), settings, prepare_market(request, settings), folder)
    return trades(folder, stage)


def test_a_day_at_a_broker_makes_the_trades_of_its_replay(tmp_path: Path) -> None:
    with theatre(tmp_path) as stage:
        stage.exact = True
        play = Play(stage)
        assert play.run() == "closed"
        made, again = trades(tmp_path / "run", stage), replayed(stage, tmp_path / "replay")
    print("\n".join(play.lines))
    assert len(made) >= 2
    same = ("symbol", "setup", "side", "quantity", "entry_time", "exit_time", "exit_reason")
    for one, other in zip(again, made, strict=True):
        assert one.pnl == pytest.approx(other.pnl, abs=1e-4)
        assert [getattr(one, name) for name in same] == [getattr(other, name) for name in same]


@pytest.mark.slow
def test_no_entry_where_the_spread_is_wide(tmp_path: Path) -> None:
    with theatre(tmp_path) as stage:
        stage.rest.spread = 0.002
        play = Play(stage, settings=stage.settings(live={"quotes": True}))
        stage.at[60] = play.stop.set
        assert play.run() == "stopped"
        assert stage.rest.exchange.tickets == []
    with Store.open(tmp_path / "run" / LEDGER, read_only=True) as store:
        (run,) = store.runs()
        end = to_datetime(stage.session.close)
        decisions = store.decisions(run.run_id, "advised", as_of=end)
    assert decisions
    assert {one.plan.blocked_by for one in decisions} == {"spread"}


@pytest.mark.parametrize(
    ("day", "closes", "told"),
    [(DAY, "13:00", "2025-03-12 09:30 to 2025-03-12 13:00"), ("2025-03-13", "16:00", "no session")],
)
def test_a_day_that_the_broker_has_otherwise_is_not_opened(
    tmp_path: Path, day: object, closes: str, told: str
) -> None:
    with theatre(tmp_path) as stage:
        stage.rest.calendar = lambda _: [{"date": str(day), "open": "09:30", "close": closes}]  # type: ignore[method-assign]
        with pytest.raises(BookMismatch, match=f"the broker has {told}"):
            Play(stage).run()
