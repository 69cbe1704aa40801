"""The real clients of the embedding providers against servers that check what they send."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.stand_ins.bedrock import titan_stand_in
from tests.stand_ins.openai import embeddings_stand_in
from tests.stand_ins.server import Request
from tests.stand_ins.steps import Fails, Says, Sends, Step
from tools.embed.providers import OpenAIEmbedder, TitanEmbedder
from tools.errors import NotConfigured, Rejected, Transient

DIMENSIONS = 256


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0000000000")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-test-0000000000")


def vector(text: str) -> list[float]:
    """A vector that tells texts apart, and is not of length 1."""
    return [float(len(text)), 2.0, *[0.0] * (DIMENSIONS - 2)]


def openai(url: str) -> OpenAIEmbedder:
    return OpenAIEmbedder(dimensions=DIMENSIONS, base_url=url, timeout=5.0, pause=0.01)


def titan(url: str) -> TitanEmbedder:
    return TitanEmbedder(
        dimensions=DIMENSIONS, region="us-east-1", endpoint_url=url, timeout=5.0, pause=0.01
    )


def says(request: Request) -> Step:
    body = request.body
    found: Any = (
        [vector(text) for text in body["input"]] if "input" in body else vector(body["inputText"])
    )
    return Says(text=json.dumps(found))


BOTH = pytest.mark.parametrize(
    ("stand_in", "embedder"), [(embeddings_stand_in, openai), (titan_stand_in, titan)]
)


@BOTH
def test_every_text_gets_its_own_vector_of_length_one(
    stand_in: Callable[..., Any], embedder: Callable[..., Any]
) -> None:
    texts = [f"{'x' * (n % 7)}." for n in range(100)]
    with stand_in(says) as server:
        found = embedder(server.url).embed(texts)
    expected = np.array([vector(text) for text in texts])
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    assert found.dtype == np.float32
    assert np.allclose(found, expected, atol=1e-6)


@BOTH
def test_what_passes_is_tried_again_and_what_does_not_is_said(
    stand_in: Callable[..., Any], embedder: Callable[..., Any]
) -> None:
    right = json.dumps(vector("a"))
    right = f"[{right}]" if stand_in is embeddings_stand_in else right
    with stand_in([Fails(status=429), Fails(status=500), Says(text=right)]) as server:
        assert embedder(server.url).embed(["a"]).shape == (1, DIMENSIONS)
    with (
        stand_in([Fails(status=503)] * 4) as server,
        pytest.raises(Transient, match="what was indexed is kept"),
    ):
        embedder(server.url).embed(["a"])
    with stand_in([Fails(status=403)]) as server, pytest.raises(Rejected, match="refused"):
        embedder(server.url).embed(["a"])


@BOTH
@pytest.mark.parametrize("text", ["[[1.0, 2.0]]", "[1.0, 2.0]", '[["a"]]', "[]"])
def test_vectors_of_another_shape_are_refused(
    stand_in: Callable[..., Any], embedder: Callable[..., Any], text: str
) -> None:
    if stand_in is embeddings_stand_in and text == "[1.0, 2.0]":
        text = "[[1.0], [2.0]]"
    with stand_in(lambda _: Says(text=text)) as server, pytest.raises((Rejected, Transient)):
        embedder(server.url).embed(["a"])


def test_an_answer_in_another_form_is_refused() -> None:
    with titan_stand_in([Sends(body=b"{}")]) as server, pytest.raises(Rejected, match="form"):
        titan(server.url).embed(["a"])


def test_a_missing_key_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(NotConfigured, match="set OPENAI_API_KEY"):
        OpenAIEmbedder()
    with pytest.raises(NotConfigured, match="256, 512 or 1024"):
        TitanEmbedder(dimensions=300, region="us-east-1")
