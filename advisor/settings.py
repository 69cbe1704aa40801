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
from datetime import date
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from advisor.gates import VARIABLE as LIVE_MONEY
from quant_core.parameters import FillRules, PremarketParameters, RiskLimits, StdevParameters
from rag.parameters import RagParameters
from tools.aws.parameters import AwsParameters
from tools.errors import BadInput
from tools.llm import BudgetLimits, ModelParameters, PriceList
from tools.notify import AlertChannels, AlertLimits
from tools.notify.channels import PASSWORD, WEBHOOK
from tools.secrets import read_source

ENVIRONMENT_PREFIX = "ADVISOR_"
LISTS = {"watchlist", "llm.models", "alerts.recipients", "api.cors_origins"}
NOT_SETTINGS = {"ADVISOR_CONFIG", "ADVISOR_TEST_DATA", LIVE_MONEY, PASSWORD, WEBHOOK}


class _Group(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


def _no_password(url: str | None) -> str | None:
    if url and (urlsplit(url).password or "password=" in urlsplit(url).query):
        raise ValueError(
            "the URL holds a password, and settings are kept with every run: leave it out of "
            "the URL and set PGPASSWORD in the environment"
        )
    return url


class AccountSettings(_Group):
    """The account a replay starts with."""

    start_equity: float = Field(100_000.0, gt=0, le=1e12)


class AnalysisSettings(_Group):
    """When the market is analysed, and for how long an answer counts.

    In replay an answer applies `latency_bars` bars after the last bar it saw (1 = the next bar).
    A model that has not answered within `deadline_seconds` has not answered. `authority` says how
    far multipliers may reach: the whole range (`fixed`), or as far as measured skill has `earned`,
    from `authority_minimum_sessions` on, with the rest as `quant_core.authority` says.
    """

    interval_minutes: int = Field(15, ge=5, le=60)
    latency_bars: int = Field(1, ge=1, le=60)
    deadline_seconds: float = Field(45.0, gt=0, le=300)
    expiry_intervals: int = Field(2, ge=1, le=10)
    authority: Literal["fixed", "earned"] = "fixed"
    authority_minimum_sessions: int = Field(20, ge=5, le=1000)
    authority_error_rate: float = Field(0.05, gt=0, le=0.5)
    authority_full_at: float = Field(0.5, gt=0, le=1)


class ValidationSettings(_Group):
    """How long a verdict is waited for, and what becomes of a signal without one."""

    deadline_seconds: float = Field(15.0, gt=0, le=60)
    on_abstain: Literal["skip", "proceed", "reduce"] = "skip"
    abstain_factor: float = Field(0.5, gt=0, lt=1)


class DriftSettings(_Group):
    """When a model has lost its confidence and abstains for the rest of a session.

    The median confidence of its answers of the day, from `least_answers` on, is more than
    `fall_percent` below the median of the `sessions` before (five at least).
    """

    fall_percent: float = Field(20.0, gt=0, le=100)
    sessions: int = Field(20, ge=5, le=250)
    least_answers: int = Field(6, ge=1, le=100)


class LaneSettings(_Group):
    """The lanes an advised run is compared with."""

    placebo_seed: int = Field(7, ge=0)


class NewsSettings(_Group):
    """How far back news is read, and how news files are read when they do not say it themselves.

    The premarket reads back to the last close when that is longer ago than `hours`.
    """

    hours: float = Field(24.0, gt=0, le=720)
    timezone: str | None = None
    columns: dict[str, str] = Field(default_factory=dict)


class BarSettings(_Group):
    """How bar files are read when they do not say it themselves."""

    timezone: str | None = None
    label: Literal["start", "end"] = "start"
    columns: dict[str, str] = Field(default_factory=dict)


class BrokerSettings(_Group):
    """The Alpaca account; its keys are in the environment. A URL of None is Alpaca's own.

    `unknown` is what becomes of positions and orders in the watchlist that were not sent from
    here: they stop the session (`report`), or positions are taken over and orders cancelled.
    `approval_file` is the third gate before live money, see `advisor.gates`.
    """

    mode: Literal["paper", "live"] = "paper"
    base_url: str | None = None
    data_url: str | None = None
    bar_stream_url: str | None = None
    order_stream_url: str | None = None
    unknown: Literal["report", "adopt"] = "report"
    approval_file: str = Field("advisor-live-approval.toml", min_length=1)


class LiveSettings(_Group):
    """The loop of a live session; none of it changes what is decided on given bars.

    `feed` is Alpaca's: one exchange's trades (`iex`, free) or all (`sip`). A minute waits
    `patience_seconds` for the bars of the whole watchlist, then the archive is asked. A symbol
    that is not heard of for `mute_seconds` is told. Orders under way are asked about every
    `settle_seconds`, and whenever the broker says that something happened. Without bars of one's
    own, `history_sessions` of minutes are fetched. With `quotes` the spread is asked for every
    minute, for `risk.max_spread`; quotes of one exchange (`iex`) are wider than the market's.
    """

    feed: Literal["iex", "sip"] = "iex"
    patience_seconds: float = Field(3.0, ge=0, le=45)
    look_seconds: float = Field(1.0, ge=0.05, le=30)
    settle_seconds: float = Field(10.0, ge=1, le=60)
    mute_seconds: float = Field(180.0, ge=60, le=3600)
    history_sessions: int = Field(30, ge=5, le=500)
    quotes: bool = False


class SourceSettings(_Group):
    """What some risk limits need to know and bars do not say; a limit without it does not apply.

    `sectors` names the sector of symbols (one that is not named is a sector of its own), `earnings`
    the New York dates on which they report, which block entries for `earnings_sessions` sessions
    before and after.
    """

    sectors: dict[str, str] = Field(default_factory=dict)
    earnings: dict[str, tuple[date, ...]] = Field(default_factory=dict)
    earnings_sessions: int = Field(2, ge=0, le=20)


class BrokerLimits(_Group):
    """When a broker is not sent entries for a while; exits are never held up.

    An entry that slipped by more than `max_slippage_multiple` times `fills.slippage_bps` blocks
    them for `slippage_block_minutes`; `breaker_failures` failed requests within `breaker_seconds`
    block them until it has answered for as long.
    """

    max_slippage_multiple: float = Field(3.0, gt=0)
    slippage_block_minutes: int = Field(30, ge=1, le=390)
    breaker_failures: int = Field(5, ge=1, le=1000)
    breaker_seconds: float = Field(60.0, ge=1, le=3600)


class CheckpointSettings(_Group):
    """Where the machines that ask a model keep how far they got.

    `url` is a `sqlite:///` or `postgresql://` URL; without one it is a file in the output folder.
    What is older than `keep_days` is deleted when a run begins.
    """

    url: str | None = None
    keep_days: float = Field(30.0, ge=0, le=3650)

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str | None) -> str | None:
        """Settings are kept with every run, and secrets are not."""
        return _no_password(url)


class LedgerSettings(_Group):
    """Where the ledger is when none is named, how its database is reached, and what it keeps.

    `url` is `postgresql://USER@HOST/DATABASE`; the password is PGPASSWORD. `connections` are kept
    open at most, and as many more for a moment. `advisor ledger prune` takes out minute rows and
    models' texts that are older than so many days; without a number they stay for ever.
    """

    url: str | None = None
    connections: int = Field(5, ge=1, le=100)
    connect_seconds: int = Field(10, ge=2, le=120)
    keep_minutes_days: float | None = Field(None, ge=1)
    keep_texts_days: float | None = Field(None, ge=1)

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str | None) -> str | None:
        """Settings are shown and kept, and secrets are not."""
        return _no_password(url)


class ArchiveSettings(_Group):
    """Where prepared days are put beside the ledger: `s3://bucket/folder`."""

    premarket: str | None = Field(None, pattern="^s3://[^/]+")


class SecretSettings(_Group):
    """Where secrets come from that the environment does not have.

    `sources` names, for a variable such as ANTHROPIC_API_KEY or PGPASSWORD, `ssm:/advisor/key` or
    `secretsmanager:name`, with `#field` for one field of a JSON document. What was fetched counts
    for `ttl_seconds`.
    """

    sources: dict[str, str] = Field(default_factory=dict)
    ttl_seconds: float = Field(300.0, ge=0, le=86_400)

    @field_validator("sources")
    @classmethod
    def _are_places(cls, sources: dict[str, str]) -> dict[str, str]:
        """A secret itself must not stand in the settings."""
        for name, source in sources.items():
            read_source(name, source)
        return sources


class SpendingSettings(_Group):
    """Where it is counted what models cost, for every run and folder of a user.

    Without a `file` it is `advisor/spending.sqlite` in $XDG_STATE_HOME, or in ~/.local/state.
    Machines and functions that are to share one budget name the same `url`,
    `postgresql://USER@HOST/DATABASE`, which goes before the file; the password is PGPASSWORD.
    """

    file: str | None = Field(None, min_length=1)
    url: str | None = None

    @field_validator("url")
    @classmethod
    def _in_postgresql(cls, url: str | None) -> str | None:
        """A file is not shared by machines; and settings are shown and kept, secrets are not."""
        if url is not None and not url.startswith("postgresql://"):
            raise ValueError("it must be postgresql://USER@HOST/DATABASE")
        return _no_password(url)

    def place(self) -> Path:
        """The file in force."""
        if self.file:
            return Path(self.file).expanduser()
        state = os.environ.get("XDG_STATE_HOME", "")
        home = Path(state) if Path(state).is_absolute() else Path("~/.local/state").expanduser()
        return home / "advisor" / "spending.sqlite"


class ScheduleSettings(_Group):
    """Command lines that `advisor schedule run` starts; an empty one starts nothing.

    They run without a shell. `{date}` stands for the session's New York date. `nightly` brings the
    index of the newest ledger below ./out to what the ledger says.
    """

    premarket: str = ""
    session_start: str = ""
    session_end: str = ""
    nightly: str = "advisor index build"


class TelemetrySettings(_Group):
    """How a running process is watched: where it serves its metrics, and what it logs.

    Metrics are served without a key, so `metrics_host` is this machine unless a private network
    needs them; port 0 serves none. `logs` are words on a terminal and JSON lines elsewhere
    (`auto`), or always one of both.
    """

    metrics_host: str = Field("127.0.0.1", min_length=1, max_length=255)
    metrics_port: int = Field(0, ge=0, le=65535)
    logs: Literal["auto", "json", "human"] = "auto"
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    def on_port(self, port: int | None) -> "TelemetrySettings":
        """With another port, if one is named."""
        return self if port is None else self.model_copy(update={"metrics_port": port})


# What changes no decision is no part of a run's identity.
BESIDE_THE_RUN = (
    "broker", "live", "alerts", "alert_limits", "checkpoints", "spending", "schedule", "rag", "api",
    "ledger", "secrets", "aws", "telemetry", "archive",
)  # fmt: skip


class ApiSettings(_Group):
    """The REST API: where it listens, who may call it, and how much of it.

    Requests are counted per key; a caller on this machine who needs no key is not counted.
    `cors_origins` are the sites whose pages may call it from a browser, such as
    `https://me.example`. None of it changes what a run decides.

    Questions to the chat have an allowance of their own, for every caller. `chat_at_once` are
    answered at a time and `chat_waiting` more may wait; a conversation is forgotten after
    `chat_forget_minutes` without a question, or when `chat_conversations` newer ones are held.
    """

    host: str = Field("127.0.0.1", min_length=1, max_length=255)
    port: int = Field(8765, ge=0, le=65535)
    keys_file: str = Field("advisor-keys.json", min_length=1)
    cors_origins: tuple[str, ...] = ()
    requests_per_minute: int = Field(100, ge=1, le=1_000_000)
    max_body_bytes: int = Field(65_536, ge=1_024, le=10_000_000)
    max_streams: int = Field(50, ge=1, le=1_000)
    stream_poll_seconds: float = Field(1.0, ge=0.05, le=60)
    chat_per_minute: int = Field(30, ge=1, le=1_000_000)
    chat_at_once: int = Field(2, ge=1, le=32)
    chat_waiting: int = Field(8, ge=0, le=1_000)
    chat_conversations: int = Field(1_000, ge=1, le=100_000)
    chat_forget_minutes: float = Field(60.0, gt=0, le=10_080)


class Settings(_Group):
    """Everything a user can set; see `advisor settings` for the values in force."""

    watchlist: tuple[str, ...] = ("SPY", "QQQ", "IWM", "NVDA", "TSLA")
    account: AccountSettings = AccountSettings()
    stdev: StdevParameters = StdevParameters()
    premarket: PremarketParameters = PremarketParameters()
    risk: RiskLimits = RiskLimits()
    fills: FillRules = FillRules()
    sources: SourceSettings = SourceSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    validation: ValidationSettings = ValidationSettings()
    drift: DriftSettings = DriftSettings()
    lanes: LaneSettings = LaneSettings()
    bars: BarSettings = BarSettings()
    news: NewsSettings = NewsSettings()
    llm: ModelParameters = ModelParameters()
    llm_budget: BudgetLimits = BudgetLimits()
    llm_prices: PriceList = PriceList()
    spending: SpendingSettings = SpendingSettings()
    broker: BrokerSettings = BrokerSettings()
    broker_limits: BrokerLimits = BrokerLimits()
    live: LiveSettings = LiveSettings()
    alerts: AlertChannels = AlertChannels()
    alert_limits: AlertLimits = AlertLimits()
    checkpoints: CheckpointSettings = CheckpointSettings()
    schedule: ScheduleSettings = ScheduleSettings()
    rag: RagParameters = RagParameters()
    api: ApiSettings = ApiSettings()
    ledger: LedgerSettings = LedgerSettings()
    secrets: SecretSettings = SecretSettings()
    aws: AwsParameters = AwsParameters()
    telemetry: TelemetrySettings = TelemetrySettings()
    archive: ArchiveSettings = ArchiveSettings()

    def plain(self) -> dict[str, Any]:
        """Nested plain values, in the order of declaration."""
        return {name: _plain(getattr(self, name)) for name in type(self).model_fields}

    def deciding(self) -> dict[str, Any]:
        """The plain values that can change a decision: what a run keeps of its settings."""
        return {name: value for name, value in self.plain().items() if name not in BESIDE_THE_RUN}

    def config_hash(self) -> str:
        """Identity of the deciding values in force (16 hexadecimal digits)."""
        text = msgspec.json.encode(self.deciding(), order="deterministic")
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
