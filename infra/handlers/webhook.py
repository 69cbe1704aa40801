"""Alerts of TradingView: verified, put into the queue, answered at once.

Whatever is wrong with an alert is said in the answer, which TradingView shows in its log. A
repetition is answered as the first was: the queue knows it by its nonce for as long as its bar's
time is taken.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from advisor.live.clock import LiveClock, WallClock
from infra.handlers.given import Given
from infra.handlers.invocation import Context, log
from tools.aws.queue import Message, Queue
from tools.aws.secrets import AwsSecrets
from tools.errors import AdvisorError, BadInput, Rejected
from tools.market.tradingview import MOST_BYTES, on_its_way, read_alert
from tools.secrets import Secrets

PASSPHRASE = "WEBHOOK_PASSPHRASE"
TTL_SECONDS = 60.0  # a passphrase that was replaced counts after so long


class Webhook:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:  # noqa: ARG002
        """A request by API Gateway, of a REST or an HTTP API."""
        try:
            body = _body(event)
        except BadInput as error:
            return _answer(_status(error), error)
        try:
            # What is wrong with the secret is ours to know, not the caller's.
            passphrase = self._secrets.secret(PASSPHRASE)
        except AdvisorError as error:
            log.error("an alert could not be verified: %s", error)
            return _answer(503, "the alert could not be verified now; send it again")
        try:
            alert = read_alert(body, passphrase, self._clock.now())
        except Rejected as error:
            return _answer(401, error)
        except BadInput as error:
            return _answer(_status(error), error)
        try:
            # By symbol: of one group SQS gives no more while the first are being taken.
            message = Message(id=alert.id, body=on_its_way(alert), group=alert.symbol)
            sent = self._queue.send([message])
        except AdvisorError as error:
            log.error("an alert was not enqueued: %s", error)
            return _answer(503, "the alert was not taken; send it again")
        if sent.refused:
            log.error("an alert was refused by the queue: %s", sent.refused)
            return _answer(503, "the alert was not taken; send it again")
        return _answer(202, "", id=alert.id)

    @cached_property
    def _queue(self) -> Queue:
        return self._given.queue("WEBHOOK_QUEUE_URL")

    @cached_property
    def _secrets(self) -> Secrets:
        place = {PASSPHRASE: f"secretsmanager:{self._given.required('WEBHOOK_SECRET')}"}
        fetch = AwsSecrets(self._given.settings.aws)
        return Secrets({}, place, fetch, ttl_seconds=TTL_SECONDS)


def _body(event: Any) -> bytes:
    """The request's body; BadInput where there is none, or too much of it."""
    body = event.get("body") if isinstance(event, Mapping) else None
    if not isinstance(body, str) or not body:
        raise BadInput("the request has no body")
    if len(body) > 2 * MOST_BYTES:
        raise BadInput(f"the request has {len(body):,} bytes; at most {MOST_BYTES:,} are read")
    if not event.get("isBase64Encoded"):
        return body.encode("utf-8", "replace")
    try:
        return base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadInput("the body is not the base64 that it is said to be") from error


def _status(error: BadInput) -> int:
    return 413 if "bytes" in str(error) else 400


def _answer(status: int, detail: object, **facts: Any) -> dict[str, Any]:
    told = {"detail": str(detail)} if detail else {}
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json", "x-content-type-options": "nosniff"},
        "body": json.dumps(facts | told),
        "isBase64Encoded": False,
    }


handler = Webhook()
