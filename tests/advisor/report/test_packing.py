"""Numbers as text: what is packed comes back exactly, and never looks like markup."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from advisor.report.packing import (
    ALPHABET,
    BASE,
    Texts,
    embed,
    number,
    pack,
    pack_differences,
    pack_runs,
)

INTEGERS = st.lists(st.integers(-(2**51), 2**51))


def unpack(text: str) -> list[int]:
    """What the page's `unpack` does."""
    values, value, scale = [], 0, 1
    for character in text:
        digit = ALPHABET.index(character)
        value += digit % BASE * scale
        scale *= BASE
        if digit < BASE:
            values.append(-(value + 1) // 2 if value % 2 else value // 2)
            value, scale = 0, 1
    return values


@given(INTEGERS)
def test_integers_survive(values: list[int]) -> None:
    assert unpack(pack(values)) == values


@pytest.mark.parametrize(
    ("values", "characters"), [([], 0), ([0, 22, -22], 3), ([23, -23], 4), ([1012], 2), ([1013], 3)]
)
def test_small_numbers_take_few_characters(values: list[int], characters: int) -> None:
    assert len(pack(values)) == characters


def test_a_number_that_a_browser_cannot_hold_is_refused() -> None:
    with pytest.raises(ValueError, match="quantum"):
        pack([2**53])


@given(st.lists(st.floats(-1e5, 1e5)), st.sampled_from([1e-4, 0.01, 1.0]))
def test_a_column_survives_to_half_a_quantum(values: list[float], quantum: float) -> None:
    found = np.cumsum(unpack(pack_differences(values, quantum))) * quantum
    np.testing.assert_allclose(found, values, rtol=1e-12, atol=quantum * 0.5001)


@given(st.lists(st.booleans()))
def test_runs_alternate_from_true(flags: list[bool]) -> None:
    lengths = unpack(pack_runs(flags))
    found = [i % 2 == 0 for i, length in enumerate(lengths) for _ in range(length)]
    assert found == flags


def test_no_character_means_anything_in_html_or_json() -> None:
    assert len(ALPHABET) == 2 * BASE
    assert not set(ALPHABET) & set('<>&"\\\n')


def test_texts_are_kept_once() -> None:
    texts = Texts()
    assert [texts.add(word) for word in ("a", "b", "a")] == [0, 1, 0]
    assert texts.listed() == ["a", "b"]


@pytest.mark.parametrize(
    ("value", "written"),
    [(math.nan, None), (math.inf, "∞"), (-math.inf, "−∞"), (3.0, 3), (0.1 + 0.2, 0.3), (7, 7)],
)
def test_numbers_become_json(value: float, written: object) -> None:
    assert number(value) == written


@given(st.text())
def test_embedded_text_comes_back_and_holds_no_markup(text: str) -> None:
    written = embed([text])
    assert json.loads(written) == [text]
    assert not set(written) & set("<>&\u2028\u2029")
