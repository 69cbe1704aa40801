"""The program's errors: one type for each reaction, whatever the vendor called it.

Adapters translate their vendors' exceptions into these at the edge, so that nothing inside ever
asks which vendor it was. A message is one sentence for a person: what is wrong, with which value,
and what to do about it.
"""


class AdvisorError(Exception):
    """Something went wrong that a person can be told in one sentence."""


class Transient(AdvisorError):
    """It may work in a moment. Reaction: try again with a growing pause, within the deadline."""


class NoData(AdvisorError):
    """The source answered and has nothing. Reaction: go without it, and say so."""


class NotConfigured(AdvisorError):
    """A source was never set up. Reaction: record the check as not applicable; do not retry."""


class Rejected(AdvisorError):
    """The other side understood and refused. Reaction: record the reason; never send it again."""


class Ambiguous(AdvisorError):
    """A request may or may not have taken effect. Reaction: ask what became of it, by its id."""


class BookMismatch(AdvisorError):
    """Ledger and broker disagree on what is held. Reaction: no new entries; call a person."""


class BadInput(AdvisorError):
    """A person gave an unusable file or option. Reaction: say so and stop, before any work.

    `file`, `row` (1-based data row) and `value` say where, as far as it is known; file and row
    lead the message.
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        row: int | None = None,
        value: str | None = None,
    ) -> None:
        """Keep the place beside the message."""
        self.file, self.row, self.value = file, row, value
        place = ", ".join(
            part for part in (file, None if row is None else f"row {row}") if part is not None
        )
        super().__init__(f"{place}: {message}" if place else message)


class Occupied(BadInput):
    """Another process is the writer. Reaction of a person: stop one; of a function: step aside."""
