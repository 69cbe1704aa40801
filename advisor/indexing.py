"""From settings to an index: where it is, which embedder makes its vectors, and who may ask.

A place is a URL (OpenSearch), a file, or a folder that holds, or will hold, `index.sqlite`; without
one the index stands beside the ledger of the run.
"""

import os
from datetime import datetime
from pathlib import Path
from typing import Protocol

from advisor.settings import Settings
from rag import knowledge_base
from rag.embedded import EmbeddedIndex
from rag.index import ANYTHING, Filters, Hit, Index
from rag.parameters import RagParameters
from tools.errors import BadInput
from tools.ports import Embedder

INDEX = "index.sqlite"


def embedder_of(parameters: RagParameters) -> Embedder:
    """The embedder that the settings name; NotConfigured says what it lacks."""
    if parameters.embedder == "minilm":
        from tools.embed.minilm import MiniLMEmbedder

        return MiniLMEmbedder()
    if parameters.embedder == "openai":
        from tools.embed.providers import OpenAIEmbedder

        return OpenAIEmbedder(
            parameters.openai_model,
            parameters.dimensions,
            base_url=parameters.openai_base_url,
            timeout=parameters.timeout_seconds,
        )
    if parameters.embedder == "bedrock":
        from tools.embed.providers import TitanEmbedder

        return TitanEmbedder(
            parameters.bedrock_model,
            parameters.dimensions,
            region=parameters.aws_region,
            endpoint_url=parameters.bedrock_base_url,
            timeout=parameters.timeout_seconds,
        )
    from tools.embed.lexical import LexicalEmbedder

    return LexicalEmbedder()


def open_index(
    parameters: RagParameters,
    folder: Path | None = None,
    *,
    create: bool = False,
    replacing: bool = False,
) -> Index:
    """The index that the settings name, or the one beside the ledger in `folder`.

    `create` makes one where there is none; `replacing` also takes one of another schema or
    embedder, to be rebuilt. Raises NoData, BadInput, NotConfigured or Transient.
    """
    place = parameters.index or (str(folder) if folder is not None else None)
    if place is None:
        raise BadInput(
            "no index is named: say --index PLACE (a run's folder, a file, or an OpenSearch URL), "
            "or set rag.index"
        )
    if place.startswith(knowledge_base.SCHEME):
        raise BadInput(
            f"{place} is filled by AWS from a bucket: put the documents there with `advisor index "
            "export`; `advisor ask` and `advisor chat` search it"
        )
    embedder = embedder_of(parameters)
    if place.startswith(("http://", "https://")):
        from rag.opensearch import Access, OpenSearchIndex

        access = Access(
            url=place,
            alias=parameters.alias,
            username=os.environ.get("OPENSEARCH_USERNAME"),
            password=os.environ.get("OPENSEARCH_PASSWORD"),
            aws_region=parameters.aws_region,
            aws_service=parameters.aws_service,
            timeout=parameters.timeout_seconds,
        )
        return OpenSearchIndex.open(access, embedder, create=create, replacing=replacing)
    return EmbeddedIndex.open(
        index_file(Path(place), create=create), embedder, create=create, replacing=replacing
    )


class Library(Protocol):
    """What is searched, and closed afterwards."""

    def search(
        self, query: str, *, as_of: datetime, k: int = 5, where: Filters = ANYTHING
    ) -> list[Hit]:
        """The k best documents that were known at `as_of`."""
        ...

    def close(self) -> None:
        """Give up what is held open."""
        ...


def open_library(settings: Settings, folder: Path | None = None) -> Library:
    """What questions search: an index, or a Bedrock Knowledge Base (`bedrock-kb:ID`)."""
    place = settings.rag.index or ""
    if place.startswith(knowledge_base.SCHEME):
        return knowledge_base.KnowledgeBase(place, settings.aws)
    return open_index(settings.rag, folder)


def index_file(place: Path, *, create: bool) -> Path:
    """The file of an embedded index: the place itself, or `index.sqlite` in it when a folder."""
    path = place if place.is_file() or place.suffix in (".sqlite", ".db") else place / INDEX
    if create:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(f"the index {path} cannot be made: {error.strerror}") from error
    return path
