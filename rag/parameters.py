"""Where documents are indexed, and what makes their vectors."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

EmbedderName = Literal["lexical", "minilm", "openai", "bedrock"]
EMBEDDERS: tuple[EmbedderName, ...] = get_args(EmbedderName)


@dataclass(frozen=True, slots=True, kw_only=True)
class RagParameters:
    """The index and its embedder.

    `index` is a file, a folder, the URL of an OpenSearch cluster, or `bedrock-kb:ID` (a Bedrock
    Knowledge Base, which is only searched); None means beside the ledger.
    On OpenSearch documents stand under the alias `alias`; `aws_region` makes requests signed for
    Amazon OpenSearch (`aws_service` is `es`, or `aoss` for serverless) and is Bedrock's region too.
    `dimensions` is asked of OpenAI and Titan; lexical and minilm have their own. Keys and passwords
    are never parameters: OPENAI_API_KEY, AWS's usual ones, OPENSEARCH_USERNAME and _PASSWORD.
    While a ledger is served or a session is watched, an index that was built is brought up to it
    every `keep_seconds`; 0 leaves that to `advisor index build`.
    """

    embedder: EmbedderName = "lexical"
    index: str | None = None
    alias: str = "advisor-documents"
    openai_model: str = "text-embedding-3-small"
    openai_base_url: str | None = None
    bedrock_model: str = "amazon.titan-embed-text-v2:0"
    bedrock_base_url: str | None = None
    aws_region: str | None = None
    aws_service: Literal["es", "aoss"] = "es"
    dimensions: int = 512
    timeout_seconds: float = 30.0
    keep_seconds: float = 5.0

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if self.embedder not in EMBEDDERS:
            raise ValueError(
                f"embedder must be one of {', '.join(EMBEDDERS)}, not {self.embedder!r}"
            )
        if (
            not self.alias
            or self.alias != self.alias.lower()
            or set(self.alias) & set(' "*\\<|,>/?#:')
        ):
            raise ValueError(f"alias must be a lower-case name without spaces, not {self.alias!r}")
        if not 1 <= self.dimensions <= 4096:
            raise ValueError(f"dimensions must be between 1 and 4096, not {self.dimensions}")
        if not (math.isfinite(self.timeout_seconds) and 0.1 <= self.timeout_seconds <= 600):
            raise ValueError(
                f"timeout_seconds must be between 0.1 and 600, not {self.timeout_seconds!r}"
            )
        if not (math.isfinite(self.keep_seconds) and 0 <= self.keep_seconds <= 86_400):
            raise ValueError(f"keep_seconds must be between 0 and 86400, not {self.keep_seconds!r}")
