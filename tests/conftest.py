"""What every test may ask for."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


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
