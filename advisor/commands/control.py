"""`advisor halt`, `advisor resume`: a person stops a session and starts it again."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from advisor.commands.output import console, print_json

if TYPE_CHECKING:
    from quant_core.types import RiskChange

_Folder = Annotated[Path, typer.Argument(help="The run's folder, where ledger.sqlite lies.")]
_Json = Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")]


def halt(
    folder: _Folder,
    reason: Annotated[str, typer.Option(help="Why; it is kept in the ledger.")] = "",
    flatten: Annotated[
        bool, typer.Option("--flatten", help="Also close every position at market.")
    ] = False,
    json: _Json = False,
) -> None:
    """Stop a session: no new entries; positions keep their stops and targets, or are closed.

    It needs no confirmation and no running process: what is not running now is halted when it
    starts. `touch FOLDER/HALT` does the same.
    """
    from advisor.control import Control, this_user
    from tools.errors import AdvisorError

    place = _place(folder)
    try:
        kind = _newest(place)[0]
    except AdvisorError:
        kind = ""  # a ledger that cannot be read must not keep anybody from halting
    _refuse_replay(place, kind)
    asked = Control(place).halt(
        by=this_user(), reason=reason, flatten=flatten, now=datetime.now(UTC)
    )
    if json:
        print_json({"state": "halt", "by": asked.by, "at": asked.at.isoformat(),
                    "reason": asked.reason, "flatten": asked.flatten})  # fmt: skip
    console().print(
        f"[bold]HALT[/bold] is in force in {place}, asked for by {asked.by} at "
        f"{asked.at:%H:%M:%S} UTC: no new entries; positions "
        + ("are closed at market. " if flatten else "keep their stops and targets. ")
        + "A session that runs there stops within a second, one that starts there starts halted. "
        f"`advisor resume {folder}` lifts it."
    )


def resume(
    folder: _Folder,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask for confirmation.")] = False,
    json: _Json = False,
) -> None:
    """Let a HALTED session trade again; only a person does that, and confirms it."""
    from advisor.control import Control, Halt, this_user
    from quant_core.types import RiskState
    from tools.errors import BadInput

    place = _place(folder)
    control, (kind, changes) = Control(place), _newest(place)
    _refuse_replay(place, kind)
    asked = control.state()
    reasons = {f"{lane}: {one.reason}" for lane, one in changes.items()
               if one.state is RiskState.HALTED}  # fmt: skip
    if isinstance(asked, Halt):
        reasons.add(f"asked for by {asked.by} at {asked.at:%Y-%m-%d %H:%M} UTC: "
                    f"{asked.reason or 'no reason given'}")  # fmt: skip
    if not reasons:
        raise BadInput(f"nothing is halted in {place}; there is nothing to resume")
    for one in sorted(reasons):
        console().print(f"HALTED  {one}", markup=False)
    if not yes:
        if not sys.stdin.isatty():
            raise BadInput("this is no terminal to confirm on; say --yes to resume without asking")
        typer.confirm("Let new entries through again?", abort=True, err=True)
    resumed = control.resume(by=this_user(), now=datetime.now(UTC))
    if json:
        print_json({"state": "resume", "by": resumed.by, "at": resumed.at.isoformat()})
    console().print(
        f"Resumed by {resumed.by}. A session that runs there trades again as soon as ledger and "
        "broker agree; one that does not, when it starts."
    )


def _place(folder: Path) -> Path:
    from advisor.replay import LEDGER
    from tools.errors import BadInput

    place = folder.parent if folder.name == LEDGER else folder
    if not place.is_dir():
        raise BadInput(f"there is no folder {place}; name the one that holds the run's ledger")
    return place


def _newest(place: Path) -> tuple[str, dict[str, "RiskChange"]]:
    """The kind of the newest run and the last risk change of each of its lanes; "" for no run."""
    from advisor.replay import LEDGER
    from tools.store.store import Store

    if not (place / LEDGER).is_file():
        return "", {}
    with Store.open(place / LEDGER, read_only=True) as store:
        run = next(reversed(store.runs()), None)
        if run is None:
            return "", {}
        end = datetime(9999, 1, 1, tzinfo=UTC)
        lanes = store.heads(run.run_id)
        changes = {lane: store.risk_changes(run.run_id, lane, as_of=end) for lane in lanes}
        return run.kind, {lane: found[-1] for lane, found in changes.items() if found}


def _refuse_replay(place: Path, kind: str) -> None:
    from advisor.control import SESSIONS
    from tools.errors import BadInput

    if kind and kind not in SESSIONS:
        raise BadInput(
            f"the newest run in {place} is a {kind}: it trades no account, so there is nothing to "
            "halt or resume; name the folder of a paper or live session"
        )
