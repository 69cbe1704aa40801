"""API keys: made once, shown once, kept as keyed hashes in a file that only its owner can read.

A key is `adv_<id>_<secret>`, the secret 256 random bits. What is kept is BLAKE2b of the secret
under a random pepper of the file: nothing to guess, so a slow hash would only slow every request.
The file is read again when it changes, so that a revoked key is refused at once. Once a file holds
a key, revoked or not, every caller needs one.
"""

import hashlib
import hmac
import os
import secrets
import stat
import threading
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import msgspec

from tools.errors import BadInput, NoData

Scope = Literal["read", "admin"]
_PREFIX = "adv"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept of a key."""

    id: str
    name: str
    scope: Scope
    hash: str
    created_at: datetime
    revoked_at: datetime | None = None
    requests_per_minute: int | None = None


class _File(msgspec.Struct, kw_only=True):
    pepper: str
    keys: list[ApiKey]


@dataclass(frozen=True, slots=True)
class _Read:
    """The file as it was last read; `stamp` says whether it has changed since."""

    stamp: tuple[int, int] | None = None
    pepper: bytes = b""
    keys: tuple[ApiKey, ...] = ()


class KeyFile:
    """The keys in a file; it need not exist yet."""

    def __init__(self, path: Path) -> None:
        """Nothing is read before it is asked for."""
        self._path = path
        self._lock = threading.Lock()
        self._read = _Read()

    def listed(self) -> tuple[ApiKey, ...]:
        """All keys, revoked ones too, in the order in which they were made."""
        return self._current().keys

    def create(
        self, name: str, scope: Scope, requests_per_minute: int | None = None
    ) -> tuple[ApiKey, str]:
        """Make a key; returns it with its text, which is kept nowhere. BadInput for a used name."""
        known = self._current()
        if any(key.name == name and key.revoked_at is None for key in known.keys):
            raise BadInput(f"there is a key named {name!r}; revoke it first, or choose a new name")
        pepper = known.pepper or secrets.token_bytes(32)
        secret = secrets.token_urlsafe(32)
        key = ApiKey(
            id=secrets.token_hex(4),
            name=name,
            scope=scope,
            hash=_hashed(secret, pepper),
            created_at=datetime.now(UTC),
            requests_per_minute=requests_per_minute,
        )
        self._write(pepper, (*known.keys, key))
        return key, f"{_PREFIX}_{key.id}_{secret}"

    def revoke(self, name_or_id: str) -> ApiKey:
        """Refuse a key from now on; NoData when none is called that."""
        known = self._current()
        for position, key in enumerate(known.keys):
            if name_or_id in (key.name, key.id) and key.revoked_at is None:
                revoked = msgspec.structs.replace(key, revoked_at=datetime.now(UTC))
                rest = (*known.keys[:position], revoked, *known.keys[position + 1 :])
                self._write(known.pepper, rest)
                return revoked
        raise NoData(f"there is no key {name_or_id!r} in force; `advisor keys list` shows them")

    def find(self, text: str) -> ApiKey | None:
        """The key with this text, unless it is revoked; takes as long whether or not it exists."""
        known = self._current()
        prefix, _, rest = text.partition("_")
        key_id, _, secret = rest.partition("_")
        named = next((key for key in known.keys if key.id == key_id), None)
        hashed = _hashed(secret, known.pepper)
        same = hmac.compare_digest(hashed, named.hash if named else hashed[::-1])
        if named is None or not same or prefix != _PREFIX or named.revoked_at is not None:
            return None
        return named

    def how_to_get(self, scope: Scope) -> str:
        """A sentence for whoever lacks a key with a scope."""
        more = " NAME --scope admin" if scope == "admin" else ""
        return f"`advisor keys create{more}` makes one."

    def _current(self) -> _Read:
        with self._lock:
            try:
                found = self._path.stat()
            except FileNotFoundError:
                self._read = _Read()
                return self._read
            stamp = (found.st_mtime_ns, found.st_ino)
            if stamp != self._read.stamp:
                self._read = replace(self._load(found.st_mode), stamp=stamp)
            return self._read

    def _load(self, mode: int) -> _Read:
        if os.name == "posix" and mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise BadInput(f"the key file {self._path} can be read by others: chmod 600 it")
        try:
            kept = msgspec.json.decode(self._path.read_bytes(), type=_File)
            return _Read(pepper=bytes.fromhex(kept.pepper), keys=tuple(kept.keys))
        except (msgspec.MsgspecError, ValueError) as error:
            raise BadInput(
                f"the key file {self._path} is not one of ours ({error}); restore it, or remove it "
                "and make new keys"
            ) from error

    def _write(self, pepper: bytes, keys: tuple[ApiKey, ...]) -> None:
        text = msgspec.json.format(
            msgspec.json.encode(_File(pepper=pepper.hex(), keys=list(keys))), indent=1
        )
        beside = self._path.with_name(f"{self._path.name}.{secrets.token_hex(4)}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(handle, "wb") as file:
                file.write(text + b"\n")
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
        except OSError as error:
            raise BadInput(
                f"the key file {self._path} cannot be written: {error.strerror}"
            ) from error


def _hashed(secret: str, pepper: bytes) -> str:
    return hashlib.blake2b(secret.encode(), key=pepper or b"none", digest_size=32).hexdigest()
