"""Objects below a prefix, by the real client."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.stand_ins.aws import Fault, Front
from tools.aws.objects import Changed, Objects
from tools.aws.parameters import AwsParameters
from tools.errors import BadInput, NoData


@pytest.fixture
def bucket(aws: AwsParameters, admin: Callable[[str], Any]) -> Objects:
    admin("s3").create_bucket(Bucket="desk")
    return Objects("s3://desk/archive/", aws)


def test_what_is_put_is_got(bucket: Objects) -> None:
    for key in ("2025/01/08/b.json", "2025/01/08/a.json", "2025/02/03/c.json"):
        bucket.put(key, key.encode(), "application/json")
    assert bucket.get("2025/02/03/c.json").body == b"2025/02/03/c.json"
    assert bucket.names("2025/01/") == ["2025/01/08/a.json", "2025/01/08/b.json"]
    assert bucket.names() == [*bucket.names("2025/01"), "2025/02/03/c.json"]
    assert bucket.find("nothing") is None
    with pytest.raises(NoData, match=r"reading s3://desk/archive/nothing"):
        bucket.get("nothing")


def test_a_listing_is_longer_than_a_page(bucket: Objects) -> None:
    for number in range(1005):
        bucket._client.put_object(Bucket="desk", Key=f"archive/{number:04d}", Body=b"")
    assert bucket.names() == [f"{number:04d}" for number in range(1005)]


def test_two_writers_do_not_lose_each_others_work(bucket: Objects) -> None:
    bucket.put("k", b"1", "text/plain", new=True)
    with pytest.raises(Changed, match="s3://desk/archive/k"):
        bucket.put("k", b"2", "text/plain", new=True)
    read = bucket.get("k")
    bucket.put("k", b"3", "text/plain", unless_changed=read.tag)
    with pytest.raises(Changed):
        bucket.put("k", b"4", "text/plain", unless_changed=read.tag)
    assert bucket.get("k").body == b"3"


def test_a_bucket_that_is_not_there_is_no_empty_one(bucket: Objects, aws: AwsParameters) -> None:
    missing = Objects("s3://nowhere/x", aws)
    for ask in (lambda: missing.find("k"), lambda: missing.names(), lambda: missing.get("k")):
        with pytest.raises(NoData, match=r"s3://nowhere/x.*NoSuchBucket"):
            ask()
    with pytest.raises(NoData, match="NoSuchBucket"):
        missing.put("k", b"", "text/plain")


def test_a_write_whose_answer_was_lost_is_made_again(
    bucket: Objects, aws: AwsParameters, front: Front
) -> None:
    again = Objects("s3:/desk/archive", replace(aws, endpoint_url=front.url))
    front.faults.append(Fault(cut="after"))
    again.put("k", b"body", "text/plain")
    assert (bucket.get("k").body, front.requests) == (b"body", 2)


@pytest.mark.parametrize("place", ["", "desk/archive", "s3://", "https://desk/x"])
def test_a_place_that_is_none(aws: AwsParameters, place: str) -> None:
    with pytest.raises(BadInput, match="s3://bucket/folder"):
        Objects(place, aws)
