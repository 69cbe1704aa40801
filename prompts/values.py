"""The three kinds of value a template can be filled with.

`Facts` are the only way for a number to reach a model: each has an id to cite and a text that code
has formatted. `Untrusted` is what others wrote; it is enclosed by `prompts.enclosure`. A plain
`str` is a phrase chosen by code: one line, short, without the marks of an enclosure.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from prompts.enclosure import Item, Untrusted

__all__ = ["Facts", "Item", "Untrusted", "Value", "kind_of", "text_of"]

WORDS_LIMIT = 400
FACT_LIMIT = 120
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-/^]{0,79}")


@dataclass(frozen=True, slots=True)
class Facts:
    """(id, text) pairs in the order in which they are shown; `empty` is said when there are none.

    Raises ValueError for an id that could not be cited, an id given twice, or a text that is not
    one short line.
    """

    entries: Sequence[tuple[str, str]]
    empty: str = "(none)"

    def __post_init__(self) -> None:
        """Refuse what would not be one fact per line."""
        seen = set()
        for name, text in self.entries:
            if not _ID.fullmatch(name):
                raise ValueError(f"{name!r} cannot be the id of a fact")
            if name in seen:
                raise ValueError(f"the fact {name} is given twice")
            seen.add(name)
            _check_line(name, text, FACT_LIMIT)

    def text(self) -> str:
        """One fact a line, as `id = text`."""
        return "\n".join(f"{name} = {text}" for name, text in self.entries) or self.empty


Value = Facts | Untrusted | str


def kind_of(value: object) -> str:
    """The name by which a template declares this kind of value."""
    if isinstance(value, Facts):
        return "facts"
    if isinstance(value, Untrusted):
        return "untrusted"
    return "words" if isinstance(value, str) else type(value).__name__


def text_of(name: str, value: Value, token: str) -> str:
    """What stands in the prompt for a value; `token` marks the enclosures of this prompt."""
    if isinstance(value, Facts):
        return value.text()
    if isinstance(value, Untrusted):
        return value.enclosed(name, token)
    _check_line(name, value, WORDS_LIMIT)
    return value


def _check_line(name: str, text: str, limit: int) -> None:
    if len(text) > limit:
        raise ValueError(f"{name} has {len(text)} characters; at most {limit} are allowed")
    if any(unicodedata.category(character) in ("Cc", "Zl", "Zp") for character in text):
        raise ValueError(f"{name} must be one line without control characters: {text!r}")
    if "<" in text or ">" in text:
        raise ValueError(f"{name} must not contain the marks of an enclosure: {text!r}")
