"""How a person halts and resumes a session, from whichever process they ask.

The place is the folder of the run, where the ledger lies. A file HALT in it halts, whatever it
holds: `touch HALT` is enough, and what cannot be read is a halt too. A file RESUME, which only
`resume` writes, starts a HALTED account again. Both stand until they have been applied, a HALT
until a person resumes, so neither needs a process that runs now and both outlive one that dies.
Taking HALT away by hand starts nothing: what is HALTED in the ledger stays so.

What a request does to a desk, and how the session's loop obeys it, is `advisor.halting`.
"""

import os
import secrets
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import msgspec

from tools.errors import BadInput

HALT_FILE, RESUME_FILE = "HALT", "RESUME"
BY_FILE = "HALT file"
SESSIONS = ("paper", "live")  # kinds of runs that trade an account; a replay has none to halt
LONGEST = 500
MOST_BYTES = 65_536


class Halt(msgspec.Struct, frozen=True, kw_only=True, tag="halt"):
    """No new entries; with `flatten` positions are closed at market."""

    by: str
    at: datetime
    reason: str
    flatten: bool = False


class Resume(msgspec.Struct, frozen=True, kw_only=True, tag="resume"):
    """A person lets a HALTED account trade again."""

    by: str
    at: datetime


Request = Halt | Resume
_R = TypeVar("_R", Halt, Resume)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file as it was last read; `stamp` says whether it is another one by now."""

    stamp: tuple[int, int, int]
    request: Request | None


class Control:
    """The requests in a run's folder. Every process has its own; the files are what they share.

    `by_hand` says how a person halts where none of our programs can.
    """

    by_hand = "`touch HALT` in the run's folder halts as well."

    def __init__(self, folder: Path) -> None:
        """Nothing is read before it is asked for."""
        self._folder = folder
        self._seen: dict[str, _Seen] = {}
        self._taken: Request | None = None

    def halt(self, *, by: str, reason: str, flatten: bool, now: datetime) -> Halt:
        """Ask for a halt; a later one takes the place of an earlier. BadInput where it cannot."""
        asked = Halt(by=_line(by), at=now, reason=_line(reason), flatten=flatten)
        self._write(HALT_FILE, asked)
        self._remove(RESUME_FILE)
        return asked

    def resume(self, *, by: str, now: datetime) -> Resume:
        """Lift the halt and ask for the account to trade again. BadInput where it cannot."""
        asked = Resume(by=_line(by), at=now)
        # Who dies between the two leaves the account as it stood, which is never a surprise.
        self._remove(HALT_FILE)
        self._write(RESUME_FILE, asked)
        return asked

    def state(self) -> Request | None:
        """What was asked for last, applied or not; a HALT stands until a person resumes."""
        return self._look(HALT_FILE, _as_halt) or self._look(RESUME_FILE, _as_resume)

    def wanted(self) -> Request | None:
        """What is still to be applied; two looks at the folder, nothing read twice."""
        asked = self.state()
        return None if asked is None or asked == self._taken else asked

    def taken(self, request: Request) -> None:
        """A request has been applied. A resume is over with it; a halt stays in force."""
        self._taken = request
        if isinstance(request, Halt) or self.state() == request:
            # A resume that a halt came after must not start anything when HALT is taken away.
            with suppress(BadInput):
                self._remove(RESUME_FILE)

    def _look(
        self, name: str, read_as: Callable[[Path, os.stat_result], Request | None]
    ) -> Request | None:
        path = self._folder / name
        try:
            found = path.lstat()
        except FileNotFoundError:
            self._seen.pop(name, None)
            return None
        except OSError as error:
            # Whoever cannot look for a stop must not go on as if there were none.
            at = datetime.fromtimestamp(0, UTC)
            told = f"{name} cannot be looked for: {error.strerror}"
            return Halt(by="nobody", at=at, reason=told) if name == HALT_FILE else None
        stamp = found.st_mtime_ns, found.st_ino, found.st_size
        seen = self._seen.get(name)
        if seen is None or seen.stamp != stamp:
            seen = self._seen[name] = _Seen(stamp, read_as(path, found))
        return seen.request

    def _write(self, name: str, request: Request) -> None:
        beside = self._folder / f".{name}.{secrets.token_hex(4)}"
        try:
            with beside.open("xb") as file:
                file.write(as_written(request))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._folder / name)
            self._settle()
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise BadInput(
                f"{self._folder / name} cannot be written: {error.strerror}; name a folder of a "
                "run that you may write to"
            ) from error

    def _remove(self, name: str) -> None:
        try:
            (self._folder / name).unlink(missing_ok=True)
            self._settle()
        except OSError as error:
            raise BadInput(
                f"{self._folder / name} cannot be removed: {error.strerror}; remove it yourself, "
                "then ask again"
            ) from error

    def _settle(self) -> None:
        """Make the folder's new names last through a power cut, where the system can."""
        if os.name != "posix":
            return
        handle = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def as_written(request: Request) -> bytes:
    """A request as it stands in its file."""
    return msgspec.json.format(msgspec.json.encode(request), indent=1) + b"\n"


def _as_halt(path: Path, found: os.stat_result) -> Halt:
    """A HALT file as it means itself, or its owner's wish where it says nothing of ours."""
    try:
        asked = _decoded(path, found, Halt)
        return msgspec.structs.replace(asked, by=_line(asked.by), reason=_line(asked.reason))
    except (OSError, ValueError):
        at = datetime.fromtimestamp(found.st_mtime, UTC)
        return Halt(by=_owner(found.st_uid), at=at, reason=BY_FILE)


def _as_resume(path: Path, found: os.stat_result) -> Resume | None:
    """A RESUME file; one that is damaged resumes nothing."""
    try:
        asked = _decoded(path, found, Resume)
        return msgspec.structs.replace(asked, by=_line(asked.by))
    except (OSError, ValueError):
        return None


def _decoded(path: Path, found: os.stat_result, kind: type[_R]) -> _R:
    if not stat.S_ISREG(found.st_mode):  # a pipe would be waited for
        raise ValueError(f"{path} is no file")
    with path.open("rb") as file:
        asked = msgspec.json.decode(file.read(MOST_BYTES), type=kind)
    if asked.at.tzinfo is None:
        raise ValueError(f"{path} names a moment without its zone")
    return asked


def _line(text: str) -> str:
    """Somebody's words as one line that can be printed anywhere."""
    shown = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(shown.split())[:LONGEST]


def _owner(uid: int) -> str:
    try:
        import pwd

        return pwd.getpwuid(uid).pw_name
    except (ImportError, KeyError):
        return f"user {uid}"


def this_user() -> str:
    """The name of whoever runs this process, as the system knows it."""
    return _owner(os.getuid()) if hasattr(os, "getuid") else os.environ.get("USERNAME", "somebody")
