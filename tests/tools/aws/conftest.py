"""One moto server for the tests of a process, empty for each of them."""

import urllib.request
from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from tests.stand_ins.aws import Front
from tools.aws.parameters import AwsParameters


@pytest.fixture(scope="session")
def moto() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def aws(moto: str, monkeypatch: pytest.MonkeyPatch) -> AwsParameters:
    """How the services are reached, with credentials; nothing is in them."""

    with urllib.request.urlopen(
        urllib.request.Request(f"{moto}/moto-api/reset", b"", method="POST")
    ) as answer:
        answer.read()
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return AwsParameters(region="us-east-1", endpoint_url=moto, read_seconds=5.0, attempts=2)


def _keys() -> dict[str, Any]:
    return {
        "region_name": "us-east-1",
        "aws_access_key_id": "testing",
        "aws_secret_access_key": "testing",
    }


@pytest.fixture
def admin(moto: str) -> Any:
    """Clients for what an administrator sets up and looks at."""
    return lambda service: boto3.client(service, endpoint_url=moto, **_keys())


@pytest.fixture
def front(moto: str) -> Iterator[Front]:
    """A front of the services that fails on demand."""
    made = Front(moto)
    yield made
    made.close()
