"""What a function is given by its variables: settings, secrets, places, and a session to open.

The template's variables (`infra/cloudformation/functions.yaml`) are translated into the settings
that the commands have; an `ADVISOR_…` variable that is set as well wins. What a function needs and
was not given is named. ANALYST, VALIDATION and PREMARKET say who advises, as the options of
`advisor live` do; CHAT, whether questions are answered by a model, as `--chat-model` does.
"""

import json
import os
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from advisor.live.clock import LiveClock
from advisor.secrets import OF_MODELS, open_secrets
from advisor.settings import Settings, load_settings
from advisor.telemetry import logs
from infra.handlers.invocation import log
from quant_core.calendar import Session
from tools.aws.functions import Functions
from tools.aws.objects import Objects
from tools.aws.queue import Message, Queue
from tools.errors import BadInput, NotConfigured, Transient
from tools.secrets import Secrets

# What the webhook does without: it is small, and must answer within seconds of a cold start.
if TYPE_CHECKING:
    from advisor.bootstrap import ReplayOptions
    from advisor.live.apart import AtBroker
    from advisor.live.opening import Opening
    from advisor.morning_bars import MorningBars
    from tools.market.alert_inboxes import QueueInbox
    from tools.store.store import Heads

OWN = ("PGPASSWORD", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY", *OF_MODELS)
SCRATCH = Path("/tmp/advisor")
STAGE_GROUP = "orders"  # one message group: orders go to the broker in the order of their decisions


class Given:
    """Everything a function is told by its environment; read when it is first asked for."""

    def __init__(
        self, environment: Mapping[str, str] | None = None, scratch: Path = SCRATCH
    ) -> None:
        """`scratch` is a folder that goes with the process."""
        self._environment = os.environ if environment is None else environment
        self._scratch = scratch
        self.mornings: dict[date, MorningBars] = {}
        self.heads: Heads = {}
        # Making a client of AWS's takes longer than most of what is asked of it.
        self._objects: dict[str, Objects] = {}
        self._queues: dict[str, Queue] = {}

    @cached_property
    def scratch(self) -> Path:
        """The folder of this process, which goes with it."""
        self._scratch.mkdir(parents=True, exist_ok=True)
        return self._scratch

    def required(self, name: str) -> str:
        """A variable; NotConfigured names it when it is not set."""
        value = self._environment.get(name, "")
        if not value:
            raise NotConfigured(
                f"the function was not given {name}; the template sets it "
                "(infra/cloudformation/functions.yaml)"
            )
        return value

    @cached_property
    def settings(self) -> Settings:
        """The settings in force; the logs are set up with them."""
        given = {name: self._environment.get(name, "") for name in _TRANSLATED}
        said = {
            f"ADVISOR_{key}": text.format(**given)
            for name, entries in _TRANSLATED.items()
            if given[name]
            for key, text in entries.items()
        }
        said |= {k: v for k, v in self._environment.items() if k.startswith("ADVISOR_")}
        settings = load_settings(environment=said)
        sources = self._sources(settings) | settings.secrets.sources
        secrets = settings.secrets.model_copy(update={"sources": sources})
        settings = settings.model_copy(update={"secrets": secrets})
        logs.configure(settings.telemetry.logs, settings.telemetry.log_level)
        return settings

    def _sources(self, settings: Settings) -> dict[str, str]:
        """Where each secret is that this function may need."""
        named = self._environment.get
        found = {}
        if arn := named("LEDGER_SECRET"):
            found["PGPASSWORD"] = f"secretsmanager:{arn}#password"
        if arn := named("BROKER_SECRET"):
            for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
                found[name] = f"secretsmanager:{arn}#{name}"
        if arn := named("MODEL_SECRET"):
            for name in OF_MODELS:
                provider = name.partition("_")[0].lower()
                if any(model.startswith(f"{provider}:") for model in settings.llm.models):
                    found[name] = f"secretsmanager:{arn}#{name}"
        return found

    @cached_property
    def secrets(self) -> Secrets:
        """The environment with its secrets; kept while the process is warm, renewed by age."""
        return open_secrets(self.settings, self._environment)

    @property
    def ledger(self) -> str:
        """The ledger's address."""
        if self.settings.ledger.url is None:
            self.required("LEDGER_URL")
        return str(self.settings.ledger.url)

    def options(self) -> "ReplayOptions":
        """Who advises."""
        from advisor.bootstrap import ReplayOptions

        chosen: dict[str, Any] = {}
        kinds = ReplayOptions.__annotations__
        for field in ("analyst", "validation", "premarket"):
            value = self._environment.get(field.upper(), "rules")
            if value not in get_args(kinds[field]):
                raise BadInput(
                    f"{field.upper()} is {value!r}; it must be one of "
                    f"{', '.join(get_args(kinds[field]))}"
                )
            chosen[field] = value
        return ReplayOptions(llm="live", **chosen)

    @property
    def chats_by_model(self) -> bool:
        """Whether the chat may ask a model: one is named, and CHAT does not say `code`."""
        said = self._environment.get("CHAT") or "model"
        if said not in ("code", "model"):
            raise BadInput(f"CHAT is {said!r}; it must be one of code, model")
        named = ("BEDROCK_MODEL", "ADVISOR_LLM__MODELS")
        return said == "model" and any(self._environment.get(name) for name in named)

    @property
    def control_keys(self) -> frozenset[str]:
        """The ids of the gateway's keys that may halt and resume, separated by commas."""
        said = self._environment.get("CONTROL_KEYS", "").split(",")
        return frozenset(one.strip() for one in said if one.strip())

    # Places

    def bucket(self, below: str = "") -> Objects:
        """A place of the archive's bucket."""
        place = f"s3://{self.required('ARCHIVE_BUCKET')}/{below}"
        if place not in self._objects:
            self._objects[place] = Objects(place, self.settings.aws)
        return self._objects[place]

    @property
    def lake(self) -> Path:
        """The bar lake."""
        return Path(f"s3://{self.required('ARCHIVE_BUCKET')}/lake")

    def queue(self, variable: str) -> Queue:
        """The queue whose address a variable holds."""
        if variable not in self._queues:
            self._queues[variable] = Queue(self.required(variable), self.settings.aws)
        return self._queues[variable]

    # A session

    def opening(
        self, session: Session, clock: LiveClock, stop: threading.Event, *, apart: bool = True
    ) -> "Opening":
        """A session to open: `apart` hands over orders and questions; without, only the day."""
        from advisor.commands.replay import watchlist
        from advisor.lakes import holds
        from advisor.live.apart import Apart
        from advisor.live.control import CONTROL, ControlInBucket
        from advisor.live.opening import LiveRequest, Opening

        settings = self.settings
        _ = self.ledger  # named before anything is locked
        control = ControlInBucket(self.scratch / "control", self.bucket(CONTROL))
        control.fetch()
        options = self.options()
        asks = apart and options.analyst == "model"
        hands_over = self._enqueue if apart and self._environment.get("TRADE_QUEUE_URL") else None
        lake = self.lake
        # The premarket has brought bars into the lake; without, they are fetched here.
        known = session.date in self.mornings or holds(lake, "1min", settings)
        return Opening(
            request=LiveRequest(
                mode=settings.broker.mode,
                folder=self.scratch / "run",
                symbols=watchlist(None, settings),
                bars=(lake / "timeframe=1min",) if known else (),
                daily=lake / "timeframe=1day" if known else None,
            ),
            options=options,
            settings=settings,
            environment=self.secrets,
            session=session,
            clock=clock,
            stop=stop,
            say=log.info,
            apart=Apart(
                root=self.bucket,
                control=control,
                hand_over=hands_over,
                ask=self._ask if asks else None,
                inbox=self._inbox,
                mornings=self.mornings,
                heads=self.heads,
            ),
        )

    def at_the_broker(
        self, session: Session, clock: LiveClock, stop: threading.Event
    ) -> AbstractContextManager["AtBroker | None"]:
        """The run's orders, for who sends or watches them."""
        return self.opening(session, clock, stop, apart=False).at_the_broker()

    def _enqueue(self, ids: Sequence[str]) -> None:
        """Hand orders to the executor; what does not arrive is sent by the next cycle."""
        messages = [
            Message(id=one, body=json.dumps({"order": one}), group=STAGE_GROUP) for one in ids
        ]
        try:
            sent = self.queue("TRADE_QUEUE_URL").send(messages)
        except Transient as error:
            log.warning("orders were not enqueued, the next cycle sends them: %s", error)
            return
        for one, why in sent.refused.items():
            log.warning("order %s was not enqueued, the next cycle sends it: %s", one, why)

    def _inbox(self, say: Callable[[str], None]) -> "QueueInbox":
        """Where the webhook's alerts wait."""
        from tools.market.alert_inboxes import QueueInbox

        dead = "WEBHOOK_DEAD_LETTERS_URL"
        return QueueInbox(self.queue("WEBHOOK_QUEUE_URL"), lambda: self.queue(dead), say)

    def _ask(self, run_id: str, as_of: datetime) -> None:
        """Start the analysis of a question that stands on the board."""
        event = {"run": run_id, "as_of": as_of.isoformat()}
        Functions(self.settings.aws).start(self.required("ANALYSIS_FUNCTION"), event)


def soon(clock: LiveClock, seconds: float) -> datetime:
    """A moment in so many seconds."""
    return clock.now() + timedelta(seconds=seconds)


# What a variable of the template means in settings; a variable that is not set says nothing.
_TRANSLATED: dict[str, dict[str, str]] = {
    # Containers share no disk: beside the ledger is one place that all of them see.
    "LEDGER_URL": {"LEDGER__URL": "{LEDGER_URL}", "SPENDING__URL": "{LEDGER_URL}"},
    "ALERT_TOPIC": {"ALERTS__SNS_TOPIC": "{ALERT_TOPIC}"},
    "SEARCH_ENDPOINT": {"RAG__INDEX": "{SEARCH_ENDPOINT}"},
    "CORS_ORIGIN": {"API__CORS_ORIGINS": "{CORS_ORIGIN}"},
    "AWS_REGION": {
        "AWS__REGION": "{AWS_REGION}",
        "RAG__AWS_REGION": "{AWS_REGION}",
        "LLM__BEDROCK_REGION": "{AWS_REGION}",
    },
    "BEDROCK_MODEL": {"LLM__MODELS": "bedrock:{BEDROCK_MODEL}"},
    "EMBEDDING_MODEL": {"RAG__EMBEDDER": "bedrock", "RAG__BEDROCK_MODEL": "{EMBEDDING_MODEL}"},
}
