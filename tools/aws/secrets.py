"""Where `tools.secrets` finds secrets on AWS: SSM Parameter Store and Secrets Manager."""

from typing import Any

from tools.aws.clients import asked, client
from tools.aws.parameters import AwsParameters
from tools.errors import Rejected
from tools.secrets import Service


class AwsSecrets:
    """Fetches whole secrets; a client is made when its service is first asked."""

    def __init__(self, parameters: AwsParameters) -> None:
        """Nothing is asked yet."""
        self._parameters = parameters
        self._clients: dict[str, Any] = {}

    def __call__(self, service: Service, name: str) -> str:
        """The text of a secret; NoData when there is none of that name."""
        if service not in self._clients:
            self._clients[service] = client(service, self._parameters)
        asking = self._parameter if service == "ssm" else self._secret
        return asking(self._clients[service], name)

    def _parameter(self, ssm: Any, name: str) -> str:
        answer = asked(
            f"the parameter {name}", lambda: ssm.get_parameter(Name=name, WithDecryption=True)
        )
        return str(answer["Parameter"]["Value"])

    def _secret(self, manager: Any, name: str) -> str:
        answer = asked(f"the secret {name}", lambda: manager.get_secret_value(SecretId=name))
        if "SecretString" not in answer:
            raise Rejected(f"the secret {name} is binary; keep it as text")
        return str(answer["SecretString"])
