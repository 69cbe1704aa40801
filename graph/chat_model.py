"""The model's part in the chat: choosing lookups, and wording an answer from the rows.

Both are proposals. Symbols, lanes, measures and dates of a plan are resolved and refused by code;
an answer becomes sentences whose citations are the ids of real rows, for verification to judge.
What the model is shown of others (the question, texts in rows) is enclosed as data.
"""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from graph.date_atoms import NoSuchTime
from graph.dates import Period, read_periods
from graph.guards import GUARDED
from graph.requests import MEASURES, Known, Refusal, Request, Topic
from graph.schemas import ChatAnswer, ChatLookup, ChatPlan
from graph.sentences import Sentence, minute, shown
from prompts import Facts, Item, Untrusted, render
from prompts.enclosure import ITEM_LIMIT
from quant_core.types import ExitReason, Setup
from tools.evidence import Derivation, Row
from tools.llm.calls import Prompt
from tools.scopes import Scope

MOST_LOOKUPS = 3
LINE = 100
_OUT_OF_SCOPE = "That is not something the ledger records, so I cannot answer it."


class Unusable(Exception):
    """A model's plan or answer that cannot be used, and why."""


def plan_prompt(question: str, known: Known, topic: Topic) -> Prompt:
    """The question about what to look up."""
    tools = [fact for tool, names in MEASURES.items() for fact in _words(tool, names)]
    last = topic.last
    about = Facts([], empty="(nothing yet)")
    if last is not None:
        scope = last.scope
        about = Facts(
            [
                ("topic.tool", last.tool),
                *_words("topic.symbols", scope.symbols or ("all",)),
                ("topic.when", last.period.in_words()),
                ("topic.lane", scope.lane),
            ]
        )
    return render(
        "chat_plan", 1,
        {"run": _run(known), "tools": Facts(tools), "topic": about, "question": _asked(question)},
    )  # fmt: skip


def answer_prompt(
    question: str, known: Known, shown_rows: Mapping[str, Row], problems: Sequence[str]
) -> Prompt:
    """The question for an answer from rows, which are known to the model by short ids."""
    rows = [Item(id=name, text=_row(row)) for name, row in shown_rows.items()]
    wrong = [Item(id=f"P{n}", text=problem) for n, problem in enumerate(problems, 1)]
    return render(
        "chat_answer", 2,
        {"run": _run(known), "question": _asked(question), "rows": Untrusted(rows),
         "problems": Untrusted(wrong, empty="(this is your first answer)")},
    )  # fmt: skip


def short_ids(rows: Mapping[str, Row], most: int = 40) -> dict[str, Row]:
    """Rows under the ids by which a model is shown them: figures, then documents, then records."""
    order = sorted(rows.values(), key=lambda row: (not row.derived, row.kind != "document"))
    return {f"R{number}": row for number, row in enumerate(order[:most], 1)}


def _run(known: Known) -> Facts:
    covers = f"{known.sessions[0]} to {known.sessions[-1]}" if known.sessions else "no session"
    return Facts(
        [
            ("run.now", f"{minute(known.as_of)} New York"),
            *_words("run.symbols", known.symbols),
            ("run.lanes", " ".join(known.lanes) or "none"),
            ("run.covers", covers),
        ]
    )


def _words(name: str, words: Sequence[str]) -> list[tuple[str, str]]:
    """Words as facts: as many to a line as it may hold."""
    lines = textwrap.wrap(" ".join(words) or "none", LINE, break_long_words=False)
    return [(name if n == 1 else f"{name}.{n}", line) for n, line in enumerate(lines, 1)]


def _asked(question: str) -> Untrusted:
    size = ITEM_LIMIT - 10
    pieces = [question[start : start + size] for start in range(0, len(question), size)]
    return Untrusted([Item(id=f"Q{n}", text=piece) for n, piece in enumerate(pieces, 1)])


def _row(row: Row) -> str:
    """A row as a model is shown it: values as people read them, texts last."""
    facts = sorted(row.facts.items(), key=lambda one: one[1].unit == "text")
    values = "; ".join(f"{name} {shown(fact)}" for name, fact in facts)
    return f"{row.kind}: {values}"


def requests_of(plan: ChatPlan, question: str, known: Known) -> tuple[Request, ...]:
    """A plan as requests. Refusal where a person must be told; Unusable where the plan is wrong."""
    if plan.refuse:
        if plan.refuse == "out_of_scope":
            raise Refusal("not_understood", _OUT_OF_SCOPE)
        raise Refusal(plan.refuse, GUARDED[plan.refuse])
    if not 1 <= len(plan.lookups) <= MOST_LOOKUPS:
        raise Unusable(f"it planned {len(plan.lookups)} lookups")
    found: list[Request] = []
    for lookup in plan.lookups:
        base = _request(lookup, question, known)
        for period in _periods(lookup, known):
            covered = known.covered(period)
            scope = replace(
                base.scope, first=covered.first, last=covered.last, after=covered.after,
                before=covered.before,
            )  # fmt: skip
            found.append(replace(base, period=covered, scope=scope))
    return tuple(found)


def _periods(lookup: ChatLookup, known: Known) -> tuple[Period, ...]:
    try:
        reading = read_periods(lookup.when.lower(), known.as_of, known.calendar)
    except NoSuchTime as error:
        raise Refusal(error.trouble, f"{str(error)[0].upper()}{str(error)[1:]}.") from error
    if lookup.when.strip() and not reading.periods:
        raise Unusable(f"{lookup.when[:60]!r} is no time")
    return reading.periods or (Period(),)


def _request(lookup: ChatLookup, question: str, known: Known) -> Request:
    symbols = tuple(dict.fromkeys(symbol.strip().upper() for symbol in lookup.symbols))
    known.check_symbols(symbols)
    lane = lookup.lane or known.lane
    if lane not in known.lanes:
        raise Unusable(f"there is no lane {lane[:40]!r}")
    if lookup.measure and lookup.measure not in MEASURES[lookup.tool]:
        raise Unusable(f"{lookup.tool} has no measure {lookup.measure[:40]!r}")
    if lookup.pick and not lookup.measure:
        raise Unusable("it picks without a measure")
    try:
        exit_reason = ExitReason(lookup.exit_reason) if lookup.exit_reason else None
    except ValueError:
        raise Unusable(f"there is no exit {lookup.exit_reason[:40]!r}") from None
    scope = Scope(
        lane=lane,
        symbols=symbols,
        setup=Setup(lookup.setup) if lookup.setup else None,
        side={"long": 1, "short": -1, "": 0}[lookup.side],  # type: ignore[arg-type]
        outcome=lookup.outcome or None,
        exit_reason=exit_reason,
        ruling=lookup.ruling or None,
        blocked_by=lookup.blocked_by or None,
    )
    return Request(
        tool=lookup.tool, scope=scope, measure=lookup.measure, by=lookup.by, pick=lookup.pick,
        reason=lookup.reason or lookup.tool == "search", query=question,
    )  # fmt: skip


def sentences_of(answer: ChatAnswer, shown_rows: Mapping[str, Row]) -> list[Sentence]:
    """An answer as sentences; an id that was not shown stays as it is, for verification to see."""

    def real(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(shown_rows[one].id if one in shown_rows else one for one in names)

    sentences = []
    for one in answer.sentences:
        derived = tuple(
            Derivation(_name(made.operation), made.operation, made.field, real(made.rows))
            for made in one.derivations
        )
        sentences.append(Sentence(text=one.text, cites=real(one.rows), derived=derived))
    return sentences


def _name(operation: str) -> str:
    return "counted" if operation == "count" else operation


def given(schema: Any, answer: Mapping[str, Any] | None) -> Any:
    """A model's answer as the object it is."""
    return schema.model_validate(answer)
