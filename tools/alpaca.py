"""What talking to Alpaca has in common, be it about orders or about bars.

The clients retry nothing and every request has a timeout: alpaca-py would wait for ever, and would
send a request again after a 504, which may have gone through. Answers that are errors are
translated here: `asked` is told what a lost answer means, because that depends on the question.
"""

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from tools.errors import AdvisorError, NotConfigured, Rejected, Transient

EXTRA = "pip install -e '.[live]'"
KEY, SECRET = "APCA_API_KEY_ID", "APCA_API_SECRET_KEY"
CONNECT_SECONDS, READ_SECONDS = 3.05, 10.0


def installed() -> None:
    """NotConfigured when alpaca-py is not installed."""
    try:
        import alpaca  # noqa: F401
    except ModuleNotFoundError as error:
        raise NotConfigured(f"Alpaca needs alpaca-py: {EXTRA}") from error


def keys(environment: Mapping[str, str]) -> tuple[str, str]:
    """(key, secret); NotConfigured names the variables that are missing."""
    missing = [name for name in (KEY, SECRET) if not environment.get(name)]
    if missing:
        raise NotConfigured(
            f"the environment lacks {' and '.join(missing)}; Alpaca's dashboard shows the keys "
            "(paper and live accounts have their own)"
        )
    return environment[KEY], environment[SECRET]


def tame(client: Any, read_seconds: float) -> None:
    """Take a client's retries away and give it timeouts; it has no arguments for either."""
    from requests.adapters import HTTPAdapter

    class Patient(HTTPAdapter):
        def send(self, request: Any, **options: Any) -> Any:  # type: ignore[override]
            options["timeout"] = options.get("timeout") or (CONNECT_SECONDS, read_seconds)
            return super().send(request, **options)

    client._retry_codes = []
    for scheme in ("https://", "http://"):
        client._session.mount(scheme, Patient())


def asked(what: str, call: Callable[[], Any], lost: type[AdvisorError]) -> Any:
    """What a call of a client returns, or one of our errors; `lost` when no answer came back."""
    import requests
    from alpaca.common.exceptions import APIError

    try:
        return call()
    except APIError as error:
        _translate(what, error, lost)
    except requests.exceptions.ConnectTimeout as error:
        raise Transient(f"Alpaca cannot be reached; {what} was not sent") from error
    except requests.exceptions.ConnectionError as error:
        if _never_connected(error):
            raise Transient(f"Alpaca cannot be reached; {what} was not sent") from error
        raise lost(f"the connection to Alpaca was cut during {what}") from error
    except requests.exceptions.Timeout as error:
        raise lost(f"Alpaca did not answer in time to {what}") from error
    except (requests.exceptions.RequestException, ValueError, KeyError) as error:
        raise lost(f"Alpaca's answer to {what} cannot be read: {error}") from error


def _translate(what: str, error: Any, lost: type[AdvisorError]) -> NoReturn:
    status, said = error.status_code, _message(error)
    if status == 401 or (status == 403 and "forbidden" in said.lower()):
        raise NotConfigured(
            f"Alpaca refused the keys ({status}); check {KEY} and {SECRET}, and whether they are "
            "of the paper or of the live account"
        ) from error
    if status == 429:
        raise Transient(f"Alpaca asks for fewer requests; {what} was not accepted") from error
    if status is None or status >= 500:
        raise lost(f"Alpaca answered {status} to {what}: {said}") from error
    raise Rejected(f"Alpaca refused {what}: {said}") from error


def _never_connected(error: Exception) -> bool:
    """Whether a connection error happened before anything could be sent."""
    from urllib3.exceptions import MaxRetryError, NameResolutionError, NewConnectionError

    cause = error.args[0] if error.args else None
    reason = cause.reason if isinstance(cause, MaxRetryError) else cause
    return isinstance(reason, NewConnectionError | NameResolutionError)


def _message(error: Any) -> str:
    """Alpaca's own words, shortened; its errors are JSON, those of a proxy are not."""
    try:
        return str(error.message)[:300]
    except (ValueError, KeyError, TypeError):
        return " ".join(str(error).split())[:120]
