"""What is said when something is not as it should be: absent, degraded, halted, empty."""

import re

import streamlit as st

from ui import words
from ui.client import Reading, Trouble
from ui.visit import M

_WAITING = "page-waits"
COMMANDS = {
    "no-run": (
        "There is no run in this ledger yet",
        "A run fills it; this page shows it as soon as it has begun.",
        "advisor demo --out out/demo\n"
        "advisor replay --bars DIR --daily DIR --from DATE --to DATE --out out/mine",
    ),
    "chat-not-configured": (
        "No chat is configured on this server",
        "All other pages work without it. The same questions can be asked on the command line:",
        'advisor ask "Why did we skip NVDA?" --run out/demo',
    ),
}


def notice(tone: str, title: str, body: str, command: str = "") -> str:
    """A box with a title, a sentence and perhaps commands to run; all given as text."""
    lines = f"<pre>{words.text(command)}</pre>" if command else ""
    return (
        f'<div class="a-notice {tone}" role="status"><b>{words.text(title)}</b>'
        f"{with_commands(body)}{lines}</div>"
    )


def with_commands(body: str) -> str:
    """A text in which what stands between backticks is shown as what one types."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", words.text(body))


def explained(trouble: Trouble, age: float | None = None) -> str:
    """What a trouble means for the reader; `age` of what is shown in the meantime, in seconds."""
    shown = "" if age is None else f" What is shown was true {words.span(age)} ago."
    if trouble.kind in COMMANDS:
        title, body, command = COMMANDS[trouble.kind]
        return notice("", title, body, command)
    if trouble.why == "away":
        return notice(
            "stop", "The API does not answer",
            f"{trouble.detail}{shown} Trying again; `advisor serve` starts it.",
        )  # fmt: skip
    titles = {
        "scope": "This key may not see that",
        "missing": "Not found",
        "busy": "The API is busy",
        "refused": "The API refused the request",
        "broken": "The API answered with an error",
        "key": "A key is needed",
    }
    return notice("warn", titles[trouble.why], f"{trouble.detail}{shown}")


def usable(reading: Reading[M]) -> M | None:
    """The value, after saying what is wrong with it; None when there is nothing to show.

    A key that has stopped counting leads to the form for another one; a page that has nothing to
    show is drawn again at the next tick (`is_waiting`).
    """
    if reading.trouble is not None:
        if reading.trouble.why == "key":
            st.rerun()
        if reading.value is None:
            st.session_state[_WAITING] = True
            st.html(explained(reading.trouble))
    return reading.value


def is_waiting() -> bool:
    """Whether a page has had nothing to show since this was asked last."""
    return bool(st.session_state.pop(_WAITING, False))


def ask_for_key(trouble: Trouble) -> None:
    """A form for the key. It stays in this visitor's session and goes only to the API."""
    expired = trouble.kind == "wrong-key"
    st.html(
        notice(
            "warn", "The key is not valid (any more)" if expired else "This API needs a key",
            "`advisor keys create NAME` makes one. It is kept for this browser tab only.",
        )
    )  # fmt: skip
    with st.form("key-form", border=False):
        given = st.text_input("Key", type="password")
        if st.form_submit_button("Use this key"):
            st.session_state["key"] = given.strip()
            st.rerun()
