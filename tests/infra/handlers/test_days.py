"""Premarket, night and the API: before, after and beside a session."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra.handlers.api import Api
from infra.handlers.live_cycle import LiveCycle
from infra.handlers.nightly import Nightly
from infra.handlers.premarket import Premarket
from tests.advisor.live.theatre import SYMBOLS, tell_history
from tests.infra.handlers.cloud import Cloud, Context, scheduled
from tools.errors import BadInput, NotConfigured


def keys(cloud: Cloud, below: str) -> list[str]:
    found = cloud.s3.list_objects_v2(Bucket="archive", Prefix=below).get("Contents", [])
    return [one["Key"] for one in found]


def request(path: str, key: str | None = "k1", **more: Any) -> dict[str, Any]:
    """A REST API's proxy event (payload 1.0)."""
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": "GET",
        "headers": {"Host": "x.execute-api.us-east-1.amazonaws.com", "X-API-Key": "the key itself"},
        "multiValueHeaders": {"Host": ["x.execute-api.us-east-1.amazonaws.com"]},
        "queryStringParameters": None, "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path[1:]}, "stageVariables": None,
        "requestContext": {
            "stage": "v1", "path": f"/v1{path}", "httpMethod": "GET",
            "identity": {"sourceIp": "203.0.113.7"} | ({"apiKeyId": key} if key else {}),
        },
        "body": None, "isBase64Encoded": False,
    } | more  # fmt: skip


def http(path: str) -> dict[str, Any]:
    """An HTTP API's proxy event (payload 2.0), which knows no keys."""
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "",
        "headers": {"host": "x", "x-api-key": "by-gateway:me"},
        "requestContext": {
            "http": {"method": "GET", "path": path, "sourceIp": "203.0.113.7",
                     "protocol": "HTTP/1.1"},
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }  # fmt: skip


def test_a_new_container_asks_for_no_bars_that_the_bucket_has(cloud: Cloud) -> None:
    tell_history(cloud.stage)
    asked = []
    for _ in range(2):
        opens = cloud.at(0)
        cloud.stage.now = opens - timedelta(minutes=60)
        cloud.stage.rest.seen.clear()
        morning = Premarket(cloud.given(PREMARKET="rules"), cloud.clock)
        assert morning(scheduled(cloud.stage.now), Context(900_000))["outcome"] == "prepared"
        asked.append(sum("/stocks/bars" in path for _, path in cloud.stage.rest.seen))
    assert asked[0] >= len(SYMBOLS)
    assert asked[1] == 0
    assert "lake/fetched.json" in keys(cloud, "lake/")


@pytest.mark.slow
def test_a_day_is_prepared_traded_shown_indexed_and_exported(cloud: Cloud) -> None:
    opens = cloud.at(0)
    cloud.stage.now = opens - timedelta(minutes=60)
    morning = Premarket(cloud.given(PREMARKET="rules"), cloud.clock)
    first = morning(scheduled(cloud.stage.now), Context(900_000))
    again = morning(scheduled(cloud.stage.now), Context(900_000))
    assert (first["outcome"], first) == ("prepared", again)
    (place,) = keys(cloud, "archive/")
    assert place.startswith("archive/2025/03/12/premarket-")
    document = json.loads(cloud.s3.get_object(Bucket="archive", Key=place)["Body"].read())
    assert [one["symbol"] for one in document["biases"]] == list(SYMBOLS)

    cycle = LiveCycle(cloud.given(), cloud.clock)
    for minute in (1, 2, 3):
        cloud.at(minute + 0.1)
        assert cloud.tick(cycle)["run"] == first["run"]
    _asked(cloud)
    night = Nightly(cloud.given(), cloud.clock)
    told = night(scheduled(cloud.stage.now), Context(900_000))
    assert told["documents"] == told["written"] > 0
    told = night(scheduled(cloud.stage.now), Context(900_000))
    assert (told["added"], told["written"]) == (0, 0)
    assert len(keys(cloud, "export/")) == 2 * told["documents"]


def _asked(cloud: Cloud) -> None:
    api = Api(cloud.given())
    answer = api(request("/api/watchlist"), Context())
    assert answer["statusCode"] == 200, answer
    assert set(SYMBOLS) <= set(answer["body"].split('"'))
    assert api(request("/api/watchlist", None), Context())["statusCode"] == 401
    assert api(http("/api/watchlist"), Context())["statusCode"] == 401
    assert api(http("/api/health"), Context())["statusCode"] == 200
    assert api(request("/api/nothing"), Context())["statusCode"] == 404
    assert api(request("/api/stream"), Context())["statusCode"] == 501
    with pytest.raises(BadInput, match="no request of API Gateway"):
        api({"Records": []}, Context())
    api.close()


def test_days_without_a_session_are_quiet(cloud: Cloud) -> None:
    cloud.stage.now = datetime(2025, 4, 18, 15, 0, tzinfo=UTC)  # Good Friday
    event = scheduled(cloud.stage.now)
    for function in (Premarket, LiveCycle, Nightly):
        told = function(cloud.given(), cloud.clock)(event, Context())
        assert told == {"outcome": "no session today"}


def test_what_is_missing_is_named_by_all(cloud: Cloud) -> None:
    cloud.at(1)
    with pytest.raises(NotConfigured, match="LEDGER_URL"):
        Nightly(cloud.given(LEDGER_URL=""), cloud.clock)(scheduled(cloud.stage.now), Context())
    assert Api(cloud.given(LEDGER_URL=""))(request("/api/health"), Context())["statusCode"] == 503
