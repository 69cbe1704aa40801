"""Real processes that are killed anywhere, and stopped by a signal: nothing lost, nothing twice."""

import signal
from pathlib import Path
from random import Random

import pytest

from tests.advisor.live.remote import Remote, served_time
from tests.advisor.live.theatre import BUSY, agrees, theatre

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", [0])
def test_processes_killed_at_any_request_leave_no_order_twice_and_no_position_bare(
    tmp_path: Path, seed: int
) -> None:
    random = Random(seed)
    last, kills = 60, 6
    with theatre(tmp_path / "parts", BUSY) as stage, served_time(stage) as port:
        remote = Remote(stage, port, look_seconds=15.0, settle_seconds=15.0)
        stage.pit.partial, stage.pit.fate.random = 0.5, random
        wrong: list[str] = []

        def holds() -> None:
            """Before a minute trades, everything of the one before has settled."""
            try:
                agrees(stage)
            except AssertionError as error:
                wrong.append(f"minute {stage.row}: {error}")

        stage.before_trading = lambda: holds() if stage.row > 0 else None
        done: list[str] = []
        left = kills
        answer, due = stage.rest.respond, random.randint(10, 40)

        def respond(handler, method) -> None:
            """Kill the one who asks, before or after what it asked for is done."""
            nonlocal left, due
            due -= 1 + 12 * (method != "GET")  # an order is where it hurts
            killed = left > 0 and due <= 0
            if killed:
                left, due = left - 1, random.randint(10, 120)
                if random.random() < 0.5:
                    remote.kill()
                    handler.close_connection = True
                    return
            answer(handler, method)
            if killed:
                remote.kill()

        stage.rest.respond = respond
        stage.at[last] = lambda: remote.process.send_signal(signal.SIGTERM)
        codes: list[int] = []

        def again(code: int, said: str) -> bool:
            codes.append(code)
            done.append(said)
            return code == -signal.SIGKILL

        remote.play(again)
        print("\n".join(done))
        assert wrong == []
        assert codes == [-signal.SIGKILL] * kills + [0]
        assert done[-1].endswith("stopped\n")
        kept = agrees(stage)
    assert len(kept.cycles.minute) in ((last - 1) * 3, last * 3)
    assert len(kept.trades) >= 2
