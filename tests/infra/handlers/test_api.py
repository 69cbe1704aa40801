"""The API as API Gateway calls it: who may, what the chat answers, and halts through the bucket."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from advisor.control import Halt, Resume
from advisor.live.control import ControlInBucket
from infra.handlers.api import Api
from infra.handlers.given import Given
from infra.handlers.nightly import Nightly
from quant_core.types import RiskChange, RiskState
from tests.graph.test_chat import OPEN, closed, day, refused
from tests.infra.handlers.cloud import Context, scheduled
from tests.stand_ins.bedrock import bedrock_stand_in, titan_stand_in
from tests.stand_ins.opensearch import Cluster, opensearch_stand_in
from tests.stand_ins.server import Request, StandIn
from tests.stand_ins.steps import Fails, Hangs, Says, Sends, Step
from tests.tools.store.examples import minutes
from tools.aws.objects import Objects
from tools.aws.parameters import AwsParameters
from tools.store.store import Store

RUN = "r1"
NOTE = "Breadth was falling apart while the signal was long."
NIGHT = datetime(2025, 1, 8, 23, 30, tzinfo=UTC)
WHY = "Why was NVDA skipped on January 8th 2025?"
LOOKUP = {
    "tool": "skipped", "symbols": ["NVDA"], "when": "January 8th 2025", "lane": "", "measure": "",
    "by": "", "pick": "", "setup": "", "side": "", "outcome": "", "exit_reason": "", "ruling": "",
    "blocked_by": "", "reason": True,
}  # fmt: skip
_NUMBERS = itertools.count(1)


class Clock:
    """A clock that somebody moves."""

    def __init__(self) -> None:
        self.at = NIGHT

    def now(self) -> datetime:
        return self.at


class Stack:
    """A session's ledger, a bucket, an index; and containers of the function, made anew."""

    def __init__(self, folder: Path, ledger: str, admin: Callable[[str], Any]) -> None:
        self.folder, self.ledger, self.clock = folder, ledger, Clock()
        self.s3, secrets = admin("s3"), admin("secretsmanager")
        self.s3.create_bucket(Bucket="archive")
        login = json.dumps({"username": "postgres", "password": "local"})
        # A file is enough where the ledger is only read; what models cost is counted in another.
        named = "LEDGER_URL" if ledger.startswith("postgresql:") else "ADVISOR_LEDGER__URL"
        self.environment = {
            named: ledger,
            "LEDGER_SECRET": secrets.create_secret(Name="db", SecretString=login)["ARN"],
            "ARCHIVE_BUCKET": "archive",
            "AWS_REGION": "us-east-1",
            "CONTROL_KEYS": "boss, deputy",
            "ADVISOR_AWS__ATTEMPTS": "1",
            "ADVISOR_SPENDING__FILE": str(folder / "spending.sqlite"),
        }
        self._open = ExitStack()
        with Store.open(ledger) as store:
            store.start_run(
                RUN, kind="paper", config_hash="c", code_version="1", config_json='{"n": 120}'
            )
            rows = minutes(OPEN, 1, ("NVDA", "AMD"))
            store.commit_cycle(
                RUN, "advised", rows, [refused(NOTE), closed(60, -10.0), day(-10.0)], None
            )

    def given(self, **more: str) -> Given:
        chosen = {k: v for k, v in (self.environment | more).items() if v}
        return Given(chosen, self.folder / f"container-{next(_NUMBERS)}")

    def api(self, **more: str) -> Api:
        """A container that has just been started."""
        made = Api(self.given(**more), self.clock)
        self._open.callback(made.close)
        return made

    def close(self) -> None:
        self._open.close()

    def changed(self, state: RiskState) -> None:
        at = self.clock.now()
        change = RiskChange(start=at, state=state, reason="a person", equity=1e5)
        with Store.open(self.ledger) as store:
            store.commit_cycle(RUN, "advised", None, [change], None)

    def control(self) -> ControlInBucket:
        """What the live cycle finds when it looks."""
        bucket = Objects("s3://archive/control", self.given().settings.aws)
        found = ControlInBucket(self.folder / f"cycle-{next(_NUMBERS)}", bucket)
        found.fetch()
        return found


@pytest.fixture
def stack(
    tmp_path: Path, aws: AwsParameters, admin: Callable[[str], Any],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Stack]:  # fmt: skip
    assert aws.endpoint_url
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    made = Stack(tmp_path, str(tmp_path / "ledger.sqlite"), admin)
    yield made
    made.close()


def rest(
    path: str, *, method: str = "GET", body: Any = None, headers: dict[str, str] | None = None,
    **told: Any,
) -> dict[str, Any]:  # fmt: skip
    """A REST API's proxy event (payload 1.0); `told` is the gateway's, in `requestContext`."""
    sent = {"Host": "x.execute-api.us-east-1.amazonaws.com", **(headers or {})}
    if body is not None:
        sent["Content-Type"] = "application/json"
    identity = {"sourceIp": "203.0.113.7", "apiKey": None, "userArn": None}
    return {
        "resource": "/{proxy+}", "path": path, "httpMethod": method, "headers": sent,
        "multiValueHeaders": {name: [value] for name, value in sent.items()},
        "queryStringParameters": None, "multiValueQueryStringParameters": None,
        "pathParameters": {"proxy": path[1:]}, "stageVariables": None,
        "requestContext": {
            "stage": "v1", "path": f"/v1{path}", "httpMethod": method,
            **told, "identity": identity | told.get("identity", {}),
        },
        "body": None if body is None else json.dumps(body), "isBase64Encoded": False,
    }  # fmt: skip


def keyed(path: str, key: str = "k1", **more: Any) -> dict[str, Any]:
    return rest(path, identity={"apiKeyId": key}, **more)


def http(
    path: str, *, headers: dict[str, str] | None = None, stage: str = "$default", **told: Any
) -> dict[str, Any]:
    """An HTTP API's proxy event (payload 2.0)."""
    whole = path if stage == "$default" else f"/{stage}{path}"
    return {
        "version": "2.0", "routeKey": "$default", "rawPath": whole, "rawQueryString": "",
        "headers": {"host": "x", **(headers or {})},
        "requestContext": {
            "http": {"method": "GET", "path": whole, "sourceIp": "203.0.113.7",
                     "protocol": "HTTP/1.1"},
            "stage": stage, **told,
        },
        "isBase64Encoded": False,
    }  # fmt: skip


def told(answer: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    return answer["statusCode"], json.loads(answer["body"])


def ask(api: Api, question: str, left: int = 29_000, **more: Any) -> tuple[int, dict[str, Any]]:
    event = keyed("/api/chat", method="POST", body={"question": question, **more})
    return told(api(event, Context(left)))


# Who may


LET_THROUGH = {
    "REST key": (rest, {"identity": {"apiKeyId": "k1"}}),
    "REST Lambda": (rest, {"authorizer": {"principalId": "ann", "integrationLatency": 12}}),
    "REST Cognito": (rest, {"authorizer": {"claims": {"sub": "ann", "aud": "desk"}}}),
    "REST IAM": (rest, {"identity": {"userArn": "arn:aws:iam::123456789012:user/ann"}}),
    "HTTP JWT": (http, {"authorizer": {"jwt": {"claims": {"sub": "ann"}, "scopes": None}}}),
    "HTTP IAM": (http, {"authorizer": {"iam": {"userArn": "arn:aws:iam::1:user/ann"}}}),
    "HTTP Lambda": (http, {"authorizer": {"lambda": {"principalId": "ann"}}}),
    "HTTP Lambda, simple": (http, {"authorizer": {"lambda": {"sub": "ann", "tier": "1"}}}),
}


def test_whoever_the_gateway_vouches_for_may_read_and_nobody_else(stack: Stack) -> None:
    api = stack.api()
    for name, (made, context) in LET_THROUGH.items():
        status, found = told(api(made("/api/runs", **context), Context()))
        assert (status, found["data"][0]["run"]) == (200, RUN), name
    staged = http("/api/runs", stage="v1", authorizer={"jwt": {"claims": {"sub": "ann"}}})
    assert api(staged, Context())["statusCode"] == 200
    for made in (rest, http):
        assert told(api(made("/api/health"), Context()))[0] == 200
        status, problem = told(api(made("/api/runs"), Context()))
        assert status == 401
        assert "advisor keys" not in problem["detail"]


NOBODY: tuple[Any, ...] = (
    None, {}, {"integrationLatency": 3}, {"principalId": ""}, {"principalId": None},
    {"claims": {"aud": "desk"}}, {"claims": None}, {"jwt": {"claims": {"aud": "x"}}},
    {"jwt": None}, {"lambda": None}, {"lambda": {}}, {"lambda": {"tier": "1"}}, {"iam": {}},
    {"principalId": {"sub": "ann"}}, "ann", ["ann"],
)  # fmt: skip


def test_an_authorizer_that_names_nobody_lets_nobody_through(stack: Stack) -> None:
    api = stack.api()
    for made, authorizer in itertools.product((rest, http), NOBODY):
        answer = api(made("/api/runs", authorizer=authorizer), Context())
        assert answer["statusCode"] == 401, authorizer


def forgeries() -> Iterator[dict[str, Any]]:
    """What a caller can send: headers, query, body and path are theirs, requestContext is not."""
    context = {"identity": {"apiKeyId": "boss"}, "authorizer": {"principalId": "boss"}}
    words = ("by-gateway:boss", "key:boss", "boss", "gateway", "no-keys", " ", json.dumps(context))
    names = (
        "x-api-key", "X-API-Key", "X-Api-KEY", "x-api-\N{KELVIN SIGN}ey", "apiKeyId",
        "requestContext", "x-amzn-requestcontext", "x-amzn-oidc-identity", "x-api-key ",
    )  # fmt: skip
    for name, word in itertools.product(names, words):
        yield rest("/api/runs", headers={name: word})
        yield http("/api/runs", headers={name: word})
    for word in words:
        for scheme in ("Bearer", "bearer", "BEARER"):
            yield rest("/api/runs", headers={"Authorization": f"{scheme} {word}"})
            yield http("/api/runs", headers={"AUTHORIZATION": f"{scheme} {word}"})
        # One header in each form, or said twice.
        twice = rest("/api/runs")
        yield twice | {"multiValueHeaders": {"X-API-Key": [word, word], "x-api-key": [word]}}
        yield twice | {"headers": None, "multiValueHeaders": {"x-API-key": [word]}}
        yield twice | {"headers": {"x-api-key": word}, "multiValueHeaders": None}
        named = {"apiKeyId": word, "x-api-key": word, "authorizer": word}
        yield twice | {
            "queryStringParameters": named,
            "multiValueQueryStringParameters": {k: [v] for k, v in named.items()},
        }
        yield http("/api/runs") | {"rawQueryString": f"apiKeyId=boss&x-api-key={word}"}
        yield http("/api/runs") | {"cookies": [f"x-api-key={word}"]}
        yield twice | {"body": json.dumps({"requestContext": context}), "identity": context}
        yield twice | {"authorizer": context["authorizer"], "apiKeyId": "boss"}


def test_nothing_that_a_caller_can_send_counts(stack: Stack) -> None:
    # Wrong keys have an allowance, which these many would use up.
    api = stack.api(ADVISOR_API__REQUESTS_PER_MINUTE="1000000")
    tried = 0
    for event in forgeries():
        answer = api(event, Context())
        assert answer["statusCode"] == 401, event
        tried += 1
    assert tried > 100
    # The word of a call that is answered is worth nothing in the next.
    heard: list[str] = []
    keys = api._keys
    known = keys.find
    keys.find = lambda text: (heard.append(text), known(text))[1]  # type: ignore[method-assign]
    assert api(keyed("/api/runs", "boss"), Context())["statusCode"] == 200
    (word,) = heard
    again = rest("/api/halt", method="POST", body={}, headers={"x-api-key": word})
    assert api(again, Context())["statusCode"] == 401
    assert stack.control().state() is None


def test_the_key_of_the_gateway_goes_before_what_the_caller_says(stack: Stack) -> None:
    api = stack.api()
    headers = {"x-api-key": "boss", "Authorization": "Bearer boss"}
    halt = keyed("/api/halt", "k1", method="POST", body={}, headers=headers)
    assert told(api(halt, Context()))[1]["type"] == "/problems/scope-missing"


def test_what_a_browser_can_unpack_is_left_to_the_gateway(stack: Stack) -> None:
    """A REST API passes base64 on as text, so a function's own gzip would arrive as that."""
    api = stack.api(CORS_ORIGIN="https://me.example")
    headers = {"Accept-Encoding": "gzip, br", "Origin": "https://me.example"}
    answer = api(keyed("/openapi.json", headers=headers), Context())
    assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
    assert len(answer["body"]) > 50_000
    allowed = {k.lower(): v for k, v in answer["headers"].items()}["access-control-allow-origin"]
    assert allowed == "https://me.example"
    packed = api(http("/openapi.json", headers={"accept-encoding": "gzip"}), Context())
    assert packed["isBase64Encoded"] is True  # an HTTP API unpacks it


# Halts


def test_a_named_key_halts_and_resumes_what_the_cycle_reads(stack: Stack) -> None:
    api, other = stack.api(), stack.api()
    body = {"reason": "fed day", "flatten": True}
    status, halted = told(api(keyed("/api/halt", "boss", method="POST", body=body), Context()))
    assert (status, halted["by"], halted["applied"]) == (202, "boss (API)", False)
    found = stack.control().wanted()
    assert isinstance(found, Halt)
    assert (found.by, found.reason, found.flatten) == ("boss (API)", "fed day", True)
    # Another container, which was warm before, shows it as the local API does.
    for one in (api, other):
        health = told(one(rest("/api/health"), Context()))[1]
        assert health["control"] == halted
        trading = next(part for part in health["components"] if part["name"] == "trading")
        assert trading["detail"].startswith("a halt waits for the session, by boss (API)")
    stack.changed(RiskState.HALTED)
    assert told(other(rest("/api/health"), Context()))[1]["control"]["applied"] is True
    status, resumed = told(other(keyed("/api/resume", "deputy", method="POST"), Context()))
    assert (status, resumed["asked"]) == (202, "resume")
    assert isinstance(stack.control().wanted(), Resume)
    assert told(api(rest("/api/health"), Context()))[1]["control"]["by"] == "deputy (API)"


def test_a_halt_by_hand_shows_and_nothing_halted_is_not_resumed(stack: Stack) -> None:
    api = stack.api()
    resume = keyed("/api/resume", "boss", method="POST")
    assert told(api(resume, Context()))[1]["type"] == "/problems/not-halted"
    stack.s3.put_object(Bucket="archive", Key="control/HALT", Body=b"")
    assert told(api(rest("/api/health"), Context()))[1]["control"]["reason"] == "HALT file"
    assert told(api(resume, Context()))[0] == 202
    assert isinstance(stack.control().state(), Resume)


READERS: tuple[dict[str, Any], ...] = (
    {"identity": {"apiKeyId": "k1"}}, {"identity": {"apiKeyId": "bos"}},
    {"authorizer": {"principalId": "boss"}}, {"authorizer": {"claims": {"sub": "key:boss"}}},
    {"identity": {"userArn": "boss"}},
)  # fmt: skip


def test_reading_is_not_enough_whatever_it_is_called(stack: Stack) -> None:
    api = stack.api()
    for context, path in itertools.product(READERS, ("/api/halt", "/api/resume")):
        status, problem = told(api(rest(path, method="POST", body={}, **context), Context()))
        assert (status, problem["type"]) == (403, "/problems/scope-missing"), context
        assert "ControlKeys" in problem["detail"]
    assert stack.control().state() is None


def test_by_default_nobody_may(stack: Stack) -> None:
    api = stack.api(CONTROL_KEYS="")
    for key in ("boss", ""):
        event = keyed("/api/halt", key, method="POST", body={})
        assert api(event, Context())["statusCode"] == (403 if key else 401)


def test_a_bucket_that_cannot_be_asked_is_no_all_clear(stack: Stack) -> None:
    api = stack.api(ARCHIVE_BUCKET="gone")
    status, problem = told(api(keyed("/api/halt", "boss", method="POST", body={}), Context()))
    assert (status, problem["type"]) == (503, "/problems/halt-not-written")
    assert "under control/ in the bucket" in problem["detail"]
    told_of = told(api(rest("/api/health"), Context()))[1]["control"]
    assert (told_of["asked"], told_of["by"]) == ("halt", "nobody")


# The chat


class Mind:
    """Bedrock's model: what it plans, and what it says of the document it is shown."""

    def __init__(self, says: str = "The note of NVDA's veto says: “{note}”") -> None:
        self.says, self.first = says, list[Step]()

    def __call__(self, asked: Request) -> Step:
        if self.first:
            return self.first.pop(0)
        prompt = asked.body["messages"][0]["content"][0]["text"]
        if "Choose the lookups" in prompt:
            plan = {"refuse": "", "lookups": [LOOKUP]}
            return Says(text=json.dumps(plan), tokens=(1_000, 100))
        rows = [line for line in prompt.splitlines() if line.startswith("[R")]
        shown = [one[1 : one.index("]")] for one in rows if "document" in one and NOTE in one]
        text = self.says.format(note=NOTE)
        sentence = {"text": text, "rows": shown, "derivations": []}
        return Says(text=json.dumps({"sentences": [sentence]}), tokens=(1_000, 100))


def embedded(asked: Request) -> Step:
    """Titan: texts that share words lie near one another."""
    vector = [0.0] * 512
    for word in asked.body["inputText"].lower().split():
        vector[sum(word.encode()) % 512] += 1.0
    return Says(text=json.dumps(vector))


@dataclasses.dataclass(slots=True)
class Servers:
    """Bedrock's model and embeddings, and OpenSearch; `more` leads to them."""

    mind: Mind
    bedrock: StandIn
    titan: StandIn
    cluster: Cluster
    more: dict[str, str]


@pytest.fixture
def servers() -> Iterator[Servers]:
    mind = Mind()
    with (
        bedrock_stand_in(mind) as bedrock,
        titan_stand_in(embedded) as titan,
        opensearch_stand_in() as (url, cluster),
    ):
        more = {
            "BEDROCK_MODEL": "us.anthropic.claude-sonnet-5-5",
            "EMBEDDING_MODEL": "amazon.titan-embed-text-v2:0",
            "SEARCH_ENDPOINT": url,
            "ADVISOR_LLM__BEDROCK_BASE_URL": bedrock.url,
            "ADVISOR_LLM__BACKOFF_SECONDS": "0.01",
            "ADVISOR_RAG__BEDROCK_BASE_URL": titan.url,
            "ADVISOR_RAG__TIMEOUT_SECONDS": "5",
        }
        yield Servers(mind, bedrock, titan, cluster, more)


def indexed(stack: Stack, servers: Servers) -> None:
    """The night after the session."""
    night: Any = Nightly(stack.given(**servers.more), stack.clock)  # type: ignore[arg-type]
    assert night(scheduled(NIGHT), Context(900_000))["documents"] > 0


@pytest.mark.slow
def test_a_question_is_answered_on_bedrock_from_opensearch_with_citations(
    tmp_path: Path, postgresql: str, aws: AwsParameters, admin: Callable[[str], Any],
    servers: Servers, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    assert aws.endpoint_url
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint_url)
    name = f"chat_{abs(hash(str(tmp_path))) % 10**9}"
    with psycopg.connect(postgresql, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")  # type: ignore[arg-type]
    place, mark, query = postgresql.partition("?")
    stack = Stack(tmp_path, f"{place.rsplit('/', 1)[0]}/{name}{mark}{query}", admin)
    indexed(stack, servers)
    api = stack.api(**servers.more)
    status, answer = ask(api, WHY)
    assert (status, answer["writer"], answer["refused"]) == (200, "model", False), answer
    assert NOTE in answer["text"]
    (cited,) = answer["citations"]
    assert (cited["kind"], cited["label"].split()[0]) == ("document", "skip")
    assert len(servers.bedrock.requests) == 2
    # Signed for Amazon's service, and paid from the budget that all share.
    searched = [headers for _, path, headers in servers.cluster.requests if "_msearch" in path]
    assert searched[-1]["authorization"].startswith("AWS4-HMAC-SHA256 Credential=")
    parts = told(api(rest("/api/health"), Context()))[1]["components"]
    budget = next(one for one in parts if one["name"] == "budget")
    assert "2,200 of" in budget["detail"]
    stack.close()


FAULTS: dict[str, Callable[[], list[Step]]] = {
    "throttled": lambda: [Fails(status=429)] * 9,
    "overloaded": lambda: [Fails(status=503)] * 9,
    "not allowed": lambda: [Fails(status=403)] * 9,
    "malformed": lambda: [Sends(body=b'{"output": 1}')] * 9,
    "no schema": lambda: [Says(text='{"sentences": "x"}')] * 9,
    "refuses": lambda: [Says(text="", refuses=True)] * 9,
}


@pytest.mark.slow
def test_a_model_that_fails_leaves_the_answer_to_code(stack: Stack, servers: Servers) -> None:
    indexed(stack, servers)
    for name, fault in FAULTS.items():
        servers.mind.first = fault()
        status, answer = ask(stack.api(**servers.more), WHY)
        assert (status, answer["writer"], answer["refused"]) == (200, "code", False), name
        assert NOTE in answer["text"], name
        assert answer["citations"], name
    servers.mind.first = []
    servers.mind.says = "NVDA was skipped because of $1,000,000.00."
    assert ask(stack.api(**servers.more), WHY)[1]["writer"] == "code"


@pytest.mark.slow
def test_a_model_that_hangs_is_given_up_while_there_is_time_to_answer(
    stack: Stack, servers: Servers, caplog: pytest.LogCaptureFixture
) -> None:
    indexed(stack, servers)
    api = stack.api(**servers.more)
    assert ask(api, WHY)[1]["writer"] == "model"  # warm from here on
    servers.mind.first = [Hangs()] * 9
    before = len(servers.bedrock.requests)
    with caplog.at_level("INFO"):
        status, answer = ask(api, WHY, left=8_000)
    assert (status, answer["writer"]) == (200, "code")
    assert NOTE in answer["text"]
    assert "no plan from the model (timeout" in caplog.text
    asked = len(servers.bedrock.requests)
    assert asked <= before + 1  # the time was gone with the first
    # The gateway has waited already: the function was cold, or the question queued.
    event = keyed("/api/chat", method="POST", body={"question": WHY})
    event["requestContext"]["requestTimeEpoch"] = int((NIGHT.timestamp() - 25.5) * 1000)
    status, answer = told(api(event, Context(29_000)))
    assert (status, answer["writer"]) == (200, "code")
    assert len(servers.bedrock.requests) == asked


@pytest.mark.slow
def test_an_index_that_hangs_is_told_before_the_gateway_hangs_up(
    stack: Stack, servers: Servers
) -> None:
    indexed(stack, servers)
    with titan_stand_in(lambda _: Hangs()) as stuck:
        more = servers.more | {
            "ADVISOR_RAG__BEDROCK_BASE_URL": stuck.url, "ADVISOR_RAG__TIMEOUT_SECONDS": "60",
        }  # fmt: skip
        api = stack.api(**more)
        status, problem = ask(api, WHY, left=3_000)
        assert (status, problem["type"]) == (504, "/problems/took-too-long")
        event = keyed("/api/chat", method="POST", body={"question": WHY, "stream": True})
        streamed = api(event, Context(2_500))["body"]
        assert streamed.rstrip().splitlines()[-1].startswith("data: ")
        assert "/problems/took-too-long" in streamed
    # What was abandoned gives its place up when it has ended.
    assert ask(api, "How many trades were there?")[0] == 200


def test_an_index_that_is_away_leaves_the_ledger(stack: Stack, servers: Servers) -> None:
    indexed(stack, servers)
    more = servers.more | {"CHAT": "code"}
    api = stack.api(**more)
    servers.cluster.faults[:] = [503] * 20
    status, answer = ask(api, WHY)
    assert (status, answer["refused"], answer["writer"]) == (200, False, "code")
    servers.cluster.faults.clear()
    assert ask(stack.api(**more), WHY)[0] == 200
    assert servers.bedrock.requests == []  # CHAT=code asks no model


def test_without_model_and_index_the_chat_answers_by_code(stack: Stack) -> None:
    api = stack.api()
    status, answer = ask(api, "How many trades were there on January 8th 2025?")
    assert (status, answer["writer"], answer["refused"]) == (200, "code", False)
    assert answer["citations"]
    parts = told(api(rest("/api/health"), Context()))[1]["components"]
    assert next(one for one in parts if one["name"] == "index")["state"] == "not_configured"


def test_a_model_that_cannot_be_set_up_costs_nobody_the_records(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    api = stack.api(BEDROCK_MODEL="amazon.unheard-of-v1:0")
    assert ask(api, "How many trades were there on January 8th 2025?")[1]["writer"] == "code"
    assert "the chat answers without a model" in caplog.text
    assert api(keyed("/api/runs"), Context())["statusCode"] == 200
    wrong = stack.api(CHAT="maybe", BEDROCK_MODEL="x")(keyed("/api/runs"), Context())
    assert wrong["statusCode"] == 503


def test_a_conversation_goes_on_in_another_container(
    stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    opening, further = "How many trades of NVDA were there on January 8th 2025?", "and of AMD?"
    name = ask(stack.api(), opening)[1]["conversation"]
    status, answer = ask(stack.api(), further, conversation=name)
    assert (status, answer["refused"], answer["conversation"]) == (200, False, name)
    assert "AMD" in answer["text"]
    # A name that was planted, damaged or forgotten is no conversation.
    stack.s3.put_object(Bucket="archive", Key="chat/damaged", Body=b"{")
    for other in (None, "planted", "damaged"):
        answer = ask(stack.api(), further, conversation=other)[1]
        assert answer["refused"], other
        assert answer["conversation"] not in (other, name)
    assert "cannot be read" in caplog.text
    stack.clock.at += timedelta(minutes=61)
    assert ask(stack.api(), further, conversation=name)[1]["refused"]
    # Without the bucket the caller's own history stands in.
    gone, history = stack.api(ARCHIVE_BUCKET="gone"), [{"role": "user", "text": opening}]
    assert not ask(gone, further, history=history)[1]["refused"]
    assert "is not kept" in caplog.text


def test_streams_are_refused_before_anything_is_opened(stack: Stack) -> None:
    api = stack.api(ADVISOR_LEDGER__URL="")
    assert told(api(keyed("/api/stream"), Context()))[0] == 501
    assert told(api(keyed("/api/runs"), Context()))[0] == 503


def test_no_page_of_ours_needs_the_stream() -> None:
    pages = [*Path("examples").rglob("*.html"), *Path("ui").rglob("*.py")]
    assert len(pages) > 5
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert "/api/stream" not in text, page
        assert "EventSource" not in text, page
