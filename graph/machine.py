"""Running a machine: once for each input, resumed where a dead process left it, and watched.

The thread of a run is a hash of the machine, the run it belongs to and its whole input, so the
same question asked again after a crash finds its checkpoint. A finished thread is answered from
its checkpoint; one that ended without an answer from the model is run again.
"""

import contextlib
import hashlib
import json
import threading
from collections.abc import Callable, Generator, Iterator, Mapping
from datetime import datetime
from typing import Any

from graph.checkpoints import EXTRA
from graph.ports import Event, Wiring
from quant_core.calendar import new_york
from tools.errors import NotConfigured

READ_ATTEMPTS = 3
READ_PAUSE = 0.1

State = dict[str, Any]


class Machine:
    """A named graph that is built when it is first used."""

    def __init__(self, name: str, build: Callable[[], Any]) -> None:
        """`build` returns a langgraph `StateGraph` that is not compiled yet."""
        self.name = name
        self._build = build
        self._compiled: dict[int, Any] = {}
        self._lock = threading.Lock()

    def graph(self) -> Any:
        """The drawable graph, made from the code that runs."""
        return self._compile(None).get_graph()

    def run(self, given: Mapping[str, Any], wiring: Wiring) -> State:
        """The state in which the machine ends; raises what a node raises."""
        graph = self._compile(wiring.checkpoints.saver if wiring.checkpoints else None)
        about = _about(given) if wiring.progress else ""
        if wiring.checkpoints is None:
            return self._through(graph, given, {}, wiring, about)
        config = {"configurable": {"thread_id": self.thread(given, wiring)}}
        kept = graph.get_state(config)
        # Not `kept.next`: it leaves out tasks whose result is saved, so it is empty for a process
        # that died after its last parallel read and before the step was closed.
        if kept.tasks:
            return self._through(graph, None, config, wiring, about)
        if kept.values and not kept.values.get("failure"):
            return dict(kept.values)
        if kept.values:
            wiring.checkpoints.saver.delete_thread(config["configurable"]["thread_id"])
        return self._through(graph, given, config, wiring, about)

    def steps(self, given: Mapping[str, Any], wiring: Wiring) -> Generator[Event, None, State]:
        """The same without checkpoints, step by step: closing it leaves the rest undone."""
        return self._walk(self._compile(None), given, {}, wiring, _about(given))

    def thread(self, given: Mapping[str, Any], wiring: Wiring) -> str:
        """The name of the checkpoints of a run; it begins with the namespace."""
        content = json.dumps(given, sort_keys=True)
        digest = hashlib.sha256(content.encode()).hexdigest()[:32]
        return f"{wiring.namespace}/{self.name}/{digest}"

    def _through(
        self, graph: Any, given: Mapping[str, Any] | None, config: dict[str, Any], wiring: Wiring,
        about: str,
    ) -> State:  # fmt: skip
        walk = self._walk(graph, given, config, wiring, about)
        while True:
            try:
                event = next(walk)
            except StopIteration as end:
                state: State = end.value
                return state
            # Whoever watches must not disturb: an analysis does not fail with its audience.
            with contextlib.suppress(Exception):
                if wiring.progress:
                    wiring.progress(event)

    def _walk(
        self, graph: Any, given: Mapping[str, Any] | None, config: dict[str, Any], wiring: Wiring,
        about: str,
    ) -> Generator[Event, None, State]:  # fmt: skip
        last: State = {}
        kept = {"durability": "sync"} if config else {}
        for mode, chunk in graph.stream(
            given, config, context=wiring, stream_mode=["updates", "values"], **kept
        ):
            if mode == "values":
                last = chunk
            else:
                yield from self._events(chunk, about)
        return dict(last)

    def _events(self, chunk: Mapping[str, Any], about: str) -> Iterator[Event]:
        for step, update in chunk.items():
            said = update or {}
            yield Event(
                machine=self.name,
                step=step,
                outcome=said.get("outcome", ""),
                failure=said.get("failure", ""),
                about=about,
            )

    def _compile(self, saver: Any) -> Any:
        with self._lock:
            if id(saver) not in self._compiled:
                if len(self._compiled) >= 8:
                    self._compiled.clear()
                self._compiled[id(saver)] = self._build().compile(
                    checkpointer=saver, name=self.name
                )
            return self._compiled[id(saver)]


def _about(given: Mapping[str, Any]) -> str:
    """The moment, and the symbol of a signal, that a machine was given."""
    as_of = given.get("as_of") or given.get("view", {}).get("as_of")
    moment = new_york(datetime.fromisoformat(as_of)) if as_of else ""
    return f"{moment} {given.get('signal', {}).get('symbol', '')}".strip()


def state_graph(state: type) -> Any:
    """An empty langgraph `StateGraph`; NotConfigured when langgraph is not installed."""
    try:
        from langgraph.graph import StateGraph
    except ModuleNotFoundError as error:
        raise NotConfigured(f"the machines need langgraph: {EXTRA}") from error
    return StateGraph(state, context_schema=Wiring)


def add_read(graph: Any, name: str, node: Callable[..., Any]) -> None:
    """A node that reads: tried again when the source says that it may work in a moment."""
    from langgraph.types import RetryPolicy

    from tools.errors import Transient

    graph.add_node(
        name,
        node,
        retry_policy=RetryPolicy(
            initial_interval=READ_PAUSE,
            max_attempts=READ_ATTEMPTS,
            jitter=False,
            retry_on=Transient,
        ),
    )
