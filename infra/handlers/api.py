"""The REST API behind API Gateway: the application of `advisor serve`, one request a call.

The gateway has checked the caller's key; what it says about it is all that counts here, and a key
that a caller sends past it is taken off. Streams are not served: a function's answer is sent whole.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Any

from advisor.api.app import create_app
from advisor.api.keys import ApiKey, KeyFile
from advisor.api.ledger_chat import LedgerChat
from advisor.api.metrics import Metrics
from advisor.api.parts import Parts
from advisor.api.view import LedgerView
from advisor.ledgers import open_ledger
from advisor.secrets import provide_keys
from advisor.spending import counted_on
from infra.handlers.given import Given
from infra.handlers.invocation import Context, log
from tools.errors import AdvisorError, BadInput, NotConfigured
from tools.store.paging import Pages

STREAMS = ("/api/stream",)
_BY_GATEWAY = "by-gateway:"
_CREDENTIALS = ("x-api-key", "authorization")


class GatewayKeys(KeyFile):
    """The keys of the gateway: whoever it let through may read."""

    def listed(self) -> tuple[ApiKey, ...]:
        """One, so that everybody needs a key."""
        return (_key("gateway"),)

    def find(self, text: str) -> ApiKey | None:
        """The key that the gateway has checked; nothing that a caller can send."""
        return _key(text.removeprefix(_BY_GATEWAY)) if text.startswith(_BY_GATEWAY) else None


class Api:
    """The function."""

    def __init__(self, given: Given | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given = given or Given()
        self._open = ExitStack()

    def close(self) -> None:
        """Let go of the ledger, which a warm function keeps open."""
        self._open.close()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:
        """A request by API Gateway, of a REST or an HTTP API."""
        if not isinstance(event, Mapping) or not isinstance(event.get("requestContext"), Mapping):
            raise BadInput("the event is no request of API Gateway: it has no requestContext")
        path = str(event.get("path") or event.get("rawPath") or "")
        if path.endswith(STREAMS):
            return _problem(501, "streams are not served by a function; ask for the records")
        try:
            application = self._application
        except AdvisorError as error:
            log.error("the API could not be set up: %s", error)
            return _problem(503, "the ledger cannot be read now; try again")
        _event_loop()
        answer: dict[str, Any] = application(_checked(event), context)
        return answer

    @cached_property
    def _application(self) -> Any:
        try:
            from mangum import Mangum
        except ModuleNotFoundError as error:
            raise NotConfigured(
                "the API as a function needs the package mangum: pip install -e '.[lambda]'"
            ) from error
        given = self._given
        settings = given.settings
        provide_keys(settings, model=False)
        store = self._open.enter_context(open_ledger(given.ledger, settings, secrets=given.secrets))
        view = LedgerView(Pages(store))
        parts = Parts(
            view=view,
            settings=settings.api,
            config=None,
            keys=GatewayKeys(given.scratch / "no-keys.json"),
            metrics=Metrics(view),
            chat=LedgerChat(store, view, settings, folder=None, model=None),
            public=True,
            counted=partial(counted_on, settings=settings, secrets=given.secrets),
            llm_budget=settings.llm_budget,
        )
        return Mangum(create_app(parts), lifespan="off")


def _key(name: str) -> ApiKey:
    at = datetime(2000, 1, 1, tzinfo=UTC)
    return ApiKey(id=name, name=name, scope="read", hash="", created_at=at)


def _checked(event: Mapping[str, Any]) -> dict[str, Any]:
    """The request with the gateway's word for its caller in the place of the caller's own."""
    identity = event["requestContext"].get("identity") or {}
    known = identity.get("apiKeyId")
    said = {
        name: value
        for name, value in (event.get("headers") or {}).items()
        if name.lower() not in _CREDENTIALS
    }
    many = {
        name: value
        for name, value in (event.get("multiValueHeaders") or {}).items()
        if name.lower() not in _CREDENTIALS
    }
    changed = dict(event) | {"headers": said}
    if known:
        said["x-api-key"] = f"{_BY_GATEWAY}{known}"
    if many:
        changed["multiValueHeaders"] = many | ({"x-api-key": [said["x-api-key"]]} if known else {})
    return changed


def _event_loop() -> None:
    """Mangum wants the thread's event loop, which newer Pythons do not make by themselves."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


def _problem(status: int, detail: str) -> dict[str, Any]:
    import json

    return {
        "statusCode": status,
        "headers": {"content-type": "application/problem+json"},
        "body": json.dumps({"status": status, "detail": detail}),
        "isBase64Encoded": False,
    }


handler = Api()
