"""A cloud of one's own: moto's services, a PostgreSQL, and the theatre's market, for one test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.infra.handlers.cloud import Cloud, raised
from tests.tools.aws.conftest import admin, aws, front, moto  # noqa: F401
from tools.aws.parameters import AwsParameters


@pytest.fixture
def cloud(
    tmp_path: Path,
    postgresql: str,
    aws: AwsParameters,  # noqa: F811
    admin: Callable[[str], Any],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Cloud]:
    """What the templates would make, empty but for the lake.

    A function may write nothing where it is started, so what a test leaves there fails it.
    """
    assert aws.endpoint_url
    started_in = tmp_path_factory.mktemp("task")
    monkeypatch.chdir(started_in)
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    with raised(tmp_path, postgresql, admin) as made:
        monkeypatch.setenv("AWS_ENDPOINT_URL_LAMBDA", made.starts.url)
        yield made
    assert not list(started_in.iterdir())
