"""The environment with the secrets that the settings place elsewhere."""

import os
from collections.abc import Mapping

from advisor.settings import Settings
from tools.aws.secrets import AwsSecrets
from tools.secrets import Secrets


def open_secrets(settings: Settings, environment: Mapping[str, str] | None = None) -> Secrets:
    """Secrets by name; nothing is fetched before it is asked for."""
    return Secrets(
        os.environ if environment is None else environment,
        settings.secrets.sources,
        AwsSecrets(settings.aws),
        ttl_seconds=settings.secrets.ttl_seconds,
    )
