"""What models have cost, in two tables of a PostgreSQL that several machines or functions share.

Invariants are those of the file (`spending`). A hold and its settlement are one statement each,
which the server does whole or not at all: a container that is frozen or killed between two of them
holds up nobody, and leaves at worst a hold that counts in full. What cannot be counted is refused
at the call it was for, so an outage costs opinions and not the session.

The tables are no part of the ledger's schema: they are outside its chain, are written without its
writer's lock, and may stand in another database.
"""

import os
import socket
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from sqlalchemy import Engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError

from tools.errors import AdvisorError, BadInput, Transient
from tools.llm.spending import Spent
from tools.store.dialect import place
from tools.store.postgresql import Access, Password, engine_at

# A question waits at most a few seconds for its hold, whatever the server does.
_ACCESS = Access(connections=2, connect_seconds=3, silence_seconds=5)
# A role may have set another isolation, in which the upsert below fails instead of waiting.
_SESSION = (
    "SET default_transaction_isolation = 'read committed'; "
    "SET statement_timeout = '2s'; SET lock_timeout = '2s'"
)
_UNDEFINED_TABLE = "42P01"
# Two who find no table at once must not both make it; sent as one text, it is one transaction.
_MAKE = text("""
SELECT pg_advisory_xact_lock(1397771825);
CREATE TABLE IF NOT EXISTS model_spending (
    day DATE PRIMARY KEY,
    usd NUMERIC NOT NULL DEFAULT 0,
    tokens BIGINT NOT NULL DEFAULT 0,
    counted_usd NUMERIC NOT NULL,
    counted_tokens BIGINT NOT NULL
);
COMMENT ON TABLE model_spending IS 'What models cost, and with what is held, on New York days';
CREATE TABLE IF NOT EXISTS model_holds (
    id BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    day DATE NOT NULL,
    usd NUMERIC NOT NULL,
    tokens BIGINT NOT NULL,
    holder TEXT NOT NULL,
    since TIMESTAMPTZ NOT NULL DEFAULT now()
)
""")
_HOLD = text("""
WITH granted AS (
    INSERT INTO model_spending AS kept (day, counted_usd, counted_tokens)
    SELECT :day, :usd, :tokens WHERE :usd <= :limit_usd AND :tokens <= :limit_tokens
    ON CONFLICT (day) DO UPDATE SET
        counted_usd = kept.counted_usd + excluded.counted_usd,
        counted_tokens = kept.counted_tokens + excluded.counted_tokens
    WHERE kept.counted_usd + excluded.counted_usd <= :limit_usd
        AND kept.counted_tokens + excluded.counted_tokens <= :limit_tokens
    RETURNING day
)
INSERT INTO model_holds (day, usd, tokens, holder)
SELECT day, :usd, :tokens, :holder FROM granted RETURNING id
""")
_SETTLE = text("""
WITH settled AS (
    DELETE FROM model_holds WHERE id = :id AND day = :day RETURNING day, usd, tokens
)
UPDATE model_spending AS kept SET
    usd = kept.usd + :usd,
    tokens = kept.tokens + :tokens,
    counted_usd = kept.counted_usd - settled.usd + :usd,
    counted_tokens = kept.counted_tokens - settled.tokens + :tokens
FROM settled WHERE kept.day = settled.day
""")
_SPENT = text("SELECT usd, tokens FROM model_spending WHERE day = :day")
_COUNTED = text("SELECT counted_usd, counted_tokens FROM model_spending WHERE day = :day")


class SpendingTable:
    """The spending of every day, for all who name this database. Close it."""

    def __init__(self, engine: Engine) -> None:
        """Made by `at`."""
        self._engine, self._place = engine, place(engine)
        self._holder = f"{socket.gethostname()}:{os.getpid()}"

    @classmethod
    def at(cls, url: str, password: Password | None = None) -> "SpendingTable":
        """The spending in a database; it is connected to, and the tables are made, when needed.

        Raises BadInput for an address that is none or not safe, NotConfigured without psycopg.
        """
        try:
            parsed = make_url(url)
        except (ArgumentError, ValueError):
            raise BadInput(
                "spending.url is no address of a database; write postgresql://USER@HOST/DATABASE"
            ) from None
        engine = engine_at(parsed, durable=True, access=replace(_ACCESS, password=password))

        @event.listens_for(engine, "connect")
        def prepare(connection: Any, _: object) -> None:
            connection.execute(_SESSION)
            connection.commit()

        return cls(engine.execution_options(isolation_level="AUTOCOMMIT"))

    def hold(self, day: date, most: Spent, limit: Spent) -> int | None:
        """Set aside the most that a call can cost; the hold's number, or None beyond the limit.

        Raises Transient when that cannot be kept: what is not kept must not be spent.
        """
        asked = {
            "day": day, "usd": most.usd, "tokens": most.tokens, "limit_usd": limit.usd,
            "limit_tokens": limit.tokens, "holder": self._holder,
        }  # fmt: skip
        try:
            found = self._ask(_HOLD, asked)
        except _NoTable:
            self._ask(_MAKE, {})
            found = self._ask(_HOLD, asked)
        return None if found is None else int(found[0])

    def settle(self, number: int, day: date, cost: Spent) -> None:
        """Replace a hold by what its call cost; where that cannot be kept, the hold stands."""
        try:
            self._ask(_SETTLE, {"id": number, "day": day, "usd": cost.usd, "tokens": cost.tokens})
        except Transient:
            # The answer is paid for and worth having: that too much is counted is no reason to
            # lose it.
            return

    def spent(self, day: date) -> Spent:
        """What the settled calls of a day have cost."""
        return self._of(_SPENT, day)

    def counted(self, day: date) -> Spent:
        """What counts against a day's limit: what was spent and what is held."""
        return self._of(_COUNTED, day)

    def _of(self, statement: Any, day: date) -> Spent:
        try:
            found = self._ask(statement, {"day": day})
        except _NoTable:
            return Spent()
        return Spent(*found) if found else Spent()

    def _ask(self, statement: Any, given: Mapping[str, Any]) -> Any:
        """The one row of an answer, or None."""
        try:
            with self._engine.connect() as connection:
                answer = connection.execute(statement, dict(given))
                return answer.first() if answer.returns_rows else None
        except DBAPIError as error:
            missing = getattr(error.orig, "sqlstate", None) == _UNDEFINED_TABLE
            kind = _NoTable if missing else Transient
            raise kind(self._told(error.orig or error)) from error
        except (SQLAlchemyError, AdvisorError) as error:  # no free connection; no password
            raise Transient(self._told(error)) from error

    def _told(self, error: BaseException) -> str:
        said = " ".join(str(error).split())
        return (
            f"{self._place} cannot keep what models cost (spending.url), so the budget is unknown "
            f"and no model is asked: {said}"
        )

    def close(self) -> None:
        """Close the connections; a call that is still out keeps its whole hold."""
        self._engine.dispose()


class _NoTable(Transient):
    """Nobody has counted anything in this database yet."""
