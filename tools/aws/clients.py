"""Clients of Amazon's services, and what their errors mean to a person.

botocore's `standard` retries are used as they are: it repeats what AWS calls passing (throttling,
5xx, cut connections) with a growing, shaken pause, at most `attempts` in all. A client repeats a
request whose answer was lost, so what is sent must be safe to send twice; where it is not, the
caller gives `lost=Ambiguous` and a key by which the service knows a repetition.
"""

import os
from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from typing import Any, TypeVar

from tools.aws.parameters import AwsParameters
from tools.errors import AdvisorError, NoData, NotConfigured, Rejected, Transient

R = TypeVar("R")
_PASSING = {
    "Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled",
    "RequestThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown",
    "ProvisionedThroughputExceededException", "BandwidthLimitExceeded", "PriorRequestNotComplete",
    "ServiceUnavailable", "ServiceUnavailableException", "InternalError", "InternalFailure",
    "InternalServerError", "InternalServiceError", "RequestTimeout", "OverLimit", "KmsThrottled",
    "ConflictException", "OperationAborted",
}  # fmt: skip
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEY = {
    "InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId", "AuthFailure",
    "SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "InvalidToken",
    "MissingAuthenticationToken", "MissingAuthenticationTokenException", "NotSignedUp",
}  # fmt: skip
_NOT_ALLOWED = {
    "AccessDenied",
    "AccessDeniedException",
    "Forbidden",
    "403",
    "UnauthorizedOperation",
}
_NOT_THERE = {
    "NoSuchKey", "NoSuchBucket", "404", "NotFound", "NotFoundException", "ParameterNotFound",
    "ResourceNotFoundException", "QueueDoesNotExist", "AWS.SimpleQueueService.NonExistentQueue",
}  # fmt: skip


def client(service: str, parameters: AwsParameters) -> Any:
    """A client of a service; NotConfigured when the package or the region is missing."""
    if find_spec("boto3") is None:
        raise NotConfigured(f"AWS {service} needs the package boto3: pip install -e '.[aws]'")
    from botocore.config import Config  # type: ignore[import-untyped]
    from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]
    from botocore.session import Session  # type: ignore[import-untyped]

    patience = Config(
        connect_timeout=parameters.connect_seconds,
        read_timeout=parameters.read_seconds,
        retries={"mode": "standard", "total_max_attempts": parameters.attempts},
        tcp_keepalive=True,
    )
    # botocore reads AWS_DEFAULT_REGION and the profile; Lambda and ECS say AWS_REGION.
    region = parameters.region or os.environ.get("AWS_REGION")
    try:
        # A session of its own: a shared one is not safe between threads and keeps old keys. What
        # it knows of the services is always the same, and takes longer to read than all the rest.
        session = Session()
        session.register_component("data_loader", _loader())
        return session.create_client(
            service, region_name=region, endpoint_url=parameters.endpoint_url, config=patience
        )
    except (BotoCoreError, ValueError) as error:
        raise NotConfigured(
            f"AWS {service} cannot be set up ({error}); set aws.region, or AWS_REGION in the "
            "environment"
        ) from error


@cache
def _loader() -> Any:
    from botocore.loaders import create_loader  # type: ignore[import-untyped]

    return create_loader(os.environ.get("AWS_DATA_PATH"))


def asked(what: str, call: Callable[[], R], lost: type[AdvisorError] = Transient) -> R:
    """What a call returns, or one of our errors that says `what` was wanted.

    `lost` is raised when a request went out and no answer came back.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return call()
    except ClientError as error:
        raise _refused(what, error) from error
    except BotoCoreError as error:
        raise _failed(what, error, lost) from error


def code_of(error: Any) -> str:
    """AWS's word for what went wrong."""
    return str(error.response.get("Error", {}).get("Code", ""))


def _refused(what: str, error: Any) -> AdvisorError:
    code = code_of(error)
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    said = " ".join(str(error.response.get("Error", {}).get("Message", "")).split())[:300]
    told = f"AWS refused {what}: {code}" + (f" ({said})" if said else "")
    short = code.rsplit("#", 1)[-1]
    if short in _EXPIRED:
        return NotConfigured(
            f"AWS refused {what}: the credentials have expired ({short}); sign in again "
            "(`aws sso login`), or renew the role's session"
        )
    if short in _UNKNOWN_KEY:
        return NotConfigured(
            f"AWS refused {what}: it does not know these credentials ({short}); check "
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_PROFILE and the machine's clock"
        )
    if short in _NOT_ALLOWED:
        return NotConfigured(f"{told}; the role in use needs a permission for it")
    if short in _NOT_THERE:
        return NoData(f"{told}; check its name, aws.region and the account")
    if short in _PASSING or status >= 500 or status == 429:
        return Transient(f"{told}; try again in a moment")
    return Rejected(told)


def _failed(what: str, error: Any, lost: type[AdvisorError]) -> AdvisorError:
    from botocore import exceptions as botocore  # type: ignore[import-untyped]

    no_keys = (
        botocore.NoCredentialsError,
        botocore.PartialCredentialsError,
        botocore.CredentialRetrievalError,
        botocore.NoAuthTokenError,
        botocore.TokenRetrievalError,
        botocore.SSOError,
        botocore.ProfileNotFound,
    )
    if isinstance(error, no_keys):
        return NotConfigured(
            f"there are no AWS credentials for {what} ({error}); set AWS_PROFILE, or "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or give the machine a role"
        )
    if isinstance(error, botocore.NoRegionError):
        return NotConfigured(f"no AWS region is set for {what}; set aws.region or AWS_REGION")
    if isinstance(error, botocore.ParamValidationError):
        return Rejected(f"{what} is not something AWS can be asked: {error}")
    if isinstance(error, botocore.EndpointConnectionError | botocore.ConnectTimeoutError):
        return Transient(f"AWS cannot be reached for {what}: {error}; nothing was sent")
    return lost(f"no answer came from AWS for {what}: {error}")
