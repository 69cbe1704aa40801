"""Lies about rows: each must be seen, and what the rows do say must pass."""

import re
from datetime import UTC, datetime

import pytest

from graph.sentences import Sentence
from graph.verification import problems
from tests.graph.worlds import trade
from tools.evidence import Derivation, Figure, Row
from tools.figures import About, of_trades
from tools.records_as_rows import as_rows
from tools.records_as_rows import trade as as_trade

CLOSED = datetime(2025, 1, 8, 15, 41, tzinfo=UTC)
ROWS = as_rows(
    as_trade,
    "advised",
    [
        trade(CLOSED, pnl=-81.504),
        trade(CLOSED.replace(hour=16), symbol="AMD", pnl=20.25, entry_price=120.5),
    ],
)
NVDA, AMD = ROWS
FIGURE = of_trades(About("advised:all", {}), ROWS, "")[0]
ALL = {row.id: row for row in (*ROWS, FIGURE)}
WATCHED = ("NVDA", "AMD", "SPY")


def found(text: str, *rows: Row, derived: tuple[Derivation, ...] = ()) -> list[str]:
    said = Sentence(text=text, cites=tuple(row.id for row in rows), derived=derived)
    return problems([said], ALL, WATCHED)


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("NVDA lost $81.50 on 2025-01-08.", [NVDA]),
        ("NVDA: -$81.50, closed at 10:41 on January 8th.", [NVDA]),
        ("The P/L of NVDA was -$81.504.", [NVDA]),
        ("AMD made $20.25 with 10 shares.", [AMD]),
        ("Over 2 trades we lost a total of $61.25.", [FIGURE]),
        ("50 % of the trades won: 1 won, 1 lost.", [FIGURE]),
        ("AMD entered at 120.5 and NVDA at 100.", [AMD, NVDA]),
    ],
)
def test_what_the_rows_say_passes(text: str, rows: list[Row]) -> None:
    assert found(text, *rows) == []


@pytest.mark.parametrize(
    ("text", "rows", "problem"),
    [
        ("NVDA lost $81.60.", [NVDA], r"\$81.60"),
        ("NVDA made $81.50.", [NVDA], r"\$81.50"),
        ("AMD lost $20.25.", [AMD], r"\$20.25"),
        ("AMD: -$20.25.", [AMD], r"-\$20.25"),
        ("NVDA made $20.25.", [NVDA, AMD], r"\$20.25"),
        ("NVDA: -$81.50 on 2025-01-09.", [NVDA], "2025-01-09"),
        ("NVDA: -$81.50 on January 9th.", [NVDA], "January 9th"),
        ("NVDA: -$81.50 on 2025-02-30.", [NVDA], "2025-02-30"),
        ("NVDA closed at 10:42.", [NVDA], "10:42"),
        ("TSLA lost $81.50.", [NVDA], "TSLA"),
        ("SPY lost $81.50.", [NVDA], "SPY"),
        ("We made 10 trades.", [NVDA], "10 trades"),
        ("We made 3 trades.", [FIGURE], "3 trades"),
        ("We made three trades.", [FIGURE], "three"),
        ("NVDA lost 81.50 %.", [NVDA], "81.50 %"),
        ("We lost 0.1k.", [FIGURE], "0.1k"),
        ("It doubled: twice as much.", [FIGURE], "twice|doubled"),
        ("We lost money.", [], "cites no row"),
    ],
)
def test_what_they_do_not_say_is_seen(text: str, rows: list[Row], problem: str) -> None:
    assert any(re.search(problem, one) for one in found(text, *rows))


def test_a_citation_that_was_never_looked_up_is_seen() -> None:
    said = Sentence(text="NVDA lost $81.50.", cites=("trade:advised:NVDA:20250109T0000Z",))
    assert "was not looked up" in problems([said], ALL, WATCHED)[0]


def test_a_declared_derivation_is_made_again() -> None:
    both = (AMD.id, NVDA.id)
    difference = Derivation("difference", "difference", "pnl", both)
    assert found("AMD did $101.75 better.", AMD, NVDA, derived=(difference,)) == []
    assert found("AMD did $101.80 better.", AMD, NVDA, derived=(difference,))
    mean = Derivation("mean", "mean", "pnl", both)
    assert found("On average we lost $30.63.", AMD, NVDA, derived=(mean,)) == []
    mixed = Derivation("sum", "sum", "pnl", (AMD.id, "trade:nowhere"))
    assert "was not looked up" in found("It made $20.25.", AMD, derived=(mixed,))[0]


def test_a_figure_that_its_rows_do_not_make_is_seen() -> None:
    forged = Figure("trades:forged", "trades", {row.id: row for row in ROWS})
    forged.add("pnl", "sum", "pnl", ROWS, "usd")
    row = forged.row()
    wrong = Row(
        id=row.id, kind=row.kind, facts={"pnl": row.facts["pnl"]._replace(value="1000000")},
        derived=row.derived,
    )  # fmt: skip
    said = Sentence(text="P/L: $1,000,000.00.", cites=(wrong.id,))
    assert "its rows make" in problems([said], {**ALL, wrong.id: wrong}, WATCHED)[0]


def test_an_answer_of_nothing_does_not_hold() -> None:
    assert problems([], ALL, WATCHED)
    assert problems([Sentence(text=" ", cites=(NVDA.id,))], ALL, WATCHED)
