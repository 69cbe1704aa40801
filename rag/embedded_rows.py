"""Documents as rows of the embedded index, and back. Everything here runs inside a transaction."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from rag.documents import Document, instant, moment_of
from rag.embedded_file import meta, set_meta
from rag.index import Upserted
from tools.embed.words import words

_COLUMNS = "id, kind, run, lane, symbols, known_at, text, cites"


def write(
    connection: sqlite3.Connection, documents: Sequence[Document], vectors: Sequence[bytes]
) -> Upserted:
    """Insert or replace documents (each id once) with words and vectors, as the next revision."""
    if not documents:
        return Upserted()
    revision = meta(connection, "revision") + 1
    held = _numbers(connection, [document.id for document in documents])
    for document, vector in zip(documents, vectors, strict=True):
        _insert(connection, document, vector, revision, held.get(document.id))
    set_meta(connection, "revision", revision)
    return Upserted(added=len(documents) - len(held), changed=len(held))


def _insert(
    connection: sqlite3.Connection,
    document: Document,
    vector: bytes,
    revision: int,
    before: tuple[int, str] | None,
) -> None:
    number = None
    if before is not None:
        number = before[0]
        forget(connection, *before)
        connection.execute("DELETE FROM documents WHERE number = ?", (number,))
    row = (
        number,
        document.id,
        document.kind,
        document.run,
        document.lane,
        json.dumps(document.symbols),
        instant(document.known_at),
        document.text,
        json.dumps(document.cites),
        document.content_hash,
        vector,
        revision,
    )
    places = ", ".join("?" * len(row))
    cursor = connection.execute(f"INSERT INTO documents VALUES ({places})", row)
    said = (cursor.lastrowid, _said(document.text))
    connection.execute("INSERT INTO words (rowid, said) VALUES (?, ?)", said)


def forget(connection: sqlite3.Connection, number: int, text: str) -> None:
    """Take a document's words out of the index; they must be those that were put in."""
    connection.execute(
        "INSERT INTO words (words, rowid, said) VALUES ('delete', ?, ?)", (number, _said(text))
    )


def _said(text: str) -> str:
    return " ".join(words(text))


def kept_hashes(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, str]:
    """Content hash of those of the ids that are held."""
    query = f"SELECT id, content_hash FROM documents WHERE id IN ({_places(ids)})"
    return dict(connection.execute(query, ids))


def _numbers(connection: sqlite3.Connection, ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    query = f"SELECT id, number, text FROM documents WHERE id IN ({_places(ids)})"
    return {name: (number, text) for name, number, text in connection.execute(query, ids)}


def documents_at(connection: sqlite3.Connection, numbers: Sequence[int]) -> dict[int, Document]:
    """The documents of some rows."""
    query = f"SELECT number, {_COLUMNS} FROM documents WHERE number IN ({_places(numbers)})"
    return {row[0]: _document(row[1:]) for row in connection.execute(query, numbers)}


def read_columns(connection: sqlite3.Connection) -> Iterator[Sequence[Any]]:
    """Every row: the columns of a document, its content hash, its vector."""
    query = f"SELECT {_COLUMNS}, content_hash, vector FROM documents ORDER BY number"
    yield from connection.execute(query)


def problems_of(row: Sequence[Any], dimensions: int) -> list[str]:
    """What is wrong with a row of `read_columns`."""
    *columns, content_hash, vector = row
    name = columns[0]
    try:
        document = _document(columns)
    except (TypeError, ValueError) as error:
        return [f"{name}: its row cannot be read: {error}"]
    problems = []
    if document.content_hash != content_hash:
        problems.append(f"{name}: its content does not have the hash it was given")
    if not isinstance(vector, bytes) or len(vector) != 4 * dimensions:
        problems.append(f"{name}: its vector does not have {dimensions} dimensions")
    elif not np.isfinite(np.frombuffer(vector, "<f4")).all():
        problems.append(f"{name}: its vector holds what is no number")
    return problems


def _document(columns: Sequence[Any]) -> Document:
    name, kind, run, lane, symbols, known_at, text, cites = columns
    return Document(
        id=name,
        kind=kind,
        run=run,
        lane=lane,
        symbols=tuple(json.loads(symbols)),
        known_at=moment_of(known_at),
        text=text,
        cites=tuple(json.loads(cites)),
    )


def _places(values: Sequence[Any]) -> str:
    return ", ".join("?" * len(values))
