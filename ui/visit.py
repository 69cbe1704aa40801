"""Who looks at what: the key, the run and the lane of one visitor, and reading with them.

They live in the visitor's session and in the address (`?run=…&lane=…`), so that a link shows to
others what one saw oneself. The key lives in the session alone.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any, TypeVar

import streamlit as st
from pydantic import BaseModel

from ui.client import Client, Reading

M = TypeVar("M", bound=BaseModel)
DEFAULT_ADDRESS = "http://127.0.0.1:8765"
TICK = 2.0
TICK_WITH_KEY = 6.0  # a key has an allowance, 100 requests a minute unless made with another


@cache
def client_of(address: str) -> Client:
    """The client that all visitors of this server share."""
    return Client(address)


@dataclass(frozen=True, slots=True)
class Visit:
    """One visitor's view; `run` and `lane` None mean the newest and the advised one."""

    client: Client
    key: str
    run: str | None
    lane: str | None

    def read(self, model: type[M], path: str, *, fresh: float = 0.7, **asked: Any) -> Reading[M]:
        """Ask about the chosen run and lane."""
        parameters = {"run": self.run, "lane": self.lane, **asked}
        return self.client.read(model, path, parameters, key=self.key, fresh=fresh)

    def read_all(
        self, model: type[M], path: str, *, fresh: float = 0.7, **asked: Any
    ) -> Reading[M]:
        """Ask about what belongs to no lane."""
        return self.client.read(model, path, asked, key=self.key, fresh=fresh)

    @property
    def tick(self) -> float:
        """Seconds between two looks at what moves."""
        return TICK_WITH_KEY if self.key else TICK

    def link(self, page: str, **query: object) -> str:
        """The address of a page that shows the same run and lane."""
        from urllib.parse import urlencode

        chosen = {"run": self.run, "lane": self.lane, **query}
        given = urlencode({name: value for name, value in chosen.items() if value is not None})
        return f"/{page}?{given}" if given else f"/{page}"


def current() -> Visit:
    """The visit of whoever the script runs for."""
    state = st.session_state
    for name in ("run", "lane"):
        if f"chosen_{name}" not in state:
            state[f"chosen_{name}"] = st.query_params.get(name)
    return Visit(
        client=client_of(_address()),
        key=state.get("key", ""),
        run=state["chosen_run"],
        lane=state["chosen_lane"],
    )


def choose(run: str | None, lane: str | None) -> None:
    """Look at another run or lane from now on."""
    st.session_state["chosen_run"], st.session_state["chosen_lane"] = run, lane
    for name, value in (("run", run), ("lane", lane)):
        if value is None:
            st.query_params.pop(name, None)
        else:
            st.query_params[name] = value


def _address() -> str:
    try:
        return str(st.secrets["api"]["url"])
    except (KeyError, FileNotFoundError):  # run on its own: `streamlit run ui/app.py`
        return DEFAULT_ADDRESS
