"""A schema, a prompt, a clock that is turned by hand, and models that follow a script."""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, Field

from tools.llm import BudgetLimits, DailyBudget, LiveModel, ModelParameters, PriceList, Prompt
from tools.llm.parameters import ModelName
from tools.llm.providers import Reply, Turn
from tools.llm.schemas import WireSchema


class Claim(BaseModel):
    """One claim with the fact it cites."""

    fact: str = Field(max_length=40)
    weight: float = Field(ge=0.0, le=1.0)


class View(BaseModel):
    """What the model thinks of the market."""

    mood: Literal["up", "down", "mixed"]
    arm: float = Field(ge=0.5, le=2.0, description="multiplier on the arm threshold")
    symbols: int = Field(ge=0, le=100)
    note: str | None = Field(max_length=200)
    claims: list[Claim] = Field(max_length=5)


GOOD = '{"mood":"up","arm":1.25,"symbols":5,"note":null,"claims":[{"fact":"SPY.z","weight":0.5}]}'
VIEW = View(mood="up", arm=1.25, symbols=5, note=None, claims=[Claim(fact="SPY.z", weight=0.5)])
PROMPT = Prompt(id="analysis", version=1, system="You judge markets.", text="How is the market?")
OPENING = datetime(2026, 11, 9, 14, 30, tzinfo=UTC)


class HandClock:
    """A clock that moves when somebody sleeps, or when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return OPENING + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


def says(text: str = GOOD, **changes: Any) -> Reply:
    told: dict[str, Any] = {
        "stop": "end",
        "stop_reason": "end_turn",
        "answered_by": "scripted",
        "tokens_in": 100,
        "tokens_out": 20,
    }
    return Reply(text=text, **(told | changes))


class ServerError(Exception):
    """An error as the vendors' clients raise it."""

    def __init__(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(f"status {status}")
        self.status_code = status
        self.response = type("Response", (), {"headers": dict(headers or {})})()


Move = Reply | Exception | Callable[[], Reply]


class ScriptedClient:
    """A model that does what the script says, and keeps what it was sent."""

    def __init__(self, moves: Iterable[Move]) -> None:
        self._moves = iter(moves)
        self._lock = threading.Lock()
        self.sent: list[list[Turn]] = []

    def prepare(self) -> None:
        """Nothing to import."""

    def send(self, turns: Sequence[Turn], schema: WireSchema, timeout: float) -> Reply:
        with self._lock:
            self.sent.append(list(turns))
            move = next(self._moves)
        if isinstance(move, Exception):
            raise move
        return move() if callable(move) else move


def budget(usd: float = 100.0, tokens: int = 100_000_000, clock: Any = None) -> DailyBudget:
    limits = BudgetLimits(usd_per_day=usd, tokens_per_day=tokens)
    return DailyBudget(limits, clock or HandClock())


def scripted(
    moves: Mapping[str, Iterable[Move]], clock: Any = None, **parameters: Any
) -> tuple[LiveModel, dict[str, ScriptedClient]]:
    """A live model over scripted clients, in the order of the mapping."""
    clients = {name: ScriptedClient(steps) for name, steps in moves.items()}
    model = LiveModel(
        ModelParameters(models=tuple(moves), **parameters),
        PriceList(),
        clock=clock or HandClock(),
        jitter=lambda: 1.0,
        clients={ModelName.parse(name): client for name, client in clients.items()},
    )
    return model, clients
