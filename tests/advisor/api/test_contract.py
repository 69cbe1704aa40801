"""The OpenAPI document is what the API does: schemathesis tries everything that it allows, and not.

400 stands beside 422 in what a well-formed request may get: dates in the wrong order and cursors of
another lane are things that no schema can say.
"""

import json
from pathlib import Path

import pytest

from advisor.api.keys import KeyFile
from advisor.api.ledger_chat import LedgerChat
from advisor.api.view import LedgerView
from advisor.results import ReplayResult
from advisor.settings import ApiSettings, Settings
from tests.advisor.api.worlds import api
from tools.store import Store
from tools.store.paging import Pages

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
STREAMS = "/api/stream"


def test_the_document_names_every_endpoint_and_problem(tmp_path: Path) -> None:
    with Store.open(tmp_path / "ledger.sqlite") as store:
        document = api(store, tmp_path).openapi()
    assert {"Problem", "Trade", "LogEntry", "Tick", "ChatEvent"} <= set(
        document["components"]["schemas"]
    )
    assert "HTTPValidationError" not in json.dumps(document)
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert operation["description"], path
            if path not in ("/api/health", "/api/tv-alert"):
                assert operation["security"], path


def test_no_request_finds_a_gap_between_document_and_server(
    january: tuple[Path, ReplayResult], tmp_path: Path
) -> None:
    from hypothesis import HealthCheck, Phase, given, settings

    text = KeyFile(tmp_path / "keys.json").create("me", "admin", 1_000_000)[1]
    with Store.open(january[0], read_only=True) as store:
        limits = ApiSettings(requests_per_minute=1_000_000, chat_per_minute=10_000)
        chat = LedgerChat(store, LedgerView(Pages(store)), Settings(api=limits), folder=tmp_path)
        app = api(store, tmp_path, settings=limits, chat=chat)
        schema = schemathesis.openapi.from_asgi("/openapi.json", app)
        schema.config.checks.positive_data_acceptance.expected_statuses.append("400")
        tried = 0
        for result in schema.exclude(path=STREAMS).get_all_operations():
            operation = result.ok()

            @given(case=operation.as_strategy())
            @settings(
                max_examples=30, deadline=None, derandomize=True, database=None,
                phases=[Phase.explicit, Phase.generate],
                suppress_health_check=list(HealthCheck),
            )  # fmt: skip
            def holds(case: object) -> None:
                case.call_and_validate(headers={"X-API-Key": text})  # type: ignore[attr-defined]

            holds()
            tried += 1
    assert tried >= 15
