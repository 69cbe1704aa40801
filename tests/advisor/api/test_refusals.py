"""Whatever a caller sends gets a clear problem document, and never a path or a trace."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from advisor.api.keys import KeyFile
from advisor.api.limits import RateLimit
from advisor.settings import ApiSettings
from tests.advisor.api.worlds import api, client
from tests.tools.store.examples import keep_history
from tools.errors import BadInput
from tools.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "ledger.sqlite", synchronous="NORMAL") as opened:
        keep_history(opened, lanes=("advised", "baseline"))
        yield opened


@pytest.fixture
def site(store: Store, tmp_path: Path) -> TestClient:
    return client(api(store, tmp_path))


@pytest.mark.parametrize(
    ("path", "status", "kind"),
    [
        ("/api/trades?symbol=TSLA", 404, "unknown-symbol"),
        ("/api/trades?symbol=NVDA'%20OR%201=1--", 422, "invalid-request"),
        ("/api/trades?start_date=2026-02-30", 422, "invalid-request"),
        ("/api/trades?start_date=2026-03-01&end_date=2026-02-01", 400, "impossible-dates"),
        ("/api/pnl?start_date=9999-12-31&end_date=0001-01-01", 400, "impossible-dates"),
        ("/api/trades?limit=1000000", 422, "invalid-request"),
        ("/api/trades?limit=-1", 422, "invalid-request"),
        ("/api/trades?cursor=AAAA", 400, "bad-cursor"),
        ("/api/trades?cursor=%00", 422, "invalid-request"),
        ("/api/trades?as_of=2026-01-05T15:00:00", 422, "invalid-request"),
        ("/api/trades?as_of=yesterday", 422, "invalid-request"),
        ("/api/trades?lane=live", 404, "unknown-lane"),
        ("/api/trades?run=none", 404, "unknown-run"),
        ("/api/trades?run=..%2F..%2Fetc%2Fpasswd", 422, "invalid-request"),
        ("/api/trades/99999999", 404, "unknown-trade"),
        ("/api/trades/99999999999999999999999", 422, "invalid-request"),
        ("/api/candles", 422, "invalid-request"),
        ("/api/candles?symbol=NVDA&timeframe=1s", 422, "invalid-request"),
        ("/api/stream?after=rubbish", 400, "bad-event-id"),
        ("/nothing", 404, "not-found"),
        ("/api/trades/", 404, "not-found"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(
    site: TestClient, tmp_path: Path, path: str, status: int, kind: str
) -> None:
    answer = site.get(path)
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["type"] == f"/problems/{kind}"
    assert problem["status"] == status
    assert len(problem["detail"]) > 10
    assert str(tmp_path) not in answer.text
    assert "Traceback" not in answer.text


def test_a_method_that_is_not_there_names_those_that_are(site: TestClient) -> None:
    answer = site.delete("/api/trades")
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET"
    assert answer.json()["type"] == "/problems/method-not-allowed"


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_the_ends_of_time_are_moments_too(site: TestClient, moment: str) -> None:
    for path in ("trades", "watchlist", "pnl", "equity", "positions", "signals"):
        answer = site.get(f"/api/{path}", params={"as_of": moment, "lane": "advised"})
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("date", ["0001-01-01", "9999-12-31"])
def test_days_at_the_ends_of_time_are_empty(site: TestClient, date: str) -> None:
    for path in ("candles?symbol=NVDA", "equity?resolution=minute", "premarket?symbol=NVDA"):
        answer = site.get(f"/api/{path}&date={date}")
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"] == []


def test_malformed_and_huge_questions_are_refused(site: TestClient) -> None:
    malformed = site.post("/api/chat", content=b'{"question": ', headers=_JSON)
    assert malformed.status_code == 422
    assert site.post("/api/chat", json={"question": "x" * 5_000}).status_code == 422
    huge = site.post("/api/chat", json={"question": "x" * 100_000})
    assert (huge.status_code, huge.json()["type"]) == (413, "/problems/too-large")

    def pieces() -> Iterator[bytes]:
        for _ in range(100):
            yield b"x" * 1_000

    streamed = site.post("/api/chat", content=pieces(), headers=_JSON)
    assert streamed.status_code == 413


_JSON = {"content-type": "application/json"}


def test_without_a_chat_the_endpoint_says_so(site: TestClient) -> None:
    answer = site.post("/api/chat", json={"question": "P/L over the last 5 days?"})
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/chat-not-configured")


def test_an_empty_ledger_says_what_to_run(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        site = client(api(store, tmp_path))
        answer = site.get("/api/trades")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/no-run")
        assert "advisor demo" in answer.json()["detail"]
        assert site.get("/api/runs").json() == {"data": []}
        assert site.get("/api/settings").json()["run"] is None
        assert site.get("/api/health").json()["status"] == "degraded"


def test_a_run_that_has_only_begun_is_empty_and_not_an_error(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        store.start_run("r", kind="replay", config_hash="c", code_version="1", config_json="{}")
        site = client(api(store, tmp_path))
        for path in ("trades", "pnl", "watchlist", "positions", "equity", "signals", "alerts"):
            answer = site.get(f"/api/{path}")
            assert answer.status_code == 200, answer.text
            assert answer.json()["data"] == []
        assert site.get("/api/lanes").json()["lanes"] == []


def test_an_older_schema_is_named_and_left_alone(tmp_path: Path) -> None:
    Store.open(tmp_path / "ledger.sqlite").close()
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        raw.execute("UPDATE ledger_version SET version_num = '0000'")
    with pytest.raises(BadInput, match="older schema"):
        Store.open(tmp_path / "ledger.sqlite", read_only=True)


def test_a_broken_ledger_leaks_no_path(store: Store, site: TestClient, tmp_path: Path) -> None:
    assert site.get("/api/trades").status_code == 200
    with sqlite3.connect(tmp_path / "ledger.sqlite") as raw:
        raw.execute("UPDATE trades SET pnl = 'a fortune'")
    answer = site.get("/api/trades?limit=3")
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/ledger-unreadable")
    assert str(tmp_path) not in answer.text
    assert "fortune" not in answer.text


def test_hostile_texts_travel_as_text(store: Store, site: TestClient) -> None:
    answer = site.get("/api/market-analysis")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["content-type"] == "application/json"
    assert "default-src 'none'" in answer.headers["content-security-policy"]


# Keys


def test_once_a_key_is_made_every_caller_needs_one(store: Store, tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    app = api(store, tmp_path)
    assert client(app).get("/api/pnl").status_code == 200
    _, text = keys.create("site", "read")
    refused = client(app).get("/api/pnl")
    assert (refused.status_code, refused.json()["type"]) == (401, "/problems/key-needed")
    assert refused.headers["www-authenticate"].startswith("Bearer")
    wrong = text[:-1] + ("A" if text[-1] != "A" else "B")
    for bad in (wrong, "adv_00000000_x", "x", "adv__", text.replace("adv", "ADV")):
        assert client(app, [("X-API-Key", bad)]).get("/api/pnl").status_code == 401
    assert client(app, [("X-API-Key", text)]).get("/api/pnl").status_code == 200
    assert client(app, [("Authorization", f"Bearer {text}")]).get("/api/pnl").status_code == 200
    assert client(app).get("/api/health").status_code == 200
    keys.revoke("site")
    assert client(app, [("X-API-Key", text)]).get("/api/pnl").status_code == 401


def test_settings_need_a_key_that_reaches_that_far(store: Store, tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    app = api(store, tmp_path)
    read, admin = keys.create("site", "read")[1], keys.create("me", "admin")[1]
    refused = client(app, [("X-API-Key", read)]).get("/api/settings")
    assert (refused.status_code, refused.json()["type"]) == (403, "/problems/scope-missing")
    told = client(app, [("X-API-Key", admin)]).get("/api/settings").json()["data"]
    assert {"key": "risk.max_positions", "value": 3.0, "source": "default", "in_run": None} in told


def test_a_key_is_kept_as_a_hash_in_a_file_of_its_owner(tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    _, text = keys.create("site", "read")
    kept = (tmp_path / "keys.json").read_text()
    assert text.split("_", 2)[2] not in kept
    assert (tmp_path / "keys.json").stat().st_mode & 0o777 == 0o600
    with pytest.raises(BadInput, match="revoke it first"):
        keys.create("site", "admin")
    (tmp_path / "keys.json").chmod(0o644)
    with pytest.raises(BadInput, match="chmod 600"):
        KeyFile(tmp_path / "keys.json").find(text)


def test_a_flood_is_told_when_to_come_back(store: Store, tmp_path: Path) -> None:
    keys = KeyFile(tmp_path / "keys.json")
    _, text = keys.create("site", "read")
    app = api(store, tmp_path, settings=ApiSettings(requests_per_minute=5))
    site = client(app, [("X-API-Key", text)])
    answers = [site.get("/api/pnl") for _ in range(6)]
    assert [one.status_code for one in answers] == [200] * 5 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
    _, other = keys.create("big", "read", 1_000)
    assert client(app, [("X-API-Key", other)]).get("/api/pnl").status_code == 200
    guesses = [client(app, [("X-API-Key", "x")]).get("/api/pnl").status_code for _ in range(6)]
    assert guesses == [401] * 5 + [429]


def test_tokens_come_back_evenly() -> None:
    now = [0.0]
    limit = RateLimit(60, clock=lambda: now[0])
    assert [limit.take("a") for _ in range(61)] == [0.0] * 60 + [1.0]
    now[0] += 1.0
    assert limit.take("a") == 0.0
    assert limit.take("a") == 1.0
    assert limit.take("b") == 0.0


def test_a_page_elsewhere_cannot_reach_in_by_name(store: Store, tmp_path: Path) -> None:
    answer = client(api(store, tmp_path)).get("/api/pnl", headers={"Host": "evil.example"})
    assert (answer.status_code, answer.json()["type"]) == (421, "/problems/wrong-host")


def test_only_allowed_origins_may_read_from_a_browser(store: Store, tmp_path: Path) -> None:
    settings = ApiSettings(cors_origins=("https://me.example",))
    site = client(api(store, tmp_path, settings=settings))
    preflight = {
        "Access-Control-Request-Method": "GET",
        "Access-Control-Request-Headers": "X-API-Key",
    }
    allowed = site.options("/api/pnl", headers={"Origin": "https://me.example", **preflight})
    assert allowed.headers["access-control-allow-origin"] == "https://me.example"
    refused = site.get("/api/pnl", headers={"Origin": "https://evil.example"})
    assert "access-control-allow-origin" not in refused.headers


def test_metrics_count_what_was_answered(site: TestClient) -> None:
    site.get("/api/trades")
    site.get("/nothing")
    text = site.get("/metrics").text
    assert 'advisor_api_requests_total{method="GET",route="/api/trades",status="200"} 1.0' in text
    assert 'route="none",status="404"' in text
