"""Before any handler: who calls, how often, with how much; after it: headers and counts.

A plain ASGI layer, because it also has to speak for requests that never reach a route. The order:
a body that is too large, a Host that is not ours, a key, the key's allowance. A caller on this
machine needs no key until one is made; then only a Host that names this machine is answered, so
that no web page can reach the API by pointing a name at 127.0.0.1.
"""

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from fastapi import Request
from fastapi.responses import Response

from advisor.api import problems
from advisor.api.limits import RateLimit
from advisor.api.parts import Parts
from advisor.api.problems import ProblemError, too_many

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

OPEN = {"/api/health", "/openapi.json", "/api/tv-alert"}  # the last has a passphrase instead
UNCOUNTED = {"/api/halt"}  # an allowance that is used up must not keep anybody from halting
LOCAL_NAMES = {"localhost", "127.0.0.1", "::1"}
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-site"),
)


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the name of a key or `local`, and what they may do."""

    name: str
    scopes: frozenset[str]


LOCAL = Caller("local", frozenset({"read", "settings"}))
_SCOPES = {
    "read": frozenset({"read"}),
    "admin": frozenset({"read", "settings", "admin"}),
}


class Gate:
    """The layer around the application."""

    def __init__(self, app: App, parts: Parts) -> None:
        """Around `app`, with the parts whose keys, settings and metrics it uses."""
        self._app = app
        self._parts = parts
        self._allowance = RateLimit(parts.settings.requests_per_minute)
        self._wrong = RateLimit(parts.settings.requests_per_minute)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request through, or answer it with a problem."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._parts.settings.max_body_bytes)
        request = Request(scope)
        try:
            self._admit(request)
            await self._app(scope, exchange.receive, exchange.send)
            if exchange.overfull:
                raise _too_large(self._parts.settings.max_body_bytes)
        except ProblemError as refusal:
            self._parts.metrics.refused(refusal.kind)
            await exchange.instead(
                problems.response(
                    refusal.status, refusal.kind, refusal.detail, instance=request.url.path,
                    headers=refusal.headers,
                )
            )  # fmt: skip
        except Exception as error:
            await exchange.instead(problems.unexpected(request.url.path, error))
        finally:
            route = getattr(scope.get("route"), "path", "none")
            self._parts.metrics.answered(scope["method"], route, exchange.status, exchange.seconds)

    def _admit(self, request: Request) -> None:
        """Set the caller in the request's state, or raise the problem it is refused with."""
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit() or int(declared) > self._parts.settings.max_body_bytes:
            raise _too_large(self._parts.settings.max_body_bytes)
        keys_needed = self._parts.public or bool(self._parts.keys.listed())
        if not keys_needed and _host(request) not in LOCAL_NAMES:
            raise ProblemError(
                421, "wrong-host",
                "Without keys this API answers only to localhost and 127.0.0.1; make a key with "
                "`advisor keys create` to use another name.",
            )  # fmt: skip
        request.state.caller = LOCAL
        if keys_needed and request.url.path not in OPEN:
            request.state.caller = self._caller(request)

    def _caller(self, request: Request) -> Caller:
        text = _presented(request)
        address = request.client.host if request.client else "unknown"
        key = self._parts.keys.find(text) if text else None
        if key is None:
            if wait := self._wrong.take(address):
                raise too_many(wait, "wrong or missing keys")
            raise ProblemError(
                401, "key-needed" if not text else "wrong-key",
                "Send a key in X-API-Key, or as a bearer token; "
                + self._parts.keys.how_to_get("read"),
                {"WWW-Authenticate": 'Bearer realm="advisor"'},
            )  # fmt: skip
        wait = self._allowance.take(key.id, key.requests_per_minute)
        if wait and request.url.path not in UNCOUNTED:
            raise too_many(wait, "requests of this key")
        return Caller(key.name, _SCOPES[key.scope])


def require(request: Request, scope: str) -> None:
    """Refuse a caller whose key does not reach that far."""
    caller: Caller = request.state.caller
    if scope not in caller.scopes:
        parts: Parts = request.app.state.parts
        raise ProblemError(
            403,
            "scope-missing",
            f"This needs a key with the scope admin; {caller.name} has read. "
            + parts.keys.how_to_get("admin"),
        )


class _Exchange:
    """One request's messages: counts its body, dresses its answer, remembers its status."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, most: int) -> None:
        self._scope, self._receive, self._send, self._most = scope, receive, send, most
        self._began = perf_counter()
        self._read = 0
        self.status = 500
        self.seconds = 0.0
        self._started = False
        self.overfull = False
        self._own = False

    async def receive(self) -> Message:
        message = await self._receive()
        self._read += len(message.get("body", b""))
        if self._read > self._most and not self._started:
            self.overfull = True
            raise _too_large(self._most)
        return message

    async def send(self, message: Message) -> None:
        if self.overfull and not self._own:
            return  # the framework's own answer to a body that it could not read
        if message["type"] == "http.response.start":
            self._started = True
            self.status = message["status"]
            self.seconds = perf_counter() - self._began
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await self._send(message)

    async def instead(self, response: Response) -> None:
        """Answer with this, unless an answer has begun: that one can only be cut off."""
        if not self._started:
            self._own = True
            await response(self._scope, self._receive, self.send)


def _presented(request: Request) -> str:
    if key := request.headers.get("x-api-key"):
        return key[:200]
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip()[:200] if scheme.lower() == "bearer" else ""


def _host(request: Request) -> str:
    return (request.url.hostname or "").lower()


def _too_large(most: int) -> ProblemError:
    return ProblemError(413, "too-large", f"A request may have {most:,} bytes at most.")
