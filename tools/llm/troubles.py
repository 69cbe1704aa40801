"""Vendors' errors, translated: what went wrong, whether to try again, whether it may be billed.

The three clients raise their own types for the same few conditions. They are told apart by HTTP
status where there was a response, and else by the names of their types, so that no client need be
imported to understand another's error. Messages are shortened and hold no secret.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tools.errors import NotConfigured
from tools.llm.calls import Outcome
from tools.llm.worker import Abandoned, NoPlace

MESSAGE_CHARACTERS = 400
SECRETS = (
    "ANTHROPIC_API_KEY",
    "ANTHROPIC_AUTH_TOKEN",
    "OPENAI_API_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_BEARER_TOKEN_BEDROCK",
)
_NOT_SENT = {
    "ConnectError",
    "ConnectTimeout",
    "ConnectTimeoutError",
    "ConnectionRefusedError",
    "EndpointConnectionError",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Why an attempt gave no answer.

    `passing`: the same request may work in a moment, not before `retry_after` seconds. `billable`:
    it may have cost something. `repairable`: the model can be told what was wrong.
    """

    kind: Outcome
    message: str
    passing: bool = False
    retry_after: float = 0.0
    billable: bool = False
    repairable: bool = False


def understand(error: BaseException) -> Trouble:
    """What an exception of a client means."""
    message = storable(f"{type(error).__name__}: {error}")[:MESSAGE_CHARACTERS]
    if isinstance(error, Abandoned):
        return Trouble(kind=Outcome.TIMEOUT, message="no answer in time", billable=True)
    if isinstance(error, NoPlace):
        return Trouble(kind=Outcome.UNREACHABLE, message="too many requests are under way already")
    status = _status(error)
    if status is not None and status >= 400:
        return _understand_status(status, error, message)
    if isinstance(error, NotConfigured) or "not supported" in str(error):
        return Trouble(kind=Outcome.REJECTED, message=message)  # by the client, before sending
    names = _names(error)
    if names & _NOT_SENT:
        return Trouble(kind=Outcome.UNREACHABLE, message=message, passing=True)
    if any("Timeout" in name for name in names):
        return Trouble(kind=Outcome.TIMEOUT, message=message, billable=True)
    # A connection that was cut, or a reply that the client could not make sense of.
    return Trouble(kind=Outcome.UNREACHABLE, message=message, passing=True, billable=True)


def _understand_status(status: int, error: BaseException, message: str) -> Trouble:
    if status == 429:
        return Trouble(
            kind=Outcome.RATE_LIMIT,
            message=message,
            passing="insufficient_quota" not in str(error),
            retry_after=_retry_after(error),
        )
    if status == 408 or status >= 500:
        return Trouble(
            kind=Outcome.UNREACHABLE,
            message=message,
            passing=True,
            retry_after=_retry_after(error),
        )
    return Trouble(kind=Outcome.REJECTED, message=message)


def _response(error: BaseException) -> tuple[int | None, Mapping[str, str]]:
    """Status and headers of an error's response: an HTTP client's, or botocore's dictionary."""
    response: Any = getattr(error, "response", None)
    if isinstance(response, dict):
        told = response.get("ResponseMetadata", {})
        return told.get("HTTPStatusCode"), told.get("HTTPHeaders", {})
    status = getattr(error, "status_code", None)
    return status, getattr(response, "headers", {})


def _status(error: BaseException) -> int | None:
    return _response(error)[0]


def _retry_after(error: BaseException) -> float:
    """Seconds a server asks to wait; 0 where it does not say (a date is not understood)."""
    try:
        return max(0.0, min(float(_response(error)[1].get("retry-after", 0)), 86_400.0))
    except ValueError:
        return 0.0


def _names(error: BaseException) -> set[str]:
    """The type names of an error, of its bases, and of the errors that caused it."""
    names: set[str] = set()
    cause: BaseException | None = error
    for _ in range(5):
        if cause is None:
            break
        names |= {base.__name__ for base in type(cause).__mro__}
        cause = cause.__cause__ or cause.__context__
    return names


def storable(text: str) -> str:
    """A text that can be kept: valid Unicode, and no key of the environment in it."""
    text = text.encode("utf-8", "backslashreplace").decode()
    for variable in SECRETS:
        secret = os.environ.get(variable, "")
        if len(secret) >= 8:
            text = text.replace(secret, f"[{variable}]")
    return text
