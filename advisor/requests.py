"""What a replay was asked, kept beside its ledger: where its bars are and who advised.

`request.json` is for convenience: an evaluation finds the bars again without being told. It is not
to be trusted and need not be: bars and request are part of the run's identity, and are checked
against it. Paths are absolute, so that it does not matter from where one evaluates.
"""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from advisor.bootstrap import ReplayOptions
from advisor.market import MarketRequest
from tools.errors import BadInput
from tools.market.buckets import in_bucket

REQUEST = "request.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRequest:
    """A request, who advised, and the digests of the accepted bars and of the news read.

    `ledger` is the database that the run `run` was kept in; None for the folder's own file.
    """

    request: MarketRequest
    options: ReplayOptions
    digest: str
    news: str
    ledger: str | None = None
    run: str | None = None


def keep_request(
    folder: Path, request: MarketRequest, options: ReplayOptions, digest: str, news: str,
    *, ledger: str | None = None, run: str | None = None,
) -> None:  # fmt: skip
    """Write the request of a replay into its folder."""
    values = {
        "bars": [_place(path) for path in request.bars],
        "daily": _place(request.daily) if request.daily else None,
        "from": str(request.first),
        "to": str(request.last),
        "symbols": list(request.symbols),
        "analyst": options.analyst,
        "validation": options.validation,
        "premarket": options.premarket,
        "mask": options.mask,
        "pace": options.pace,
        "own_time": options.own_time,
        "bars_digest": digest,
        "news_digest": news,
    }
    if ledger is not None:
        values |= {"ledger": ledger, "run": run}
    (folder / REQUEST).write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")


def _place(path: Path) -> str:
    """Where bars are, from any folder; a bucket is where it is."""
    return str(path if in_bucket(path) else path.resolve())


def kept_request(folder: Path) -> KeptRequest:
    """The request of the replay in a folder; BadInput when it is missing or unreadable."""
    place = folder / REQUEST
    if not place.is_file():
        raise BadInput(
            f"{folder} has no {REQUEST}: it was not written by `advisor replay` or `demo`, or by "
            "an older version; replay it again with --fresh"
        )
    try:
        return _read(json.loads(place.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{place} cannot be read ({type(error).__name__}: {error}); replay again with --fresh"
        ) from error


def _read(values: dict[str, Any]) -> KeptRequest:
    request = MarketRequest(
        bars=tuple(Path(path) for path in values["bars"]),
        daily=Path(values["daily"]) if values["daily"] else None,
        first=date.fromisoformat(values["from"]),
        last=date.fromisoformat(values["to"]),
        symbols=tuple(values["symbols"]),
    )
    options = ReplayOptions(
        analyst=values["analyst"],
        validation=values["validation"],
        premarket=values["premarket"],
        mask=values["mask"],
        pace=values["pace"],
        own_time=values.get("own_time", False),  # unknown to earlier versions
    )
    return KeptRequest(
        request=request,
        options=options,
        digest=values["bars_digest"],
        news=values["news_digest"],
        ledger=values.get("ledger"),
        run=values.get("run"),
    )
