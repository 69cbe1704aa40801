"""Ledgers behind the API, for its tests: small ones by hand, and a real month."""

from collections.abc import Callable, Sequence
from pathlib import Path

from fastapi import FastAPI
from starlette.testclient import TestClient

from advisor.api.app import create_app
from advisor.api.chart_intake import ChartIntake
from advisor.api.chat import Chat
from advisor.api.keys import KeyFile
from advisor.api.metrics import Metrics
from advisor.api.parts import Parts
from advisor.api.schemas import Component
from advisor.api.view import LedgerView
from advisor.control import Control
from advisor.settings import ApiSettings
from tools.store import Store
from tools.store.paging import Pages

LOCAL = "http://127.0.0.1"


def api(
    store: Store,
    folder: Path,
    *,
    public: bool = False,
    chat: Chat | None = None,
    index_state: Callable[[], Component] | None = None,
    settings: ApiSettings | None = None,
    passphrase: Callable[[], str] | None = None,
) -> FastAPI:
    """The application over an open ledger, with its key file, and what is asked, in a folder."""
    view = LedgerView(Pages(store))
    return create_app(
        Parts(
            view=view,
            settings=settings or ApiSettings(stream_poll_seconds=0.05),
            config=None,
            keys=KeyFile(folder / "keys.json"),
            metrics=Metrics(view),
            chat=chat,
            index_state=index_state,
            control=Control(folder),
            intake=ChartIntake(folder, passphrase) if passphrase else None,
            folder=folder,
            public=public,
        )
    )


def client(app: FastAPI, headers: Sequence[tuple[str, str]] = ()) -> TestClient:
    """A client on this machine; a defect in the server is an answer, not an exception here."""
    return TestClient(app, LOCAL, headers=dict(headers), raise_server_exceptions=False)
