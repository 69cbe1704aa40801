"""A queue by the real client: nothing is lost unsaid, and a repetition is known by its id."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from botocore.stub import ANY, Stubber

from tests.stand_ins.aws import Fault, Front
from tools.aws.parameters import AwsParameters
from tools.aws.queue import MOST_BYTES, Message, Queue, moved
from tools.errors import BadInput, NoData, Transient


def messages(count: int) -> list[Message]:
    return [Message(id=f"signal-{n}", body=json.dumps({"n": n})) for n in range(count)]


@pytest.fixture(params=["signals", "signals.fifo"])
def url(request: pytest.FixtureRequest, aws: AwsParameters, admin: Callable[[str], Any]) -> str:
    attributes = {"FifoQueue": "true"} if request.param.endswith("fifo") else {}
    made = admin("sqs").create_queue(QueueName=request.param, Attributes=attributes)
    return str(made["QueueUrl"])


def drained(queue: Queue) -> list[str]:
    found: list[str] = []
    while taken := queue.take(10, hidden_seconds=600):
        found += [one.id for one in taken]
        assert queue.done(taken) == []
    return found


def test_what_is_sent_is_taken_with_its_id(url: str, aws: AwsParameters) -> None:
    queue = Queue(url, aws)
    sent = queue.send(messages(23))
    assert sent.accepted == tuple(one.id for one in messages(23))
    assert sent.refused == {}
    assert queue.depth() == (23, 0)
    first = queue.take(1, hidden_seconds=600)[0]
    assert json.loads(first.body) == {"n": int(first.id.removeprefix("signal-"))}
    assert (first.deliveries, queue.depth()) == (1, (22, 1))
    queue.hide(first, 0)
    assert sorted(drained(queue)) == sorted(sent.accepted)
    assert queue.depth() == (0, 0)


def test_a_message_that_was_not_dealt_with_comes_again(url: str, aws: AwsParameters) -> None:
    queue = Queue(url, aws)
    queue.send(messages(1))
    (first,) = queue.take(hidden_seconds=0)
    (again,) = queue.take(hidden_seconds=30)
    assert (again.id, again.deliveries) == (first.id, 2)
    assert queue.take() == []


def test_sending_again_after_a_lost_answer(url: str, aws: AwsParameters, front: Front) -> None:
    """FIFO knows the ids; elsewhere the consumer does."""
    port = front.url.rsplit(":", 1)[1]
    queue = Queue(
        url.replace(url.split("/")[2].split(":")[1], port), replace(aws, endpoint_url=front.url)
    )
    front.faults.append(Fault(cut="after"))
    assert len(queue.send(messages(3)).accepted) == 3
    there = drained(Queue(url, aws))
    assert set(there) == {"signal-0", "signal-1", "signal-2"}
    assert len(there) == (3 if url.endswith(".fifo") else 6)


def stubbed(aws: AwsParameters, *answers: dict[str, Any]) -> tuple[Queue, Stubber, list[float]]:
    """SQS taking batches in part, which moto never does."""
    pauses: list[float] = []
    queue = Queue("http://sqs/1/signals", aws, pauses.append)
    stub = Stubber(queue._client)
    for answer in answers:
        stub.add_response("send_message_batch", answer, {"QueueUrl": ANY, "Entries": ANY})
    stub.activate()
    return queue, stub, pauses


def took(*numbers: int) -> list[dict[str, Any]]:
    return [{"Id": str(n), "MessageId": "m", "MD5OfMessageBody": "x"} for n in numbers]


def failed(number: int, *, ours: bool) -> dict[str, Any]:
    return {"Id": str(number), "SenderFault": ours, "Code": "Odd", "Message": "because"}


def test_what_sqs_failed_to_take_is_sent_again_and_what_it_refuses_is_told(
    aws: AwsParameters,
) -> None:
    queue, stub, pauses = stubbed(
        aws,
        {"Successful": took(0), "Failed": [failed(1, ours=False), failed(2, ours=True)]},
        {"Successful": took(0), "Failed": []},
    )
    sent = queue.send(messages(3))
    assert sent.accepted == ("signal-0", "signal-1")
    assert sent.refused == {"signal-2": "Odd: because"}
    assert pauses == [0.5]
    stub.assert_no_pending_responses()


def test_what_is_never_taken_is_named(aws: AwsParameters) -> None:
    never = {"Successful": [], "Failed": [failed(0, ours=False)]}
    first = {"Successful": took(0), "Failed": [failed(1, ours=False)]}
    queue, _, pauses = stubbed(aws, first, never, never, never)
    with pytest.raises(
        Transient, match=r"did not take 1 of the messages \(signal-1\); 1 were taken"
    ):
        queue.send(messages(2))
    assert pauses == [0.5, 1.0, 2.0]


def test_a_batch_is_never_larger_than_sqs_takes(url: str, aws: AwsParameters) -> None:
    queue = Queue(url, aws)
    large = [Message(id=f"m{n}", body="x" * 100_000) for n in range(7)]
    assert len(queue.send(large).accepted) == 7
    assert len(drained(queue)) == 7


@pytest.mark.parametrize("body", ["", "é" * (MOST_BYTES // 2 + 1)])
def test_a_message_that_no_queue_takes_is_refused_before_any_is_sent(
    url: str, aws: AwsParameters, body: str
) -> None:
    queue = Queue(url, aws)
    with pytest.raises(BadInput, match="message large has"):
        queue.send([*messages(1), Message(id="large", body=body)])
    assert queue.depth() == (0, 0)


def test_dead_letters_go_back_with_their_ids(
    aws: AwsParameters, admin: Callable[[str], Any]
) -> None:
    sqs = admin("sqs")
    dead, live = (
        Queue(sqs.create_queue(QueueName=name)["QueueUrl"], aws) for name in ("dead", "live")
    )
    dead.send(messages(25))
    assert moved(dead, live, most=5) == 5
    assert moved(dead, live) == 20
    assert dead.depth() == (0, 0)
    assert sorted(drained(live)) == sorted(one.id for one in messages(25))


def test_a_queue_that_is_not_there(aws: AwsParameters) -> None:
    queue = Queue(f"{aws.endpoint_url}/123456789012/nowhere", aws)
    for ask in (lambda: queue.send(messages(1)), queue.take, queue.depth):
        with pytest.raises(NoData, match="nowhere"):
            ask()
