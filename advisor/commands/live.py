"""`advisor live`: today's session, minute by minute, on live bars."""

import signal
import sys
import threading
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console
from advisor.commands.replay import (
    AnalystChoice,
    Config,
    PremarketChoice,
    Symbols,
    ValidationChoice,
    watchlist,
)

if TYPE_CHECKING:
    from advisor.live.clock import LiveClock
    from quant_core.calendar import Session


class ModeChoice(StrEnum):
    """What orders do: nothing, move a paper account, or move money."""

    DRY = "dry"
    PAPER = "paper"
    LIVE = "live"


def live(
    out: Annotated[
        Path, typer.Option(help="The account's folder: its ledger goes on from day to day.")
    ],
    mode: Annotated[
        ModeChoice,
        typer.Option(help="dry: simulated fills, no account; paper; live: needs three gates."),
    ] = ModeChoice.PAPER,
    bars: Annotated[
        list[Path] | None,
        typer.Option("--bars", help="1-minute bars before today; default: fetched into --out."),
    ] = None,
    daily: Annotated[Path | None, typer.Option(help="Daily bars before today.")] = None,
    symbols: Symbols = None,
    analyst: Annotated[
        AnalystChoice, typer.Option(help="Who proposes multipliers.")
    ] = AnalystChoice.RULES,
    validation: Annotated[
        ValidationChoice, typer.Option(help="Who rules on signals before they are ordered.")
    ] = ValidationChoice.RULES,
    premarket: Annotated[
        PremarketChoice, typer.Option(help="Who gives the day's biases; changes no trade.")
    ] = PremarketChoice.RULES,
    news: Annotated[
        list[Path] | None,
        typer.Option("--news", help="News for models: file, folder or ledger; may be repeated."),
    ] = None,
    config: Config = None,
) -> None:
    """Trade today's session; start it again whenever it stopped, it goes on where it stood.

    Ctrl-C or SIGTERM ends it after the step it is in: nothing new is opened, and positions keep
    their stops and targets at the broker. `advisor halt` stops trading and lets it run.
    """
    from advisor.bootstrap import ReplayOptions
    from advisor.live.clock import WallClock
    from advisor.live.opening import LiveRequest, Opening, session_at
    from advisor.secrets import open_secrets, provide_keys
    from advisor.settings import load_settings
    from advisor.telemetry import logs

    settings, clock, stop = load_settings(config), WallClock(), threading.Event()
    if settings.telemetry.logs != "auto" or not sys.stderr.isatty():
        # On a terminal, what the session says is enough.
        logs.configure(settings.telemetry.logs, settings.telemetry.log_level)
    session = session_at(clock.now())
    provide_keys(settings, model="model" in (analyst, validation, premarket))
    screen = console()
    opening = Opening(
        request=LiveRequest(
            mode=mode.value,
            folder=out,
            symbols=watchlist(symbols, settings),
            bars=tuple(bars or ()),
            daily=daily,
        ),
        options=ReplayOptions(
            analyst=analyst.value,
            validation=validation.value,
            premarket=premarket.value,
            news=tuple(news or ()),
        ),
        settings=settings,
        environment=open_secrets(settings),
        session=session,
        clock=clock,
        stop=stop,
        say=lambda line: screen.print(line, markup=False, highlight=False, soft_wrap=True),
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    if not _wait_for_premarket(session, clock, stop):
        screen.print("stopped before the premarket; nothing was opened")
        return
    with opening.open() as running:
        ended = running.run()
    if ended == "stopped":
        screen.print(
            "stopped: everything is in the ledger, and positions keep their stops and targets at "
            "the broker. The same command goes on."
        )


def _wait_for_premarket(session: "Session", clock: "LiveClock", stop: threading.Event) -> bool:
    """Wait until what a session starts from can be known; False when it is stopped before."""
    from quant_core.calendar import new_york, premarket_moment

    moment: datetime = premarket_moment(session)
    if clock.now() < moment:
        console().print(f"waiting for the premarket, {new_york(moment)} New York; Ctrl-C ends it")
    while clock.now() < moment and not stop.is_set():
        clock.wait(stop, moment)
    return not stop.is_set()
