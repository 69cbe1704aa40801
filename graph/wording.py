"""Answers worded by code: from what was looked up to sentences that cite it.

This is the whole answer where no model is configured, and the answer that stands in when a model's
own does not hold. Nothing is computed here: every value is a fact of a row or a declared
derivation, and `graph.verification` checks these sentences like anybody's.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal

from graph.looking import Looked
from graph.requests import Refusal, Request
from graph.sentences import Sentence, dollars, many, say, shown
from graph.telling import NOUNS, tell, tell_check
from tools.evidence import Derivation, Row, remade

MOST_LINES = 25
NAMES = {
    "pnl": "P/L", "trades": "trades", "won": "winning trades", "lost": "losing trades",
    "win_rate": "win rate", "mean_pnl": "average P/L per trade", "mean_win": "average win",
    "mean_loss": "average loss", "gross_profit": "gross profit", "gross_loss": "gross loss",
    "fees": "fees", "mean_r": "average R per trade",
    "mean_minutes_held": "average minutes in a trade", "shares": "shares traded",
    "signals": "signals", "ordered": "signals ordered", "skipped": "signals skipped",
    "approved": "signals approved", "reduced": "signals reduced", "vetoed": "signals vetoed",
    "abstained": "abstentions", "analyses": "analyses", "degraded": "degraded analyses",
    "mean_confidence": "average confidence", "end_equity": "equity at the end",
    "start_equity": "equity at the start", "change": "change of the account",
    "positions": "open positions",
}  # fmt: skip


def word_answers(looked: Sequence[Looked]) -> list[Sentence]:
    """The answer to all requests of a question; two periods are also compared."""
    sentences = [sentence for one in looked for sentence in _worded(one)]
    alike = len({one.request.measure for one in looked}) == 1
    if (
        len(looked) == 2
        and alike
        and all(one.request.measure and one.found.figures for one in looked)
    ):
        first, second = (one.found.figures[0] for one in looked)
        sentences += _difference(looked[0].request.measure, first, second, "first")
    return sentences


def _worded(looked: Looked) -> list[Sentence]:
    sentences = _WORDINGS[looked.request.tool](looked)
    figure = (*looked.found.figures, *looked.found.rows, *looked.documents)[:1]
    for conflict in looked.found.conflicts:
        said = f"Careful, the ledger contradicts itself: {conflict.text}."
        sentences.append(say(said, *conflict.rows))
    if looked.request.period.note and figure:
        sentences.append(say(f"Note: {looked.request.period.note}.", *figure))
    if looked.documents and looked.request.tool != "search":
        sentences += _documents(looked.documents[:3], "What the records say")
    return sentences


def _scope_words(request: Request, figure: Row) -> str:
    """The scope as answers name it: symbols, filters, lane, days, hours."""
    scope = request.scope
    parts = [
        figure.symbol or ", ".join(scope.symbols),
        str(scope.setup) if scope.setup else "",
        {1: "long", -1: "short", 0: ""}[scope.side],
        f"exit {scope.exit_reason}" if scope.exit_reason else "",
        f"ruling {scope.ruling}" if scope.ruling and not request.measure else "",
        f"blocked by {scope.blocked_by}" if scope.blocked_by else "",
        "" if request.tool in ("lanes", "biases") else f"lane {scope.lane}",
        request.period.in_words(),
    ]
    return ", ".join(part for part in parts if part)


def _outcome(request: Request) -> str:
    return {"won": "winning ", "lost": "losing ", None: ""}[request.scope.outcome]


def _measured(looked: Looked) -> list[Sentence]:
    """A value of the figure over everything, or of each group, or the extreme one."""
    request, figures = looked.request, looked.found.figures
    if request.pick:
        return _picked(looked)
    name, whole = NAMES[request.measure], figures[0]
    sentences = [_value(request, whole, name)]
    groups = figures[1:]
    for group in groups[:MOST_LINES]:
        label = group.text(request.by)
        value = f"{shown(group.facts.get(request.measure))}{_trades_of(request, group)}"
        sentences.append(say(f"- {label}: {value}", group))
    if len(groups) > MOST_LINES:
        sentences.append(say("- … more groups are left out: narrow the question.", whole))
    if len(groups) == 2:
        sentences += _difference(request.measure, *groups, groups[0].text(request.by))
    return sentences


def _value(request: Request, figure: Row, name: str) -> Sentence:
    scope = _scope_words(request, figure)
    fact = figure.facts.get(request.measure)
    if fact is None:
        return say(f"There is no {name} ({scope}): no {_noun(request)} to take it from.", figure)
    if request.measure == "trades" and request.scope.outcome:
        name = f"{_outcome(request)}trades"
    start = f"{name[0].upper()}{name[1:]} ({scope})"
    return say(f"{start}: {shown(fact)}{_trades_of(request, figure)}.", figure)


def _noun(request: Request) -> str:
    return f"{_outcome(request)}{NOUNS.get(request.tool, 'record')}"


def _trades_of(request: Request, figure: Row) -> str:
    """How many trades a figure is made of, where it is not that number itself."""
    if request.tool not in ("trades", "lanes") or request.measure in ("trades", "won", "lost"):
        return ""
    number, won, lost = (figure.number(name) for name in ("trades", "won", "lost"))
    if number is None:
        return ""
    split = f" ({won} won, {lost} lost)" if number and request.scope.outcome is None else ""
    return f" over {many(int(number), _outcome(request) + 'trade')}{split}"


def _difference(measure: str, first: Row, second: Row, who: str) -> list[Sentence]:
    """What the first has more than the second, derived."""
    derivation = Derivation("difference", "difference", measure, (first.id, second.id))
    value = remade(derivation, {first.id: first, second.id: second})
    fact = first.facts.get(measure)
    if value is None or fact is None:
        return []
    text = shown(type(fact)(fact.unit, str(value)))
    than = f"{who} minus second" if who == "first" else f"{who} minus the other"
    return [say(f"Difference, {than}: {text}.", first, second, derived=[derivation])]


def _picked(looked: Looked) -> list[Sentence]:
    """The best or worst group, or trade."""
    request, figures = looked.request, looked.found.figures
    whole, name = figures[0], NAMES[request.measure]
    among = figures[1:] if request.by else looked.found.rows
    valued = [
        (value, row)
        for row in among
        if (value := row.number(request.measure)) is not None and row.number("trades") != 0
    ]
    scope = _scope_words(request, whole)
    if not valued:
        return [say(f"There is none: no {_noun(request)} ({scope}).", whole)]
    extreme: Callable[..., tuple[Decimal, Row]] = max if request.pick == "best" else min
    value, best = extreme(valued, key=lambda one: one[0])
    same = [row for number, row in valued if number == value]
    which = "Highest" if request.pick == "best" else "Lowest"
    if request.by:
        group = {"blocked_by": "check"}.get(request.by, request.by.replace("_", " "))
        start = f"{which} {name} by {group} ({scope})"
        names = ", ".join(row.text(request.by) for row in same[:5])
        value_words = f"{shown(best.facts[request.measure])}{_trades_of(request, best)}"
        return [say(f"{start}: {names}: {value_words}.", whole, *same[:5])]
    title = "Best trade" if request.pick == "best" else "Worst trade"
    return [say(f"{title} ({scope}): {tell(row)}", whole, row) for row in same[:3]]


def _listed(looked: Looked) -> list[Sentence]:
    """The records one by one."""
    request, found = looked.request, looked.found
    rows = list(found.rows)
    if request.period.at and not rows:
        return _nothing_at(looked)
    scope = _scope_words(request, found.figures[0])
    if not rows:
        return [say(f"There is no {_noun(request)} ({scope}).", found.figures[0])]
    if request.limit:
        rows = rows[-request.limit :] if request.newest else rows[: request.limit]
    derived = [Derivation("counted", "count", "", tuple(row.id for row in rows))]
    head = f"{many(len(rows), _noun(request))} ({scope})"
    lead = Sentence(text=f"{head}:", cites=(found.figures[0].id,), derived=tuple(derived))
    single = len(rows) == 1 and request.period.at
    sentences = [] if single else [lead]
    for row in rows[:MOST_LINES]:
        sentences.append(say(f"{'' if single else '- '}{tell(row)}", row))
        if request.reason:
            sentences += tell_check(row)
    if len(rows) > MOST_LINES:
        sentences.append(say("- … more are left out: narrow the question.", found.figures[0]))
    if request.tool == "trades" and not request.limit and not request.period.at:
        total = found.figures[0]
        sentences.append(say(f"Together: {shown(total.facts['pnl'])}.", total))
    return sentences


def _nothing_at(looked: Looked) -> list[Sentence]:
    """That nothing happened in the minute asked for, and what stands nearest."""
    request, figure = looked.request, looked.found.figures[0]
    scope = _scope_words(request, figure)
    day_alone = figure.facts.get("first")
    said = f"There was no {_noun(request)} in that minute ({scope.rsplit(', at ', 1)[0]})"
    sentences = [say(f"{said}.", figure)] if day_alone else []
    if looked.near:
        sentences.append(say("Nearest to it:", *looked.near))
        sentences += [say(f"- {tell(row)}", row) for row in looked.near]
    return sentences


def _reasons(looked: Looked) -> list[Sentence]:
    """What a result is made of: by exit, and the trades that weighed most."""
    request, found = looked.request, looked.found
    request = replace(request, measure="pnl")
    sentences = [_value(request, found.figures[0], NAMES["pnl"])]
    worst_first = sorted(found.rows, key=lambda row: row.number("pnl") or Decimal(0))
    total = found.figures[0].number("pnl") or Decimal(0)
    weighty = worst_first[:3] if total < 0 else worst_first[::-1][:3]
    if weighty:
        sentences.append(say("What weighed most:", found.figures[0]))
        sentences += [say(f"- {tell(row)}", row) for row in weighty]
    return sentences


def _lanes(looked: Looked) -> list[Sentence]:
    """Each lane's trades, and the differences to the baseline."""
    request, figures = looked.request, looked.found.figures
    measure = request.measure or "pnl"
    scope = _scope_words(request, figures[0])
    sentences = [say(f"{NAMES[measure][0].upper()}{NAMES[measure][1:]} by lane ({scope}):",
                     *figures)]  # fmt: skip
    for figure in figures:
        lane, value = figure.text("lane"), shown(figure.facts.get(measure))
        if figure.kind == "difference":
            sentences.append(say(f"- {lane} minus {figure.text('against')}: {value}", figure))
        else:
            extra = _trades_of(request, figure) if measure == "pnl" else ""
            sentences.append(say(f"- {lane}: {value}{extra}", figure))
    sentences.append(
        say("Whether a difference is more than chance: see the interval in the report.", *figures)
    )
    return sentences


def _account(looked: Looked) -> list[Sentence]:
    request, found = looked.request, looked.found
    if not found.rows:
        running = "no session had ended"
        return [say(f"There is no equity to name: {running} ({request.period.in_words()}).",
                    found.figures[0])]  # fmt: skip
    row = found.rows[0] if request.measure == "start_equity" else found.rows[-1]
    name = NAMES[request.measure or "end_equity"]
    value = dollars(row.number(request.measure or "end_equity"))
    text = f"{name[0].upper()}{name[1:]} of {row.text('date')}, lane {row.text('lane')}: {value}."
    return [say(text, row)]


def _positions(looked: Looked) -> list[Sentence]:
    found, figure = looked.found, looked.found.figures[0]
    if looked.request.tool != "positions":
        return _measured(looked) if looked.request.measure else _listed(looked)
    when, number = shown(figure.facts["time"]), int(figure.number("positions") or 0)
    lane = looked.request.scope.lane
    head = f"{many(number, 'open position')} as of {when} New York (lane {lane})"
    sentences = [say(f"{head}{':' if number else '.'}", figure)]
    return sentences + [say(f"- {tell(row)}", row) for row in found.rows]


def _documents(rows: Sequence[Row], title: str) -> list[Sentence]:
    """Documents word by word: a quotation can be checked, a summary cannot."""
    return [say(f"{title}:", *rows), *(say(f"- {row.text('text')}", row) for row in rows)]


def _searched(looked: Looked) -> list[Sentence]:
    if not looked.documents:
        raise Refusal("no_evidence", "Nothing in the records answers that.")
    return _documents(looked.documents, "Found in the records")


def _records(looked: Looked) -> list[Sentence]:
    request = looked.request
    if request.tool == "trades" and request.reason and request.measure and not request.by:
        return _reasons(looked)
    return _measured(looked) if request.measure else _listed(looked)


_WORDINGS: dict[str, Callable[[Looked], list[Sentence]]] = {
    "trades": _records, "signals": _records, "skipped": _records, "analyses": _records,
    "biases": _listed, "account": _account, "positions": _positions, "lanes": _lanes,
    "search": _searched,
}  # fmt: skip
