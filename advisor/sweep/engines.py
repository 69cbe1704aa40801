"""Where batches run: threads of this process, or the workers of a Ray cluster.

The kernels release the interpreter's lock and share the course read-only, so threads use every
core on one copy of the bars and start in no time; there is no worker process to lose, and a run
that is killed itself goes on from its last kept batch. On a cluster the course is put into the
object store once for each set of indicators; a worker that dies takes its batch with it, and Ray
runs that batch again elsewhere.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from advisor.settings import Settings
from advisor.sweep.work import Batch, Scored, score_batch
from quant_core.backtest import Course
from tools.errors import BadInput, Transient

MOST_RETRIES = 5


class Engine(Protocol):
    """Runs batches and yields each as it is finished, in any order."""

    @property
    def workers(self) -> int:
        """How many batches run at the same time."""
        ...

    def run(
        self, course: Course, settings: Settings, keys: Sequence[str], batches: Sequence[Batch]
    ) -> Iterator[Scored]:
        """Score every batch of one course."""
        ...


@dataclass(frozen=True, slots=True)
class Threads:
    """This process, on as many cores."""

    workers: int

    def run(
        self, course: Course, settings: Settings, keys: Sequence[str], batches: Sequence[Batch]
    ) -> Iterator[Scored]:
        """Score every batch of one course."""
        with ThreadPoolExecutor(self.workers, "sweep") as pool:
            waiting = [pool.submit(score_batch, course, settings, keys, one) for one in batches]
            try:
                for done in as_completed(waiting):
                    yield done.result()
            finally:
                pool.shutdown(cancel_futures=True)


@dataclass(frozen=True, slots=True)
class Cluster:
    """A Ray cluster that is connected."""

    workers: int

    def run(
        self, course: Course, settings: Settings, keys: Sequence[str], batches: Sequence[Batch]
    ) -> Iterator[Scored]:
        """Score every batch of one course; Transient when its worker died too often."""
        import ray

        remote = ray.remote(num_cpus=1, max_retries=MOST_RETRIES)(score_batch)
        shared = ray.put(course)
        waiting = [remote.remote(shared, settings, tuple(keys), one) for one in batches]
        while waiting:
            ready, waiting = ray.wait(waiting, num_returns=1)
            try:
                yield ray.get(ready[0])
            except ray.exceptions.RayTaskError as error:
                raise error.cause from error
            except ray.exceptions.RayError as error:
                raise Transient(
                    f"the cluster lost a batch {MOST_RETRIES} times ({type(error).__name__}); the "
                    "finished ones are kept: give the same command with --resume"
                ) from error


@contextmanager
def open_engine(name: str, workers: int | None, address: str | None) -> Iterator[Engine]:
    """The engine of a name, for as long as it is needed."""
    if name == "local":
        yield Threads(workers or os.cpu_count() or 1)
        return
    try:
        import ray
    except ImportError as error:
        raise BadInput("--engine ray needs the extra: pip install -e '.[ray]'") from error
    try:
        ray.init(
            address=address, num_cpus=None if address else workers, log_to_driver=False,
            include_dashboard=False, logging_level=logging.ERROR, configure_logging=False,
        )  # fmt: skip
    except (ConnectionError, RuntimeError, ValueError) as error:
        place = f"at {address} " if address else ""
        raise Transient(
            f"no Ray cluster {place}can be reached: {error}; start one with `ray start --head`, "
            "or leave --engine out"
        ) from error
    try:
        yield Cluster(int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()
