"""Alerts are delivered beside the loop; no channel can stop the loop or the others."""

import threading
from collections.abc import Callable
from itertools import chain, repeat

from tests.tools.notify.test_policy import alert
from tools.errors import Rejected, Transient
from tools.notify import Alert, AlertLimits, Alerts, Severity
from tools.notify.dispatch import ROOM

SECONDS = 20.0


class Kept:
    """A channel that keeps what it is given, after doing what its script says."""

    def __init__(self, name: str, *script: Callable[[], None]) -> None:
        self.name = name
        self.got: list[Alert] = []
        self.asked = 0
        self._script = chain(script, repeat(lambda: None))

    def send(self, alert: Alert) -> None:
        self.asked += 1
        next(self._script)()
        self.got.append(alert)


def fails(error: Exception) -> Callable[[], None]:
    def do() -> None:
        raise error

    return do


def alerts(*channels: Kept, per_hour: int = 10_000) -> Alerts:
    return Alerts(channels, AlertLimits(per_hour=per_hour), pause=lambda seconds: False)


def test_every_channel_gets_every_alert_in_order() -> None:
    one, other = Kept("one"), Kept("other")
    sending = alerts(one, other)
    told = [alert(title=f"matter {i}") for i in range(20)]
    for each in told:
        sending.tell(each)
    assert sending.flush(SECONDS)
    assert one.got == other.got == told
    sending.close()
    sending.tell(alert(title="too late"))
    assert len(one.got) == 20


def test_a_passing_trouble_is_tried_again_a_lasting_one_is_told() -> None:
    shaky = Kept("shaky", *[fails(Transient("down"))] * 2)
    dead = Kept("dead", *[fails(Transient("down"))] * 9)
    refusing = Kept("refusing", fails(Rejected("wrong password")))
    broken = Kept("broken", fails(KeyError("x")))
    sending = alerts(shaky, dead, refusing, broken)
    sending.tell(alert())
    assert sending.flush(SECONDS)
    states = {state.name: state for state in sending.states()}
    assert (states["shaky"].sent, shaky.asked) == (1, 3)
    assert (states["dead"].sent, states["dead"].last_error, dead.asked) == (0, "down", 3)
    assert (states["refusing"].last_error, refusing.asked) == ("wrong password", 1)
    assert states["broken"].last_error == "KeyError: 'x'"
    sending.tell(alert(title="next"))
    assert sending.flush(SECONDS)
    assert [len(channel.got) for channel in (shaky, refusing, broken)] == [2, 1, 1]
    sending.close()


def test_telling_does_not_wait_for_a_channel_that_hangs_and_keeps_what_is_critical() -> None:
    release = threading.Event()

    def hang() -> None:
        release.wait(SECONDS)

    hanging = Kept("hanging", hang)
    sending = alerts(hanging)
    sending.tell(alert(title="first"))
    sending.tell(alert(title="HALTED", severity=Severity.CRITICAL))
    for i in range(ROOM + 50):
        sending.tell(alert(title=f"matter {i}"))
    assert not sending.flush(0.0)
    assert sending.dropped >= 50
    release.set()
    assert sending.flush(SECONDS)
    titles = [one.title for one in hanging.got]
    assert "HALTED" in titles
    assert titles[-1] == f"matter {ROOM + 49}"
    sending.close()


def test_without_channels_it_costs_nothing() -> None:
    before = threading.active_count()
    sending = Alerts([])
    sending.tell(alert())
    assert sending.flush(0.0)
    assert threading.active_count() == before
    sending.close()
