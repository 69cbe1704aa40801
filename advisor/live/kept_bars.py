"""Where the bars are kept that minutes are decided on: a file, or an object in a bucket.

Both only grow, by whole lines, and what `append` has returned from is there for whoever comes next.
An object is written whole, and only over the version that was read: of two processes that hold the
same session, the second finds out before it decides anything.
"""

import os
from pathlib import Path
from typing import Protocol

from tools.aws.objects import Changed, Objects
from tools.errors import Transient


class BarsFile(Protocol):
    """A table of bars that grows. `place` is how messages name it."""

    @property
    def place(self) -> str:
        """Where it is."""
        ...

    def read(self) -> bytes:
        """Its whole lines; empty when there is none yet."""
        ...

    def append(self, lines: bytes) -> None:
        """Add whole lines, for good; all of them, or none and an OSError or AdvisorError."""
        ...


class LocalBars:
    """A file on this machine's disk."""

    def __init__(self, path: Path) -> None:
        """Its folder is made."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path

    @property
    def place(self) -> str:
        """Its path."""
        return str(self._path)

    def read(self) -> bytes:
        """Its whole lines; a minute whose last line was cut off is removed, its bars come again.

        Who decides on a minute has had all of it on disk, so nobody decided on that one.
        """
        if not self._path.exists():
            return b""
        text = self._path.read_bytes()
        whole = text[: text.rfind(b"\n") + 1]
        if len(whole) < len(text):
            whole = _without_its_last_minute(whole)
            os.truncate(self._path, len(whole))
        return whole

    def append(self, lines: bytes) -> None:
        """Add lines and have them on disk; a part that was written is taken back."""
        # Without a buffer: one that could not be written would be written when the file is closed,
        # behind what was taken back.
        with self._path.open("ab", buffering=0) as file:
            whole = file.tell()
            try:
                while lines:
                    lines = lines[file.write(lines) :]
                os.fsync(file.fileno())
            except OSError:
                os.truncate(self._path, whole)
                raise


class BarsInBucket:
    """An object in a bucket."""

    def __init__(self, bucket: Objects, key: str) -> None:
        """Nothing is asked yet."""
        self._bucket, self._key = bucket, key
        self._body, self._tag = b"", ""

    @property
    def place(self) -> str:
        """Its address."""
        return self._bucket.place(self._key)

    def read(self) -> bytes:
        """What the object holds; objects are never cut off."""
        found = self._bucket.find(self._key)
        self._body, self._tag = (found.body, found.tag) if found else (b"", "")
        return self._body

    def append(self, lines: bytes) -> None:
        """Replace the object by a longer one; Transient when somebody else has changed it."""
        longer = self._body + lines
        try:
            self._tag = self._bucket.put(
                self._key, longer, "text/csv", unless_changed=self._tag or None, new=not self._tag
            )
            self._body = longer
        except Changed as error:
            # A request that is repeated after a lost answer finds its own work.
            if self.read() != longer:
                raise Transient(
                    f"{self.place} was changed by another process; nothing was decided on these "
                    "bars. Take the session up again"
                ) from error


def _without_its_last_minute(text: bytes) -> bytes:
    lines = text.splitlines(keepends=True)
    stamps = [line.split(b",")[1:2] for line in lines]
    while len(lines) > 1 and stamps[len(lines) - 1] == stamps[-1]:
        lines.pop()
    return b"".join(lines)
