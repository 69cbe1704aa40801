"""A lake in a bucket gains what is new like a folder, and two imports at once lose nothing."""

import io
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from advisor.cli import app
from tests.tools.aws.conftest import admin, aws, moto  # noqa: F401
from tests.tools.market.bars_on_disk import accepted, write_session
from tools.aws.objects import Objects, Stored
from tools.aws.parameters import AwsParameters
from tools.errors import BadInput, NoData, Transient
from tools.market.files import read_bars
from tools.market.lake import Imported, holdings, import_bars, stored_bars
from tools.market.lake_in_bucket import import_into_bucket

FIRST, SECOND, NEXT_YEAR = date(2025, 12, 30), date(2025, 12, 31), date(2026, 1, 2)


@pytest.fixture
def lake(aws: AwsParameters, admin: Callable[[str], Any]) -> Objects:  # noqa: F811
    admin("s3").create_bucket(Bucket="desk")
    return Objects("s3://desk/lake", aws)


@pytest.fixture
def place(lake: Objects, aws: AwsParameters, monkeypatch: pytest.MonkeyPatch) -> Path:  # noqa: F811
    """The same lake as a person names it."""
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    host = str(aws.endpoint_url).removeprefix("http://")
    return Path(f"s3://desk/lake?endpoint_override={host}&scheme=http")


def test_a_bucket_holds_the_files_that_a_folder_would(lake: Objects, tmp_path: Path) -> None:
    for day in (NEXT_YEAR, FIRST, SECOND, FIRST):
        into_bucket = import_into_bucket(lake, [accepted(day)], "1min")
        assert into_bucket == import_bars(tmp_path, [accepted(day)], "1min")
    assert into_bucket == [Imported(symbol="SPY", added=0, known=390, differing=0)]
    files = sorted(tmp_path.rglob("*.parquet"))
    assert lake.names() == [str(file.relative_to(tmp_path)) for file in files]
    for file in files:
        assert lake.get(str(file.relative_to(tmp_path))).body == file.read_bytes()


def test_importing_again_writes_nothing(lake: Objects) -> None:
    import_into_bucket(lake, [accepted(FIRST)], "1min")
    tags = {key: lake.get(key).tag for key in lake.names()}
    other = accepted(FIRST)
    changed = type(other)(**{name: getattr(other, name) for name in other.__slots__})
    object.__setattr__(changed, "close", np.nextafter(changed.close, 1e9))
    (got,) = import_into_bucket(lake, [changed], "1min")
    assert (got.added, got.known, got.differing) == (0, 390, 390)
    assert {key: lake.get(key).tag for key in lake.names()} == tags


class Raced(Objects):
    """A bucket in which somebody else imports between our reading and our writing."""

    def __init__(self, aws: AwsParameters, other: Callable[[], object], times: int) -> None:  # noqa: F811
        super().__init__("s3://desk/lake", aws)
        self._other, self.left = other, times

    def find(self, key: str) -> Stored | None:
        found = super().find(key)
        if self.left:
            self.left -= 1
            self._other()
        return found


def test_two_imports_at_once_lose_nothing(lake: Objects, aws: AwsParameters) -> None:  # noqa: F811
    days = iter([FIRST, SECOND])
    raced = Raced(aws, lambda: import_into_bucket(lake, [accepted(next(days))], "1min"), 2)
    third = date(2025, 12, 29)
    (got,) = import_into_bucket(raced, [accepted(third)], "1min")
    assert got.added == 390
    (key,) = lake.names()
    assert pq.read_table(io.BytesIO(lake.get(key).body)).num_rows == 3 * 390


def test_an_endless_race_is_given_up(lake: Objects, aws: AwsParameters) -> None:  # noqa: F811
    days = (FIRST - timedelta(days=number) for number in (1, 7, 8, 14, 15, 21))

    def other() -> None:
        import_into_bucket(lake, [accepted(next(days))], "1min")

    with pytest.raises(Transient, match="changed by another import each of 5 times"):
        import_into_bucket(Raced(aws, other, 99), [accepted(SECOND)], "1min")


@pytest.mark.parametrize("body", [b"", b"no parquet"])
def test_an_object_that_is_no_bar_file_is_left_alone(lake: Objects, body: bytes) -> None:
    key = "timeframe=1min/symbol=SPY/year=2025.parquet"
    lake.put(key, body, "text/plain")
    with pytest.raises(BadInput, match="no file of a bar lake"):
        import_into_bucket(lake, [accepted(FIRST)], "1min")
    assert lake.get(key).body == body


def test_a_lake_in_a_bucket_is_shown_and_read(lake: Objects, place: Path) -> None:
    import_into_bucket(lake, [accepted(FIRST), accepted(NEXT_YEAR, symbol="QQQ")], "1min")
    assert [(one.symbol, one.bars, one.sessions) for one in holdings(place, "1min")] == [
        ("QQQ", 390, 1),
        ("SPY", 390, 1),
    ]
    bars = stored_bars(place, "1min", "SPY", limit=3)
    assert len(bars) == 3
    ours = accepted(FIRST)
    assert [bar.close for bar in bars] == ours.close[-3:].tolist()
    found = read_bars([place], ["SPY"])["SPY"]
    assert np.array_equal(found.close, ours.close)
    with pytest.raises((NoData, BadInput)):
        stored_bars(place, "1min", "IWM")


def test_the_commands_take_a_bucket(lake: Objects, place: Path, tmp_path: Path) -> None:
    write_session(tmp_path / "SPY.parquet", FIRST)
    run = CliRunner()
    asked = str(place).replace("s3:/", "s3://", 1)
    done = run.invoke(app, ["data", "import", str(tmp_path), "--lake", asked])
    assert done.exit_code == 0, done.output
    assert "--bars s3://desk/lake/timeframe=1min?endpoint" in done.output.replace("\n", "")
    assert lake.names() == ["timeframe=1min/symbol=SPY/year=2025.parquet"]
    shown = run.invoke(app, ["data", "show", "--lake", asked])
    assert shown.exit_code == 0, shown.output
    assert "SPY" in shown.output
