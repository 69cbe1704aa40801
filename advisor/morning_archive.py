"""A prepared day as one document, and where it is archived: YEAR/MONTH/DATE in a bucket.

The name holds the morning's run, which is made of everything that led to it: the same morning is
the same object with the same bytes, whoever puts it there and however often; another one of the
same date stands beside it.
"""

import json
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from advisor.mornings import PreparedMorning
from advisor.summary import plain
from tools.aws.objects import Objects
from tools.aws.parameters import AwsParameters


def archived(prepared: PreparedMorning, place: str, access: AwsParameters) -> str:
    """Put a prepared day into a bucket; gives the object's place. Errors are those of `Objects`."""
    document = as_document(prepared)
    # How it came to be asked for, and from where, is no part of it.
    for name in ("prepared_earlier", "ledger", "notes"):
        del document[name]
    bucket = Objects(place, access)
    key = f"{prepared.context.date:%Y/%m/%d}/premarket-{prepared.run_id}.json"
    body = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False).encode()
    bucket.put(key, body, "application/json")
    return bucket.place(key)


def as_document(prepared: PreparedMorning) -> dict[str, Any]:
    """The prepared day as plain values; NaN and infinities are null."""
    document: dict[str, Any] = plain(
        {
            "run_id": prepared.run_id,
            "date": str(prepared.context.date),
            "as_of": prepared.as_of,
            "prepared_earlier": prepared.earlier,
            "context": _dated(asdict(prepared.context)),
            "biases": [_dated(asdict(one)) for one in prepared.biases],
            "snapshots": [_dated(asdict(one)) for one in prepared.snapshots],
            "news": {
                "since": prepared.news_since,
                "files": prepared.sources.counts(),
                "items": [asdict(one) for one in prepared.news],
            },
            "calls": [
                {
                    "prompt": f"{kept.call.prompt.id}.v{kept.call.prompt.version}",
                    "key": kept.call.key,
                    "model": kept.call.model,
                    "outcome": kept.call.outcome,
                    "tokens_in": kept.call.tokens_in,
                    "tokens_out": kept.call.tokens_out,
                    "cost_usd": str(kept.call.cost_usd),
                    "latency": kept.call.latency,
                }
                for kept in prepared.calls
            ],
            "findings": [asdict(one) for one in prepared.findings],
            "notes": prepared.notes,
            "bars_refused": prepared.rejections,
            "ledger": prepared.ledger,
            "chain_heads": prepared.chain_heads,
        }
    )
    return document


def _dated(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: str(value) if isinstance(value, date) and not isinstance(value, datetime) else value
        for name, value in values.items()
    }
