"""Secrets by name: where they are looked for, how long they count, and that nobody sees them."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from advisor.secrets import open_secrets, provide_keys
from advisor.settings import SecretSettings, load_settings
from tests.stand_ins.aws import Fault, Front
from tools.aws.parameters import AwsParameters
from tools.aws.secrets import AwsSecrets
from tools.errors import BadInput, NotConfigured, Rejected, Transient
from tools.secrets import Secrets

SOURCES = {
    "ANTHROPIC_API_KEY": "ssm:/advisor/anthropic",
    "APCA_API_KEY_ID": "secretsmanager:advisor/alpaca#key",
    "APCA_API_SECRET_KEY": "secretsmanager:advisor/alpaca#secret",
    "PGPASSWORD": "secretsmanager:gone",
}


class Time:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def kept(aws: AwsParameters, admin: Callable[[str], Any]) -> Any:
    admin("ssm").put_parameter(Name="/advisor/anthropic", Value="s3cret", Type="SecureString")
    alpaca = json.dumps({"key": "k3y", "secret": "s3cret2"})
    admin("secretsmanager").create_secret(Name="advisor/alpaca", SecretString=alpaca)
    return admin


def test_the_environment_wins_then_the_sources(kept: Any, aws: AwsParameters) -> None:
    secrets = Secrets({"ANTHROPIC_API_KEY": "mine", "HOME": "/h"}, SOURCES, AwsSecrets(aws))
    assert secrets.secret("ANTHROPIC_API_KEY") == "mine"
    assert secrets["APCA_API_KEY_ID"] == "k3y"
    assert secrets.get("APCA_API_SECRET_KEY") == "s3cret2"
    assert secrets.get("HOME") == "/h"
    assert secrets.get("NOTHING") is None
    assert set(secrets) == {*SOURCES, "HOME"}
    assert len(secrets) == 5
    empty = Secrets({"ANTHROPIC_API_KEY": ""}, SOURCES, AwsSecrets(aws))
    assert empty.secret("ANTHROPIC_API_KEY") == "s3cret"


def test_a_secret_is_fetched_once_in_a_while(kept: Any, aws: AwsParameters, front: Front) -> None:
    time = Time()
    secrets = Secrets(
        {}, SOURCES, AwsSecrets(replace(aws, endpoint_url=front.url)), ttl_seconds=60, clock=time
    )
    for _ in range(5):
        secrets["APCA_API_KEY_ID"]
        secrets["APCA_API_SECRET_KEY"]
    assert front.requests == 1
    time.now = 61.0
    secrets["APCA_API_KEY_ID"]
    assert front.requests == 2
    front.faults.extend([Fault(503)] * 2)
    time.now = 122.0
    assert secrets["APCA_API_KEY_ID"] == "k3y"
    front.faults.extend([Fault(503)] * 2)
    with pytest.raises(Transient):
        secrets.secret("APCA_API_KEY_ID", renewed=True)


def test_a_rotated_secret_is_used_at_once(kept: Any, aws: AwsParameters) -> None:
    secrets = Secrets({}, SOURCES, AwsSecrets(aws))
    tried: list[str] = []

    def login(password: str) -> str:
        tried.append(password)
        if password != "rotated":
            raise Rejected("wrong password")
        return "in"

    with pytest.raises(Rejected):
        secrets.using("ANTHROPIC_API_KEY", login, Rejected)
    assert tried == ["s3cret"]
    kept("ssm").put_parameter(
        Name="/advisor/anthropic", Value="rotated", Type="SecureString", Overwrite=True
    )
    assert secrets.using("ANTHROPIC_API_KEY", login, Rejected) == "in"
    assert tried == ["s3cret", "s3cret", "rotated"]


def test_a_missing_secret_is_named_with_its_place(kept: Any, aws: AwsParameters) -> None:
    secrets = Secrets({}, {**SOURCES, "OPENAI_API_KEY": "ssm:/nowhere"}, AwsSecrets(aws))
    with pytest.raises(NotConfigured, match="no secretsmanager:gone, which PGPASSWORD is"):
        secrets.secret("PGPASSWORD")
    with pytest.raises(NotConfigured, match="no ssm:/nowhere, which OPENAI_API_KEY is"):
        secrets.secret("OPENAI_API_KEY")
    with pytest.raises(NotConfigured, match=r"OTHER is not set: .*secrets\.sources"):
        secrets.secret("OTHER")


def test_nothing_shows_a_secret(kept: Any, aws: AwsParameters) -> None:
    secrets = Secrets(
        {"A": "hidden"}, {**SOURCES, "B": "secretsmanager:advisor/alpaca#nope"}, AwsSecrets(aws)
    )
    secrets["APCA_API_SECRET_KEY"]
    assert "s3cret" not in repr(secrets)
    assert "hidden" not in repr(secrets)
    with pytest.raises(Rejected, match=r"no field 'nope' of text \(it has key, secret\)") as caught:
        secrets["B"]
    assert "s3cret" not in str(caught.value)
    kept("secretsmanager").create_secret(Name="plain", SecretString="s3cret3")
    with pytest.raises(Rejected, match="no JSON") as caught:
        Secrets({}, {"C": "secretsmanager:plain#field"}, AwsSecrets(aws))["C"]
    assert "s3cret" not in str(caught.value)
    kept("secretsmanager").create_secret(Name="binary", SecretBinary=b"\x00")
    with pytest.raises(Rejected, match="is binary"):
        Secrets({}, {"C": "secretsmanager:binary"}, AwsSecrets(aws))["C"]


def test_settings_name_places_and_never_secrets(
    kept: Any, aws: AwsParameters, tmp_path: Any
) -> None:
    file = tmp_path / "advisor.toml"
    file.write_text(
        f'[aws]\nregion = "us-east-1"\nendpoint_url = "{aws.endpoint_url}"\n'
        '[secrets.sources]\nANTHROPIC_API_KEY = "ssm:/advisor/anthropic"\n'
    )
    settings = load_settings(file, {})
    assert open_secrets(settings, {})["ANTHROPIC_API_KEY"] == "s3cret"
    assert settings.config_hash() == load_settings(None, {}).config_hash()
    file.write_text('[secrets.sources]\nANTHROPIC_API_KEY = "sk-ant-s3cret"\n')
    with pytest.raises(BadInput, match="must be ssm:/name or secretsmanager:name") as caught:
        load_settings(file, {})
    assert "s3cret" not in str(caught.value)


def test_the_vendors_clients_find_only_the_keys_that_will_be_used(
    kept: Any, aws: AwsParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    sources = {"ANTHROPIC_API_KEY": "ssm:/advisor/anthropic", "PGPASSWORD": "ssm:/nowhere"}
    settings = load_settings(None, {}).model_copy(
        update={"aws": aws, "secrets": SecretSettings(sources=sources)}
    )
    provide_keys(settings, model=False)
    assert "ANTHROPIC_API_KEY" not in os.environ
    provide_keys(settings, model=True)
    assert os.environ.pop("ANTHROPIC_API_KEY") == "s3cret"
    monkeypatch.setenv("ANTHROPIC_API_KEY", "mine")
    provide_keys(settings, model=True)
    assert os.environ["ANTHROPIC_API_KEY"] == "mine"
