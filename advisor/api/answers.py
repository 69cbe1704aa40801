"""How an answer leaves: the model as JSON, with a tag that spares sending it twice.

An answer stays true until the ledger moves, so `KeptRoute` keeps it with the version of what it was
read from, and ten dashboards that ask the same cost one. What is kept is bounded in bytes.
"""

import gzip
import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from anyio import to_thread
from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from pydantic import BaseModel

MOST_BYTES = 4_000_000
COMPRESS_FROM = 1_000
FAST = 1  # gzip's level: most of the gain at a third of the time
Key = tuple[str, str]


@dataclass(slots=True)
class Body:
    """An answer's JSON and its tag, which is weak: the content may travel compressed or not.

    What is asked for again is compressed once.
    """

    json: bytes
    tag: str
    packed: bytes = b""

    def zipped(self) -> bytes:
        """The JSON compressed; threads that do it at once get the same bytes."""
        if not self.packed:
            self.packed = gzip.compress(self.json, FAST, mtime=0)
        return self.packed


class Answers:
    """The answers given lately, the least recently asked for forgotten first."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        """None yet."""
        self._most = most_bytes
        self._bytes = 0
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, tuple[str, Body]] = OrderedDict()

    def find(self, key: Key, version: str) -> Body | None:
        """What was answered at this version, if it is still kept."""
        with self._lock:
            found = self._kept.get(key)
            if found is None or found[0] != version:
                return None
            self._kept.move_to_end(key)
            return found[1]

    def keep(self, key: Key, version: str, body: Body) -> None:
        """Keep an answer in the place of an older one."""
        with self._lock:
            before = self._kept.pop(key, None)
            self._bytes += len(body.json) - (len(before[1].json) if before else 0)
            self._kept[key] = (version, body)
            while self._bytes > self._most:
                _, (_, gone) = self._kept.popitem(last=False)
                self._bytes -= len(gone.json)


class KeptRoute(APIRoute):
    """A route that answers again what it answered before, while the run has not moved.

    The version is taken before the handler reads: an answer is never kept as newer than it is.
    """

    def get_route_handler(self) -> Callable[[Request], Any]:
        """The framework's handler behind a look at what is kept."""
        handle = super().get_route_handler()

        async def kept(request: Request) -> Response:
            parts, named = request.app.state.parts, request.query_params.get("run")
            run = await to_thread.run_sync(parts.view.find_run, named)
            request.state.run = (named, run)
            if run is None:
                return await handle(request)
            version, key = parts.view.version(run), (request.url.path, request.url.query)
            if found := parts.answers.find(key, version):
                return respond(request, found)
            response: Response = await handle(request)
            if response.status_code == 200:
                body: Body = request.state.body
                parts.answers.keep(key, version, body)
            return response

        return kept


def respond(request: Request, body: Body) -> Response:
    """The body, or 304 when the client's `If-None-Match` names what it would get."""
    headers = {"ETag": body.tag, "Cache-Control": "private, no-cache"}
    known = request.headers.get("if-none-match", "")[:2000]
    if body.tag in {part.strip() for part in known.split(",")}:
        return Response(status_code=304, headers=headers)
    if len(body.json) >= COMPRESS_FROM and "gzip" in request.headers.get("accept-encoding", ""):
        headers |= {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
        return Response(body.zipped(), media_type="application/json", headers=headers)
    return Response(body.json, media_type="application/json", headers=headers)


def answer(request: Request, model: BaseModel) -> Response:
    """The model as a response."""
    json = model.model_dump_json().encode()
    tag = f'W/"{hashlib.blake2b(json, digest_size=12).hexdigest()}"'
    request.state.body = Body(json, tag)
    return respond(request, request.state.body)
