"""Keys that are not keys, no way out of this machine by the environment, and a database."""

import itertools
from collections.abc import Iterator

import psycopg
import pytest
from sqlalchemy import make_url

_NUMBERS = itertools.count(1)

KEYS = {
    "ANTHROPIC_API_KEY": "sk-ant-canary-1111111111",
    "OPENAI_API_KEY": "sk-openai-canary-2222222222",
    "AWS_ACCESS_KEY_ID": "AKIACANARY3333333333",
    "AWS_SECRET_ACCESS_KEY": "aws-canary-4444444444",
}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_GATEWAY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return KEYS


@pytest.fixture
def database(postgresql: str) -> Iterator[str]:
    """An empty database of a real PostgreSQL."""
    name = f"spending_{next(_NUMBERS)}"
    with psycopg.connect(postgresql, autocommit=True) as server:
        server.execute(f"CREATE DATABASE {name}")
        yield make_url(postgresql).set(database=name).render_as_string(hide_password=False)
        server.execute(f"DROP DATABASE {name} WITH (FORCE)")
