"""Secrets by the names of their environment variables, wherever they are kept.

A secret comes from the environment, or from where `sources` says: `ssm:/advisor/alpaca/key` (SSM
Parameter Store) or `secretsmanager:advisor/alpaca` (Secrets Manager), with `#field` for one field
of a JSON document. The environment wins. What was fetched is kept for a while, in memory only, and
fetched anew when it is said not to work any more: it may have been rotated. No message and no
`repr` shows a value.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeVar

from tools.errors import AdvisorError, NoData, NotConfigured, Rejected, Transient

R = TypeVar("R")
Service = Literal["ssm", "secretsmanager"]
Fetch = Callable[[Service, str], str]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a secret is kept; `field` is empty for the whole of it."""

    service: Service
    name: str
    field: str = ""

    def __str__(self) -> str:
        """As it is written in the settings."""
        return f"{self.service}:{self.name}" + (f"#{self.field}" if self.field else "")


def read_source(variable: str, text: str) -> Source:
    """A source as a person wrote it; ValueError, which does not repeat it, for anything else."""
    service, _, place = text.partition(":")
    name, _, field = place.partition("#")
    if service not in ("ssm", "secretsmanager") or not name or text != text.strip():
        # It may be the secret itself that was written there.
        raise ValueError(
            f"the source of {variable} must be ssm:/name or secretsmanager:name, with #field for "
            "a field of JSON; a secret itself does not belong into settings"
        )
    return Source(service, name, field)  # type: ignore[arg-type]


class _Kept(NamedTuple):
    value: str
    until: float


class Secrets(Mapping[str, str]):
    """The environment, with the secrets that it does not have; safe to share between threads."""

    def __init__(
        self,
        environment: Mapping[str, str],
        sources: Mapping[str, str],
        fetch: Fetch,
        *,
        ttl_seconds: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fetch` asks a service for a secret's whole text."""
        self._environment = environment
        self._sources = {name: read_source(name, text) for name, text in sources.items()}
        self._fetch, self._ttl, self._clock = fetch, ttl_seconds, clock
        self._kept: dict[tuple[Service, str], _Kept] = {}
        self._lock = threading.Lock()

    def __getitem__(self, name: str) -> str:
        """A variable or secret; KeyError when nothing says where it is."""
        if self._environment.get(name):
            return self._environment[name]
        if name in self._sources:
            return self._value(self._sources[name], name, renewed=False)
        return self._environment[name]

    def __iter__(self) -> Iterator[str]:
        """The names; no secret is fetched."""
        return iter(dict.fromkeys((*self._environment, *self._sources)))

    def __len__(self) -> int:
        """How many names."""
        return len(set(self._environment) | set(self._sources))

    def __repr__(self) -> str:
        """The names of what is fetched."""
        return f"Secrets({', '.join(f'{name} from {at}' for name, at in self._sources.items())})"

    def secret(self, name: str, *, renewed: bool = False) -> str:
        """A secret; NotConfigured says where it could be set. `renewed` asks its source again."""
        if self._environment.get(name):
            return self._environment[name]
        if name not in self._sources:
            raise NotConfigured(
                f"{name} is not set: put it into the environment, or name its place under "
                "secrets.sources"
            )
        return self._value(self._sources[name], name, renewed=renewed)

    def using(self, name: str, call: Callable[[str], R], refused: type[AdvisorError]) -> R:
        """What a call makes of a secret; once more with the newest, when it was `refused`.

        The error of the call comes through when the secret is still the same.
        """
        given = self.secret(name)
        try:
            return call(given)
        except refused:
            newest = self.secret(name, renewed=True)
            if newest == given:
                raise
            return call(newest)

    def _value(self, source: Source, name: str, *, renewed: bool) -> str:
        at = (source.service, source.name)
        with self._lock:
            kept = self._kept.get(at)
            if kept is None or renewed or kept.until <= self._clock():
                try:
                    text = self._fetch(*at)
                except NoData as error:
                    raise NotConfigured(
                        f"there is no {source}, which {name} is: {error}"
                    ) from error
                except Transient:
                    if kept is None or renewed:
                        raise
                    text = kept.value  # a service that is away for a moment takes nothing from us
                kept = self._kept[at] = _Kept(text, self._clock() + self._ttl)
        return kept.value if not source.field else _field(source, name, kept.value)


def _field(source: Source, name: str, text: str) -> str:
    try:
        document = json.loads(text)
    except ValueError:
        document = None
    if not isinstance(document, dict) or not isinstance(document.get(source.field), str | int):
        has = f"it has {', '.join(sorted(document))}" if isinstance(document, dict) else "no JSON"
        raise Rejected(f"{source}, which {name} is, has no field {source.field!r} of text ({has})")
    return str(document[source.field])
