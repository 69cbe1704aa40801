"""The port: what a process may tell about its work. The class itself is silent.

A replay keeps `SILENT`, so that nothing is imported, counted or timed. A live process hands its
`Recorder` to `advisor.cycle.dependencies` and is observed at the ports that it has anyway: cycle,
analyst, validator, ledger, broker.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from quant_core.calendar import to_datetime
from tools.ports import Broker, Ledger

if TYPE_CHECKING:
    from advisor.cycle import CycleDependencies
    from advisor.lanes import Lane, TradingDay

_NOTHING = nullcontext()


class Telemetry:
    """Hears nothing; `advisor.telemetry.recorder.Recorder` overrides all of it."""

    def cycle(self, lane: str, minute: datetime) -> AbstractContextManager[Any]:  # noqa: ARG002
        """Around one cycle, which begins with the bar that starts at `minute`."""
        return _NOTHING

    def decided(self, lane: str, closed: datetime) -> None:
        """A cycle is committed; its newest bar closed at `closed`."""

    def feed_lag(self, symbol: str, seconds: float) -> None:
        """How long ago the newest bar of a symbol closed."""

    def event(self, kind: str, count: int = 1) -> None:
        """Something was processed: a bar, a quote, an order's update."""

    def failure(self, part: str, error: BaseException | str) -> None:
        """A part (feed, broker, ledger, analysis, …) failed; an error counts under its type."""

    def queue_depth(self, queue: str, depth: int) -> None:
        """How much waits in a queue of this process."""

    def ledger(self, ledger: Ledger) -> Ledger:
        """The ledger to use in place of this one."""
        return ledger

    def broker(self, broker: Broker) -> Broker:
        """The broker to use in place of this one."""
        return broker

    def watch(self, lanes: "Iterable[Lane]") -> None:
        """Put the analysts and validators of lanes under observation."""


SILENT = Telemetry()


class Cycle(Protocol):
    """`advisor.cycle.run_cycle`."""

    def __call__(
        self, lane: "Lane", day: "TradingDay", until: int, deps: "CycleDependencies", age: float = 0
    ) -> None:
        """One cycle of a lane."""
        ...


def observed(cycle: Cycle) -> Cycle:
    """A cycle that tells the telemetry of its dependencies when it begins and has committed."""

    @wraps(cycle)
    def run(
        lane: "Lane", day: "TradingDay", until: int, deps: "CycleDependencies", age: float = 0.0
    ) -> None:
        telemetry, first = deps.telemetry, day.session.open + lane.row
        if telemetry is SILENT:
            cycle(lane, day, until, deps, age)
            return
        with telemetry.cycle(lane.name, to_datetime(first)):
            cycle(lane, day, until, deps, age)
        telemetry.decided(lane.name, to_datetime(day.session.open + lane.row))

    return run
