"""One process trades an account, whatever folder it writes to."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tools.errors import BadInput


@contextmanager
def account_lock(folder: Path, account: str) -> Iterator[None]:
    """Hold an account as long as the block lasts; it is let go of with a process that dies.

    BadInput when another process of this machine holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"alpaca-{account}.lock"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 100).decode(errors="replace").strip() or "unknown"
            raise BadInput(
                f"account {account} is traded by another process already (process {holder}); "
                "stop that one first"
            ) from error
        os.truncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)
