"""The environment with the secrets that the settings place elsewhere."""

import os
from collections.abc import Mapping

from advisor.settings import Settings
from tools.aws.secrets import AwsSecrets
from tools.secrets import Secrets

# What the vendors' clients take from the environment of the process themselves.
OF_MODELS = ("ANTHROPIC_API_KEY", "OPENAI_API_KEY")
OF_OPENSEARCH = ("OPENSEARCH_USERNAME", "OPENSEARCH_PASSWORD")


def open_secrets(settings: Settings, environment: Mapping[str, str] | None = None) -> Secrets:
    """Secrets by name; nothing is fetched before it is asked for."""
    return Secrets(
        os.environ if environment is None else environment,
        settings.secrets.sources,
        AwsSecrets(settings.aws),
        ttl_seconds=settings.secrets.ttl_seconds,
    )


def provide_keys(settings: Settings, *, model: bool) -> None:
    """Put what the vendors' clients look for into this process' environment, if it is not there.

    `model` says whether a language model will be asked. Only what will be used, and what
    `secrets.sources` places elsewhere, is fetched. It is read once: a key that is rotated counts
    from the next start.
    """
    used = set(OF_MODELS) if model else set()
    if settings.rag.embedder == "openai":
        used.add("OPENAI_API_KEY")
    if (settings.rag.index or "").startswith(("http://", "https://")):
        used.update(OF_OPENSEARCH)
    wanted = [n for n in settings.secrets.sources if n in used and not os.environ.get(n)]
    if wanted:
        secrets = open_secrets(settings)
        os.environ.update({name: secrets.secret(name) for name in wanted})
