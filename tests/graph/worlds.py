"""A small market, a scripted model and sources in memory, for tests of the machines.

It is 10:30 New York on 8 January 2025: an hour after the open. SPY and NVDA have a z, TSLA has
none yet, and NVDA is in a trade.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel

from graph.ports import Wiring
from quant_core.market_view import MarketView, SymbolView
from quant_core.types import ExitReason, Headline, Order, Setup, Signal, Snapshot, State, Trade
from tools.clock import SystemClock
from tools.errors import AdvisorError
from tools.llm.answers import Problem, read_answer
from tools.llm.budget import BudgetLimits, DailyBudget
from tools.llm.calls import Answer, Attempt, Failure, LlmCall, Outcome, Prompt
from tools.llm.schemas import wire_schema

T = TypeVar("T", bound=BaseModel)
NOW = datetime(2025, 1, 8, 15, 30, tzinfo=UTC)
OPEN = NOW - timedelta(minutes=60)
NAN = float("nan")
MODEL = "local:scripted"

GOOD: dict[str, Any] = {
    "assessment": "SPY is stretched at 591.25.",
    "reasoning": "One-way tape.",
    "opportunities": [{"symbol": "NVDA", "comment": "z is high"}],
    "mr_arm": 1.25,
    "mr_trigger": 1.0,
    "tc_arm": 0.8,
    "tc_trigger": 1.0,
    "confidence": 62.0,
    "evidence": ["SPY.z", "NVDA.range_ratio"],
}
APPROVE: dict[str, Any] = {
    "reasoning": "Nothing speaks against it.",
    "ruling": "approve",
    "size_factor": 1.0,
    "confidence": 55.0,
    "evidence": ["signal.z"],
}


def symbol(name: str, **differs: Any) -> SymbolView:
    values: dict[str, Any] = {
        "close": 100.0, "z": 0.4, "change": 0.31, "range_ratio": 1.1, "htf_trend": 1,
        "hh_ll_tag": "HH", "atr_percentile": 40.0, "state": 0, "side": 0,
    }  # fmt: skip
    return SymbolView(symbol=name, **{**values, **differs})


def view(**differs: Any) -> MarketView:
    in_trade = list(State).index(State.IN_TRADE)
    values: dict[str, Any] = {
        "as_of": NOW,
        "minutes_since_open": 60,
        "symbols": (
            symbol("SPY", close=591.25, z=1.62),
            symbol("NVDA", close=140.14, z=-1.3, state=in_trade, side=1),
            symbol("TSLA", close=394.94, z=NAN, range_ratio=NAN),
        ),
        "equity": 100_250.0,
        "daily_loss": -250.0,
        "open_positions": 1,
    }
    return MarketView(**{**values, **differs})


def signal(**differs: Any) -> Signal:
    values: dict[str, Any] = {
        "symbol": "NVDA", "start": NOW - timedelta(minutes=1), "setup": Setup.MEAN_REVERSION,
        "side": 1, "price": 140.14, "stop": 139.44, "target": 141.19, "z": -0.55,
    }  # fmt: skip
    return Signal(**{**values, **differs})


def headline(title: str, minutes_ago: float = 10.0, **differs: Any) -> Headline:
    at = NOW - timedelta(minutes=minutes_ago)
    values: dict[str, Any] = {
        "id": title[:20], "published_at": at, "received_at": at, "source": "Wire",
        "symbols": ("NVDA",),
    }  # fmt: skip
    return Headline(title=title, **{**values, **differs})


def trade(closed: datetime, **differs: Any) -> Trade:
    values: dict[str, Any] = {
        "symbol": "NVDA", "setup": Setup.MEAN_REVERSION, "side": 1, "quantity": 10,
        "entry_time": closed - timedelta(minutes=20), "entry_price": 100.0, "exit_time": closed,
        "exit_price": 102.0, "exit_reason": ExitReason.TARGET, "pnl": 20.0, "fees": 0.0,
        "stop": 99.0, "target": 102.0, "signal_start": closed - timedelta(minutes=21),
    }  # fmt: skip
    return Trade(**{**values, **differs})


def order(decided: datetime, **differs: Any) -> Order:
    values: dict[str, Any] = {
        "client_order_id": f"o{decided:%d%H%M}", "symbol": "NVDA", "side": 1, "quantity": 71,
        "reference": 139.5, "stop": 138.75, "target": 140.75, "decided_at": decided,
    }  # fmt: skip
    return Order(**{**values, **differs})


def snapshot(name: str, **differs: Any) -> Snapshot:
    values: dict[str, Any] = {
        "date": date(2025, 1, 8), "ema_slope_daily": 0.4, "ema_slope_hourly": 0.2,
        "hh_ll_tag": "HH", "atr_percentile": 55.0, "sessions": 252, "htf_trend": 1,
        "mean_5m": 100.0, "deviation_5m": 0.5, "atr_5m": 0.62, "average_volume": 5e7,
        "previous_close": 100.0,
    }  # fmt: skip
    return Snapshot(symbol=name, **{**values, **differs})


@dataclass
class News:
    """A news source that is careless: it returns everything it has, whatever it is asked."""

    items: Sequence[Headline] = ()
    fails: list[AdvisorError] = field(default_factory=list)
    asked: list[datetime] = field(default_factory=list)

    def news(
        self, symbols: Sequence[str], *, as_of: datetime, since: datetime
    ) -> Sequence[Headline]:
        self.asked.append(as_of)
        if self.fails:
            raise self.fails.pop(0)
        return self.items


@dataclass
class Past:
    """A ledger that is careless in the same way."""

    closed: Sequence[Trade] = ()
    decided: Sequence[Order] = ()
    asked: list[datetime] = field(default_factory=list)

    def trades(self, *, as_of: datetime) -> Sequence[Trade]:
        self.asked.append(as_of)
        return self.closed

    def orders(self, *, as_of: datetime) -> Sequence[Order]:
        self.asked.append(as_of)
        return self.decided


Line = Mapping[str, Any] | str | Outcome | Exception


@dataclass
class Scripted:
    """A model that says the lines of a script, one a question; text is read as the real one's."""

    script: Sequence[Line] | Callable[[Prompt, type[BaseModel]], Line]
    prompts: list[Prompt] = field(default_factory=list)
    deadlines: list[float] = field(default_factory=list)

    def ask(
        self, prompt: Prompt, schema: type[T], deadline: float, budget: DailyBudget
    ) -> Answer[T] | Failure:
        script = self.script
        line = script(prompt, schema) if callable(script) else script[len(self.prompts)]
        self.prompts.append(prompt)
        self.deadlines.append(deadline)
        if isinstance(line, Exception):
            raise line
        if isinstance(line, Outcome):
            return Failure(kind=line, message="as scripted", call=_call(prompt, schema, "", line))
        text = line if isinstance(line, str) else json.dumps(line)
        value = read_answer(text, schema, 100_000)
        if isinstance(value, Problem):
            call = _call(prompt, schema, text, Outcome.SCHEMA)
            return Failure(kind=Outcome.SCHEMA, message=value.message, call=call)
        return Answer(value=value, call=_call(prompt, schema, text, Outcome.ANSWER))

    @property
    def shown(self) -> str:
        """Everything the model has been shown."""
        return "\n".join(prompt.system + prompt.text for prompt in self.prompts)


def _call(prompt: Prompt, schema: type[BaseModel], text: str, outcome: Outcome) -> LlmCall:
    from decimal import Decimal

    wire = wire_schema(schema)
    attempt = Attempt(
        provider="local", model="scripted", repair="", outcome=outcome, message="", response=text,
        response_characters=len(text), stop_reason="end", answered_by="scripted", tokens_in=100,
        tokens_out=20, cost_usd=Decimal("0.001"), estimated=False, started=0.0, latency=0.0,
    )  # fmt: skip
    return LlmCall(
        key="k" * 64, sequence=0, prompt=prompt, schema_name=wire.name, schema_hash=wire.hash,
        parameters="{}", outcome=outcome, message="", asked_at=NOW, latency=0.0,
        attempts=(attempt,),
    )  # fmt: skip


def budget() -> DailyBudget:
    return DailyBudget(BudgetLimits(), SystemClock())


def wiring(*script: Line, **differs: Any) -> Wiring:
    """Wired with a model that says these lines."""
    return replace(Wiring(model=Scripted(script), budget=budget()), **differs)


def model_of(wired: Wiring) -> Scripted:
    assert isinstance(wired.model, Scripted)
    return wired.model
