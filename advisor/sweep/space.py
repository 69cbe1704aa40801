"""Which combinations are tried: `--vary KEY=SPEC` read, checked, and laid out as a table.

A specification is a list (`1,1.4,2`), a stepped range with both ends (`1.0:1.6:0.1`) or, for random
and Optuna search, a range to draw from (`1.0:1.6`). The keys are the settings' own, of the groups
that steer the core, and `multipliers.*`: the factors an analyst would ask for, held all day. Each
value is checked by the dataclass it belongs to; a pair of values that contradict each other (an
entry window that ends before it begins) leaves that combination out, counted and named.
"""

import difflib
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from advisor.settings import Settings
from quant_core.bars import Floats
from quant_core.parameters import RULES, FillRules, RiskLimits, StdevParameters, pack
from quant_core.types import Multipliers
from tools.errors import BadInput

GROUPS: dict[str, Any] = {
    "stdev": StdevParameters,
    "risk": RiskLimits,
    "fills": FillRules,
    "multipliers": Multipliers,
}
MOST_COMBINATIONS = 100_000
_FACTORS = ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")


def sweepable() -> list[str]:
    """Every key that `--vary` takes."""
    return [f"{group}.{field.name}" for group, kind in GROUPS.items() for field in fields(kind)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """One varied key: its `values`, or (`values` empty) the range from `low` to `high`."""

    key: str
    values: tuple[float, ...]
    low: float
    high: float

    @property
    def whole(self) -> bool:
        """Whether the setting takes whole numbers only."""
        group, name = self.key.split(".")
        try:
            GROUPS[group](**{name: math.floor(self.low) + 0.5})
        except ValueError as error:
            return "whole number" in str(error)
        return False


def read_axis(text: str) -> Axis:
    """One `--vary` as an axis; BadInput says what is wrong with it."""
    key, equals, spec = text.partition("=")
    key, spec = key.strip(), spec.strip()
    if not equals or not spec:
        raise BadInput(
            f"--vary {text!r} names no values; write KEY=VALUES, such as "
            "stdev.mr_arm_z=1.0:1.6:0.1 or stdev.atr_multiplier_sl=1,1.4,2"
        )
    known = sweepable()
    if key not in known:
        near = difflib.get_close_matches(key, known, 1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else "`advisor sweep --help` names the groups"
        raise BadInput(f"--vary {key}: there is no such setting to vary; {hint}")
    if ":" not in spec:
        values = tuple(_number(part, key) for part in spec.split(",") if part.strip())
        return _axis(key, values)
    parts = [_number(part, key) for part in spec.split(":")]
    if len(parts) == 2:
        low, high = parts
        if low > high:
            raise BadInput(f"--vary {key}: the range {spec} ends before it begins; swap its ends")
        return Axis(key=key, values=(), low=low, high=high)
    if len(parts) != 3:
        raise BadInput(f"--vary {key}: {spec!r} is no range; write FROM:TO:STEP or FROM:TO")
    return _axis(key, _stepped(key, spec, *parts))


def _stepped(key: str, spec: str, low: float, high: float, step: float) -> tuple[float, ...]:
    if step <= 0 or not math.isfinite(high - low):
        raise BadInput(f"--vary {key}: the step of {spec} is {step:g}; it must be above 0")
    count = math.floor((high - low) / step + 1e-9) + 1
    if count > MOST_COMBINATIONS:
        raise BadInput(f"--vary {key}: {spec} has {count:,} values; take a larger step")
    return tuple(round(low + i * step, 12) for i in range(count))


def _axis(key: str, values: tuple[float, ...]) -> Axis:
    if not values:
        raise BadInput(f"--vary {key}: the grid is empty, there is no value to try; name some")
    if len(set(values)) < len(values):
        raise BadInput(f"--vary {key}: a value is named twice; name each once")
    return Axis(key=key, values=values, low=min(values), high=max(values))


def _number(text: str, key: str) -> float:
    try:
        value = float(text)
    except ValueError:
        raise BadInput(f"--vary {key}: {text.strip()!r} is not a number") from None
    if math.isnan(value):
        raise BadInput(f"--vary {key}: nan is not a value that can be tried")
    return value


def read_axes(texts: Sequence[str]) -> tuple[Axis, ...]:
    """All axes of a sweep, each key once."""
    axes = tuple(read_axis(text) for text in texts)
    if not axes:
        raise BadInput(
            "nothing is varied, the grid is empty; name a setting with --vary, such as "
            "--vary stdev.mr_arm_z=1.0:1.6:0.1"
        )
    keys = [axis.key for axis in axes]
    repeated = sorted({key for key in keys if keys.count(key) > 1})
    if repeated:
        raise BadInput(f"--vary {repeated[0]} is given twice; give all its values in one")
    return axes


def grid(axes: Sequence[Axis]) -> Floats:
    """Every combination of the axes' values, the last axis fastest; shape (combinations, axes)."""
    for axis in axes:
        if not axis.values:
            raise BadInput(
                f"--vary {axis.key}: a grid needs a step, {axis.low:g}:{axis.high:g} has none; "
                "write FROM:TO:STEP, or draw from the range with --method random"
            )
    count = math.prod(len(axis.values) for axis in axes)
    if count > MOST_COMBINATIONS:
        raise BadInput(
            f"the grid has {count:,} combinations, more than {MOST_COMBINATIONS:,}; take larger "
            "steps, or a sample with --method random --trials 1000"
        )
    columns = np.meshgrid(*(np.array(axis.values) for axis in axes), indexing="ij")
    return np.stack([column.ravel() for column in columns], axis=1)


def sample(axes: Sequence[Axis], trials: int, seed: int) -> Floats:
    """`trials` combinations drawn independently (PCG64), repeated ones left out."""
    random = np.random.Generator(np.random.PCG64(seed))
    table = np.empty((trials, len(axes)))
    for k, axis in enumerate(axes):
        if axis.values:
            table[:, k] = random.choice(np.array(axis.values), trials)
        elif axis.whole:
            table[:, k] = random.integers(math.ceil(axis.low), math.floor(axis.high) + 1, trials)
        else:
            table[:, k] = random.uniform(axis.low, axis.high, trials)
    _, first = np.unique(table, axis=0, return_index=True)
    drawn: Floats = table[np.sort(first)]
    return drawn


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """One combination as the core takes it."""

    playbook: StdevParameters
    limits: RiskLimits
    fills: FillRules
    multipliers: Multipliers

    def rules(self) -> np.ndarray:
        """The record that the kernels read, shape (1,)."""
        return pack(self.playbook, self.limits, self.fills)


def combination(settings: Settings, keys: Sequence[str], row: Sequence[float]) -> Chosen:
    """The settings with a row's values in place; ValueError where they cannot be."""
    changes: dict[str, dict[str, float]] = {group: {} for group in GROUPS}
    for key, value in zip(keys, row, strict=True):
        group, name = key.split(".")
        changes[group][name] = float(value)
    return Chosen(
        playbook=replace(settings.stdev, **changes["stdev"]),
        limits=replace(settings.risk, **changes["risk"]),
        fills=replace(settings.fills, **changes["fills"]),
        multipliers=Multipliers(**changes["multipliers"]),
    )


def in_force(settings: Settings, keys: Sequence[str]) -> tuple[float, ...]:
    """What the settings say of the varied keys; no analyst, so every multiplier is 1."""
    groups = {
        "stdev": settings.stdev, "risk": settings.risk, "fills": settings.fills,
        "multipliers": Multipliers(),
    }  # fmt: skip
    pairs = [key.split(".") for key in keys]
    return tuple(float(getattr(groups[group], name)) for group, name in pairs)


def usable(settings: Settings, keys: Sequence[str], table: Floats) -> tuple[Floats, list[str]]:
    """The rows that can be run, and a note on those that cannot.

    BadInput for a value that no row, of several, can be run with: it is out of range by itself.
    """
    reasons: list[str] = []
    for row in table.tolist():
        try:
            combination(settings, keys, row)
            reasons.append("")
        except ValueError as error:
            reasons.append(str(error))
    fine = np.array([not reason for reason in reasons])
    if fine.all():
        return table, []
    for k, key in enumerate(keys):
        for value in np.unique(table[:, k]):
            rows = np.flatnonzero(table[:, k] == value)
            if not fine[rows].any() and (len(rows) > 1 or len(keys) == 1):
                named = [reasons[i] for i in rows if _names(reasons[i], key)]
                if named:
                    raise BadInput(f"--vary {key}={value:g}: {named[0]}")
    if not fine.any():
        raise BadInput(f"the grid is empty: no combination can be run; {reasons[0]}")
    left = int((~fine).sum())
    first = next(reason for reason in reasons if reason)
    return table[fine], [
        f"{left:,} of {len(table):,} combinations contradict themselves and were left out: {first}"
    ]


def _names(reason: str, key: str) -> bool:
    """Whether an error's message is about this key."""
    return key.split(".")[1] in reason.split()


def rules_table(settings: Settings, keys: Sequence[str], table: Floats) -> tuple[Any, Floats]:
    """The kernels' records (C,) of dtype RULES and the fixed multipliers (C, 4) of every row."""
    rules = np.repeat(pack(settings.stdev, settings.risk, settings.fills), len(table))
    multipliers = np.ones((len(table), len(_FACTORS)))
    for k, key in enumerate(keys):
        group, name = key.split(".")
        if group == "multipliers":
            multipliers[:, _FACTORS.index(name)] = table[:, k]
        else:
            rules[name] = table[:, k]
    assert rules.dtype == RULES
    return rules, multipliers
