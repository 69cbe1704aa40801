"""The circuit breaker, and leaving behind what hangs."""

import threading
import time

import pytest

from tests.tools.llm.worlds import HandClock
from tools.llm.breaker import CircuitBreaker
from tools.llm.worker import Abandoned, NoPlace, call_within


def breaker(clock: HandClock) -> CircuitBreaker:
    return CircuitBreaker(3, 60.0, 30.0, clock.monotonic)


def fail(circuit: CircuitBreaker, times: int) -> None:
    for _ in range(times):
        entry = circuit.enter()
        assert entry is not None
        circuit.leave(entry, failed=True)


def test_it_opens_after_failures_in_a_window_and_tries_again_after_a_pause():
    clock = HandClock()
    circuit = breaker(clock)
    fail(circuit, 3)
    assert circuit.enter() is None
    clock.seconds = 29.9
    assert circuit.enter() is None
    clock.seconds = 30.0
    assert circuit.enter() == "trial"
    assert circuit.enter() is None  # one trial at a time
    circuit.leave("trial", failed=False)
    assert circuit.enter() == "normal"


def test_a_failed_trial_keeps_it_open_for_another_pause():
    clock = HandClock()
    circuit = breaker(clock)
    fail(circuit, 3)
    clock.seconds = 30.0
    assert circuit.enter() == "trial"
    circuit.leave("trial", failed=True)
    clock.seconds = 59.0
    assert circuit.enter() is None
    clock.seconds = 60.0
    assert circuit.enter() == "trial"


def test_scattered_failures_and_failures_between_successes_do_not_open_it():
    clock = HandClock()
    circuit = breaker(clock)
    for _ in range(10):
        fail(circuit, 1)
        clock.seconds += 31.0
    assert circuit.enter() == "normal"
    circuit = breaker(clock)
    for _ in range(5):
        fail(circuit, 2)
        circuit.leave("normal", failed=False)
    assert circuit.enter() == "normal"


def test_a_call_from_before_it_opened_neither_closes_nor_prolongs_it():
    clock = HandClock()
    circuit = breaker(clock)
    early = circuit.enter()
    assert early == "normal"
    fail(circuit, 3)
    circuit.leave(early, failed=False)
    assert circuit.enter() is None
    clock.seconds = 30.0
    assert circuit.enter() == "trial"
    circuit.leave("normal", failed=True)
    assert circuit.enter() is None


def test_work_gives_its_result_or_its_error_and_its_place_back():
    places = threading.BoundedSemaphore(1)
    assert call_within(5.0, lambda: 42, places) == 42
    with pytest.raises(ZeroDivisionError):
        call_within(5.0, lambda: 1 // 0, places)
    assert call_within(5.0, lambda: 43, places) == 43


def test_work_that_hangs_is_left_behind_and_keeps_its_place_until_it_ends():
    places, over = threading.BoundedSemaphore(1), threading.Event()
    began = time.monotonic()
    with pytest.raises(Abandoned):
        call_within(0.05, over.wait, places)
    with pytest.raises(NoPlace):
        call_within(0.05, lambda: 1, places)
    assert time.monotonic() - began < 5.0
    over.set()
    assert call_within(5.0, lambda: 2, places) == 2
