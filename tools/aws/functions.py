"""Lambda functions that are started and not waited for."""

import json
from collections.abc import Mapping
from typing import Any

from tools.aws.clients import asked, client
from tools.aws.parameters import AwsParameters


class Functions:
    """The functions of an account."""

    def __init__(self, parameters: AwsParameters) -> None:
        """Nothing is asked yet."""
        self._client = client("lambda", parameters)

    def start(self, name: str, event: Mapping[str, Any]) -> None:
        """Start a function with an event; it may be started twice. Errors as of `Objects.put`."""
        asked(
            f"starting {name}",
            lambda: self._client.invoke(
                FunctionName=name, InvocationType="Event", Payload=json.dumps(event).encode()
            ),
        )
