"""A prepared day lies in the bucket under its date, once, whoever puts it there."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.advisor.test_premarket_command import DAY, Advisor, advisor, bars  # noqa: F401
from tests.tools.aws.conftest import admin, aws, moto  # noqa: F401
from tools.aws.objects import Objects
from tools.aws.parameters import AwsParameters


def test_a_prepared_day_is_archived_under_its_date(
    advisor: Advisor,  # noqa: F811
    bars: list[object],  # noqa: F811
    aws: AwsParameters,  # noqa: F811
    admin: Callable[[str], Any],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    admin("s3").create_bucket(Bucket="desk")
    monkeypatch.setenv("ADVISOR_AWS__ENDPOINT_URL", str(aws.endpoint_url))
    monkeypatch.setenv("ADVISOR_AWS__REGION", "us-east-1")
    asked = ["premarket", *bars, "--date", DAY, "--archive", "s3://desk/days"]
    code, _, said = advisor(*asked)
    assert code == 0, said
    bucket = Objects("s3://desk/days", aws)
    (key,) = bucket.names()
    assert key.startswith(f"{DAY:%Y/%m/%d}/premarket-{DAY}-")
    assert f"Archived as s3://desk/days/{key}" in said.replace("\n", "")
    first = bucket.get(key)
    document = json.loads(first.body)
    assert document["date"] == str(DAY)
    assert {one["symbol"] for one in document["biases"]} == {"SPY", "QQQ", "NVDA"}
    assert document["chain_heads"]

    monkeypatch.setenv("ADVISOR_ARCHIVE__PREMARKET", "s3://desk/days")
    assert advisor(*asked[:-2])[0] == 0
    assert advisor(*asked[:-2], "--out", "elsewhere")[0] == 0
    assert bucket.names() == [key]
    assert bucket.get(key).body == first.body


def test_a_bucket_that_is_not_there_costs_nothing_that_was_kept(
    advisor: Advisor,  # noqa: F811
    bars: list[object],  # noqa: F811
    aws: AwsParameters,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ADVISOR_AWS__ENDPOINT_URL", str(aws.endpoint_url))
    monkeypatch.setenv("ADVISOR_AWS__REGION", "us-east-1")
    code, _, said = advisor("premarket", *bars, "--date", DAY, "--archive", "s3://nowhere/x")
    assert code == 3
    assert "s3://nowhere/x" in said
    assert Path("out/premarket/ledger.sqlite").exists()
