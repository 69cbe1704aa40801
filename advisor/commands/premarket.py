"""`advisor premarket`: what kind of day each symbol is expected to have, before it opens."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from advisor.commands.output import console, print_json
from advisor.commands.replay import ModelMode, Symbols, keep_apart, watchlist

if TYPE_CHECKING:
    from advisor.bootstrap import ReplayOptions
    from advisor.mornings import PreparedMorning
    from graph.ports import Event

HEADLINES = 12


class PreparerChoice(StrEnum):
    """Who prepares the day."""

    RULES = "rules"
    MODEL = "model"


def premarket(
    bars: Annotated[
        list[Path],
        typer.Option("--bars", help="Folder (or file) of 1-minute bars; repeat for more history."),
    ],
    daily: Annotated[
        Path | None, typer.Option(help="Folder of daily bars; VIX is taken from there too.")
    ] = None,
    day: Annotated[
        datetime | None,
        typer.Option(
            "--date", formats=["%Y-%m-%d"], metavar="YYYY-MM-DD", help="Session; default today."
        ),
    ] = None,
    at: Annotated[
        datetime,
        typer.Option(
            formats=["%H:%M"], metavar="HH:MM", show_default="08:30", help="As of, New York time."
        ),
    ] = datetime(1900, 1, 1, 8, 30),
    symbols: Symbols = None,
    news: Annotated[
        list[Path] | None,
        typer.Option("--news", help="News: file, folder or ledger; may be repeated."),
    ] = None,
    analyst: Annotated[
        PreparerChoice, typer.Option(help="Who forms the biases.")
    ] = PreparerChoice.RULES,
    llm: Annotated[
        ModelMode,
        typer.Option(help="A model's answers: live, recorded in --out, or replayed from there."),
    ] = ModelMode.RECORD,
    recordings: Annotated[
        Path | None, typer.Option(help="Recording to use instead of the one in --out.")
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the ledger; one for all days.")] = Path(
        "out/premarket"
    ),
    ledger: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Keep it in this database (postgresql://…) instead of --out."
        ),
    ] = None,
    archive: Annotated[
        str | None,
        typer.Option(
            metavar="PLACE",
            help="Also put it into a bucket (s3://bucket/folder), as YEAR/MONTH/DATE/…json; "
            "default: archive.premarket.",
        ),
    ] = None,
    fresh: Annotated[
        bool, typer.Option("--fresh", help="Discard this morning as it was kept, and ask again.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="Settings file (TOML).")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
) -> None:
    """Prepare a session: snapshots, news, a bias for each symbol, and the market's context."""
    from advisor.bootstrap import ReplayOptions
    from advisor.morning_archive import archived, as_document
    from advisor.morning_bars import MorningRequest
    from advisor.mornings import prepare_morning, session_on
    from advisor.settings import load_settings
    from quant_core.calendar import NEW_YORK

    settings = load_settings(config)
    request = MorningRequest(
        date=day.date() if day else datetime.now(NEW_YORK).date(),
        clock=at.time(),
        bars=tuple(bars),
        daily=daily,
        symbols=watchlist(symbols, settings),
    )
    session_on(request.date)  # before minutes are spent on reading
    keep_apart(out, [*bars, *([daily] if daily else [])])
    options = ReplayOptions(
        analyst="none",
        premarket=analyst.value,
        news=tuple(news or ()),
        llm=llm.value,
        recordings=recordings,
        fresh=fresh,
        ledger=ledger,
    )
    prepared = prepare_morning(request, options, settings, out, _show_step)
    if prepared.as_of > datetime.now(NEW_YORK):
        prepared.notes.append(
            f"{at:%H:%M} New York lies ahead: what becomes known until then is missing; ask again"
        )
    place = archive or settings.archive.premarket
    put = archived(prepared, place, settings.aws) if place else ""
    if json:
        print_json(as_document(prepared))
    else:
        _print(prepared, options)
        if put:
            console().print(f"Archived as {put}", markup=False)


def _show_step(event: "Event") -> None:
    """One line for each step of the machine that has ended."""
    said = event.failure or event.outcome
    words = event.step.replace("_", " ")
    console().print(f"  [dim]{words}{': ' if said else ''}[/dim]", end="")
    console().print(said, style="dim", markup=False)


def _print(prepared: "PreparedMorning", options: "ReplayOptions") -> None:
    """The prepared day for people."""
    from rich.text import Text

    from quant_core.calendar import new_york

    screen, context = console(), prepared.context
    heading = (
        f"Premarket of {context.date:%A} {context.date}, as of {new_york(prepared.as_of)[11:]}"
    )
    screen.print(Text(f"{heading} New York", style="bold"))
    known = (
        f", VIX {context.vix:.2f} at the close of {context.vix_date}" if context.vix_date else ""
    )
    screen.print(
        Text(
            f"Market {context.bias} ({context.confidence:.0f} %), volatility "
            f"{context.volatility}{known}"
        )
    )
    screen.print(Text(context.summary))
    if context.status != "OK":
        screen.print(Text(f"DEGRADED, the rules speak: {context.degraded_reason}", style="yellow"))
    screen.print(_table(prepared))
    _print_news(prepared, bool(options.news))
    cost = sum(kept.call.cost_usd for kept in prepared.calls)
    if prepared.calls:
        screen.print(f"{len(prepared.calls)} calls to a model, {cost:.4f} USD")
    for finding in prepared.findings:
        words = f"bounds: {finding.field} {finding.kind}: {finding.detail}"
        screen.print(Text(words, style="yellow"))
    missing = [
        f"no premarket price of {one.symbol}: {one.price_note}"
        for one in prepared.biases
        if one.price_note
    ]
    for note in (*missing, *prepared.notes):
        screen.print(Text(f"note: {note}"))
    for symbol, reasons in prepared.rejections.items():
        counts = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        screen.print(Text(f"refused rows of {symbol}: {counts}", style="yellow"))
    how = "It was prepared earlier and is shown from" if prepared.earlier else "Kept in"
    screen.print(Text(f"{how} {prepared.ledger} (run {prepared.run_id})"))


def _table(prepared: "PreparedMorning") -> Any:
    import math

    from rich.table import Table
    from rich.text import Text

    from quant_core.calendar import new_york

    table = Table("symbol", "bias", "%", "previous", "premarket", "gap", "why, news", box=None)
    for column in (2, 3, 4, 5):
        table.columns[column].justify = "right"
        table.columns[column].no_wrap = True
    closes = {one.symbol: one.previous_close for one in prepared.snapshots}
    colours = {"bullish": "green", "bearish": "red"}
    for one in prepared.biases:
        gap = 100.0 * (one.premarket_price / closes[one.symbol] - 1.0)
        price = one.price_note and "–"
        if one.premarket_price_at is not None:
            price = f"{one.premarket_price:.2f} {new_york(one.premarket_price_at)[11:]}"
        words = [one.reasoning, one.news_summary]
        if one.status != "OK":
            words.insert(0, f"DEGRADED ({one.degraded_reason})")
        table.add_row(
            one.symbol,
            Text(one.bias, style=colours.get(one.bias, "")),
            f"{one.confidence:.0f}",
            f"{closes[one.symbol]:.2f}" if math.isfinite(closes[one.symbol]) else "–",
            price,
            f"{gap:+.2f} %" if math.isfinite(gap) else "–",
            Text("\n".join(word for word in words if word)),
        )
    return table


def _print_news(prepared: "PreparedMorning", asked: bool) -> None:
    from rich.text import Text

    from prompts.enclosure import clean
    from quant_core.calendar import new_york

    screen = console()
    if not asked:
        screen.print("No news was supplied (--news).")
        return
    since = new_york(prepared.news_since)
    screen.print(f"News known by then, since {since} New York: {len(prepared.news)}")
    files = prepared.sources.files
    earlier = [one.known_at for one in files.shelf.items] if files else []
    if not prepared.news and (earlier := [at for at in earlier if at <= prepared.news_since]):
        screen.print(f"  the newest item before that is of {new_york(max(earlier))}")
    latest = sorted(prepared.news, key=lambda one: one.known_at, reverse=True)
    for one in latest[:HEADLINES]:
        about = " ".join(one.symbols[:4]) or "market"
        line = f"  {new_york(one.known_at)[5:]} {about:12} {clean(one.title)} ({clean(one.source)})"
        screen.print(Text(line, overflow="ellipsis", no_wrap=True))
    if len(latest) > HEADLINES:
        screen.print(f"  … and {len(latest) - HEADLINES} more in the ledger")
    counts = prepared.sources.counts()
    if counts and counts["rejected"]:
        named = ", ".join(f"{count} {reason}" for reason, count in counts["rejected"].items())
        refused = sum(counts["rejected"].values())
        screen.print(
            Text(f"{refused} of {counts['read']} rows of news were refused: {named}", "yellow")
        )
