"""`advisor serve`: dashboard and REST API over a ledger, on this machine unless told otherwise."""

import gc
import socket
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.commands.output import console, without_password

if TYPE_CHECKING:
    from advisor.settings import Settings
    from tools.llm import LanguageModel

LOOPBACK = ("127.", "::1", "localhost")


def serve(
    ledger: Annotated[
        str | None,
        typer.Option(
            help="A ledger file, a folder that holds one, or a database URL; without it the one in "
            "the settings, or the newest below ./out."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port; 0: any.")] = None,
    chat_model: Annotated[
        bool,
        typer.Option(
            "--chat-model",
            help="Let a language model choose lookups and word answers; checked all the same.",
        ),
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    metrics_port: Annotated[
        int | None,
        typer.Option(min=0, max=65535, help="Metrics without a key on this port as well; 0: none."),
    ] = None,
    ui: Annotated[
        bool, typer.Option("--ui/--no-ui", help="The dashboard, or the API alone.")
    ] = True,
) -> None:
    """Serve dashboard, REST API and OpenAPI document over a ledger, also while it is written."""
    from advisor.ledgers import named_or_newest
    from advisor.settings import load_settings
    from advisor.telemetry import logs

    settings = load_settings(config)
    _require_packages(ui=ui)
    watched = settings.telemetry.on_port(metrics_port)
    logs.configure(watched.logs, watched.log_level)
    settings = settings.model_copy(update={"telemetry": watched})
    address = host or settings.api.host
    public = not address.startswith(LOOPBACK)
    place = named_or_newest(ledger, settings)
    with _listening(address, settings.api.port if port is None else port) as listener:
        _run(
            place, settings, config, listener, address,
            public=public, with_model=chat_model, ui=ui,
        )  # fmt: skip


def _run(
    place: str,
    settings: "Settings",
    config: Path | None,
    listener: socket.socket,
    address: str,
    *,
    public: bool,
    with_model: bool,
    ui: bool,
) -> None:
    import uvicorn

    from advisor.api.app import create_app
    from advisor.api.chart_intake import PASSPHRASE, ChartIntake
    from advisor.api.keys import KeyFile
    from advisor.api.ledger_chat import LedgerChat
    from advisor.api.metrics import Metrics
    from advisor.api.parts import Parts
    from advisor.api.view import LedgerView
    from advisor.control import Control
    from advisor.keeping import Keeping
    from advisor.ledgers import folder_of, open_ledger
    from advisor.secrets import open_secrets, provide_keys
    from advisor.spending import counted_on
    from advisor.telemetry.serving import served
    from advisor.timetable import session_of
    from tools.errors import BadInput
    from tools.store.paging import Pages

    provide_keys(settings, model=with_model)
    keys = KeyFile(Path(settings.api.keys_file).expanduser())
    if public and not any(key.revoked_at is None for key in keys.listed()):
        raise BadInput(
            f"--host {address} can be reached by others, and there is no key: make one with "
            "`advisor keys create NAME`, or serve on 127.0.0.1"
        )
    model = _model(settings) if with_model else None
    secrets = open_secrets(settings)
    with ExitStack() as stack:
        store = stack.enter_context(open_ledger(place, settings))
        view = LedgerView(Pages(store))
        folder = folder_of(place)
        chat = stack.enter_context(
            closing(LedgerChat(store, view, settings, folder=folder, model=model))
        )
        parts = Parts(
            view=view, settings=settings.api, config=config, keys=keys, metrics=Metrics(view),
            chat=chat, index_state=chat.index_state,
            control=Control(folder) if folder else None, folder=folder, public=public,
            intake=ChartIntake(folder, lambda: secrets.secret(PASSPHRASE)),
            counted=partial(counted_on, settings=settings), llm_budget=settings.llm_budget,
            schedule=settings.schedule,
        )  # fmt: skip
        stack.enter_context(served(parts.metrics.registry, settings.telemetry))
        if folder is not None:
            stack.enter_context(Keeping(Path(place), settings.rag))
        keyed = public or bool(keys.listed())
        application: Any = create_app(parts)
        if ui:
            from advisor.api.dashboard import OneAddress

            application = OneAddress(application, address=_near(listener), local_only=not keyed)
        session_of(datetime.now(UTC))  # reads the calendar now, so that no first visitor waits
        _welcome(view, listener, store.place, keyed=keyed, ui=ui)
        Thread(target=chat.prepare, name="chat-prepare", daemon=True).start()
        gc.freeze()  # what was imported stays; collecting through it stops every request
        server = uvicorn.Server(
            uvicorn.Config(
                application, log_config=None, access_log=False, server_header=False,
                proxy_headers=False, timeout_keep_alive=30,
                timeout_graceful_shutdown=2,
            )
        )  # fmt: skip
        server.run(sockets=[listener])


def _near(listener: socket.socket) -> str:
    """The API's address for this process itself, whatever it listens on."""
    host, number = listener.getsockname()[:2]
    if listener.family is socket.AF_INET6:
        return f"http://[{'::1' if host == '::' else host}]:{number}"
    return f"http://{'127.0.0.1' if host == '0.0.0.0' else host}:{number}"


def _model(settings: "Settings") -> "LanguageModel":
    """The models of the settings, ready to be asked; NotConfigured says what is missing."""
    from advisor.chatting import model_of

    model = model_of(settings)
    model.prepare()
    return model


def _welcome(view: object, listener: socket.socket, place: str, *, keyed: bool, ui: bool) -> None:
    """Say where it listens, what it shows, and read the newest run's sums once."""
    from advisor.api.problems import ProblemError
    from advisor.api.view import LedgerView

    assert isinstance(view, LedgerView)
    name, number = listener.getsockname()[:2]
    shown = f"[{name}]" if ":" in name else name
    try:
        scope = view.scope()
        view.sums.trades(scope.place, as_of=scope.as_of)
        run = f"newest run {scope.run.run.run_id} ({scope.run.run.status})"
    except ProblemError:
        run = "no run in it yet; `advisor demo` makes one"
    who = "with a key (X-API-Key)" if keyed else "from this machine, without a key"
    page = f"Open   http://{shown}:{number}/\n" if ui else ""
    console().print(
        f"Ledger {without_password(place)}: {run}\n{page}"
        f"API    http://{shown}:{number}/api/watchlist   {who}\n"
        f"Spec   http://{shown}:{number}/openapi.json\nCtrl-C stops."
    )


def _require_packages(*, ui: bool) -> None:
    from importlib.util import find_spec

    from tools.errors import NotConfigured

    for package in ("fastapi", "uvicorn", "prometheus_client"):
        if find_spec(package) is None:
            raise NotConfigured(
                f"advisor serve needs the package {package}: pip install -e '.[api]'"
            )
    for package in ("streamlit", "httpx") if ui else ():
        if find_spec(package) is None:
            raise NotConfigured(
                f"the dashboard needs the package {package}: pip install -e '.[ui]'; "
                "--no-ui serves the API alone"
            )


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens, so that a port in use is said before anything else happens."""
    from tools.errors import BadInput

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it an answer in two
    # segments waits 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(2048)
    except OSError as error:
        listener.close()
        raise BadInput(
            f"cannot listen on {host}:{port} ({error.strerror or error}); name another --port or "
            "--host"
        ) from error
    return listener
