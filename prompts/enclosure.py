"""How text written by others is shown to a model: enclosed, labelled as data, and bounded.

Invariants, whatever the text: an item is one line that begins with an id chosen by code; no `<`,
`>`, control, format or private character survives; an item and the whole have a maximum length;
the end of an enclosure can be written by nobody but this module. The last holds twice over: marks
are removed from the text, and the enclosure is named by a token which is a hash of everything the
prompt is filled with, this very text included. To close it, a text would have to contain the hash
of itself. The same values give the same token, so a recorded answer can be found again.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

ITEM_LIMIT = 500
TOTAL_LIMIT = 8_000
ITEMS_LIMIT = 40
CUT = " [cut]"
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:\-]{0,39}")


@dataclass(frozen=True, slots=True)
class Item:
    """One piece of foreign text under an id chosen by code; `note` is code's own remark on it."""

    id: str
    text: str
    note: str = ""

    def __post_init__(self) -> None:
        """Refuse an id or a note that foreign text could have shaped."""
        if not _ID.fullmatch(self.id):
            raise ValueError(f"{self.id!r} cannot be the id of an item")
        if self.note != clean(self.note):
            raise ValueError(f"the note of {self.id} is not plain text: {self.note!r}")


@dataclass(frozen=True, slots=True)
class Untrusted:
    """Foreign texts that go into one enclosure; `empty` is said when there are none."""

    items: Sequence[Item]
    empty: str = "(none)"

    def lines(self) -> list[str]:
        """One bounded line an item; a last one says how many were left out."""
        lines: list[str] = []
        length = 0
        for item in self.items[:ITEMS_LIMIT]:
            note = f" ({item.note})" if item.note else ""
            line = f"[{item.id}]{note} {capped(clean(item.text), ITEM_LIMIT)}"
            if length + len(line) > TOTAL_LIMIT:
                break
            lines.append(line)
            length += len(line)
        if left_out := len(self.items) - len(lines):
            lines.append(f"({left_out} more left out)")
        return lines

    def enclosed(self, label: str, token: str) -> str:
        """The lines between an opening and a closing mark that carry the token."""
        inside = "\n".join(self.lines()) or self.empty
        return f'<data id="{token}" label="{label}">\n{inside}\n</data id="{token}">'


def clean(text: str) -> str:
    """Foreign text as one line of visible characters without marks."""
    # What is cut away afterwards need not be normalised, however long it is.
    normal = unicodedata.normalize("NFKC", text[: 4 * ITEM_LIMIT])
    spaced = re.sub(r"\s+", " ", normal)
    visible = "".join(filter(str.isprintable, spaced))
    return re.sub(r" +", " ", visible).replace("<", "(").replace(">", ")").strip()


def capped(text: str, limit: int) -> str:
    """At most `limit` characters, with a remark where text was cut."""
    return text if len(text) <= limit else text[: limit - len(CUT)] + CUT


def token_of(parts: Sequence[str]) -> str:
    """The token of a prompt, from everything it is filled with."""
    digest = hashlib.sha256(b"advisor enclosure 1")
    for part in parts:
        data = part.encode("utf-8", "surrogatepass")
        digest.update(len(data).to_bytes(8, "big") + data)
    return digest.hexdigest()[:32]
