"""The only reader of environment and `advisor.toml`: every setting, its default, and its source.

Order of precedence: environment (`ADVISOR_RISK__MAX_POSITIONS=5`), then the file named by
`--config` or `ADVISOR_CONFIG` (default `advisor.toml` in the working folder, if there), then the
defaults beside the code they steer. An unknown key is an error wherever it stands: a limit that is
misspelt must not silently be another limit.
"""

import difflib
import hashlib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quant_core.parameters import FillRules, RiskLimits, StdevParameters
from tools.errors import BadInput
from tools.llm import BudgetLimits, ModelParameters, PriceList

ENVIRONMENT_PREFIX = "ADVISOR_"
LISTS = {"watchlist", "llm.models", "api.cors_origins"}
NOT_SETTINGS = {"ADVISOR_CONFIG", "ADVISOR_TEST_DATA"}
# Groups that no decision depends on: the same replay on another port is the same replay.
WITHOUT_EFFECT = {"api"}


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class AccountSettings(_Group):
    """The account a replay starts with."""

    start_equity: float = Field(100_000.0, gt=0, le=1e12)


class AnalysisSettings(_Group):
    """When the market is analysed, and for how long an answer counts.

    In replay an answer applies `latency_bars` bars after the last bar it saw (1 = the next bar).
    A model that has not answered within `deadline_seconds` has not answered.
    """

    interval_minutes: int = Field(15, ge=5, le=60)
    latency_bars: int = Field(1, ge=1, le=60)
    deadline_seconds: float = Field(45.0, gt=0, le=300)
    expiry_intervals: int = Field(2, ge=1, le=10)


class ValidationSettings(_Group):
    """What becomes of a signal on which the validator abstains."""

    on_abstain: Literal["skip", "proceed", "reduce"] = "skip"
    abstain_factor: float = Field(0.5, gt=0, lt=1)


class LaneSettings(_Group):
    """The lanes an advised run is compared with."""

    placebo_seed: int = Field(7, ge=0)


class BarSettings(_Group):
    """How bar files are read when they do not say it themselves."""

    timezone: str | None = None
    label: Literal["start", "end"] = "start"
    columns: dict[str, str] = Field(default_factory=dict)


class ApiSettings(_Group):
    """The REST API: where it listens, who may call it, and how much of it.

    Requests are counted per key; a caller on this machine who needs no key is not counted.
    `cors_origins` are the sites whose pages may call it from a browser, such as
    `https://me.example`. None of it changes what a run decides.
    """

    host: str = Field("127.0.0.1", min_length=1, max_length=255)
    port: int = Field(8765, ge=0, le=65535)
    keys_file: str = Field("advisor-keys.json", min_length=1)
    cors_origins: tuple[str, ...] = ()
    requests_per_minute: int = Field(100, ge=1, le=1_000_000)
    max_body_bytes: int = Field(65_536, ge=1_024, le=10_000_000)
    max_streams: int = Field(50, ge=1, le=1_000)
    stream_poll_seconds: float = Field(1.0, ge=0.05, le=60)


class Settings(_Group):
    """Everything a user can set; see `advisor settings` for the values in force."""

    watchlist: tuple[str, ...] = ("SPY", "QQQ", "IWM", "NVDA", "TSLA")
    account: AccountSettings = AccountSettings()
    stdev: StdevParameters = StdevParameters()
    risk: RiskLimits = RiskLimits()
    fills: FillRules = FillRules()
    analysis: AnalysisSettings = AnalysisSettings()
    validation: ValidationSettings = ValidationSettings()
    lanes: LaneSettings = LaneSettings()
    bars: BarSettings = BarSettings()
    llm: ModelParameters = ModelParameters()
    llm_budget: BudgetLimits = BudgetLimits()
    llm_prices: PriceList = PriceList()
    api: ApiSettings = ApiSettings()

    def plain(self) -> dict[str, Any]:
        """Nested plain values, in the order of declaration."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    def config_hash(self) -> str:
        """Identity of the values that can change a decision (16 hexadecimal digits)."""
        values = {name: v for name, v in self.plain().items() if name not in WITHOUT_EFFECT}
        text = msgspec.json.encode(values, order="deterministic")
        return hashlib.sha256(text).hexdigest()[:16]


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return {name: _plain(item) for name, item in value.model_dump().items()}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: _plain(item) for name, item in asdict(value).items()}
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf"
    return list(value) if isinstance(value, tuple) else value


def load_settings(
    file: Path | None = None, environment: Mapping[str, str] | None = None
) -> Settings:
    """Read the settings in force; BadInput names the file or variable, the key and the value."""
    return _load(file, os.environ if environment is None else environment)[0]


def explain_settings(
    file: Path | None = None, environment: Mapping[str, str] | None = None
) -> list[tuple[str, Any, str]]:
    """(key, value, source) of every setting; source is `default`, a file, or a variable."""
    settings, origins = _load(file, os.environ if environment is None else environment)
    rows = []
    for group, values in settings.plain().items():
        if isinstance(values, dict):
            for name, value in values.items():
                key = f"{group}.{name}"
                rows.append((key, value, origins.get(key, "default")))
        else:
            rows.append((group, values, origins.get(group, "default")))
    return rows


def _load(file: Path | None, environment: Mapping[str, str]) -> tuple[Settings, dict[str, str]]:
    named = file or (
        Path(environment["ADVISOR_CONFIG"]) if "ADVISOR_CONFIG" in environment else None
    )
    path = named or Path("advisor.toml")
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    if path.is_file():
        values = _read_file(path)
        origins = dict.fromkeys(_keys(values), str(path))
    elif named is not None:
        raise BadInput(f"the settings file {named} does not exist; name one that does")
    for variable, text in environment.items():
        if variable.startswith(ENVIRONMENT_PREFIX) and variable not in NOT_SETTINGS:
            key = _key_of(variable)
            _place(values, key, _parse(text))
            origins[key] = variable
    _refuse_unknown(values, origins)
    try:
        return Settings.model_validate(values), origins
    except ValidationError as error:
        raise BadInput(_sentence(error, origins)) from error


def _read_file(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not valid TOML: {error}") from error


def _keys(values: Mapping[str, Any]) -> list[str]:
    keys = []
    for group, value in values.items():
        keys += [f"{group}.{name}" for name in value] if isinstance(value, dict) else [group]
    return keys


def _key_of(variable: str) -> str:
    return variable.removeprefix(ENVIRONMENT_PREFIX).lower().replace("__", ".", 1)


def _parse(text: str) -> Any:
    """An environment value as TOML would read it; anything else is plain text, commas a list."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return [part.strip() for part in text.split(",")] if "," in text else text


def _place(values: dict[str, Any], key: str, value: Any) -> None:
    group, _, name = key.partition(".")
    if key in LISTS and isinstance(value, str):
        value = [value] if value else []
    if name:
        nested = values.setdefault(group, {})
        if isinstance(nested, dict):
            nested[name] = value
    else:
        values[group] = value


def known_keys() -> list[str]:
    """Every key a user can set, dotted."""
    keys = []
    for name, info in Settings.model_fields.items():
        kind = info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            keys += [f"{name}.{inner}" for inner in kind.model_fields]
        elif is_dataclass(kind):
            keys += [f"{name}.{field.name}" for field in fields(kind)]
        else:
            keys.append(name)
    return keys


def _refuse_unknown(values: Mapping[str, Any], origins: Mapping[str, str]) -> None:
    known = known_keys()
    for key in _keys(values):
        if key in known:
            continue
        if any(name.startswith(f"{key}.") for name in known):
            raise BadInput(
                f"{origins.get(key, 'settings')}: {key} is a group of settings, not a value "
                f"({values[key]!r}); write [{key}] and one setting a line below it"
            )
        near = difflib.get_close_matches(key, known, 1)
        hint = f"; did you mean {near[0]}?" if near else "; `advisor settings` lists them all"
        raise BadInput(f"{origins.get(key, 'settings')}: {key} is not a setting{hint}")


def _sentence(error: ValidationError, origins: Mapping[str, str]) -> str:
    problem = error.errors()[0]
    key = ".".join(str(part) for part in problem["loc"][:2])
    source = origins.get(key) or next(
        (origin for name, origin in origins.items() if name.startswith(key)), "settings"
    )
    message = problem["msg"].removeprefix("Value error, ")
    shown = "" if problem["type"] == "value_error" else f" (it is {problem['input']!r})"
    return f"{source}: {key}: {message}{shown}"
