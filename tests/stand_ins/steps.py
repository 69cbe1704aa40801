"""What a stand-in does with a request: an answer of the model, or a fault."""

from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """The model answers with a text, or refuses, or is cut off by max tokens.

    It takes a while, or until a call of `when` returns.
    """

    text: str = ""
    after: float = 0.0
    when: Callable[[], object] | None = None
    refuses: bool = False
    truncated: bool = False
    tokens: tuple[int, int] | None = (100, 20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fails:
    """The service answers with an HTTP error."""

    status: int
    message: str = "scripted"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangs:
    """No byte comes back for so long (or until the server is closed); then the connection ends."""

    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Cuts:
    """The connection ends in the middle of the body."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sends:
    """Status 200 with this body, whatever it is: not JSON, JSON of another shape."""

    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Drips:
    """The body comes a byte at a time, so that no single read ever times out."""

    text: str
    pause: float = 0.05


Step = Says | Fails | Hangs | Cuts | Sends | Drips
