"""How Amazon's services are reached."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsParameters:
    """Region and endpoint (None: where AWS's own tools find them), and how long is waited.

    Credentials are never parameters: they come from the environment, a profile or a role.
    `endpoint_url` names another service that speaks AWS's protocols; AWS_ENDPOINT_URL does so too.
    A request is made `attempts` times in all, after botocore's growing, shaken pauses.
    """

    region: str | None = None
    endpoint_url: str | None = None
    connect_seconds: float = 5.0
    read_seconds: float = 20.0
    attempts: int = 4

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        if not (0.1 <= self.connect_seconds <= 60 and 0.1 <= self.read_seconds <= 300):
            raise ValueError(
                f"connect_seconds is {self.connect_seconds}, read_seconds {self.read_seconds}; "
                "they must lie in [0.1, 60] and [0.1, 300]"
            )
        if not 1 <= self.attempts <= 10:
            raise ValueError(f"attempts is {self.attempts}; it must lie in [1, 10]")
        if self.endpoint_url and not self.endpoint_url.startswith(("http://", "https://")):
            raise ValueError(
                f"endpoint_url is {self.endpoint_url!r}; it must be an http(s) address"
            )
