"""The only way to the API: typed answers over HTTP, with what was last known when it is away.

Every answer is kept with its ETag, so that what has not changed is neither sent nor read again, and
shared between visitors who hold the same key. A failure is a value (`Trouble`), never an exception,
and comes together with the last answer and its age. After a time-out the API is left alone for a
moment: a page of ten reads waits once, not ten times.
"""

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from time import monotonic
from typing import Any, Generic, Literal, TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from advisor.api.schemas import ChatEvent, ChatRequest, Problem

M = TypeVar("M", bound=BaseModel)
Why = Literal["away", "key", "scope", "missing", "refused", "busy", "broken"]
MOST_KEPT = 400
PATIENCE = 6.0
REST_AFTER_SILENCE = 3.0
_BY_STATUS: Mapping[int, Why] = {
    401: "key", 403: "scope", 404: "missing", 421: "refused", 429: "busy", 503: "busy",
}  # fmt: skip
Parameters = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no fresh answer; `kind` is the problem's own name where the API gave one."""

    why: Why
    detail: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Reading(Generic[M]):
    """An answer: `value` is the newest known, `age` the seconds since the API last vouched for it.

    With `trouble` the value is an older one, or None when there never was any.
    """

    value: M | None
    age: float = 0.0
    trouble: Trouble | None = None


@dataclass(slots=True)
class _Kept:
    """What was answered to a question: its tag, and when it was last vouched for.

    `doubted`: something was changed since, so it is asked for again however young it is.
    """

    value: BaseModel
    tag: str
    at: float
    doubted: bool = False


class Client:
    """A client of one API. Threads may share it."""

    def __init__(self, address: str, transport: httpx.BaseTransport | None = None) -> None:
        """Of the API at an address such as `http://127.0.0.1:8765`."""
        self._http = httpx.Client(
            base_url=address, transport=transport, timeout=httpx.Timeout(PATIENCE, connect=2.0)
        )
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[str, str, str], _Kept] = OrderedDict()
        self._silent_until = 0.0

    def close(self) -> None:
        """Close its connections; it can be used no more."""
        self._http.close()

    def read(
        self, model: type[M], path: str, parameters: Parameters | None = None, *, key: str = "",
        fresh: float = 0.7,
    ) -> Reading[M]:  # fmt: skip
        """Ask for a resource; an answer younger than `fresh` seconds is not asked for again."""
        given = {name: value for name, value in (parameters or {}).items() if value is not None}
        name = (key, path, str(httpx.QueryParams(given)))
        kept = self._find(name)
        now = monotonic()
        if kept is not None and not kept.doubted and now - kept.at < fresh:
            return Reading(_as(model, kept), now - kept.at)
        if now < self._silent_until:
            return _last(model, kept, Trouble("away", "The API has not answered in time."))
        headers = _headers(key)
        if kept is not None:
            headers["If-None-Match"] = kept.tag
        try:
            response = self._http.get(path, params=given, headers=headers)
        except httpx.TimeoutException:
            self._silent_until = monotonic() + REST_AFTER_SILENCE
            return _last(model, kept, Trouble("away", "The API has not answered in time."))
        except httpx.HTTPError as error:
            return _last(model, kept, Trouble("away", f"The API cannot be reached ({error})."))
        return self._took(model, name, kept, response)

    def _took(
        self, model: type[M], name: tuple[str, str, str], kept: _Kept | None,
        response: httpx.Response,
    ) -> Reading[M]:  # fmt: skip
        if response.status_code == 304 and kept is not None:
            kept.at, kept.doubted = monotonic(), False
            return Reading(_as(model, kept))
        health = response.status_code == 503 and name[1] == "/api/health"
        if response.status_code != 200 and not health:
            return _last(model, kept, _trouble(response))
        try:
            value = model.model_validate_json(response.content)
        except ValidationError as error:
            if health:
                return _last(model, kept, _trouble(response))
            detail = f"The API speaks another version than this dashboard: {error.title}."
            return _last(model, kept, Trouble("broken", detail))
        self._keep(name, _Kept(value, response.headers.get("etag", ""), monotonic()))
        return Reading(value)

    def tell(
        self, model: type[M], path: str, body: BaseModel | None = None, *, key: str = ""
    ) -> Reading[M]:
        """Ask for a change; nothing of it is kept, and what is shown is read anew afterwards."""
        headers = {**_headers(key), "content-type": "application/json"}
        content = body.model_dump_json() if body is not None else "{}"
        try:
            response = self._http.post(path, content=content, headers=headers)
        except httpx.HTTPError as error:
            return Reading(None, trouble=Trouble("away", f"The API cannot be reached ({error})."))
        if not response.is_success:
            return Reading(None, trouble=_trouble(response))
        with self._lock:
            for kept in self._kept.values():
                kept.doubted = True
        try:
            return Reading(model.model_validate_json(response.content))
        except ValidationError as error:
            detail = f"The API speaks another version than this dashboard: {error.title}."
            return Reading(None, trouble=Trouble("broken", detail))

    def ask(self, request: ChatRequest, *, key: str = "") -> Iterator[ChatEvent | Trouble]:
        """Ask the chat: its events as they come; one Trouble ends a conversation that failed."""
        body = request.model_copy(update={"stream": True}).model_dump_json()
        headers = {**_headers(key), "content-type": "application/json"}
        try:
            with self._http.stream(
                "POST", "/api/chat", content=body, headers=headers, timeout=120.0
            ) as response:
                if response.status_code != 200:
                    response.read()
                    yield _trouble(response)
                    return
                for line in response.iter_lines():
                    if line.startswith("data: "):
                        yield ChatEvent.model_validate_json(line[6:])
        except httpx.HTTPError as error:
            yield Trouble("away", f"The API cannot be reached ({error}).")
        except ValidationError:
            yield Trouble("broken", "The chat speaks another version than this dashboard.")

    def _find(self, name: tuple[str, str, str]) -> _Kept | None:
        with self._lock:
            found = self._kept.get(name)
            if found is not None:
                self._kept.move_to_end(name)
            return found

    def _keep(self, name: tuple[str, str, str], kept: _Kept) -> None:
        with self._lock:
            self._kept[name] = kept
            self._kept.move_to_end(name)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)


def _headers(key: str) -> dict[str, str]:
    return {"X-API-Key": key} if key else {}


def _as(model: type[M], kept: _Kept) -> M:
    assert isinstance(kept.value, model), f"{kept.value!r} was kept for {model.__name__}"
    return kept.value


def _last(model: type[M], kept: _Kept | None, trouble: Trouble) -> Reading[M]:
    # A key that no longer counts does not go on showing what it once opened.
    if kept is None or trouble.why in ("key", "scope", "missing"):
        return Reading(None, trouble=trouble)
    return Reading(_as(model, kept), monotonic() - kept.at, trouble)


def _trouble(response: httpx.Response) -> Trouble:
    why = _BY_STATUS.get(response.status_code, "broken")
    if response.status_code in (400, 422):
        why = "refused"
    try:
        problem = Problem.model_validate_json(response.content)
    except ValidationError:
        return Trouble(why, f"The API answered {response.status_code} without saying why.")
    more = "; ".join(f"{one.where}: {one.problem}" for one in problem.errors)
    detail = f"{problem.detail} {more}".strip()
    return Trouble(why, detail, problem.type.rpartition("/")[2])
