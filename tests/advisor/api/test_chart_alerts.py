"""Alerts of charts over HTTP: who may send one, where it waits, and how the ledger's are shown."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from advisor.api.keys import KeyFile
from tests.advisor.api.worlds import api, client
from tests.tools.store import examples as ex
from tools.errors import NotConfigured
from tools.market.alert_inboxes import FOLDER, FolderInbox
from tools.market.tradingview import COMPONENTS
from tools.store import Store

SECRET = "open sesame"


def alert(**changed: Any) -> dict[str, Any]:
    at = datetime.now(UTC) - timedelta(minutes=1)
    return {
        "passphrase": SECRET, "nonce": "n-20250312-1", "symbol": "nvda", "time": at.isoformat(),
        "direction": "long", "grade": "A+", "score": 7.5, "confidence": 80, "entry": 120.0,
        "stop": 118.5, "targets": [122.0, 124.0], "components": dict.fromkeys(COMPONENTS, 0.5),
    } | changed  # fmt: skip


class Site:
    """A served session, and what waits for it."""

    def __init__(self, store: Store, folder: Path, kind: str = "paper") -> None:
        store.start_run("r", kind=kind, config_hash="", code_version="", config_json="{}")
        self.store, self.folder = store, folder
        self.http: TestClient = client(api(store, folder, passphrase=lambda: SECRET))

    def send(self, body: Any) -> tuple[int, dict[str, Any]]:
        # TradingView's own type for what it takes for text.
        headers = {"content-type": "text/plain; charset=utf-8"}
        answer = self.http.post("/api/tv-alert", content=body, headers=headers)
        return answer.status_code, answer.json()

    def waiting(self) -> list[str]:
        return [one.symbol for one in FolderInbox(self.folder / FOLDER, print).take()]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        yield Site(store, tmp_path)


def test_an_alert_waits_for_the_session_once_however_often_it_comes(site: Site) -> None:
    KeyFile(site.folder / "keys.json").create("ann", "admin")  # which TradingView cannot send
    first = site.send(json.dumps(alert()))
    assert (first[0], first[1]["symbol"]) == (202, "NVDA")
    assert site.send(json.dumps(alert())) == first
    assert site.waiting() == ["NVDA"]
    (file,) = (site.folder / FOLDER).iterdir()
    assert SECRET not in file.read_text()


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        (json.dumps(alert(passphrase="open")), 401, "passphrase is missing or wrong"),
        (json.dumps(alert(score=11)), 400, "Score is 11"),
        (json.dumps(alert(components={})), 400, "Components must be exactly"),
        ("{", 400, "not JSON"),
        ("", 400, "not JSON"),
        ("x" * 20_000, 413, "20,000 bytes"),
        ("x" * 200_000, 413, "bytes"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_waits(
    site: Site, body: str, status: int, told: str
) -> None:
    answer = site.send(body)
    assert answer[0] == status
    assert told in answer[1]["detail"]
    assert SECRET not in json.dumps(answer[1])
    assert site.waiting() == []


def test_a_replay_takes_none_and_a_server_without_a_passphrase_says_what_to_do(
    tmp_path: Path,
) -> None:
    def missing() -> str:
        raise NotConfigured("WEBHOOK_PASSPHRASE is not set")

    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as store:
        replayed = Site(store, tmp_path, kind="replay")
        assert replayed.send(json.dumps(alert()))[0] == 409
        store.start_run("p", kind="paper", config_hash="", code_version="", config_json="{}")
        replayed.http = client(api(store, tmp_path, passphrase=missing))
        status, problem = replayed.send(json.dumps(alert()))
        assert status == 503
        assert "WEBHOOK_PASSPHRASE is not set. Put it into the environment" in problem["detail"]


def test_who_sends_too_many_waits(site: Site) -> None:
    found = {site.send(json.dumps(alert(passphrase="guess")))[0] for _ in range(61)}
    assert found == {401, 429}


def test_what_the_ledger_has_is_shown_newest_first_and_in_pages(site: Site) -> None:
    assert site.http.get("/api/chart-alerts").json()["data"] == []
    told = [replace(ex.CHART_ALERT, id=f"id-{n}", symbol=name)
            for n, name in enumerate(("NVDA", "SPY", "NVDA"))]  # fmt: skip
    opening = [ex.SNAPSHOT, replace(ex.SNAPSHOT, symbol="SPY"), *told]
    site.store.commit_cycle("r", "market", None, opening, None)
    page = site.http.get("/api/chart-alerts", params={"limit": 2}).json()
    assert [one["symbol"] for one in page["data"]] == ["NVDA", "SPY"]
    assert page["lane"] == "market"
    rest = site.http.get("/api/chart-alerts", params={"limit": 2, "cursor": page["next"]}).json()
    assert (len(rest["data"]), rest["next"]) == (1, None)
    (spy,) = site.http.get("/api/chart-alerts", params={"symbol": "spy"}).json()["data"]
    assert (spy["direction"], spy["grade"], spy["targets"]) == ("short", "B+", [186.0, 184.5])
    day = {"start_date": ex.SNAPSHOT.date.isoformat()}
    assert len(site.http.get("/api/chart-alerts", params=day).json()["data"]) == 3
    early = {"as_of": (ex.CHART_ALERT.known_at - ex.MINUTE).isoformat()}
    assert site.http.get("/api/chart-alerts", params=early).json()["data"] == []
