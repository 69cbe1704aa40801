"""An SQS queue: messages with an id of ours, sent in batches, taken and done with one by one.

Delivery is at least once, so whoever takes a message must be idempotent by its id. On a FIFO queue
(its address ends in `.fifo`) the id also names repetitions to SQS for five minutes, and messages of
one `group` come in the order in which SQS took them. Of a batch that was taken in part, the rest is
sent again if SQS says that the fault was its own, and reported if it was ours: nothing is lost
unsaid.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from tools.aws.clients import asked, client
from tools.aws.parameters import AwsParameters
from tools.errors import BadInput, Transient

MOST_BYTES = 262_144  # of a message and of a batch; some queues take more, all take this
BATCH = 10
ATTEMPTS = 4
PAUSE_SECONDS = 0.5
_ID = "id"


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What is sent. `group` orders messages on a FIFO queue; `id` is unique to what it asks for."""

    id: str
    body: str
    group: str = "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """A message that was taken. `receipt` ends it; `deliveries` counts how often it was given."""

    id: str
    body: str
    receipt: str = field(repr=False)
    deliveries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What became of messages: ids that SQS has, and for the others why not."""

    accepted: tuple[str, ...]
    refused: dict[str, str]


class Queue:
    """One queue, by its address."""

    def __init__(
        self, url: str, parameters: AwsParameters, pause: Callable[[float], object] = time.sleep
    ) -> None:
        """Nothing is asked yet; `pause` waits between attempts at the rest of a batch."""
        self._client, self._url, self._pause = client("sqs", parameters), url, pause
        self._fifo = url.endswith(".fifo")
        self.name = url.rsplit("/", 1)[-1]

    def send(self, messages: Iterable[Message]) -> Sent:
        """Send messages in order. Transient when some stay unsent after all attempts: name them.

        Sending all of them again is safe for consumers that are idempotent by id. BadInput, before
        anything is sent, for a message that no queue takes.
        """
        waiting = list(messages)
        for one in waiting:
            if not one.body or len(one.body.encode()) > MOST_BYTES:
                raise BadInput(
                    f"message {one.id} has {len(one.body.encode()):,} bytes; a queue takes 1 to "
                    f"{MOST_BYTES:,}: put large content into a bucket and send its place"
                )
        accepted: list[str] = []
        refused: dict[str, str] = {}
        for batch in _batches(waiting):
            self._send_batch(batch, accepted, refused)
        return Sent(accepted=tuple(accepted), refused=refused)

    def _send_batch(
        self, batch: Sequence[Message], accepted: list[str], refused: dict[str, str]
    ) -> None:
        for attempt in range(ATTEMPTS):
            entries = [self._entry(number, one) for number, one in enumerate(batch)]
            answer = asked(
                f"sending {len(batch)} messages to {self.name}",
                partial(self._client.send_message_batch, QueueUrl=self._url, Entries=entries),
            )
            accepted += [batch[int(one["Id"])].id for one in answer.get("Successful", [])]
            failed = answer.get("Failed", [])
            refused.update(
                {batch[int(one["Id"])].id: _why(one) for one in failed if one["SenderFault"]}
            )
            again = sorted(int(one["Id"]) for one in failed if not one["SenderFault"])
            batch = [batch[number] for number in again]
            if not batch:
                return
            if attempt + 1 < ATTEMPTS:
                self._pause(PAUSE_SECONDS * 2**attempt)
        left = ", ".join(one.id for one in batch)
        raise Transient(
            f"{self.name} did not take {len(batch)} of the messages ({left}); {len(accepted)} "
            "were taken. Send them again: ids make repetitions harmless"
        )

    def _entry(self, number: int, message: Message) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "Id": str(number),
            "MessageBody": message.body,
            "MessageAttributes": {_ID: {"DataType": "String", "StringValue": message.id}},
        }
        if self._fifo:
            entry |= {"MessageDeduplicationId": message.id, "MessageGroupId": message.group}
        return entry

    def take(self, most: int = BATCH, *, wait_seconds: int = 0, hidden_seconds: int = 60) -> list[
        Taken
    ]:  # fmt: skip
        """At most `most` (10) messages, hidden from others for a while; none when there are none.

        `wait_seconds` (at most 20) must be less than `aws.read_seconds`.
        """
        answer = asked(
            f"taking messages from {self.name}",
            lambda: self._client.receive_message(
                QueueUrl=self._url,
                MaxNumberOfMessages=min(most, BATCH),
                WaitTimeSeconds=wait_seconds,
                VisibilityTimeout=hidden_seconds,
                MessageAttributeNames=[_ID],
                MessageSystemAttributeNames=["ApproximateReceiveCount"],
            ),
        )
        return [_taken(one) for one in answer.get("Messages", [])]

    def done(self, taken: Sequence[Taken]) -> list[str]:
        """Remove messages that were dealt with; gives the ids that are still there.

        Those come again after a while, and are then known by their id.
        """
        left: list[str] = []
        for start in range(0, len(taken), BATCH):
            part = taken[start : start + BATCH]
            entries = [
                {"Id": str(number), "ReceiptHandle": one.receipt} for number, one in enumerate(part)
            ]
            answer = asked(
                f"removing messages from {self.name}",
                partial(self._client.delete_message_batch, QueueUrl=self._url, Entries=entries),
            )
            left += [part[int(one["Id"])].id for one in answer.get("Failed", [])]
        return left

    def hide(self, taken: Taken, seconds: int) -> None:
        """Keep a message from others for longer, from now; 0 gives it back at once."""
        asked(
            f"hiding message {taken.id} of {self.name}",
            lambda: self._client.change_message_visibility(
                QueueUrl=self._url, ReceiptHandle=taken.receipt, VisibilityTimeout=seconds
            ),
        )

    def depth(self) -> tuple[int, int]:
        """About how many messages wait, and how many were taken and are not done with."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        answer = asked(
            f"the depth of {self.name}",
            lambda: self._client.get_queue_attributes(QueueUrl=self._url, AttributeNames=names),
        )
        waiting, taken = (int(answer["Attributes"][name]) for name in names)
        return waiting, taken


def moved(source: Queue, target: Queue, most: int = 1_000) -> int:
    """Send what a dead-letter queue holds to its queue again; gives how many messages moved.

    A message is removed only once it was sent, so a kill in between leaves it in both, with one id.
    """
    count = 0
    while count < most and (taken := source.take(min(BATCH, most - count))):
        sent = target.send(Message(id=one.id, body=one.body) for one in taken)
        source.done([one for one in taken if one.id in sent.accepted])
        count += len(sent.accepted)
        if sent.refused:
            break  # they would come again for ever
    return count


def _taken(one: dict[str, Any]) -> Taken:
    attribute = one.get("MessageAttributes", {}).get(_ID, {})
    return Taken(
        id=attribute.get("StringValue") or one["MessageId"],
        body=one["Body"],
        receipt=one["ReceiptHandle"],
        deliveries=int(one.get("Attributes", {}).get("ApproximateReceiveCount", 1)),
    )


def _why(failed: dict[str, Any]) -> str:
    return f"{failed.get('Code', '')}: {failed.get('Message', '')}".strip(": ")


def _batches(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Batches of at most ten messages and of the bytes that a batch may have."""
    batch: list[Message] = []
    size = 0
    for one in messages:
        length = len(one.body.encode()) + len(one.id.encode()) + 16
        if batch and (len(batch) == BATCH or size + length > MOST_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(one)
        size += length
    if batch:
        yield batch
