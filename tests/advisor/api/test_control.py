"""Halt and resume over HTTP: an admin key asks, the folder keeps it, health says who and why."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from advisor.api.keys import KeyFile
from advisor.control import HALT_FILE, Control, Halt, Resume
from advisor.settings import ApiSettings
from quant_core.types import RiskChange, RiskState
from tests.advisor.api.worlds import api, client
from tools.store import Store

NOW = datetime(2026, 3, 2, 15, 4, tzinfo=UTC)


class Desk:
    """A served session: its store, its folder, and clients with and without the right."""

    def __init__(self, store: Store, folder: Path, kind: str = "paper", per_minute: int = 1_000):
        self.store, self.folder = store, folder
        store.start_run("r", kind=kind, config_hash="", code_version="", config_json="{}")
        keys = KeyFile(folder / "keys.json")
        app = api(store, folder, settings=ApiSettings(requests_per_minute=per_minute))
        self.ann = client(app, [("X-API-Key", keys.create("ann", "admin")[1])])
        self.eve = client(app, [("X-API-Key", keys.create("eve", "read")[1])])

    def changed(self, state: RiskState, reason: str = "kill: daily loss") -> None:
        change = RiskChange(start=NOW, state=state, reason=reason, equity=1e5)
        self.store.commit_cycle("r", "advised", None, [change], b"{}")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        yield Desk(store, tmp_path)


def kind(answer: object) -> tuple[int, str]:
    return answer.status_code, answer.json()["type"].rpartition("/")[2]  # type: ignore[attr-defined]


def trading(site: TestClient) -> dict[str, str]:
    parts = site.get("/api/health").json()["components"]
    return next(one for one in parts if one["name"] == "trading")


def test_an_admin_halts_and_resumes_and_health_tells_who_and_why(desk: Desk) -> None:
    assert trading(desk.ann)["state"] == "ok"
    answer = desk.ann.post("/api/halt", json={"reason": "fed day", "flatten": True})
    assert answer.status_code == 202
    told = answer.json()
    assert (told["asked"], told["by"], told["reason"]) == ("halt", "ann (API)", "fed day")
    assert (told["flatten"], told["applied"]) == (True, False)
    found = Control(desk.folder).wanted()
    assert isinstance(found, Halt)
    assert (found.by, found.flatten) == ("ann (API)", True)
    assert trading(desk.eve)["detail"].startswith("a halt waits for the session, by ann")
    desk.changed(RiskState.HALTED)
    health = desk.eve.get("/api/health").json()
    assert health["control"] == told | {"applied": True}
    assert (health["status"], health["can_halt"]) == ("degraded", True)
    answer = desk.ann.post("/api/resume")
    assert (answer.status_code, answer.json()["asked"]) == (202, "resume")
    assert isinstance(Control(desk.folder).wanted(), Resume)
    assert "resume by ann" in trading(desk.eve)["detail"]


def test_reading_is_not_enough_and_nothing_is_written(desk: Desk) -> None:
    for path in ("/api/halt", "/api/resume"):
        assert kind(desk.eve.post(path, json={})) == (403, "scope-missing")
    assert Control(desk.folder).state() is None


def test_without_any_key_nobody_on_this_machine_may_either(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        store.start_run("r", kind="paper", config_hash="", code_version="", config_json="{}")
        answer = client(api(store, tmp_path)).post("/api/halt", json={})
    assert kind(answer) == (403, "scope-missing")
    assert "--scope admin" in answer.json()["detail"]


@pytest.mark.parametrize("finished", [False, True])
def test_a_replay_cannot_be_halted(tmp_path: Path, finished: bool) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        desk = Desk(store, tmp_path, kind="replay")
        if finished:
            store.finish_run("r")
        for path in ("/api/halt", "/api/resume"):
            assert kind(desk.ann.post(path, json={})) == (409, "no-session")
        assert desk.ann.get("/api/health").json()["can_halt"] is False
    assert not (tmp_path / HALT_FILE).exists()


def test_what_is_not_halted_cannot_be_resumed(desk: Desk) -> None:
    assert kind(desk.ann.post("/api/resume")) == (409, "not-halted")
    desk.changed(RiskState.HALTED)
    assert desk.ann.post("/api/resume").status_code == 202


def test_a_halt_passes_when_the_allowance_is_used_up(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        desk = Desk(store, tmp_path, per_minute=2)
        assert [desk.ann.get("/api/runs").status_code for _ in range(3)][-1] == 429
        assert desk.ann.post("/api/halt", json={}).status_code == 202
        assert desk.ann.post("/api/resume").status_code == 429


@pytest.mark.parametrize(
    "body", [{"reason": "x" * 501}, {"flatten": "perhaps"}, {"reason": None}, {"other": 1}, []]
)
def test_a_malformed_halt_is_told_what_is_wrong(desk: Desk, body: object) -> None:
    assert kind(desk.ann.post("/api/halt", json=body)) == (422, "invalid-request")


def test_a_folder_that_cannot_be_written_to_names_no_path(desk: Desk) -> None:
    (desk.folder / HALT_FILE).mkdir()
    answer = desk.ann.post("/api/halt", json={})
    assert kind(answer) == (503, "halt-not-written")
    assert str(desk.folder) not in answer.text


def test_a_touched_file_shows_at_once(desk: Desk) -> None:
    desk.ann.get("/api/health")
    (desk.folder / HALT_FILE).touch()
    assert desk.ann.get("/api/health").json()["control"]["reason"] == "HALT file"
