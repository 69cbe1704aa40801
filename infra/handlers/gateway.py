"""What API Gateway says of a request: who asks, what they ask, and when it will hang up.

Invariant: nothing that a caller can send decides who they are. The gateway writes `requestContext`,
and a caller everything else; so whoever is vouched for there is known to the application by a word
that is drawn for this one call, and what a caller presents as a key is taken off before.

Both kinds of API are understood, each with what vouches in it: a REST API's keys, and Lambda,
Cognito or IAM authorizers; an HTTP API's JWT, IAM and Lambda authorizers. Who is vouched for may
read. Only keys may control, and only those that are named: whoever issues tokens chooses their
subjects, and could choose one that looks like a key.
"""

import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from advisor.api.keys import ApiKey, KeyFile, Scope
from infra.handlers.given import Given
from infra.handlers.invocation import Limited

HANGS_UP_SECONDS = 29.0  # after the request came to the gateway, a cold start included
_PRESENTED = ("x-api-key", "authorization")
_LONGEST = 120
_EVER = datetime(2000, 1, 1, tzinfo=UTC)


class GatewayKeys(KeyFile):
    """The keys of calls that are under way: each counts for as long as its `vouched` lasts."""

    def __init__(self, given: Given) -> None:
        """There is no file; `given` has a folder of this process."""
        super().__init__(given.scratch / "no-keys.json")
        self._words: dict[str, ApiKey] = {}

    def listed(self) -> tuple[ApiKey, ...]:
        """One, so that everybody needs a key."""
        return (_key("gateway", "gateway", "read"),)

    def find(self, text: str) -> ApiKey | None:
        """Whom the gateway vouched for, by the word that was drawn for their call."""
        return self._words.get(text)

    def how_to_get(self, scope: Scope) -> str:
        """What the stack has in the place of `advisor keys`."""
        if scope == "admin":
            return "Keys of the gateway have it whose ids are in the stack's ControlKeys."
        return "The gateway's usage plan has the keys; or it is given an authorizer."

    @contextmanager
    def vouched(self, caller: ApiKey | None) -> Iterator[str]:
        """A word for a caller, until their call is answered; none for nobody."""
        if caller is None:
            yield ""
            return
        word = secrets.token_urlsafe(32)
        self._words[word] = caller
        try:
            yield word
        finally:
            del self._words[word]


def caller_of(context: Mapping[str, Any], control_keys: Collection[str]) -> ApiKey | None:
    """Whom the gateway vouches for; None when for nobody.

    `control_keys` are the ids of the keys that may halt and resume.
    """
    if key := _text(_part(context, "identity"), "apiKeyId"):
        return _key(f"key:{key}", key, "admin" if key in control_keys else "read")
    subject = _subject(context)
    return _key(f"subject:{subject}", subject, "read") if subject else None


def _subject(context: Mapping[str, Any]) -> str:
    """Whom an authorizer has let through; one that names nobody lets nobody through."""
    said = _part(context, "authorizer")
    jwt, own = _part(said, "jwt"), _part(said, "lambda")
    return (
        _text(_part(jwt, "claims"), "sub")
        or _text(_part(said, "iam"), "userArn")
        or _text(own, "principalId")
        or _text(own, "sub")
        # A REST API, or an HTTP API that sends a REST API's events.
        or _text(said, "principalId")
        or _text(_part(said, "claims"), "sub")
        or _text(_part(context, "identity"), "userArn")
    )


def passed_on(event: Mapping[str, Any], word: str) -> dict[str, Any]:
    """The request as the application is given it, with `word` as its key."""
    changed = dict(event)
    left_off = list(_PRESENTED)
    if event.get("version") != "2.0":
        # A REST API hands base64 on as it is: what it is to compress, it compresses itself.
        left_off.append("accept-encoding")
    for name in ("headers", "multiValueHeaders"):
        said = event.get(name) or {}
        changed[name] = {k: v for k, v in said.items() if k.lower() not in left_off}
    if word:
        changed["headers"]["x-api-key"] = word
    context = dict(event["requestContext"])
    if http := _part(context, "http"):  # its path begins with the stage, unless that is $default
        stage = f"/{context.get('stage')}/"
        path = str(http.get("path", ""))
        context["http"] = {**http, "path": path.removeprefix(stage[:-1]) if path.startswith(stage)
                           else path}  # fmt: skip
    return changed | {"requestContext": context}


def seconds_left(context: Mapping[str, Any], clock: Limited) -> float:
    """Until the gateway hangs up, or the function is ended, whichever is first."""
    came = context.get("requestTimeEpoch") or context.get("timeEpoch")
    if not isinstance(came, int | float):
        return clock.seconds_left
    waited = clock.now().timestamp() - came / 1000
    return min(clock.seconds_left, HANGS_UP_SECONDS - max(waited, 0.0))


def _key(number: str, name: str, scope: Scope) -> ApiKey:
    return ApiKey(id=number, name=name, scope=scope, hash="", created_at=_EVER)


def _part(whole: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = whole.get(name)
    return found if isinstance(found, Mapping) else {}


def _text(whole: Mapping[str, Any], name: str) -> str:
    found = whole.get(name)
    return found.strip()[:_LONGEST] if isinstance(found, str) else ""
