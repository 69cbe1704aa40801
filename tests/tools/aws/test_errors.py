"""What AWS answers becomes one of our errors, with what to do; it is tried as often as was said."""

import json
from dataclasses import replace

import pytest

from tests.stand_ins.aws import Fault, Front
from tools.aws.clients import asked, client
from tools.aws.parameters import AwsParameters
from tools.errors import AdvisorError, Ambiguous, NoData, NotConfigured, Rejected, Transient


def refusal(status: int, code: str, message: str = "no") -> Fault:
    return Fault(status, json.dumps({"__type": f"com.amazon#{code}", "message": message}).encode())


@pytest.mark.parametrize(
    ("fault", "kind", "words", "times"),
    [
        (refusal(400, "ThrottlingException"), Transient, "try again in a moment", 2),
        (refusal(500, "InternalServerError"), Transient, "try again in a moment", 2),
        (refusal(503, "ServiceUnavailable"), Transient, "try again in a moment", 2),
        (refusal(400, "ExpiredTokenException"), NotConfigured, "have expired.*aws sso login", 1),
        (refusal(400, "UnrecognizedClientException"), NotConfigured, "AWS_ACCESS_KEY_ID", 1),
        (refusal(400, "AccessDeniedException"), NotConfigured, "role in use needs", 1),
        (refusal(400, "ParameterNotFound"), NoData, "the parameter /a", 1),
        (refusal(400, "ValidationException", "bad name"), Rejected, "bad name", 1),
    ],
)
def test_an_answer_is_one_of_our_errors(
    aws: AwsParameters, front: Front, fault: Fault, kind: type, words: str, times: int
) -> None:
    ssm = client("ssm", replace(aws, endpoint_url=front.url))
    front.faults.extend([fault] * times)
    with pytest.raises(kind, match=words):
        asked("the parameter /a", lambda: ssm.get_parameter(Name="/a"))
    assert front.requests == times


def test_what_passes_is_tried_again(aws: AwsParameters, admin, front: Front) -> None:  # type: ignore[no-untyped-def]
    admin("ssm").put_parameter(Name="/a", Value="1", Type="String")
    ssm = client("ssm", replace(aws, endpoint_url=front.url))
    front.faults.append(refusal(400, "ThrottlingException"))
    assert asked("it", lambda: ssm.get_parameter(Name="/a"))["Parameter"]["Value"] == "1"
    assert front.requests == 2


@pytest.mark.parametrize("lost", [Transient, Ambiguous])
def test_a_lost_answer_is_told_as_the_caller_says(
    aws: AwsParameters, front: Front, lost: type[AdvisorError]
) -> None:
    ssm = client("ssm", replace(aws, endpoint_url=front.url))
    front.faults.extend([Fault(cut="after")] * 2)
    with pytest.raises(lost, match="no answer came from AWS for it"):
        asked("it", lambda: ssm.put_parameter(Name="/a", Value="1", Type="String"), lost)


def test_a_server_that_is_not_there(aws: AwsParameters) -> None:
    ssm = client("ssm", replace(aws, endpoint_url="http://127.0.0.1:1", attempts=1))
    with pytest.raises(Transient, match=r"cannot be reached for it.*nothing was sent"):
        asked("it", lambda: ssm.get_parameter(Name="/a"))


def test_without_credentials_or_region(aws: AwsParameters, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, "/nowhere")
    ssm = client("ssm", aws)
    with pytest.raises(NotConfigured, match=r"no AWS credentials for it.*AWS_PROFILE"):
        asked("it", lambda: ssm.get_parameter(Name="/a"))
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    with pytest.raises(NotConfigured, match=r"set aws\.region"):
        client("ssm", AwsParameters())
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert client("ssm", AwsParameters()).meta.region_name == "eu-west-1"


def test_the_endpoint_of_the_environment_is_used(
    aws: AwsParameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert aws.endpoint_url is not None
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    ssm = client("ssm", AwsParameters(region="us-east-1"))
    with pytest.raises(NoData):
        asked("the parameter /a", lambda: ssm.get_parameter(Name="/a"))


def test_time_outs_and_attempts_are_the_settings(aws: AwsParameters) -> None:
    config = client("sqs", aws).meta.config
    assert (config.connect_timeout, config.read_timeout) == (5.0, 5.0)
    assert config.retries == {"mode": "standard", "total_max_attempts": 2}


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"read_seconds": 0}, {"endpoint_url": "localhost:4566"}]
)
def test_parameters_that_cannot_be_meant(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        AwsParameters(**wrong)  # type: ignore[arg-type]
