"""An evaluation as files: `evaluation.json` for programs, `evaluation.html` for people."""

import json
from dataclasses import asdict, fields
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from advisor.evaluation.findings import Evaluation, headline
from advisor.evaluation.page import render
from advisor.exports import write_whole
from advisor.summary import plain


def write_evaluation(evaluation: Evaluation, folder: Path) -> None:
    """Write both files into a folder; the same evaluation gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(as_plain(evaluation), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(folder / "evaluation.json", text + "\n")
    write_whole(folder / "evaluation.html", render(evaluation))


def as_plain(evaluation: Evaluation) -> dict[str, Any]:
    """Everything in it as JSON can carry it: undefined and infinite numbers are null."""
    values = {field.name: _value(getattr(evaluation, field.name)) for field in fields(evaluation)}
    for row, forecasts in zip(values["forecasts"], evaluation.forecasts, strict=True):
        row["scores"]["calibration"] = forecasts.scores.calibration
    found: dict[str, Any] = plain({"headline": headline(evaluation.differences), **values})
    return found


def _value(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, date):
        return str(value)
    if isinstance(value, dict):
        return {name: _value(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_value(one) for one in value]
    if hasattr(value, "__dataclass_fields__"):
        return {name: _value(one) for name, one in asdict(value).items()}
    return value
