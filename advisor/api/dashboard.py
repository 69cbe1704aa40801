"""The dashboard beside the API, on the same port: one ASGI application made of two.

`/api`, `/openapi.json` and `/metrics` are the API's, everything else is the dashboard's. The
dashboard is named by the path of its script, never imported: it stands above this package and only
calls the API over HTTP, as any other client would. What it is told is where the API listens.

Without keys only names of this machine are answered, as the API's gate has it, so that no web page
can reach the dashboard by pointing a name of its own at 127.0.0.1.
"""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import HTMLResponse, PlainTextResponse

from tools.errors import NotConfigured

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

API_PATHS = ("/api/", "/openapi.json", "/metrics")
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")
_BEFORE = """
<script>window.__streamlit = { BACKEND_BASE_URL: window.location.origin + "/" }</script>
<style>
  :root { color-scheme: light dark; background: light-dark(#fbfaf8, #101418); }
</style>
"""
_NO_SCRIPT = (
    "<p>The dashboard needs JavaScript. The same data is at /openapi.json and below /api.</p>"
)
_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
)
# Nothing leaves this machine, nothing is watched or written, and errors say no more than they must.
_OPTIONS = {
    "browser.gatherUsageStats": False,
    "client.toolbarMode": "minimal",
    "client.showErrorDetails": "none",
    "server.fileWatcherType": "none",
    "server.headless": True,
    "server.enableWebsocketCompression": True,
    "server.enableStaticServing": False,
    "runner.magicEnabled": False,
    # A full collection after every tick of every tab costs more than all else together.
    "runner.postScriptGC": False,
}


class OneAddress:
    """The ASGI application: by path to the API or to the dashboard."""

    def __init__(self, api: FastAPI, *, address: str, local_only: bool) -> None:
        """`address` is where the dashboard's process reaches the API.

        NotConfigured when the dashboard's package or its script is missing.
        """
        self._api = api
        self._local_only = local_only
        self._dashboard = _dashboard(api, address, local_only=local_only)
        self._shell = _shell()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, one websocket, or the life of the server."""
        if scope["type"] != "lifespan" and scope["path"].startswith(API_PATHS):
            await self._api(scope, receive, send)
        elif scope["type"] == "http" and self._local_only and not _is_local(scope):
            refusal = PlainTextResponse(
                "Without keys this dashboard answers only to localhost and 127.0.0.1; make a key "
                "with `advisor keys create` to use another name.",
                status_code=421,
            )
            await refusal(scope, receive, send)
        elif scope["type"] == "http" and _is_page(scope):
            await self._shell(scope, receive, _dressed(send))
        else:
            await self._dashboard(scope, receive, _dressed(send))


def _dashboard(api: FastAPI, address: str, *, local_only: bool) -> Any:
    if find_spec("streamlit") is None:
        raise NotConfigured("the dashboard needs the package streamlit: pip install -e '.[ui]'")
    import streamlit
    from streamlit import config

    @asynccontextmanager
    async def lifespan(_: object) -> AsyncIterator[None]:
        async with api.router.lifespan_context(api):
            yield

    # The application comes first: it is what makes the options beside its script (the theme) found.
    application = streamlit.App(
        _script(),
        secrets={"api": {"url": address}},
        lifespan=lifespan,
    )
    for name, value in _OPTIONS.items():
        config.set_option(name, value)
    if local_only:
        config.set_option("server.allowedHosts", list(LOCAL_NAMES))
    return application


def _shell() -> HTMLResponse:
    """Streamlit's page with our name, told where its server is.

    Left to itself it asks for its server below every page first (`/symbol/_stcore/health`), which
    costs two failed requests; and it is white until it has started, in the dark theme too.
    """
    import streamlit

    page = (Path(streamlit.__file__).parent / "static" / "index.html").read_text("utf-8")
    page = page.replace("<title>Streamlit</title>", f"<title>Advisor</title>{_BEFORE}", 1)
    page = re.sub(
        r"<noscript>.*?</noscript>", f"<noscript>{_NO_SCRIPT}</noscript>", page, flags=re.S
    )
    return HTMLResponse(page, headers={"Cache-Control": "no-cache"})


def _is_page(scope: Scope) -> bool:
    path: str = scope["path"].strip("/")
    return scope["method"] in ("GET", "HEAD") and (not path or path.replace("-", "").isalpha())


def _script() -> Path:
    found = find_spec("ui")
    for folder in found.submodule_search_locations or () if found else ():
        script = Path(folder) / "app.py"
        if script.is_file():
            return script
    raise NotConfigured("the dashboard's folder `ui` is missing; --no-ui serves the API alone")


def _is_local(scope: Scope) -> bool:
    host = Headers(scope=scope).get("host", "")
    name = host.rpartition(":")[0] if host.rpartition(":")[2].isdigit() else host
    return name.lower() in LOCAL_NAMES


def _dressed(send: Send) -> Send:
    """Answers with the headers that keep other sites from framing or sniffing them."""

    async def dressed(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", ()), *_HEADERS]
        await send(message)

    return dressed
