"""What is the spending file's alone: a place that is no such file."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tools.errors import BadInput
from tools.llm import SpendingFile


def test_a_place_that_cannot_keep_it_is_refused_with_what_to_do(tmp_path: Path) -> None:
    other = tmp_path / "notes"
    other.write_text("these are my notes, and they are longer than the head of a database file\n")
    for place in (other / "spending.sqlite", other, tmp_path):
        with pytest.raises(BadInput, match=re.escape(str(place))) as told:
            SpendingFile.open(place)
        assert "no model is asked" in str(told.value)
        assert "spending.file" in str(told.value)
    foreign = tmp_path / "foreign.sqlite"
    with closing(sqlite3.connect(foreign)) as connection:
        connection.execute("CREATE TABLE mine (x)")
    before = foreign.read_bytes()
    with pytest.raises(BadInput, match="another kind of file"):
        SpendingFile.open(foreign)
    assert foreign.read_bytes() == before
    assert other.read_text().startswith("these are my notes")
