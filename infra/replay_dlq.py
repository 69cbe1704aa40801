"""`python -m infra.replay_dlq`: what a dead-letter queue holds, and putting it back.

    show URL              messages with why they are there, where that is known; none is taken
    put-back URL TARGET   send them to their queue again, as they were, and remove what was sent

A message that is put back has an id of its own, so that a FIFO queue does not take it for the one
that it knows; whoever reads it is idempotent by what it says. One that never was an order comes
back here, so look before.
"""

import argparse
import json
import sys
from collections.abc import Sequence

from advisor.settings import load_settings
from tools.aws.parameters import AwsParameters
from tools.aws.queue import Message, Queue, Taken
from tools.errors import AdvisorError

MOST = 1_000
HIDDEN_SECONDS = 120
SHOWN = 200


def main(arguments: Sequence[str] | None = None) -> int:
    """Show or put back; the exit code is 1 when something stayed."""
    parser = argparse.ArgumentParser(
        prog="python -m infra.replay_dlq",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    doing = parser.add_subparsers(dest="doing", required=True)
    showing = doing.add_parser("show")
    showing.add_argument("url")
    putting = doing.add_parser("put-back")
    putting.add_argument("url")
    putting.add_argument("target")
    putting.add_argument("--most", type=int, default=MOST)
    given = parser.parse_args(arguments)
    try:
        access = load_settings().aws
        if given.doing == "show":
            return show(Queue(given.url, access))
        return put_back(given.url, given.target, access, given.most)
    except AdvisorError as error:
        print(error, file=sys.stderr)
        return 2


def show(letters: Queue) -> int:
    """Messages once each, then all are given back; how many more there are is said.

    Of one group of a FIFO queue, no more than ten can be looked at: SQS gives out nothing behind
    messages that are taken.
    """
    held: list[Taken] = []
    try:
        while len(held) < MOST and (taken := letters.take(hidden_seconds=HIDDEN_SECONDS)):
            for one in taken:
                reason, body = opened(one.body)
                print(f"{one.id}  {reason or 'given up after its deliveries'}\n    {body[:SHOWN]}")
            held += taken
        waiting, _ = letters.depth()
    finally:
        for one in held:
            letters.hide(one, 0)
    if waiting:
        print(
            f"{len(held)} messages of {letters.name} are shown; about {waiting} more are behind "
            "them: put these back, or delete them, to see those"
        )
    else:
        print(f"{len(held)} messages in {letters.name}")
    return 0


def put_back(url: str, target: str, access: AwsParameters, most: int = MOST) -> int:
    """Send messages to their queue, and remove what was sent."""
    letters, queue = Queue(url, access), Queue(target, access)
    count, stayed = 0, 0
    while count + stayed < most:
        taken = letters.take(min(10, most - count - stayed), hidden_seconds=HIDDEN_SECONDS)
        if not taken:
            break
        again = {
            one.id: Message(id=f"{one.id[:100]}-again-{one.receipt[-16:].encode().hex()[:20]}",
                            body=opened(one.body)[1], group="orders")
            for one in taken
        }  # fmt: skip
        sent = queue.send(again.values())
        done = [one for one in taken if again[one.id].id in sent.accepted]
        letters.done(done)
        count += len(done)
        for one in taken:
            if one not in done:
                stayed += 1
                print(f"{one.id} stays: {sent.refused.get(again[one.id].id, 'not taken')}")
    print(f"{count} messages put back to {queue.name}, {stayed} stay in {letters.name}")
    return 1 if stayed else 0


def opened(body: str) -> tuple[str, str]:
    """Why a message is here (empty where SQS put it here), and the message as it was."""
    try:
        letter = json.loads(body)
        return str(letter["reason"]), str(letter["message"])
    except (ValueError, KeyError, TypeError):
        return "", body


if __name__ == "__main__":
    sys.exit(main())
