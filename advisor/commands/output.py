"""How commands speak: JSON results to stdout, everything for people to stderr."""

import json
import sys
from typing import Any

from rich.console import Console


def console() -> Console:
    """The console for people (stderr); plain when it is not a terminal."""
    return Console(stderr=True, highlight=False, soft_wrap=not sys.stderr.isatty())


def print_json(value: Any) -> None:
    """A result, as one JSON document on stdout."""
    print(json.dumps(value, indent=2, allow_nan=False, default=str))


def without_password(place: str) -> str:
    """A path or database URL as it may be shown."""
    scheme, mark, rest = place.partition("://")
    who, at, where = rest.rpartition("@")
    return f"{scheme}://{who.partition(':')[0]}{at}{where}" if mark else place
