"""Is everything there that a trading day needs? Each check says what it found and what to do.

A check looks at the real thing (it asks the broker, opens the ledger, writes to the folder) and
changes nothing that lasts. What a user has not set up is `off`, not a failure. Checks do not
depend on each other: all are made, whatever the first ones find.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from advisor.gates import gates
from advisor.ledgers import ledger_at, open_ledger
from advisor.secrets import provide_keys
from advisor.settings import Settings
from quant_core.calendar import new_york, to_datetime, to_minute, xnys
from tools.broker.alpaca import AlpacaBroker
from tools.errors import AdvisorError, NotConfigured
from tools.llm import LiveModel
from tools.notify import open_channels

Outcome = Literal["ok", "warn", "fail", "off"]

LEAST_FREE = 2 * 1024**3
MOST_SKEW = timedelta(seconds=2)
EXTRAS = {
    "llm": "langgraph",
    "aws": "boto3",
    "opensearch": "opensearchpy",
    "models": "torch",
    "live": "alpaca",
    "ui": "streamlit",
    "postgres": "psycopg",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found; `todo` is empty when there is nothing to do."""

    check: str
    outcome: Outcome
    found: str
    todo: str = ""


def examine(
    settings: Settings, environment: Mapping[str, str], ledger: str | Path | None, folder: Path
) -> list[Finding]:
    """Every check, in the order in which a day would need what they look at."""
    broker = _open_broker(settings, environment)
    checks: dict[str, Callable[[], Finding]] = {
        "packages": _packages,
        "calendar": lambda: _calendar(broker),
        "disk": lambda: _disk(folder),
        "ledger": lambda: _ledger(ledger, settings),
        "broker": lambda: _broker(broker, settings),
        "clock": lambda: _clock(broker),
        "live money": lambda: _live_money(broker, settings, environment),
        "model": lambda: _model(settings, environment),
        "alerts": lambda: _alerts(settings, environment),
    }
    return [_made(name, check) for name, check in checks.items()]


def _made(name: str, check: Callable[[], Finding]) -> Finding:
    try:
        return check()
    except (AdvisorError, OSError) as error:
        return Finding(check=name, outcome="fail", found=str(error))


def _packages() -> Finding:
    there = [extra for extra, module in EXTRAS.items() if find_spec(module)]
    absent = [extra for extra in EXTRAS if extra not in there]
    return Finding(
        check="packages",
        outcome="ok",
        found=f"extras installed: {', '.join(there) or 'none'}",
        todo=f"pip install -e '.[{','.join(absent)}]' adds the others" if absent else "",
    )


def _calendar(broker: AlpacaBroker | str) -> Finding:
    now = datetime.now(UTC)
    minute = to_minute(now)
    ours = xnys(now.year, now.year + 1).running_or_next(minute)
    if minute >= ours.open:
        found = f"the market is open until {new_york(to_datetime(ours.close))} New York"
    else:
        found = f"the market is closed; it opens {new_york(to_datetime(ours.open))} New York"
    if isinstance(broker, str):
        return Finding(check="calendar", outcome="ok", found=found)
    if broker.session(ours.date) != (to_datetime(ours.open), to_datetime(ours.close)):
        return Finding(
            check="calendar",
            outcome="fail",
            found=f"{found}; the broker's calendar has other times for {ours.date}",
            todo="update exchange_calendars; no session is opened while the two differ",
        )
    return Finding(check="calendar", outcome="ok", found=f"{found}; so says the broker")


def _disk(folder: Path) -> Finding:
    with tempfile.NamedTemporaryFile(dir=folder) as probe:
        probe.write(b"advisor")
        probe.flush()
        os.fsync(probe.fileno())
    free = shutil.disk_usage(folder).free
    enough = free >= LEAST_FREE
    return Finding(
        check="disk",
        outcome="ok" if enough else "warn",
        found=f"{folder.resolve()} can be written to, {free / 1024**3:.1f} GiB free",
        todo="" if enough else f"make room: less than {LEAST_FREE / 1024**3:.0f} GiB is left",
    )


def _ledger(ledger: str | Path | None, settings: Settings) -> Finding:
    ledger = ledger if ledger is not None else settings.ledger.url
    if ledger is None:
        return Finding(
            check="ledger", outcome="off", found="none was named", todo="name one with --ledger"
        )
    with open_ledger(ledger_at(ledger, settings), settings) as store:
        runs = store.runs()
        reports = {run.run_id: store.verify_chain(run.run_id) for run in runs}
    broken = [f"run {name}: {report.broken}" for name, report in reports.items() if report.broken]
    if broken:
        return Finding(
            check="ledger",
            outcome="fail",
            found="; ".join(broken),
            todo="restore it from a backup; its history was changed",
        )
    return Finding(check="ledger", outcome="ok", found=f"{len(runs)} runs, every chain intact")


def _open_broker(settings: Settings, environment: Mapping[str, str]) -> AlpacaBroker | str:
    """The broker, or why there is none."""
    try:
        return AlpacaBroker(
            environment, mode=settings.broker.mode, base_url=settings.broker.base_url
        )
    except NotConfigured as error:
        return str(error)


def _broker(broker: AlpacaBroker | str, settings: Settings) -> Finding:
    if isinstance(broker, str):
        return Finding(check="broker", outcome="off", found=broker)
    account = broker.account()
    held, waiting = len(broker.positions()), len(broker.open_orders())
    found = (
        f"{settings.broker.mode} account {account.number}: equity ${account.equity:,.2f}, buying "
        f"power ${account.buying_power:,.2f}, {held} positions, {waiting} open orders"
    )
    if account.blocked:
        return Finding(
            check="broker",
            outcome="fail",
            found=f"{found}; blocked: {account.blocked}",
            todo="see Alpaca's dashboard for why the account may not trade",
        )
    if not account.shorting:
        return Finding(
            check="broker",
            outcome="warn",
            found=f"{found}; no short selling",
            todo="short signals will be rejected; allow shorting in the account's configuration",
        )
    return Finding(check="broker", outcome="ok", found=found)


def _clock(broker: AlpacaBroker | str) -> Finding:
    if isinstance(broker, str):
        return Finding(check="clock", outcome="off", found="nothing to compare with: no broker")
    before = datetime.now(UTC)
    theirs = broker.clock().now
    ours = before + (datetime.now(UTC) - before) / 2
    skew = abs(theirs - ours)
    late = skew > MOST_SKEW
    return Finding(
        check="clock",
        outcome="fail" if late else "ok",
        found=f"{skew.total_seconds():.2f} s from the broker's",
        todo="set this machine's clock (NTP): decisions are stamped with it" if late else "",
    )


def _live_money(
    broker: AlpacaBroker | str, settings: Settings, environment: Mapping[str, str]
) -> Finding:
    """The three gates; a paper account is not held against an approval for the live one."""
    mode = settings.broker.mode
    live = broker if isinstance(broker, AlpacaBroker) and mode == "live" else None
    account = live.account() if live else None
    place = Path(settings.broker.approval_file).expanduser()
    found = gates(mode, environment, place, account, datetime.now(UTC))
    closed = [f"{one.name}: {one.closed}" for one in found if one.closed]
    if not closed:
        told = "all three gates are open: this machine trades live money"
        return Finding(check="live money", outcome="warn", found=told)
    return Finding(
        check="live money",
        outcome="warn" if mode == "live" else "off",
        found=f"locked, {len(closed)} of {len(found)} gates are closed"
        + ("" if mode == "live" else "; paper is traded"),
        todo="; ".join(closed),
    )


def _model(settings: Settings, environment: Mapping[str, str]) -> Finding:
    models = ", ".join(settings.llm.models)
    try:
        provide_keys(settings, model=True)
        LiveModel(settings.llm, settings.llm_prices).prepare()
    except NotConfigured as error:
        keys = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "AWS_ACCESS_KEY_ID", "AWS_PROFILE")
        wanted = any(environment.get(key) for key in keys)
        return Finding(
            check="model",
            outcome="fail" if wanted else "off",
            found=str(error),
            todo="without a model the rules advise",
        )
    return Finding(check="model", outcome="ok", found=f"{models} can be asked (nothing was sent)")


def _alerts(settings: Settings, environment: Mapping[str, str]) -> Finding:
    channels = open_channels(settings.alerts, environment, settings.aws)
    if not channels:
        return Finding(
            check="alerts",
            outcome="off",
            found="no channel is set up",
            todo="name alerts.recipients or alerts.webhook, or set alerts.desktop",
        )
    return Finding(
        check="alerts",
        outcome="ok",
        found=", ".join(channel.name for channel in channels),
        todo="`advisor alerts test` sends one",
    )
