"""A machine as a table of steps: walked here, or built as a langgraph graph, from the same table.

A machine that asks no model, keeps no checkpoint and waits for nobody needs no langgraph, and
importing that costs a second and sixty megabytes. So the walk is written out: each step is given
the state, adds its part, and says by its `outcome` which step comes next. Both ways run the same
nodes in the same order, and a test holds them against each other.
"""

from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass
from typing import Any

from graph.ports import Event, Wiring

END = "__end__"
MOST_STEPS = 25  # langgraph's own limit; a course that reaches it runs in a circle
Node = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Course:
    """Steps in order, the first one first, and where each goes on by its outcome."""

    name: str
    state: type
    steps: tuple[Node, ...]
    ways: Mapping[str, Mapping[str, str]]

    def __post_init__(self) -> None:
        """ValueError for a way from or to a step that there is not."""
        named = {step.__name__ for step in self.steps}
        for step, ways in self.ways.items():
            if strange := {step, *ways.values()} - named - {END}:
                raise ValueError(f"{self.name} has no step {', '.join(sorted(strange))}")

    def walk(
        self, given: Mapping[str, Any], wiring: Wiring
    ) -> Generator[Event, None, dict[str, Any]]:
        """Each step that has ended; returns the state at the end. Raises what a step raises."""
        nodes = {step.__name__: step for step in self.steps}
        state, at, runtime = dict(given), self.steps[0].__name__, _Plain(wiring)
        for _ in range(MOST_STEPS):
            added = nodes[at](state, runtime)
            state |= added
            yield Event(machine=self.name, step=at, outcome=added.get("outcome", ""))
            at = self.ways[at][state["outcome"]] if self.ways.get(at) else END
            if at == END:
                return state
        raise RuntimeError(f"{self.name} did not end within {MOST_STEPS} steps")

    def build(self) -> Any:
        """The same as a langgraph `StateGraph`."""
        from graph.machine import state_graph

        graph = state_graph(self.state)
        graph.add_edge("__start__", self.steps[0].__name__)
        for step in self.steps:
            graph.add_node(step.__name__, step)
            if ways := self.ways.get(step.__name__):
                graph.add_conditional_edges(step.__name__, _outcome, dict(ways))
            else:
                graph.add_edge(step.__name__, END)
        return graph


@dataclass(frozen=True, slots=True)
class _Plain:
    """What a node is given of langgraph's runtime, without langgraph."""

    context: Wiring
    execution_info: Any = None


def _outcome(state: dict[str, Any]) -> str:
    outcome: str = state["outcome"]
    return outcome
