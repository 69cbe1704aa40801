"""What every test may ask for."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

STATE_HOME = "XDG_STATE_HOME"
REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session", autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where programs keep a user's state while tests run: never the home folder."""
    folder = tmp_path_factory.mktemp("state")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(STATE_HOME, str(folder / "shared"))
        yield folder


@pytest.fixture(autouse=True)
def own_state(state_home: Path, request: pytest.FixtureRequest) -> Iterator[None]:
    """Every test a state of its own, or tests would spend one another's budget of a day."""
    shared = os.environ[STATE_HOME]
    name = hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:16]
    os.environ[STATE_HOME] = str(state_home / name)
    yield
    os.environ[STATE_HOME] = shared


@pytest.fixture(scope="session")
def market_data() -> Path:
    """The folder of recorded market data; the test is skipped where there is none."""
    configured = os.environ.get("ADVISOR_TEST_DATA")
    folder = Path(configured) if configured else REPOSITORY.parent / "shared" / "data"
    if not (folder / "bars").is_dir():
        pytest.skip(
            f"no recorded market data at {folder}: set ADVISOR_TEST_DATA or provide ../shared/data"
        )
    return folder


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a real PostgreSQL that is started for the tests of this process."""
    pgserver = pytest.importorskip("pgserver", reason="pgserver is not installed (extra: dev)")
    pytest.importorskip("psycopg", reason="psycopg is not installed (extra: postgres)")
    # Not pytest's own temporary folder: as root the server runs under another user's name.
    folder = tempfile.mkdtemp(prefix="advisor-postgresql-")
    server = pgserver.get_server(folder, cleanup_mode="delete")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)
