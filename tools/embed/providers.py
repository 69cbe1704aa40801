"""Vectors from a provider: OpenAI, or any server that speaks its API, and Amazon Titan on Bedrock.

Both clients are the vendors' own, told to retry nothing; what passes (rate limits, server errors,
cut connections) is tried again here, with a growing pause, and ends as Transient. What a provider
sends back is checked before it is used: its number, its length, and that it holds numbers.
"""

import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from importlib.util import find_spec
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from tools.errors import NotConfigured, Rejected, Transient
from tools.llm.troubles import storable, understand

R = TypeVar("R")
ATTEMPTS = 4
PAUSE_SECONDS = 0.5
_LONGEST_PAUSE = 8.0
_TEXTS_PER_REQUEST = 64
_MOST_CHARACTERS = 24_000
_TITAN_CALLS = 8


class OpenAIEmbedder:
    """`text-embedding-3-small` and its like, many texts a request. The key is OPENAI_API_KEY."""

    def __init__(
        self,
        model: str = "text-embedding-3-small",
        dimensions: int = 512,
        *,
        base_url: str | None = None,
        timeout: float = 30.0,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """Not connected yet; NotConfigured when the package or the key is missing."""
        if find_spec("openai") is None:
            raise NotConfigured(
                "the embedder openai needs the package openai: pip install -e '.[rag]'"
            )
        if not os.environ.get("OPENAI_API_KEY"):
            raise NotConfigured(
                "the embedder openai needs a key: set OPENAI_API_KEY, or use the embedder lexical"
            )
        from openai import OpenAI

        self._client = OpenAI(base_url=base_url, timeout=timeout, max_retries=0)
        self._model, self._dimensions, self._pause = model, dimensions, pause

    @property
    def name(self) -> str:
        """`openai.MODEL:DIMENSIONS`."""
        return f"openai.{self._model}:{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """As asked for."""
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, dimensions); Transient, Rejected or NotConfigured when it cannot."""
        found = [np.zeros((0, self._dimensions), np.float32)]
        for start in range(0, len(texts), _TEXTS_PER_REQUEST):
            part = [text[:_MOST_CHARACTERS] or " " for text in texts[start:][:_TEXTS_PER_REQUEST]]
            found.append(patiently(self.name, partial(self._ask, part), self._pause))
        return np.concatenate(found)

    def _ask(self, part: list[str]) -> NDArray[np.float32]:
        answer = self._client.embeddings.create(
            model=self._model, input=part, dimensions=self._dimensions, encoding_format="float"
        )
        rows = sorted(answer.data, key=lambda one: one.index)
        vectors = [one.embedding for one in rows]
        return checked(self.name, vectors, len(part), self._dimensions)


class TitanEmbedder:
    """Amazon Titan text embeddings by `bedrock-runtime`: one text a request, eight at a time."""

    def __init__(
        self,
        model: str = "amazon.titan-embed-text-v2:0",
        dimensions: int = 512,
        *,
        region: str | None = None,
        endpoint_url: str | None = None,
        timeout: float = 30.0,
        pause: float = PAUSE_SECONDS,
    ) -> None:
        """Not connected yet; NotConfigured when the package or the region is missing."""
        if find_spec("boto3") is None:
            raise NotConfigured(
                "the embedder bedrock needs the package boto3: pip install -e '.[rag]'"
            )
        if dimensions not in (256, 512, 1024):
            raise NotConfigured(f"Titan makes 256, 512 or 1024 dimensions, not {dimensions}")
        import boto3  # type: ignore[import-untyped]
        from botocore.config import Config  # type: ignore[import-untyped]
        from botocore.exceptions import BotoCoreError  # type: ignore[import-untyped]

        patience = Config(
            connect_timeout=min(10.0, timeout),
            read_timeout=timeout,
            retries={"total_max_attempts": 1},
            max_pool_connections=_TITAN_CALLS,
        )
        try:
            self._client = boto3.client(
                "bedrock-runtime", region_name=region, endpoint_url=endpoint_url, config=patience
            )
        except (BotoCoreError, ValueError) as error:
            raise NotConfigured(
                f"the embedder bedrock cannot be set up ({error}); set rag.aws_region, or use the "
                "embedder lexical"
            ) from error
        self._model, self._dimensions, self._pause = model, dimensions, pause

    @property
    def name(self) -> str:
        """`bedrock.MODEL:DIMENSIONS`."""
        return f"bedrock.{self._model}:{self._dimensions}"

    @property
    def dimensions(self) -> int:
        """As asked for."""
        return self._dimensions

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Shape (texts, dimensions); Transient, Rejected or NotConfigured when it cannot."""
        with ThreadPoolExecutor(max_workers=_TITAN_CALLS) as several:
            asked = [
                several.submit(patiently, self.name, partial(self._ask, text), self._pause)
                for text in texts
            ]
            rows = [one.result() for one in asked]
        return np.concatenate([np.zeros((0, self._dimensions), np.float32), *rows])

    def _ask(self, text: str) -> NDArray[np.float32]:
        wanted = {
            "inputText": text[:_MOST_CHARACTERS] or " ",
            "dimensions": self._dimensions,
            "normalize": True,
        }
        answer = self._client.invoke_model(
            modelId=self._model,
            body=json.dumps(wanted),
            contentType="application/json",
            accept="application/json",
        )
        told = json.loads(answer["body"].read())
        return checked(self.name, [told["embedding"]], 1, self._dimensions)


def checked(name: str, vectors: Any, texts: int, dimensions: int) -> NDArray[np.float32]:
    """A provider's vectors as an array of rows of length 1; Rejected for any other shape."""
    try:
        rows = np.array(vectors, np.float32)
    except (TypeError, ValueError) as error:
        raise Rejected(f"the embedder {name} answered what is no vector") from error
    if rows.shape != (texts, dimensions) or not np.isfinite(rows).all():
        raise Rejected(
            f"the embedder {name} answered vectors of shape {rows.shape} for {texts} texts of "
            f"{dimensions} dimensions; check its model and dimensions in [rag]"
        )
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / np.where(lengths > 0, lengths, 1)).astype(np.float32)


def patiently(name: str, ask: Callable[[], R], pause: float) -> R:
    """Ask up to four times; Transient when it did not pass, Rejected when it will not."""
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return ask()
        except Rejected:
            raise
        except (KeyError, json.JSONDecodeError) as error:
            raise Rejected(f"the embedder {name} answered in another form: {error!r}") from error
        except Exception as error:
            trouble = understand(error)
            if not trouble.passing and not trouble.billable:
                raise Rejected(f"the embedder {name} refused: {trouble.message}") from error
            if attempt == ATTEMPTS:
                raise Transient(
                    f"the embedder {name} cannot be reached: {storable(trouble.message)}; try "
                    "again later, what was indexed is kept"
                ) from error
            wait = min(pause * 2 ** (attempt - 1), _LONGEST_PAUSE)
            time.sleep(max(wait, min(trouble.retry_after, _LONGEST_PAUSE)))
    raise AssertionError("unreachable")
