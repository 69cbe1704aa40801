"""What every test may ask for."""

import os
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
