"""Chat: questions in plain words, answered with the rows that each statement rests on.

Pieces of an answer are shown as they come; the verified whole replaces them. What a model wrote is
shown as text, never as markup.
"""

import streamlit as st

from advisor.api import schemas
from ui import words
from ui.client import Trouble
from ui.parts import html, notices
from ui.visit import Visit, current

SUGGESTED = (
    "What was the P/L over the last 5 days?",
    "Show all trades of the last week",
    "Which signals were vetoed, and why?",
)
_REMEMBERED = 10
_PAGES = {"trade": "trades", "analysis": "analyses", "signal": "symbol", "day": "trades"}


def show() -> None:
    """The conversation so far, and the next question."""
    visit = current()
    health = notices.usable(visit.read_all(schemas.Health, "/api/health", fresh=3.0))
    parts = health.components if health else []
    if any(one.name == "chat" and one.state == "not_configured" for one in parts):
        title, body, command = notices.COMMANDS["chat-not-configured"]
        st.html(notices.notice("warn", title, body, command))
    said: list[schemas.ChatTurn] = st.session_state.setdefault("chat-turns", [])
    given: list[schemas.ChatAnswer | Trouble] = st.session_state.setdefault("chat-answers", [])
    for turn, answer in zip(said, given, strict=False):
        _bubble("user", f'<div class="words">{words.text(turn.text)}</div>')
        _bubble("assistant", _answer(answer, visit))
    question = _next_question(given)
    if question:
        _ask(visit, question, said, given)


def _next_question(given: list[schemas.ChatAnswer | Trouble]) -> str | None:
    """What was typed, or a suggestion that was chosen."""
    last = given[-1] if given else None
    offered = last.follow_ups if isinstance(last, schemas.ChatAnswer) else []
    chosen: str | None = None
    with st.container(horizontal=True):
        for number, one in enumerate((offered or SUGGESTED)[:4]):
            if st.button(one.replace("[", "\\["), key=f"chat-{len(given)}-{number}"):
                chosen = one
    return st.chat_input("Ask about trades, P/L, signals, analyses", max_chars=4_000) or chosen


def _ask(
    visit: Visit, question: str, said: list[schemas.ChatTurn],
    given: list[schemas.ChatAnswer | Trouble],
) -> None:  # fmt: skip
    last = next((one for one in reversed(given) if isinstance(one, schemas.ChatAnswer)), None)
    request = schemas.ChatRequest(
        question=question, run=visit.run, lane=visit.lane, history=_history(said, given),
        conversation=last.conversation if last else None,
    )  # fmt: skip
    _bubble("user", f'<div class="words">{words.text(question)}</div>')
    with st.chat_message("assistant"):
        place = st.empty()
        place.html('<span class="soft">Reading the ledger …</span>')
        pieces = ""
        end: schemas.ChatAnswer | Trouble | None = None
        for event in visit.client.ask(request, key=visit.key):
            if isinstance(event, Trouble):
                end = event
            elif event.kind == "text":
                pieces += event.text
                place.html(f'<div class="words">{words.text(pieces)}</div>')
            elif event.answer is not None:
                end = event.answer
            elif event.problem is not None:
                end = Trouble("busy", event.problem.detail, event.problem.type.rpartition("/")[2])
    said.append(schemas.ChatTurn(role="user", text=question))
    given.append(end or Trouble("broken", "The answer broke off; ask again."))
    st.rerun()


def _history(
    said: list[schemas.ChatTurn], given: list[schemas.ChatAnswer | Trouble]
) -> list[schemas.ChatTurn]:
    """The last turns that were answered."""
    turns = []
    for turn, answer in zip(said, given, strict=False):
        if isinstance(answer, schemas.ChatAnswer):
            turns += [turn, schemas.ChatTurn(role="assistant", text=answer.text[:16_000])]
    return turns[-2 * _REMEMBERED :]


def _bubble(who: str, safe: str) -> None:
    with st.chat_message(who):
        st.html(safe)


def _answer(answer: schemas.ChatAnswer | Trouble, visit: Visit) -> str:
    if isinstance(answer, Trouble):
        return notices.explained(answer)
    refused = (
        f"{html.chip('refused', 'warn')} {words.text(answer.reason)}" if answer.refused else ""
    )
    sources = " ".join(_source(one, visit) for one in answer.citations)
    under = f'<p class="small soft">Rests on {sources}</p>' if sources else ""
    return f'<div class="words">{words.text(answer.text)}</div>{refused}{under}'


def _source(one: schemas.Citation, visit: Visit) -> str:
    page = _PAGES.get(one.kind)
    shown = one.label or f"{one.kind} {one.id}"
    if page is None:
        return html.chip(shown, "soft")
    day = words.local(one.known_at).date() if one.known_at and page != "trades" else None
    trade = one.id if one.kind == "trade" else None
    return html.link(visit.link(page, lane=one.lane, date=day, trade=trade), f"[{shown}]")
