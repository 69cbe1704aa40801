"""Replay: recorded sessions through the same cycle as live trading, as fast as it goes.

The run's identity is made of the settings, the accepted bars, the request and the code, so the
same replay twice is the same run and gives the same bytes. The ledger in the output folder is
written cycle by cycle; an interrupted replay is taken up from its last whole cycle, or started
clean, and never one when the other was meant.
"""

import hashlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from advisor import code_version
from advisor.cycle import dependencies
from advisor.lanes import Lane, TradingDay, shuffled_in_time
from advisor.market import Market, MarketRequest
from advisor.results import ReplayResult
from advisor.session import run_day, trading_day
from advisor.settings import Settings
from quant_core import rules
from quant_core.calendar import to_datetime
from quant_core.desk import Desk
from quant_core.events import EventLog
from quant_core.types import Snapshot
from tools.errors import BadInput
from tools.store.store import Store

LEDGER = "ledger.sqlite"
MARKET_LANE = "market"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayOptions:
    """Who advises, and what to do about an earlier run in the same folder."""

    analyst: Literal["none", "rules"] = "rules"
    validation: Literal["off", "rules"] = "off"
    resume: bool = False
    fresh: bool = False


Progress = Callable[[int, int, str], None]


def run_identity(
    request: MarketRequest, options: ReplayOptions, settings: Settings, market: Market
) -> str:
    """What makes this replay this replay (16 hexadecimal digits)."""
    parts = [
        settings.config_hash(),
        market.digest,
        code_version(),
        str(request.first),
        str(request.last),
        list(request.symbols),
        options.analyst,
        options.validation,
    ]
    return hashlib.sha256(msgspec.json.encode(parts)).hexdigest()[:16]


def make_lanes(market: Market, options: ReplayOptions, settings: Settings) -> tuple[Lane, ...]:
    """The lanes of a run, the exported one first."""
    symbols = len(market.symbols)

    def lane(name: str) -> Lane:
        return Lane(
            name=name,
            desk=Desk.new(symbols, settings.account.start_equity),
            log=EventLog.with_room_for(symbols),
        )

    validator = rules.validate if options.validation == "rules" else None
    if options.analyst == "none" and validator is None:
        return (lane("baseline"),)
    advised, baseline, placebo = lane("advised"), lane("baseline"), lane("placebo")
    advised.validator = validator
    if options.analyst == "none":
        return advised, baseline
    advised.analyst = rules.analyse
    placebo.analyst = shuffled_in_time(advised, settings.lanes.placebo_seed)
    return advised, baseline, placebo


def replay(
    request: MarketRequest,
    options: ReplayOptions,
    settings: Settings,
    market: Market,
    folder: Path | None,
    progress: Progress = lambda done, total, text: None,
) -> ReplayResult:
    """Run every session of a market through every lane; `folder` None keeps no ledger."""
    run_id = run_identity(request, options, settings, market)
    lanes = make_lanes(market, options, settings)
    if folder is None:
        snapshots = _run(run_id, lanes, market, settings, None, [], progress)
        return _result(run_id, lanes, market, options, settings, snapshots, {})
    folder.mkdir(parents=True, exist_ok=True)
    with closing(open_ledger(folder, run_id, options)) as store:
        saved = _take_up(store, run_id, lanes, market, settings)
        snapshots = _run(run_id, lanes, market, settings, store, saved, progress)
        store.finish_run(run_id)
        heads = store.chain_heads(run_id)
    return _result(run_id, lanes, market, options, settings, snapshots, heads)
