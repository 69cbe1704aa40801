"""A broker that fails over the wire, refuses, or knows of things that nobody here ordered."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.advisor.live.theatre import BUSY, Play, Theatre, agrees, theatre
from tests.stand_ins.alpaca import Fault
from tools.errors import AdvisorError, BadInput, BookMismatch, NotConfigured, Rejected

pytestmark = pytest.mark.slow


def post(kind: str, **more: object) -> Fault:
    return Fault(method="POST", kind=kind, **more)  # type: ignore[arg-type]


LOST = [
    pytest.param([post("cut", after_effect=True)], id="cut after the effect"),
    pytest.param([post("cut")], id="cut before"),
    pytest.param([post("status", status=500, after_effect=True)], id="500 after the effect"),
    pytest.param([post("status", status=503), post("cut", after_effect=True)], id="503, then cut"),
    pytest.param([post("status", status=429)], id="429"),
    pytest.param([post("garbage", after_effect=True)], id="garbage after the effect"),
    pytest.param([Fault(method="GET", kind="garbage") for _ in range(6)], id="garbage for answers"),
    pytest.param([Fault(method="GET", kind="cut") for _ in range(6)], id="questions cut"),
    pytest.param([Fault(method="GET", kind="status", status=401)], id="keys refused once"),
    pytest.param([Fault(method="GET", kind="status", status=403)], id="forbidden once"),
]


@pytest.mark.parametrize("faults", LOST)
def test_whatever_becomes_of_a_request_an_order_is_made_once(
    tmp_path: Path, faults: list[Fault]
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.at[4] = lambda: stage.rest.faults.extend(faults)  # QQQ is ordered now
        live = {"look_seconds": 10.0, "settle_seconds": 10.0}
        play = Play(stage, settings=stage.settings(live=live))
        assert play.run(until=13) == "stopped"
        assert stage.rest.faults == []
        kept = agrees(stage)
    assert [one.symbol for one in kept.orders] == ["QQQ", "SPY"]
    assert [one.symbol for one in kept.trades][-1] == "SPY"
    assert [row for row in kept.outbox if not row.state.is_over] == []


def test_an_entry_that_is_refused_is_told_and_frees_its_symbol(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.rest.exchange.unshortable.add("QQQ")
        play = Play(stage)
        assert play.run(until=13) == "stopped"
        kept = agrees(stage)
    assert [one.symbol for one in kept.trades] == ["SPY"]
    assert 'asset "QQQ" cannot be sold short' in {
        row.reason.rpartition(": ")[2] for row in kept.outbox if row.symbol == "QQQ"
    }
    assert "the broker refused 13 QQQ (entry): Alpaca refused order" in play.said
    assert 'asset "QQQ" cannot be sold short' in play.said


def test_partial_fills_are_protected_and_closed(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.pit.partial = 1.0
        live = {"look_seconds": 10.0, "settle_seconds": 10.0}
        stage.before_trading = lambda: agrees(stage) and None if stage.row else None
        play = Play(stage, settings=stage.settings(live=live))
        assert play.run(until=20) == "stopped"
        kept = agrees(stage)
    assert {fill.quantity for fill in kept.fills if fill.reason == "entry"} - {13}
    assert kept.trades


def test_a_stop_in_the_middle_of_a_partial_fill_leaves_no_share_without_a_stop(
    tmp_path: Path,
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        stage.pit.partial = 1.0
        assert Play(stage).run(until=5) == "stopped"  # QQQ was filled in part at this moment
        kept = agrees(stage)
        assert stage.rest.exchange.positions.keys() == {"QQQ"}
        entry = next(row for row in kept.outbox if row.kind == "entry")
    assert 0 < entry.filled < entry.quantity
    assert entry.state.is_over


def position(stage: Theatre) -> None:
    stage.rest.exchange.positions["NVDA"] = (5.0, 190.0)


def order(stage: Theatre) -> None:
    stage.rest.exchange.submit(
        {"symbol": "NVDA", "side": "buy", "qty": "5", "type": "limit", "limit_price": 10.0,
         "time_in_force": "gtc", "client_order_id": "by-hand"}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("there", "says"),
    [
        (position, "the broker holds 5 shares of NVDA, the desk 0"),
        (order, r"the broker has an order for 5 NVDA \(by-hand\)"),
    ],
)
def test_what_nobody_here_ordered_keeps_a_session_from_starting_or_is_adopted(
    tmp_path: Path, there: Callable[[Theatre], None], says: str
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        there(stage)
        with pytest.raises(BookMismatch, match=says):
            Play(stage).run(until=2)
        assert [path for method, path in stage.rest.seen if method != "GET"] == []
        settings = stage.settings(broker={"unknown": "adopt"})
        assert Play(stage, settings=settings).run(until=3) == "stopped"
        exchange = stage.rest.exchange
        assert [one.status for one in exchange.tickets if one.client_order_id == "by-hand"] in (
            [],
            ["canceled"],
        )
        for symbol, (held, _) in exchange.positions.items():
            covers = [t for t in exchange.tickets if t.symbol == symbol and t.type == "stop"]
            assert [one.qty for one in covers if one.status == "new"] == [held]


def wrong_keys(stage: Theatre) -> dict[str, str]:
    return {"APCA_API_SECRET_KEY": "wrong"}


def blocked(stage: Theatre) -> dict[str, str]:
    stage.rest.exchange.account_fields["trading_blocked"] = True
    return {}


@pytest.mark.parametrize(
    ("makes", "error", "says"),
    [
        (wrong_keys, NotConfigured, "Alpaca refused the keys"),
        (blocked, Rejected, "may not trade"),
    ],
)
def test_an_account_that_cannot_be_traded_is_told_before_anything(
    tmp_path: Path,
    makes: Callable[[Theatre], dict[str, str]],
    error: type[AdvisorError],
    says: str,
) -> None:
    with theatre(tmp_path, BUSY) as stage:
        environment = makes(stage)
        with pytest.raises(error, match=says):
            Play(stage, environment=environment).run(until=2)
    assert not (tmp_path / "run").exists()


def test_an_account_has_one_process_and_a_folder_one_writer(tmp_path: Path) -> None:
    with theatre(tmp_path, BUSY) as stage:
        refused: list[str] = []

        def second() -> None:
            for mode, folder in (("paper", "other"), ("dry", "run")):
                play = Play(stage, mode, folder=tmp_path / folder)  # type: ignore[arg-type]
                with pytest.raises(BadInput) as error, play.opening.open():
                    pass
                refused.append(str(error.value))

        stage.at[2] = second
        assert Play(stage).run(until=4) == "stopped"
        agrees(stage)
    assert "account PA0000000001 is traded by another process already" in refused[0]
    assert "another" in refused[1]
