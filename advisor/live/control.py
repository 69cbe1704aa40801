"""What a person wants of a session, put into a bucket by one process and obeyed by others.

The objects are the files of `advisor.control`, under `control/`. Who asks needs nothing else of a
session, so nothing of one is imported here.
"""

from datetime import UTC, datetime
from pathlib import Path

from advisor.control import HALT_FILE, RESUME_FILE, Control, Halt, Request, as_written
from tools.aws.objects import Objects
from tools.errors import AdvisorError, BadInput

CONTROL = "control"


class ControlInBucket(Control):
    """The requests under `control/` in a bucket, brought into a folder by `fetch`.

    An object HALT there halts, whatever it holds, and RESUME resumes, as the files do
    (`advisor.control`).
    """

    def __init__(self, folder: Path, bucket: Objects) -> None:
        """The folder is this process's own."""
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(folder)
        self._here, self._bucket = folder, bucket

    def fetch(self) -> None:
        """Have here what is there. Raises what `Objects` raises: who cannot look must not go on."""
        for name in (HALT_FILE, RESUME_FILE):
            found, here = self._bucket.find(name), self._here / name
            if found is None:
                here.unlink(missing_ok=True)
            elif not here.is_file() or here.read_bytes() != found.body:
                here.write_bytes(found.body)

    def _remove(self, name: str) -> None:
        self._bucket.remove(name)
        super()._remove(name)


class ControlThroughBucket(ControlInBucket):
    """The same for who asks: it puts requests there, and looks there whenever it is asked.

    What goes wrong on the way is told as it is of a folder: BadInput where nothing can be asked,
    and a halt by nobody where nobody can look.
    """

    by_hand = f"An object {HALT_FILE} under {CONTROL}/ in the bucket halts as well."

    def state(self) -> Request | None:
        """What was asked for last, applied or not, as the bucket has it now."""
        try:
            self.fetch()
        except AdvisorError as error:
            at = datetime.fromtimestamp(0, UTC)
            return Halt(by="nobody", at=at, reason=f"{CONTROL}/ cannot be looked into: {error}")
        return super().state()

    def _write(self, name: str, request: Request) -> None:
        try:
            self._bucket.put(name, as_written(request), "application/json")
        except AdvisorError as error:
            raise BadInput(f"{name} cannot be asked for: {error}") from error
        super()._write(name, request)

    def _remove(self, name: str) -> None:
        try:
            super()._remove(name)
        except AdvisorError as error:
            raise BadInput(f"{name} cannot be taken away: {error}") from error
