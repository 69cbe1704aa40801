"""A process that analyses and is killed on the way: `python -m tests.graph.dying FILE LOG WHERE`.

`WHERE` is the step at whose beginning the process kills itself, or `nowhere`. Every read, every
question and every opinion that is kept is a line in LOG, written through to the file.
"""

import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from graph import market_analysis
from graph.checkpoints import Checkpoints
from graph.ports import Event, Wiring
from quant_core.types import Headline, Trade
from tests.graph.worlds import GOOD, Past, Scripted, budget, headline, view
from tools.llm.budget import DailyBudget
from tools.llm.calls import Answer, Failure, Prompt

T = TypeVar("T", bound=BaseModel)


def main(file: str, log: str, where: str) -> None:
    def say(line: str) -> None:
        with Path(log).open("a") as out:
            out.write(f"{line}\n")
        if line == where:
            os.kill(os.getpid(), signal.SIGKILL)

    class News:
        def news(
            self, symbols: Sequence[str], *, as_of: datetime, since: datetime
        ) -> list[Headline]:
            say("news")
            return [headline("Chips fly")]

    class History(Past):
        def trades(self, *, as_of: datetime) -> Sequence[Trade]:
            say("trades")
            return []

    class Model:
        def ask(
            self, prompt: Prompt, schema: type[T], deadline: float, budget: DailyBudget
        ) -> Answer[T] | Failure:
            say("ask")
            found = Scripted([GOOD]).ask(prompt, schema, deadline, budget)
            say("answer")
            return found

    def progress(event: Event) -> None:
        say(f"after {event.step}")

    with Checkpoints.open(file) as checkpoints:
        wiring = Wiring(
            model=Model(),
            budget=budget(),
            news=News(),
            history=History(),
            checkpoints=checkpoints,
            progress=progress,
        )
        analyse = market_analysis.analyst(wiring, lambda opinion: say("kept"))
        print(analyse(view()).multipliers.mr_arm)


if __name__ == "__main__":
    main(*sys.argv[1:])
