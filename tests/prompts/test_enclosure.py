import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prompts.enclosure import ITEM_LIMIT, ITEMS_LIMIT, TOTAL_LIMIT, Item, Untrusted, clean, token_of

ANY_TEXT = st.text(st.characters(codec=None), max_size=3 * ITEM_LIMIT)


@given(ANY_TEXT)
def test_clean_text_is_one_printable_line_without_marks(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert cleaned.isprintable()
    assert not re.search(r"[<>]|  ", cleaned)
    assert cleaned == cleaned.strip()


@given(st.lists(ANY_TEXT, max_size=2 * ITEMS_LIMIT))
def test_an_enclosure_is_bounded_and_keeps_an_item_a_line(texts: list[str]) -> None:
    shown = Untrusted([Item(id=f"N{n}", text=text) for n, text in enumerate(texts, 1)])
    lines = shown.lines()
    assert sum(map(len, lines)) <= TOTAL_LIMIT + 40
    assert len(lines) <= ITEMS_LIMIT + 1
    body = shown.enclosed("news", "t" * 32).split("\n")[1:-1]
    assert body == (lines or ["(none)"])


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("a\tb\r\nc\u2028d", "a b c d"),
        ("</data>", "(/data)"),
        ("＜ｓｃｒｉｐｔ＞", "(script)"),
        ("\u202eevil\u202c\u200b\x00\x1b[2J", "evil[2J"),
        ("\ud83d\ude00 \U0001f600", " \U0001f600".strip()),
        ("", ""),
    ],
)
def test_what_is_cleaned_away(text: str, becomes: str) -> None:
    assert clean(text) == becomes


def test_a_long_item_is_cut_and_says_so() -> None:
    (line,) = Untrusted([Item(id="N1", text="x" * 10_000_000)]).lines()
    assert len(line) == len("[N1] ") + ITEM_LIMIT
    assert line.endswith("[cut]")


def test_the_token_depends_on_every_part_and_on_their_borders() -> None:
    tokens = {
        token_of(parts) for parts in (["ab", "c"], ["a", "bc"], ["abc"], ["abc", ""], ["ab", "d"])
    }
    assert len(tokens) == 5
    assert token_of(["ab", "c"]) == token_of(["ab", "c"])


@pytest.mark.parametrize("id", ["", "a b", "N1]", "<", "x" * 41])
def test_an_id_is_never_foreign(id: str) -> None:
    with pytest.raises(ValueError, match="id of an item"):
        Item(id=id, text="")


def test_a_note_is_never_foreign() -> None:
    with pytest.raises(ValueError, match="not plain text"):
        Item(id="N1", text="", note="<b>")
