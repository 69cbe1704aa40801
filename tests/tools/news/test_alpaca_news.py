"""News from Alpaca: the real client against a stand-in, from the command to the file."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from advisor.cli import app
from advisor.feeds import fetcher, poll_feeds
from advisor.settings import Settings
from tests.stand_ins.alpaca import KEY, SECRET, AlpacaStandIn, Fault, alpaca_stand_in
from tools.errors import BadInput
from tools.news.feeds import Feed

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
FEED = Feed(url="alpaca:NVDA,AMD", symbols=("NVDA", "AMD"))


def item(number: int, minutes_ago: int, **differs: Any) -> dict[str, Any]:
    """An article as Alpaca gives it."""
    stamp = (NOW - timedelta(minutes=minutes_ago)).isoformat().replace("+00:00", "Z")
    return {
        "author": "A", "content": "", "created_at": stamp, "headline": f"Item {number}",
        "id": number, "images": [], "source": "benzinga", "summary": "", "symbols": ["NVDA"],
        "updated_at": stamp, "url": "https://news.example", **differs,
    }  # fmt: skip


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[AlpacaStandIn]:
    monkeypatch.setenv("APCA_API_KEY_ID", KEY)
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)
    with alpaca_stand_in() as running:
        running.news = [item(1, 600), item(2, 120), item(3, 90), item(4, 5)]
        yield running


def poll(server: AlpacaStandIn, folder: Path, now: datetime) -> Any:
    settings = Settings.model_validate({"broker": {"data_url": server.url}})
    (found,) = poll_feeds([FEED], folder, lambda: now, fetcher(settings))
    return found


def test_all_pages_come_once_and_are_dated_by_their_fetch(
    server: AlpacaStandIn, tmp_path: Path
) -> None:
    assert poll(server, tmp_path, NOW).new == 4
    server.news.append(item(5, -30))
    again = poll(server, tmp_path, NOW + timedelta(hours=1))
    assert (again.new, again.known) == (1, 1)  # item 4 lies in the ten minutes asked for twice
    lines = (tmp_path / "news.jsonl").read_text().splitlines()
    assert len(lines) == 5
    assert '"received_at":"2026-11-20T13:00:00Z"' in lines[0]
    assert '"id":"alpaca:1"' in lines[0]


def test_what_is_no_headline_is_refused_by_name_and_a_silent_server_is_named(
    server: AlpacaStandIn, tmp_path: Path
) -> None:
    server.news.append(item(6, 3, headline=""))
    found = poll(server, tmp_path, NOW)
    assert [(one.row, one.reason) for one in found.rejections] == [(5, "no_title")]
    server.faults.append(Fault(method="GET", kind="status"))
    assert "Alpaca answered 503" in poll(server, tmp_path, NOW).failure


def test_the_command_fetches_symbols_and_refuses_none(
    server: AlpacaStandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADVISOR_BROKER__DATA_URL", server.url)
    server.news = [item(9, 0, updated_at="2999-01-01T00:00:00Z")]
    place = ["--out", str(tmp_path)]
    done = CliRunner().invoke(app, ["news", "fetch", "alpaca:nvda,AMD", *place])
    assert done.exit_code == 0, done.output
    assert (tmp_path / "news.jsonl").is_file()
    refused = CliRunner().invoke(app, ["news", "fetch", "alpaca:", *place])
    assert isinstance(refused.exception, BadInput)
