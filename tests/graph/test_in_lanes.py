"""The machines as the lanes use them: a synthetic session with a scripted model."""

from datetime import date
from pathlib import Path

import pytest
from pydantic import BaseModel

from advisor import code_version
from advisor.cycle import dependencies
from advisor.lanes import Lane
from advisor.session import run_day, trading_day
from graph.checkpoints import Checkpoints
from graph.history import LedgerHistory
from graph.market_analysis import analyst
from graph.ports import Wiring
from graph.trade_validation import validator
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.types import Analysis, Decision, Status
from tests.advisor.worlds import SETTINGS, SYMBOLS, market
from tests.graph.worlds import APPROVE, GOOD, Line, Scripted, budget
from tools.llm.calls import Outcome, Prompt
from tools.store.store import Store

DAY = date(2026, 10, 13)


def says(prompt: Prompt, schema: type[BaseModel]) -> Line:
    """Easier reversion; every third analysis fails; one trade in two is made smaller."""
    minutes = int(prompt.text.split("session.minutes_since_open = ")[1].split()[0])
    if prompt.id == "trade_validation":
        return {**APPROVE, "ruling": "reduce", "size_factor": 0.5} if minutes % 2 else APPROVE
    if minutes % 45 == 30:
        return Outcome.TIMEOUT
    shown = "S1" if "S1" in prompt.text else "SPY"
    return {**GOOD, "mr_arm": 0.7, "opportunities": [], "evidence": [f"{shown}.z"]}


def session(folder: Path, *, mask: bool = False, keep: bool = True) -> tuple[Lane, Scripted, str]:
    """One session of the advised lane: the lane, the model, and the hash of its last record."""
    model, world = Scripted(says), market(DAY, DAY)
    with (
        Store.open(folder / f"ledger{mask}{keep}.sqlite") as store,
        Checkpoints.open(folder / f"checkpoints{mask}.sqlite") as checkpoints,
    ):
        store.start_run(
            "run", kind="replay", config_hash="c", code_version=code_version(), config_json="{}"
        )
        wired = Wiring(
            model=model,
            budget=budget(),
            history=LedgerHistory(store, "run", "advised"),
            mask=mask,
            checkpoints=checkpoints if keep else None,
        )
        lane = Lane(
            name="advised",
            desk=Desk.new(len(SYMBOLS), SETTINGS.account.start_equity),
            log=EventLog.with_room_for(len(SYMBOLS)),
            analyst=analyst(wired),
            validator=validator(wired),
        )
        day = trading_day(world, world.sessions[0], SETTINGS)
        run_day([lane], day, dependencies("run", SETTINGS, store), lambda lane, day: None)
        return lane, model, store.heads("run")["advised"]


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lane, Scripted, str]:
    return session(tmp_path_factory.mktemp("played"))


def test_a_session_is_advised_and_failures_show_in_the_ledger(
    played: tuple[Lane, Scripted, str],
) -> None:
    lane, model, _ = played
    analyses = [one for one in lane.records if isinstance(one, Analysis)]
    assert len(analyses) == 26
    degraded = [one for one in analyses if one.status is Status.DEGRADED]
    assert {one.degraded_reason for one in degraded} == {"timeout: as scripted"}
    assert len(degraded) == 8
    verdicts = [one.verdict for one in lane.records if isinstance(one, Decision) and one.verdict]
    assert len(model.prompts) == 26 + len(verdicts)
    assert {one.status for one in verdicts} == {Status.OK}


def test_the_same_answers_give_the_same_ledger(
    played: tuple[Lane, Scripted, str], tmp_path: Path
) -> None:
    _, model, head = played
    _, again, same = session(tmp_path, keep=False)
    assert same == head
    assert again.prompts == model.prompts


def test_a_mask_does_not_change_the_way(played: tuple[Lane, Scripted, str], tmp_path: Path) -> None:
    _, _, head = played
    _, masked, same = session(tmp_path, mask=True)
    assert same == head
    shown = masked.shown
    assert not any(symbol in shown for symbol in ("NVDA", "QQQ", "2026-"))
