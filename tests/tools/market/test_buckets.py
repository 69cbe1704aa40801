"""Bars in an S3 bucket are the bars of the file that was put there, and what is wrong is said."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.fs as pa_fs
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from tools.errors import BadInput, NoData
from tools.market.files import read_bars


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """HOST:PORT of an S3 service that speaks the real protocol."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"{host}:{port}"
    server.stop()


def put(service: str, place: Path, key: str) -> None:
    options = {"endpoint_override": service, "scheme": "http", "allow_bucket_creation": True}
    client = pa_fs.S3FileSystem(**options)
    client.create_dir(key.split("/")[0])
    with client.open_output_stream(key) as stream:
        stream.write(place.read_bytes())


def test_a_lake_in_a_bucket_is_read_like_a_folder(service: str, tmp_path: Path) -> None:
    minutes = pa.array(np.arange(5) * 60_000_000 + 1_736_174_400_000_000)
    prices = {name: np.linspace(100.0, 101.0, 5) for name in ("open", "high", "low", "close")}
    stamps = minutes.cast(pa.timestamp("us", tz="UTC"))
    table = pa.table({"timestamp": stamps, **prices, "volume": np.full(5, 1000.0)})
    pq.write_table(table, tmp_path / "SPY.parquet")
    put(service, tmp_path / "SPY.parquet", "lake/1min/SPY.parquet")
    put(service, tmp_path / "SPY.parquet", "lake/notes/readme.txt")
    query = f"?endpoint_override={service}&scheme=http"
    ours = read_bars([tmp_path], ["SPY"])["SPY"]
    for place in ("lake", "lake/1min", "lake/1min/SPY.parquet"):
        found = read_bars([Path(f"s3://{place}{query}")], ["SPY"])["SPY"]
        assert found.files == ("s3://lake/1min/SPY.parquet",)
        for name in ("start", "open", "high", "low", "close", "volume", "row"):
            assert np.array_equal(getattr(found, name), getattr(ours, name))
    with pytest.raises(BadInput, match=r"s3://lake/nothing\?.*does not exist"):
        read_bars([Path(f"s3://lake/nothing{query}")], ["SPY"])
    with pytest.raises(NoData, match="holds no"):
        read_bars([Path(f"s3://lake/notes{query}")], ["SPY"])


@pytest.mark.slow  # the client tries for seconds
def test_a_service_that_is_not_there_is_one_sentence(service: str) -> None:
    with pytest.raises(BadInput, match=r"s3://lake.* cannot be read: .*"):
        read_bars([Path("s3://lake?endpoint_override=no.such.host.invalid&scheme=http")], ["SPY"])
