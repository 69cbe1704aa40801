"""Where checked chart alerts wait for the run that takes them: a folder, or a queue.

An alert stays until the run has it on record (`tools.ports.Inbox`), so a process that dies loses
none; one that comes twice is known by its id. What is no alert is put aside with the reason, and
in nobody's way: beside the folder's alerts, or among the queue's dead letters.
"""

import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path

from quant_core.types import ChartAlert
from tools.aws.queue import Message, Queue, Taken
from tools.errors import BadInput, Transient
from tools.market.tradingview import MOST_BYTES, arrived, on_its_way

FOLDER = "chart-alerts"  # of a run
MOST_WAITING = 500
ALERT, REFUSED = ".json", ".refused"
MOST_AT_ONCE = 100
# Of the call that takes them: whoever comes after one that died finds them again.
HIDDEN_SECONDS = 50

Say = Callable[[str], None]


class FolderInbox:
    """Alerts as files in a folder; one process puts them there, the run's takes them."""

    def __init__(self, folder: Path, say: Say) -> None:
        """`say` is told what is put aside. The folder is made with the first alert."""
        self._folder, self._say = folder, say

    def put(self, alert: ChartAlert) -> None:
        """Let an alert wait; again changes nothing. BadInput when it cannot be written.

        Transient when many wait already: no run takes them.
        """
        place = self._folder / f"{alert.id}{ALERT}"
        beside = self._folder / f".{alert.id}.{secrets.token_hex(4)}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            if place.exists():
                return
            if len(self._names()) >= MOST_WAITING:
                raise Transient(
                    f"{MOST_WAITING} alerts wait in {self._folder} already and no session takes "
                    "them: start `advisor live` with this folder"
                )
            with beside.open("xb") as file:
                file.write(on_its_way(alert).encode())
                file.flush()
                os.fsync(file.fileno())
            beside.replace(place)
        except OSError as error:
            with suppress(OSError):
                beside.unlink(missing_ok=True)
            raise BadInput(f"{place} cannot be written: {error.strerror}") from error

    def take(self) -> list[ChartAlert]:
        """The alerts that wait."""
        found = []
        try:
            names = self._names()[:MOST_AT_ONCE]
        except OSError as error:
            raise Transient(f"{self._folder} cannot be read: {error.strerror}") from error
        for name in names:
            place = self._folder / name
            try:
                alert = arrived(_content(place))
                if name != f"{alert.id}{ALERT}":
                    raise BadInput(f"it says that it is {alert.id}")
                found.append(alert)
            except BadInput as error:
                self._put_aside(place, str(error))
        return found

    def done(self, ids: Collection[str]) -> None:
        """Remove alerts."""
        for one in ids:
            try:
                (self._folder / f"{one}{ALERT}").unlink(missing_ok=True)
            except OSError as error:
                raise Transient(f"alert {one} cannot be removed: {error.strerror}") from error

    def _names(self) -> list[str]:
        """The names of the alerts; none where there is no folder."""
        try:
            return sorted(one.name for one in os.scandir(self._folder) if one.name.endswith(ALERT))
        except FileNotFoundError:
            return []

    def _put_aside(self, place: Path, reason: str) -> None:
        self._say(f"{place} is no alert of a chart and was put aside: {reason}")
        with suppress(OSError):  # it is told again with the next look
            place.replace(place.with_suffix(REFUSED))


class QueueInbox:
    """Alerts in a queue, taken by one process at a time."""

    def __init__(self, queue: Queue, dead_letters: Callable[[], Queue], say: Say) -> None:
        """Nothing is asked yet; the dead letters are opened when there are any."""
        self._queue, self._dead, self._say = queue, dead_letters, say
        self._taken: dict[str, list[Taken]] = {}

    def take(self) -> list[ChartAlert]:
        """The messages that SQS gives now; they come again unless `done` follows soon."""
        found: dict[str, ChartAlert] = {}
        self._taken = {}
        poison: list[tuple[Taken, str]] = []
        for _ in range(MOST_AT_ONCE // 10):
            batch = self._queue.take(hidden_seconds=HIDDEN_SECONDS)
            for one in batch:
                try:
                    alert = arrived(one.body)
                except BadInput as error:
                    poison.append((one, str(error)))
                    continue
                self._taken.setdefault(alert.id, []).append(one)
                found.setdefault(alert.id, alert)
            if len(batch) < 10:
                break
        self._bury(poison)
        return list(found.values())

    def done(self, ids: Collection[str]) -> None:
        """Remove messages; one that SQS keeps comes again, and is known by then."""
        self._queue.done([taken for one in ids for taken in self._taken.pop(one, [])])

    def _bury(self, poison: list[tuple[Taken, str]]) -> None:
        """Put messages among the dead letters, with the reason, and only then out of the queue."""
        if not poison:
            return
        for one, reason in poison:
            self._say(f"message {one.id} of {self._queue.name} is no alert of a chart: {reason}")
        letters = {_letter_id(one): (one, reason) for one, reason in poison}
        sent = self._dead().send(
            Message(id=name, body=json.dumps({"reason": reason, "message": one.body[:MOST_BYTES]}))
            for name, (one, reason) in letters.items()
        )
        self._queue.done([one for one, _ in poison if _letter_id(one) in sent.accepted])


def _letter_id(one: Taken) -> str:
    """Its own id is not ours to trust: SQS refuses some."""
    return hashlib.sha256(f"{one.id} {one.body}".encode()).hexdigest()[:32]


def _content(place: Path) -> bytes:
    try:
        if not stat.S_ISREG(place.lstat().st_mode):  # a pipe would be waited for
            raise BadInput("it is no file")
        with place.open("rb") as file:
            return file.read(MOST_BYTES + 1)
    except OSError as error:
        raise BadInput(f"it cannot be read: {error.strerror}") from error
