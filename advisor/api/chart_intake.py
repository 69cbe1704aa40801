"""What is done with an alert of TradingView: verified, and put where the session looks for it.

The ledger has one writer, which is the session; so an alert waits in the folder of the run until
that has it on record, and stays if no session runs. A repetition changes nothing.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from advisor.api.limits import RateLimit
from advisor.api.problems import ProblemError, bad_request, too_many
from quant_core.types import ChartAlert
from tools.errors import AdvisorError, BadInput, NotConfigured, Rejected, Transient
from tools.market.alert_inboxes import FOLDER, FolderInbox
from tools.market.tradingview import MOST_BYTES, read_alert

PASSPHRASE = "WEBHOOK_PASSPHRASE"
PER_MINUTE = 60  # for an address, right and wrong together
_log = logging.getLogger("advisor.api")


class ChartIntake:
    """The intake of one server."""

    def __init__(self, folder: Path | None, passphrase: Callable[[], str]) -> None:
        """`folder` is that of the run, None where there is none; `passphrase` finds the secret."""
        self._inbox = FolderInbox(folder / FOLDER, _log.warning) if folder else None
        self._passphrase = passphrase
        self._allowance = RateLimit(PER_MINUTE)

    def take(self, body: bytes, address: str, now: datetime) -> ChartAlert:
        """The alert, which waits from now on; a problem says what is wrong with it, or here."""
        if wait := self._allowance.take(address):
            raise too_many(wait, "alerts from this address")
        if len(body) > MOST_BYTES:
            told = f"The alert has {len(body):,} bytes; at most {MOST_BYTES:,} are read."
            raise ProblemError(413, "too-large", told)
        try:
            alert = read_alert(body, self._secret(), now)
        except Rejected as error:
            raise ProblemError(401, "wrong-passphrase", _sentence(error)) from error
        except BadInput as error:
            raise bad_request("no-alert", _sentence(error)) from error
        if self._inbox is None:
            raise ProblemError(
                503, "no-folder",
                "This ledger lies in no folder of this server, so no session would find the alert; "
                "serve the folder of `advisor live --out`.",
            )  # fmt: skip
        try:
            self._inbox.put(alert)
        except (BadInput, Transient) as error:
            _log.error("an alert was not kept: %s", error)
            raise ProblemError(
                503, "alert-not-kept",
                "The alert could not be kept for the session; the server's log says why. Send it "
                "again.", {"Retry-After": "30"},
            ) from error  # fmt: skip
        return alert

    def _secret(self) -> str:
        try:
            return self._passphrase()
        except NotConfigured as error:
            raise ProblemError(
                503, "no-passphrase",
                f"This server takes no alerts: {PASSPHRASE} is not set. Put it into the "
                "environment of `advisor serve`, or name its place under secrets.sources.",
            ) from error  # fmt: skip
        except AdvisorError as error:
            _log.error("the passphrase of alerts: %s", error)
            raise ProblemError(
                503, "no-passphrase", "The alert could not be verified now; send it again.",
                {"Retry-After": "30"},
            ) from error  # fmt: skip


def _sentence(error: Exception) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."
