"""Keys that are not keys, and no way out of this machine by way of the environment."""

import pytest

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
