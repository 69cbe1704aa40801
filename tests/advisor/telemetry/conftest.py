"""One synthetic session, replayed once for all tests of a process."""

from pathlib import Path

import pytest

from advisor.bootstrap import ReplayOptions
from advisor.demo import demo_market, demo_request
from advisor.replay import LEDGER, replay
from advisor.results import ReplayResult
from advisor.settings import Settings

OPTIONS = ReplayOptions(analyst="rules", validation="rules", pace=None)


@pytest.fixture(scope="session")
def session(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ReplayResult]:
    """The ledger of the session, and what the replay itself returned."""
    folder = tmp_path_factory.mktemp("session")
    settings, request = Settings(), demo_request()
    result = replay(request, OPTIONS, settings, demo_market(request, settings), folder)
    return folder / LEDGER, result
