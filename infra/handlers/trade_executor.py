"""Orders from the queue to the broker, each once.

A message names an order that the ledger has decided on; everything about it is in the ledger's
outbox, so a message that comes twice, late or out of order does no harm. What the broker did not
answer to is tried for as long as the call has time, and then given back to the queue with what
comes after it. A message that can never be carried out goes to the dead letters with the reason.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from advisor.live.apart import AtBroker
from advisor.live.clock import LiveClock, WallClock
from advisor.timetable import session_of
from infra.handlers.given import STAGE_GROUP, Given, soon
from infra.handlers.invocation import Context, Limited, log, when_free
from tools.aws.queue import Message
from tools.errors import AdvisorError, BadInput, NoData
from tools.outbox import Sending

PATIENCE_SECONDS = 30.0
PAUSE = timedelta(seconds=1)
MOST_CHARACTERS = 1_000
LONGEST_ID = 128
MOST_KEPT = 20_000  # characters of a message among the dead letters: less than a queue takes


@dataclass(frozen=True, slots=True)
class _Poison:
    """A message that can never be carried out, and why."""

    id: str
    body: str
    reason: str


class TradeExecutor:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:
        """A batch of the queue; the answer names what is to come again."""
        records = _records(event)
        clock = Limited(self._clock, context)
        orders: dict[str, str] = {}
        poison: list[_Poison] = []
        for record in records:
            try:
                orders[record["messageId"]] = _order_of(record)
            except BadInput as error:
                poison.append(_Poison(record["messageId"], _body(record), str(error)))
        left = set(orders)
        if orders:
            done = when_free(
                lambda: self._send(orders, poison, clock), clock, soon(clock, PATIENCE_SECONDS)
            )
            left = set(orders) if done is None else done
        left |= self._bury(poison)
        return _answer(records, left)

    def _send(self, orders: Mapping[str, str], poison: list[_Poison], clock: Limited) -> set[str]:
        """Send what is pending; the messages whose orders are still open."""
        session = session_of(clock.now())
        if session is None:
            raise NoData("orders came on a day without a session; they wait in the queue")
        with self._given.at_the_broker(session, clock, clock.stop) as broker:
            left = dict(orders)
            while left and broker is not None:
                broker.obey(clock.now())
                broker.trading.settle(clock.now())
                left = self._open(left, broker, poison)
                if not left or clock.is_short:
                    break
                clock.wait(clock.stop, clock.now() + PAUSE)
            if broker is None:
                poison += [
                    _Poison(message, json.dumps({"order": order}), "there is no such run")
                    for message, order in left.items()
                ]
                left = {}
            return set(left)

    def _open(
        self, orders: Mapping[str, str], broker: AtBroker, poison: list[_Poison]
    ) -> dict[str, str]:
        left = {}
        for message, order in orders.items():
            row = broker.trading.state_of(order)
            if row is None:
                told = f"the ledger has decided on no order {order}"
                poison.append(_Poison(message, json.dumps({"order": order}), told))
            elif row.state is Sending.PENDING or row.state.is_doubtful:
                left[message] = order
            else:
                log.info("order %s is %s: %s", order, row.state, row.reason)
        return left

    def _bury(self, poison: Sequence[_Poison]) -> set[str]:
        """Put messages among the dead letters with their reasons; those that stay here instead."""
        if not poison:
            return set()
        for one in poison:
            log.error("message %s cannot be carried out: %s", one.id, one.reason)
        letters = [
            Message(
                id=_letter_id(one),
                body=json.dumps(
                    {"reason": one.reason[:MOST_CHARACTERS], "message": one.body[:MOST_KEPT]}
                ),
                group=STAGE_GROUP,
            )
            for one in poison
        ]
        # What is not taken there stays here: it comes again, and after its deliveries SQS moves it.
        try:
            sent = self._given.queue("TRADE_DEAD_LETTERS_URL").send(letters)
        except AdvisorError as error:
            log.error("the dead letters could not be written: %s", error)
            return {one.id for one in poison}
        for letter, why in sent.refused.items():
            log.error("dead letter %s was refused: %s", letter, why)
        return {
            one.id
            for one, letter in zip(poison, letters, strict=True)
            if letter.id not in sent.accepted
        }


def _records(event: Any) -> list[Any]:
    """The messages of a batch; BadInput for an event that is none."""
    found = event.get("Records") if isinstance(event, Mapping) else None
    if not isinstance(found, list) or not all(
        isinstance(one, Mapping) and isinstance(one.get("messageId"), str) for one in found
    ):
        raise BadInput("the event is no batch of an SQS queue: it has no Records with a messageId")
    return found


def _order_of(record: Mapping[str, Any]) -> str:
    """The client order id that a message names."""
    body = _body(record)
    if len(body) > MOST_CHARACTERS:
        raise BadInput(f"the message has {len(body):,} characters; an order's has fewer than "
                       f"{MOST_CHARACTERS:,}")  # fmt: skip
    try:
        order = json.loads(body)["order"]
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(f'the message is not {{"order": ID}}: {body[:100]!r}') from error
    if not isinstance(order, str) or not 0 < len(order) <= LONGEST_ID:
        raise BadInput(f"the order's id is {order!r}; it must be a text of 1 to {LONGEST_ID}")
    return order


def _body(record: Mapping[str, Any]) -> str:
    body = record.get("body", "")
    return body if isinstance(body, str) else repr(body)


def _letter_id(one: _Poison) -> str:
    return hashlib.sha256(f"{one.id} {one.body}".encode()).hexdigest()[:32]


def _answer(records: Sequence[Mapping[str, Any]], left: set[str]) -> dict[str, Any]:
    """What is to come again: in a FIFO queue the first that is open, and all after it."""
    ids = [str(record["messageId"]) for record in records]
    first = next((n for n, one in enumerate(ids) if one in left), len(ids))
    fifo = any(str(one.get("eventSourceARN", "")).endswith(".fifo") for one in records)
    again = ids[first:] if fifo else [one for one in ids if one in left]
    return {"batchItemFailures": [{"itemIdentifier": one} for one in again]}


handler = TradeExecutor()
