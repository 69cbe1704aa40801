"""Logs: one line for each event, JSON for machines, words for a terminal.

What a line is about (run, lane, minute, decision, order) is said once with `about` and stands on
every line below it. Secrets are never written: fields whose name says secret, passwords in URLs,
and the values of the environment's own secrets, wherever in a line they turn up.
"""

import contextvars
import json
import logging
import os
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import IO, Any, Literal

from quant_core.calendar import NEW_YORK

EVENTS = logging.getLogger("advisor.events")
_ABOUT: contextvars.ContextVar[dict[str, str] | None] = contextvars.ContextVar("about")
_FIELDS = "fields"  # the attribute of a record that carries an event's own fields
_HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"(?:^|_)(?:key|secret|token|password|passwd|authorization|webhook|credentials?)$", re.I
)
_PASSWORD_IN_URL = re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@")
_BEARER = re.compile(r"(?i)\b(bearer|basic)\s+[\w.~+/=-]{8,}")
_SHORTEST_SECRET = 8


@contextmanager
def about(**what: str) -> Iterator[None]:
    """Every line inside is about this: run, lane, minute, decision, order."""
    token = _ABOUT.set({**(_ABOUT.get(None) or {}), **what})
    try:
        yield
    finally:
        _ABOUT.reset(token)


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Write one event with its fields."""
    if EVENTS.isEnabledFor(level):
        EVENTS.log(level, name, extra={_FIELDS: fields})


def configure(
    form: Literal["auto", "json", "human"] = "auto",
    level: str = "info",
    stream: IO[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Send all logs of this process to a stream (stderr); `auto` is words on a terminal.

    Called again, it replaces what it did before; handlers of others stay.
    """
    stream = stream or sys.stderr
    hide = Redaction(os.environ if environment is None else environment)
    words = form == "human" or (form == "auto" and stream.isatty())
    handler = _Ours(stream)
    handler.setFormatter(WordsFormatter(hide) if words else JsonFormatter(hide))
    root = logging.getLogger()
    root.handlers = [one for one in root.handlers if not isinstance(one, _Ours)]
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("advisor").setLevel(level.upper())


class _Ours(logging.StreamHandler[IO[str]]):
    """The handler that `configure` made."""


class Redaction:
    """Takes out of a line what must not be in it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Secrets are the values of variables whose names say so; short ones would hit words."""
        self._values = sorted(
            {
                value
                for name, value in environment.items()
                if _SECRET_NAME.search(name) and len(value) >= _SHORTEST_SECRET
            },
            key=len,
            reverse=True,
        )

    def text(self, text: str) -> str:
        """A text without secrets."""
        for value in self._values:
            text = text.replace(value, _HIDDEN)
        return _BEARER.sub(rf"\1 {_HIDDEN}", _PASSWORD_IN_URL.sub(rf"\1:{_HIDDEN}@", text))

    def fields(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Fields without secrets, however deep."""
        return {
            name: _HIDDEN if _SECRET_NAME.search(name) else self._value(value)
            for name, value in fields.items()
        }

    def _value(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return self.fields(value)
        if isinstance(value, list | tuple):
            return [self._value(one) for one in value]
        if isinstance(value, float) and value != value:
            return None
        return value if isinstance(value, bool | int | float | None) else self.text(str(value))


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, logger, event, what it is about, its fields."""

    def __init__(self, hide: Redaction) -> None:
        """`hide` goes over all of it."""
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record; its error, if any, as one field."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": self._hide.text(record.getMessage()),
        }
        line |= self._hide.fields({**(_ABOUT.get(None) or {}), **getattr(record, _FIELDS, {})})
        if record.exc_info:
            line["error"] = self._hide.text(self.formatException(record.exc_info))
        return json.dumps(line, ensure_ascii=False, default=str)


class WordsFormatter(logging.Formatter):
    """New York time, level where it matters, event, and `name=value` for the rest."""

    def __init__(self, hide: Redaction) -> None:
        """`hide` goes over all of it."""
        super().__init__()
        self._hide = hide

    def format(self, record: logging.LogRecord) -> str:
        """The line of a record, and its traceback below it."""
        at = datetime.fromtimestamp(record.created, NEW_YORK).strftime("%H:%M:%S")
        fields = self._hide.fields({**(_ABOUT.get(None) or {}), **getattr(record, _FIELDS, {})})
        shown = " ".join(f"{name}={_shown(value)}" for name, value in fields.items())
        mark = "" if record.levelno <= logging.INFO else f"{record.levelname} "
        line = f"{at} {mark}{self._hide.text(record.getMessage())} {shown}".rstrip()
        if record.exc_info:
            line += "\n" + self._hide.text(self.formatException(record.exc_info))
        return line


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return f'"{text}"' if " " in text else text
