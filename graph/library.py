"""Reasons from the index: documents about the ledger, found as of a moment, as rows to cite."""

from datetime import datetime
from typing import Protocol

from graph.looking import document_row, session_bounds
from graph.questions import named_tool
from graph.requests import Refusal, Request
from rag.documents import Kind
from rag.index import Filters, Hit
from tools.errors import BadInput
from tools.evidence import Row

_KINDS: dict[str, tuple[Kind, ...]] = {
    "skipped": ("skip",),
    "signals": ("signal", "skip"),
    "trades": ("trade", "day", "week"),
    "analyses": ("analysis",),
    "biases": ("bias",),
}
# A search that names one kind of thing ("find the trade …") means that kind and no summary of it.
_NAMED: dict[str, tuple[Kind, ...]] = {**_KINDS, "trades": ("trade",)}


class Searchable(Protocol):
    """The part of an index that is read."""

    def search(self, query: str, *, as_of: datetime, k: int = 5, where: Filters) -> list[Hit]:
        """The k best documents known at `as_of`."""
        ...


class IndexLibrary:
    """The documents of one run in an open index."""

    def __init__(self, index: Searchable, run_id: str) -> None:
        """Over an index, which stays the caller's to close."""
        self._index, self._run_id = index, run_id

    def search(self, request: Request, *, as_of: datetime, k: int) -> list[Row]:
        """The k documents that answer a request best and were known at `as_of`."""
        scope = request.scope
        bounds = session_bounds(scope)
        lanes = (scope.lane,) if request.tool not in ("lanes", "biases") else ()
        where = Filters(
            symbols=scope.symbols,
            kinds=_KINDS.get(request.tool) or _NAMED.get(named_tool(request.query) or "", ()),
            lanes=lanes,
            runs=(self._run_id,),
            since=bounds[0] if bounds else None,
            until=bounds[1] if bounds else None,
        )
        try:
            hits = self._index.search(request.query, as_of=as_of, k=k, where=where)
        except BadInput as error:
            if request.tool != "search":
                return []  # "why?" alone: the tool has answered, there is only nothing to search
            raise Refusal("not_understood", f"{error}.") from error
        return [_row(hit) for hit in hits]


class NoLibrary:
    """Stands where an index cannot be used: only a search is refused, with the reason."""

    def __init__(self, reason: str) -> None:
        """`reason` is a sentence for whoever asks, with what to do."""
        self._reason = reason

    def search(self, request: Request, *, as_of: datetime, k: int) -> list[Row]:  # noqa: ARG002
        """No document; Refusal where documents were all that was asked for."""
        if request.tool == "search":
            raise Refusal("no_index", self._reason)
        return []


def _row(hit: Hit) -> Row:
    one = hit.document
    return document_row(one.id, one.kind, one.lane, one.symbols, one.known_at, one.text)
