"""What is the spending table's alone: a server that is away, slow, somebody else's or odd."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from sqlalchemy import make_url

from tests.stand_ins.tls_postgresql import certificate, in_front_of
from tests.tools.llm.test_spending import DOLLAR, LIMIT, OPUS, TODAY
from tests.tools.llm.worlds import PROMPT, HandClock, View, says, scripted
from tools.errors import BadInput, Transient
from tools.llm import BudgetLimits, DailyBudget, Failure, Outcome, Spent
from tools.llm.spending_table import SpendingTable
from tools.store import Store

NOBODY = "postgresql://advisor@127.0.0.1:1/advisor"
CENT = Spent(Decimal("0.01"), 1)


@pytest.fixture
def table(database: str) -> Iterator[SpendingTable]:
    with closing(SpendingTable.at(database)) as made:
        yield made


def ask(where: str, *statements: str) -> list[Any]:
    found: list[Any] = []
    with psycopg.connect(where, autocommit=True) as server:
        for statement in statements:
            cursor = server.execute(statement)
            found = cursor.fetchall() if cursor.description else []
    return found


def refused(place: str) -> str:
    """Why a model was not asked, whose budget is counted there; nothing was sent."""
    model, clients = scripted({OPUS: [says()]})
    with closing(SpendingTable.at(place)) as spending:
        found = model.ask(PROMPT, View, 30.0, DailyBudget(BudgetLimits(), HandClock(), spending))
    assert isinstance(found, Failure)
    assert found.kind is Outcome.BUDGET
    assert clients[OPUS].sent == []
    return found.message


def test_a_server_out_of_reach_is_an_unknown_budget_and_no_call() -> None:
    told = refused(NOBODY)
    assert NOBODY in told
    assert "the budget is unknown and no model is asked" in told
    assert "refused" in told
    with closing(SpendingTable.at(NOBODY)) as away, pytest.raises(Transient, match="unknown"):
        away.counted(TODAY)


def test_a_server_that_cannot_prove_who_it_is_counts_nothing(database: str, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    mine, other = certificate(tmp_path), certificate(tmp_path / "other")
    with in_front_of(f"{make_url(database).query['host']}/.s.PGSQL.5432", mine) as port:
        place = f"postgresql://postgres@127.0.0.1:{port}/{make_url(database).database}"
        verified = f"{place}?sslmode=verify-full&sslrootcert="
        assert "certificate verify failed" in refused(f"{verified}{other}")
        with closing(SpendingTable.at(f"{verified}{mine}")) as table:
            assert table.hold(TODAY, DOLLAR, LIMIT)
            assert table.counted(TODAY) == DOLLAR


def test_a_server_that_comes_back_is_asked_again(database: str, table: SpendingTable) -> None:
    held = table.hold(TODAY, DOLLAR, LIMIT)
    ask(database, "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                  "WHERE datname = current_database() AND pid <> pg_backend_pid()")  # fmt: skip
    assert held is not None
    table.settle(held, TODAY, CENT)
    assert table.counted(TODAY) == table.spent(TODAY) == CENT


@pytest.mark.slow
def test_a_count_that_is_locked_is_not_waited_for(database: str, table: SpendingTable) -> None:
    """As by a person in psql. By the advisor it cannot be: it holds no lock between statements."""
    assert table.hold(TODAY, DOLLAR, LIMIT)
    with psycopg.connect(database) as person:
        person.execute("SELECT * FROM model_spending FOR UPDATE")
        with pytest.raises(Transient, match=r"unknown.* timeout"):
            table.hold(TODAY, CENT, LIMIT)
    assert table.hold(TODAY, CENT, LIMIT)
    assert table.counted(TODAY) == DOLLAR + CENT


def test_threads_share_one_budget_with_those_of_another_container(database: str) -> None:
    """Under a role whose transactions would fail instead of waiting for one another."""
    ask(database, "ALTER ROLE postgres SET default_transaction_isolation = 'serializable'")
    try:
        containers = [SpendingTable.at(database) for _ in range(4)]
        limit = Spent(Decimal("0.50"), 10**6)

        def spend(number: int) -> bool:
            mine = containers[number % len(containers)]
            held = mine.hold(TODAY, CENT, limit)
            if held is not None and number % 2:
                mine.settle(held, TODAY, CENT)
            return held is not None

        with ThreadPoolExecutor(8) as threads:
            granted = sum(threads.map(spend, range(80)))
        for one in containers:
            one.close()
    finally:
        ask(database, "ALTER ROLE postgres RESET default_transaction_isolation")
    assert granted == 50
    with closing(SpendingTable.at(database)) as table:
        assert table.counted(TODAY) == Spent(limit.usd, 50)
    usd, rows = ask(database, "SELECT coalesce(sum(usd), 0), count(*) FROM model_holds")[0]
    assert table_of(database) == (Decimal("0.50") - usd, 50 - rows, Decimal("0.50"), 50)


def table_of(database: str) -> tuple[Any, ...]:
    columns = "usd, tokens, counted_usd, counted_tokens"
    (row,) = ask(database, f"SELECT {columns} FROM model_spending")
    return tuple(row)


def test_a_hold_is_settled_once_and_says_whose_it_is(database: str, table: SpendingTable) -> None:
    held = table.hold(TODAY, DOLLAR, LIMIT)
    assert held is not None
    ((holder,),) = ask(database, "SELECT holder FROM model_holds")
    assert holder.rpartition(":")[2].isdigit()
    for _ in range(2):
        table.settle(held, TODAY, CENT)
    assert table.counted(TODAY) == table.spent(TODAY) == CENT


def test_it_stands_beside_a_ledger_whichever_came_first(
    database: str, table: SpendingTable
) -> None:
    assert table.hold(TODAY, DOLLAR, LIMIT)
    with Store.open(database) as ledger:
        ledger.start_run("r", kind="paper", config_hash="", code_version="", config_json="{}")
        held = table.hold(TODAY, CENT, LIMIT)
        assert held is not None, "the ledger's writer does not hold up what is counted"
        table.settle(held, TODAY, CENT)
    with Store.open(database, read_only=True) as ledger:
        assert len(ledger.runs()) == 1
    assert table.counted(TODAY) == DOLLAR + CENT


def test_a_table_of_another_program_is_left_alone(database: str) -> None:
    ask(database, "CREATE TABLE model_spending (mine TEXT)", "INSERT INTO model_spending "
                  "VALUES ('my notes')")  # fmt: skip
    assert 'column "day" of relation "model_spending" does not exist' in refused(database)
    assert ask(database, "SELECT * FROM model_spending") == [("my notes",)]


def test_a_role_that_may_make_no_tables_is_told_so(database: str) -> None:
    ask(database, "CREATE ROLE guest LOGIN")
    try:
        guest = make_url(database).set(username="guest").render_as_string(hide_password=False)
        assert "permission denied for schema public" in refused(guest)
    finally:
        ask(database, "DROP ROLE guest")


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://me:s3cret@[::1/x", "spending.url is no address of a database"),
        ("postgresql://db.example.com/x?sslmode=prefer&password=s3cret", "sslmode=prefer may go"),
    ],
)
def test_an_address_that_cannot_be_used(url: str, told: str) -> None:
    with pytest.raises(BadInput, match=told) as caught:
        SpendingTable.at(url)
    assert "s3cret" not in str(caught.value)
