"""`advisor check lookahead`: proof on your own bars that nothing reads the future.

Exit code 6 when an output changed with its future, or a canary was not caught.
"""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.commands.output import console, print_json
from advisor.commands.replay import Bars, Daily, Symbols, watchlist

if TYPE_CHECKING:
    from advisor.lookahead.checking import Report
    from advisor.market import Market
    from quant_core.memory import Memory

app = typer.Typer(help="Checks of the advisor itself: lookahead.")

FOUND = 6
SHOWN = 40


class _Analyst(StrEnum):
    NONE = "none"
    RULES = "rules"


class _Validation(StrEnum):
    OFF = "off"
    RULES = "rules"


_Day = ["%Y-%m-%d"]


@app.callback()
def _check() -> None:
    """Keep `lookahead` a subcommand."""


@app.command("lookahead")
def lookahead(
    bars: Bars,
    first: Annotated[
        datetime,
        typer.Option("--from", formats=_Day, metavar="YYYY-MM-DD", help="First date checked."),
    ],
    last: Annotated[
        datetime,
        typer.Option("--to", formats=_Day, metavar="YYYY-MM-DD", help="Last date checked."),
    ],
    daily: Daily = None,
    symbols: Symbols = None,
    analyst: Annotated[
        _Analyst, typer.Option(help="Who proposes multipliers in the run that is checked.")
    ] = _Analyst.RULES,
    validation: Annotated[
        _Validation, typer.Option(help="Who rules on signals in the run that is checked.")
    ] = _Validation.RULES,
    cut: Annotated[
        list[datetime] | None,
        typer.Option(
            "--cut", formats=["%Y-%m-%d %H:%M", "%Y-%m-%dT%H:%M"], metavar="'YYYY-MM-DD HH:MM'",
            help="Cut here (New York time); repeat for more. Else --cuts moments are drawn.",
        ),
    ] = None,
    cuts: Annotated[int, typer.Option(min=1, max=200, help="How many moments are drawn.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the moments and of the noise.")] = 0,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:  # fmt: skip
    """Cut or falsify the future anywhere: what was said before must not change by a bit."""
    from advisor.bootstrap import ReplayOptions
    from advisor.lookahead.checking import check, choose_moments
    from advisor.market import MarketRequest, assemble, read_rows
    from advisor.settings import load_settings
    from quant_core.memory import feature_memories, playbook_memories

    settings = load_settings(config)
    request = MarketRequest(
        bars=tuple(bars),
        daily=daily,
        first=first.date(),
        last=last.date(),
        symbols=watchlist(symbols, settings),
    )
    options = ReplayOptions(analyst=analyst.value, validation=validation.value)
    with console().status("Reading bars …") as status:
        rows = read_rows(request, settings)
        market = assemble(request, settings, *rows)
        moments = _moments(market, cut) if cut else choose_moments(market, cuts, seed)
        report = check(
            request, options, settings, rows, moments, seed=seed,
            progress=lambda words: status.update(f"Checking: {words} …"),
        )  # fmt: skip
        status.update("Measuring how long formulas remember …")
        minutes, days = market.minutes[0], market.histories[0].daily
        memories = [
            *playbook_memories(minutes, days, market.calendar),
            *feature_memories(minutes, "1min", market.calendar),
        ]
    _show(report, market, memories)
    if json:
        print_json(_as_json(report, market, memories))
    if not report.passed:
        raise typer.Exit(FOUND)


def _moments(market: "Market", cut: list[datetime]) -> list[int]:
    """The moments a person named, as minutes since the epoch; BadInput for one without bars."""
    from advisor.lookahead.checking import usable
    from quant_core.calendar import NEW_YORK
    from tools.errors import BadInput

    found = sorted({int(moment.replace(tzinfo=NEW_YORK).timestamp()) // 60 for moment in cut})
    for moment in found:
        if not usable(market, moment):
            raise BadInput(
                f"--cut {_at(moment)} cannot be checked: name a moment after the open and up to "
                f"the close of a session from {market.sessions[0].date} to "
                f"{market.sessions[-1].date}, by which its session and every symbol have a bar"
            )
    return found


def _at(moment: int) -> str:
    from quant_core.calendar import new_york, to_datetime

    return new_york(to_datetime(moment))


def _show(report: "Report", market: "Market", memories: "list[Memory]") -> None:
    screen = console()
    screen.print(
        f"Look-ahead checks of {', '.join(market.symbols)}, {market.sessions[0].date} to "
        f"{market.sessions[-1].date}, at {', '.join(map(_at, report.moments))} New York",
        style="dim",
    )
    screen.print(_outputs(report))
    screen.print("\nPipelines that cheat on purpose: the same comparison must catch them.")
    for canary in report.canaries:
        words = f"caught, {canary.caught}" if canary.caught else "[bold red]NOT CAUGHT[/bold red]"
        screen.print(f"  {canary.name}: {words}")
    screen.print("\nWhat time is worth: the baseline with decisions shifted (early: impossible).")
    screen.print(_shifts(report))
    if report.delay_costs:
        screen.print(
            "! A minute's delay costs more than chance explains. So it would if the pipeline "
            "peeked; so it does where a strategy lives by the minute.",
            style="yellow",
        )
    _show_memories(memories, market.minutes[0].symbol)
    screen.print(_conclusion(report))


def _outputs(report: "Report") -> Any:
    from rich.table import Table

    table = Table("output", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("rows compared", "future cut off", "future made noise"):
        table.add_column(name, justify="right")
    for output in dict.fromkeys(one.comparison.output for one in report.results):
        own = [one for one in report.results if one.comparison.output == output]
        rows = sum(one.comparison.rows for one in own if one.way == "cut")
        words = []
        for way in ("cut", "noise"):
            leaks = sum(one.way == way and not one.comparison.agrees for one in own)
            words.append(f"[bold red]changed at {leaks}[/bold red]" if leaks else "same")
        table.add_row(output.replace("_", " "), f"{rows:,}", *words)
    return table


def _shifts(report: "Report") -> Any:
    from rich.table import Table

    table = Table("decisions", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("trades", "profit", "a day, vs on time", "95 % interval", ""):
        table.add_column(name, justify="left" if not name else "right")
    names = {-1: "a minute early", 0: "on time", 1: "a minute late"}
    for one in report.timings:
        cells = ["", "", ""]
        if one.late:
            gain = one.gain
            known = gain.low == gain.low
            cells = [
                f"{gain.mean:+,.2f} $",
                f"{gain.low:+,.2f} to {gain.high:+,.2f} $" if known else "",
                gain.verdict,
            ]
        table.add_row(names[one.late], f"{one.trades:,}", f"{one.pnl:+,.2f} $", *cells)
    return table


def _show_memories(memories: "list[Memory]", symbol: str) -> None:
    from rich.table import Table

    from quant_core.memory import MULTIPLES

    lasting = sorted(
        (one for one in memories if one.recursive),
        key=lambda one: (one.settles == one.settles, -one.settles),
    )
    console().print(
        f"\nHow long formulas remember ({symbol}): {len(memories) - len(lasting)} of "
        f"{len(memories)} depend on their warm-up alone; the others differ from the full history "
        "by this share after so many warm-ups, and not at all (1e-6) from the last column on."
    )
    table = Table("value", "counts", box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("warm-up", *(f"×{multiple}" for multiple in MULTIPLES), "same from"):
        table.add_column(name, justify="right")
    for one in lasting[:SHOWN]:
        settled = f"{one.settles:,.0f}" if one.settles == one.settles else "not in these bars"
        shares = [_share(value) for value in one.differences]
        table.add_row(one.name, one.unit, f"{one.warm_up}", *shares, settled)
    console().print(table)
    if len(lasting) > SHOWN:
        console().print(f"… and {len(lasting) - SHOWN} more that settle sooner; --json has all")


def _share(value: float) -> str:
    if value != value:
        return "-"
    return "missing" if value == float("inf") else f"{value:.1e}"


def _conclusion(report: "Report") -> str:
    if report.leaks:
        worst = report.leaks[0]
        return (
            f"\n[bold red]LOOK-AHEAD FOUND[/bold red] in {len(report.leaks)} of "
            f"{len(report.results)} comparisons; the first: {worst.comparison.output} at "
            f"{_at(worst.moment)}, future {worst.way}: {worst.comparison.first}"
        )
    if report.blind:
        names = ", ".join(canary.name for canary in report.blind)
        return (
            f"\n[bold red]NOT PROVEN[/bold red]: nothing changed, but neither was noticed: "
            f"{names}. Check more sessions or other moments."
        )
    decided = any(
        one.comparison.output == "decisions" and one.comparison.rows for one in report.results
    )
    return (
        f"\n[bold]No look-ahead[/bold]: {len(report.results)} comparisons at "
        f"{_counted(len(report.moments), 'moment')}, all the same to the last bit."
        + ("" if decided else " No signal fell before them: decisions and trades were not tested.")
    )


def _counted(count: int, word: str) -> str:
    return f"{count:,} {word}" + ("" if count == 1 else "s")


def _as_json(report: "Report", market: "Market", memories: "list[Memory]") -> dict[str, Any]:
    import math
    from dataclasses import asdict

    def plain(value: Any) -> Any:
        if isinstance(value, float) and not math.isfinite(value):
            return None
        if isinstance(value, dict):
            return {key: plain(one) for key, one in value.items()}
        return [plain(one) for one in value] if isinstance(value, list | tuple) else value

    found = {
        "passed": report.passed,
        "delay_costs": report.delay_costs,
        "symbols": market.symbols,
        "sessions": [market.sessions[0].date, market.sessions[-1].date],
        "moments": [_at(moment) for moment in report.moments],
        "comparisons": [
            {"moment": _at(one.moment), "future": one.way, **asdict(one.comparison)}
            for one in report.results
        ],
        "canaries": [asdict(canary) for canary in report.canaries],
        "timings": [asdict(one) for one in report.timings],
        "memories": [{**asdict(one), "recursive": one.recursive} for one in memories],
    }
    return {key: plain(value) for key, value in found.items()}
