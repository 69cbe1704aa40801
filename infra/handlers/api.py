"""The REST API behind API Gateway: the application of `advisor serve`, one request a call.

Who calls is what the gateway says (`infra.handlers.gateway`). The chat is that of `advisor serve`:
by a model where one is given (Bedrock, by BEDROCK_MODEL), searching the index that is given
(OpenSearch, by SEARCH_ENDPOINT), and by code where none is, or where it fails or takes too long.
Halts are put into the bucket, where the live cycle looks. Streams are not served: a function's
answer is sent whole; a page asks again instead.
"""

import asyncio
from collections.abc import Mapping
from contextlib import ExitStack
from functools import cached_property, partial
from time import monotonic
from typing import Any

from advisor.api.app import create_app
from advisor.api.ledger_chat import LedgerChat
from advisor.api.metrics import Metrics
from advisor.api.parts import Parts
from advisor.api.problems import MEDIA_TYPE
from advisor.api.view import LedgerView
from advisor.chatting import model_of
from advisor.ledgers import open_ledger
from advisor.live.clock import LiveClock, WallClock
from advisor.live.control import CONTROL, ControlThroughBucket
from advisor.secrets import provide_keys
from advisor.spending import counted_on
from infra.handlers.gateway import GatewayKeys, caller_of, passed_on, seconds_left
from infra.handlers.given import Given
from infra.handlers.invocation import Context, Limited, log
from infra.handlers.talking import ConversationsInBucket, InTime
from tools.errors import AdvisorError, BadInput, NotConfigured
from tools.store.paging import Pages
from tools.store.store import Store

STREAMS = ("/api/stream",)
CONVERSATIONS = "chat"
# Before the gateway hangs up: what wording by code may take, and what telling that nothing came.
TO_WORD_SECONDS, TO_TELL_SECONDS = 4.0, 1.5


class Api:
    """The function."""

    def __init__(self, given: Given | None = None, clock: LiveClock | None = None) -> None:
        """Cold: nothing is read before the first call."""
        self._given, self._clock = given or Given(), clock or WallClock()
        self._open = ExitStack()
        self._ends = 0.0  # of the call that is being answered, by the monotonic clock

    def close(self) -> None:
        """Let go of the ledger, which a warm function keeps open."""
        self._open.close()

    def __call__(self, event: Any, context: Context) -> dict[str, Any]:
        """A request by API Gateway, of a REST or an HTTP API."""
        if not isinstance(event, Mapping) or not isinstance(event.get("requestContext"), Mapping):
            raise BadInput("the event is no request of API Gateway: it has no requestContext")
        told = event["requestContext"]
        self._ends = monotonic() + seconds_left(told, Limited(self._clock, context))
        path = str(event.get("path") or event.get("rawPath") or "")
        if path.endswith(STREAMS):
            return _problem(501, "streams are not served by a function; ask for the records")
        try:
            application, control_keys = self._application, self._given.control_keys
        except AdvisorError as error:
            log.error("the API could not be set up: %s", error)
            return _problem(503, "the ledger cannot be read now; try again")
        _event_loop()
        with self._keys.vouched(caller_of(told, control_keys)) as word:
            answer: dict[str, Any] = application(passed_on(event, word), context)
        return answer

    def _left(self, after: float) -> float:
        """The seconds that this call still has, but for those that are needed `after`."""
        return self._ends - monotonic() - after

    @cached_property
    def _keys(self) -> GatewayKeys:
        return GatewayKeys(self._given)

    @cached_property
    def _application(self) -> Any:
        try:
            from mangum.adapter import DEFAULT_TEXT_MIME_TYPES, Mangum
        except ModuleNotFoundError as error:
            raise NotConfigured(
                "the API as a function needs the package mangum: pip install -e '.[lambda]'"
            ) from error
        given = self._given
        settings = given.settings
        provide_keys(settings, model=False)
        store = self._open.enter_context(open_ledger(given.ledger, settings, secrets=given.secrets))
        view = LedgerView(Pages(store))
        chat = self._chat(store, view)
        self._open.callback(chat.close)
        parts = Parts(
            view=view, settings=settings.api, config=None, keys=self._keys, metrics=Metrics(view),
            chat=chat, index_state=chat.index_state,
            control=ControlThroughBucket(given.scratch / CONTROL, given.bucket(CONTROL)),
            public=True, patience=lambda: self._left(TO_TELL_SECONDS),
            counted=partial(counted_on, settings=settings, secrets=given.secrets),
            llm_budget=settings.llm_budget,
        )  # fmt: skip
        # What is not known to be text is sent as base64, which a REST API does not undo.
        texts = [*DEFAULT_TEXT_MIME_TYPES, MEDIA_TYPE]
        return Mangum(create_app(parts), lifespan="off", text_mime_types=texts)

    def _chat(self, store: Store, view: LedgerView) -> LedgerChat:
        """The chat; one whose model cannot be set up answers by code."""
        given = self._given
        settings, clock = given.settings, self._clock
        place = given.bucket(CONVERSATIONS)
        kept = ConversationsInBucket(place, settings.api.chat_forget_minutes, clock)
        if given.chats_by_model:
            try:
                provide_keys(settings, model=True)
                model = InTime(model_of(settings), lambda: self._left(TO_WORD_SECONDS))
                return LedgerChat(store, view, settings, model=model, conversations=kept)
            except AdvisorError as error:
                log.error("the chat answers without a model: %s", error)
        return LedgerChat(store, view, settings, conversations=kept)


def _event_loop() -> None:
    """Mangum wants the thread's event loop, which newer Pythons do not make by themselves."""
    try:
        asyncio.get_event_loop_policy().get_event_loop()
    except RuntimeError:
        asyncio.set_event_loop(asyncio.new_event_loop())


def _problem(status: int, detail: str) -> dict[str, Any]:
    import json

    return {
        "statusCode": status,
        "headers": {"content-type": MEDIA_TYPE},
        "body": json.dumps({"status": status, "detail": detail}),
        "isBase64Encoded": False,
    }


handler = Api()
