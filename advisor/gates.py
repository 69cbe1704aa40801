"""Three gates before live money, all open at once or nothing is traded: paper is the default.

    mode         `--mode live`, said for this start
    environment  ADVISOR_LIVE_MONEY=I-accept-the-risk, set on this machine
    approval     a file that a person wrote: which account, who approves, until when, up to how much

Each is opened by another act in another place, so that no single slip (a copied command, an
inherited environment, a forgotten file) trades money. The approval is a TOML file:

    account = "123456789"      # the number at the broker
    approved_by = "Ann Example"
    expires = 2026-12-31       # the last New York day on which it counts
    max_equity = 25000.0       # dollars; an account that holds more is not traded

It must belong to who starts the session (or to root) and be writable by nobody else.
"""

import os
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from quant_core.calendar import NEW_YORK
from tools.errors import NotConfigured

if TYPE_CHECKING:
    from tools.broker import BrokerAccount

VARIABLE, ACCEPTED = "ADVISOR_LIVE_MONEY", "I-accept-the-risk"
MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One gate: `closed` says why it is not open and what to do; empty when it is open."""

    name: str
    closed: str


class Approval(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a person approved."""

    account: str
    approved_by: str
    expires: date
    max_equity: float


def open_gates(
    mode: str,
    environment: Mapping[str, str],
    approval_path: Path,
    account: "BrokerAccount",
    now: datetime | None = None,
) -> None:
    """Let live money pass, or raise NotConfigured that names every gate that is closed.

    `account` is the broker's own answer for the account that would be traded; `now` None is this
    moment.
    """
    found = gates(mode, environment, approval_path, account, now or datetime.now(UTC))
    closed = [one for one in found if one.closed]
    if closed:
        words = " ".join(f"{one.name.capitalize()}: {one.closed}." for one in closed)
        raise NotConfigured(
            f"live money is locked, {len(closed)} of {len(found)} gates are closed; nothing was "
            f"ordered. {words}"
        )


def gates(
    mode: str,
    environment: Mapping[str, str],
    approval_path: Path,
    account: "BrokerAccount | None",
    now: datetime,
) -> list[Gate]:
    """Every gate and what is wrong with it; without an account the approval is not held to one."""
    return [
        Gate(name="mode", closed="" if mode == "live" else f"it is {mode}; say --mode live"),
        Gate(name="environment", closed=_environment(environment)),
        Gate(name="approval", closed=_approval(approval_path, account, now)),
    ]


def _environment(environment: Mapping[str, str]) -> str:
    found = environment.get(VARIABLE, "")
    if found == ACCEPTED:
        return ""
    how = "holds something else" if found else "is not set"
    return f"{VARIABLE} {how}; set it to {ACCEPTED}"


def _approval(path: Path, account: "BrokerAccount | None", now: datetime) -> str:
    try:
        approval = _read(path)
    except FileNotFoundError:
        return (
            f"there is no file {path}; write it with account, approved_by, expires and max_equity "
            "(README, Live money), or name another with broker.approval_file"
        )
    except OSError as error:
        return f"{path} cannot be read: {error.strerror or error}"
    except ValueError as error:
        return f"{path}: {error}"
    wrong = []
    if now.astimezone(NEW_YORK).date() > approval.expires:
        wrong.append(f"it expired on {approval.expires}; have it approved again")
    if account is not None and account.number != approval.account:
        wrong.append(
            f"it approves account {approval.account}, the keys are those of {account.number}"
        )
    if account is not None and not account.equity <= approval.max_equity:
        wrong.append(
            f"the account holds ${account.equity:,.2f}, it approves ${approval.max_equity:,.2f} at "
            "most"
        )
    return f"{path}: {'; '.join(wrong)}" if wrong else ""


def _read(path: Path) -> Approval:
    """The approval in a file; ValueError says what is wrong with the file or with a value."""
    with path.open("rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise ValueError("it is no file")
        if os.name == "posix" and found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise ValueError("others may write to it; chmod go-w it")
        if os.name == "posix" and found.st_uid not in (0, os.getuid()):
            raise ValueError("it belongs to somebody else; write one of your own")
        text = file.read(MOST_BYTES)
    try:
        values: dict[str, Any] = tomllib.loads(text.decode())
        approval = msgspec.convert(values, Approval)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"it is not valid TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise ValueError(
            f"{str(error)[:1].lower()}{str(error)[1:]}; it needs account, approved_by, expires (a "
            "date) and max_equity"
        ) from error
    if not approval.account.strip() or not approval.approved_by.strip():
        raise ValueError("account and approved_by must say something")
    if not 0.0 < approval.max_equity < float("inf"):
        raise ValueError(f"max_equity is {approval.max_equity}; it must be a positive amount")
    return approval
