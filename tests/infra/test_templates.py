"""The templates: valid, whole, of least privilege, and started when they should be."""

import importlib.util
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra import plan
from infra.costs import estimate, table
from infra.handlers.given import Given
from infra.templates import FOLDER, PARTS, STAGES, parameters, resources, sizes, template
from rag.opensearch import Access, OpenSearchIndex
from tests.infra.test_monitoring import OPERATIONS, anchors
from tests.rag.worlds import ALWAYS, SOME
from tests.stand_ins.opensearch import opensearch_stand_in
from tools.embed.lexical import LexicalEmbedder

FUNCTIONS = resources("functions", "AWS::Serverless::Function")
HANDLERS = {
    "premarket", "live_cycle", "market_analysis", "trade_executor", "position_monitor", "api",
    "webhook", "nightly",
}  # fmt: skip


@pytest.mark.slow
def test_cfn_lint_finds_nothing() -> None:
    lint = str(Path(sys.executable).with_name("cfn-lint"))
    files = [str(path) for path in sorted(FOLDER.glob("*.yaml"))]
    done = subprocess.run([lint, *files], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def references(value: Any) -> Iterator[str]:
    """Every name that a template's value refers to, by !Ref, !GetAtt or !Sub."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "Ref":
                yield inner
            elif key == "Fn::GetAtt":
                yield inner[0]
            elif key == "Fn::Sub":
                yield from (
                    name.split(".")[0] for name in re.findall(r"\$\{([^}!]+)\}", str(inner))
                )
            else:
                yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_given_what_it_asks_for_and_uses_it(part: str) -> None:
    whole = template("template")
    stack = next(
        one for one in whole["Resources"].values()
        if one["Properties"]["TemplateURL"] == f"./{part}.yaml"
    )  # fmt: skip
    loaded = template(part)
    given, declared = stack["Properties"]["Parameters"], loaded["Parameters"]
    required = {name for name, one in declared.items() if "Default" not in one}
    assert required <= set(given) <= set(declared)
    used = set(references({k: v for k, v in loaded.items() if k != "Parameters"}))
    assert set(declared) <= used, f"{part} does not use {set(declared) - used}"
    for value in given.values():
        if "Fn::GetAtt" in value:
            source, attribute = value["Fn::GetAtt"]
            file = whole["Resources"][source]["Properties"]["TemplateURL"][2:-5]
            assert attribute.removeprefix("Outputs.") in template(file)["Outputs"]


@pytest.mark.parametrize("stage", STAGES)
def test_the_parameters_of_a_stage_are_the_templates(stage: str) -> None:
    declared = template("template")["Parameters"]
    given = parameters(stage)
    assert given["Stage"] == stage
    assert set(given) <= set(declared)
    # The image is named when it is deployed, everything else has a value.
    assert {name for name in declared if "Default" not in declared[name]} - set(given) == {
        "ImageUri"
    }
    assert sizes("data", stage).keys() == sizes("data", "dev").keys()


# Least privilege


def statements(part: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every statement of the policies that roles have."""
    for name, one in resources(part).items():
        given = one.get("Properties", {})
        documents = [given["PolicyDocument"]] if one["Type"].endswith("ManagedPolicy") else []
        documents += [policy["PolicyDocument"] for policy in given.get("Policies", [])]
        for document in documents:
            for statement in document["Statement"]:
                yield name, statement


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def test_no_role_may_do_everything_or_anything_to_everything() -> None:
    everywhere, anywhere = [], []
    for name, statement in statements("functions"):
        for action in listed(statement["Action"]):
            assert "*" not in action, f"{name} may {action}"
        for resource in listed(statement["Resource"]):
            if resource == "*":
                everywhere.append((name, statement["Sid"]))
            else:
                assert isinstance(resource, dict), f"{name} names {resource}"
                pattern = resource.get("Fn::Sub", "")
                if "*" in pattern.removesuffix("/*"):
                    anywhere.append((name, statement["Sid"], pattern.rpartition("/")[2]))
    # AWS has no resource for the network interfaces of a function.
    assert everywhere == [("RuntimePolicy", "NetworkInterfaces")]
    # The one model, in whichever region its inference profile finds it.
    assert anywhere == [("ModelPolicy", "Models", "${BedrockModelId}")]


def test_roles_take_no_policies_of_aws_and_each_function_has_its_own() -> None:
    roles = resources("functions", "AWS::IAM::Role")
    for role in roles.values():
        for policy in role["Properties"].get("ManagedPolicyArns", []):
            assert set(policy) == {"Ref"}
    own = [one["Properties"]["Role"]["Fn::GetAtt"][0] for one in FUNCTIONS.values()]
    assert len(set(own)) == len(FUNCTIONS)
    assert {*own, "ScheduleRole"} == set(roles)


def able(action: str, target: str) -> set[str]:
    """The functions whose roles may do something to a resource (by the name it has here)."""
    found, parts, given = set(), resources("functions"), list(statements("functions"))
    for name, function in FUNCTIONS.items():
        role = parts[function["Properties"]["Role"]["Fn::GetAtt"][0]]
        policies = {one["Ref"] for one in role["Properties"]["ManagedPolicyArns"]}
        for owner, statement in given:
            if owner in policies or parts.get(owner) is role:
                names = set(references(statement["Resource"]))
                if action in listed(statement["Action"]) and target in names:
                    found.add(name.removesuffix("Function"))
    return found


def test_only_the_cycle_asks_for_orders_and_only_the_executor_takes_them() -> None:
    assert able("sqs:SendMessage", "TradeQueue") == {"LiveCycle"}
    assert able("sqs:ReceiveMessage", "TradeQueue") == {"TradeExecutor"}
    assert able("sqs:SendMessage", "TradeDeadLetters") == {"TradeExecutor"}
    assert able("sqs:SendMessage", "WebhookQueue") == {"Webhook"}
    assert able("sqs:ReceiveMessage", "WebhookQueue") == {"LiveCycle"}
    assert able("sqs:SendMessage", "WebhookDeadLetters") == {"LiveCycle"}
    assert able("lambda:InvokeFunction", "MarketAnalysisFunction") == {"LiveCycle"}


def index_methods() -> dict[str, set[str]]:
    """How each function's role lets it ask the index."""
    found: dict[str, set[str]] = {}
    for method in ("Get", "Head", "Post", "Put", "Delete"):
        for who in able(f"es:ESHttp{method}", "SearchDomain"):
            found.setdefault(who, set()).add(method.upper())
    return found


def test_whoever_reads_or_fills_the_index_may_do_what_that_takes() -> None:
    asked: dict[str, set[str]] = {}
    with opensearch_stand_in() as (url, cluster):
        place = Access(url=url, alias="documents")
        for who in ("Nightly", "Api"):
            cluster.requests.clear()
            index = OpenSearchIndex.open(place, LexicalEmbedder(), create=who == "Nightly")
            if who == "Nightly":
                index.upsert(SOME)
            else:
                assert index.search("why was NVDA skipped?", as_of=ALWAYS)
            index.close()
            asked[who] = {method for method, _, _ in cluster.requests}
    may = index_methods()
    assert set(may) == set(asked), "who does not ask the index needs no right to"
    for who, needed in asked.items():
        assert needed <= may[who], f"{who} asks by {needed - may[who]} too"


def test_the_site_that_may_call_is_told_to_the_gateway_and_to_the_function(
    tmp_path: Path,
) -> None:
    api = resources("functions", "AWS::Serverless::Api")["RestApi"]["Properties"]
    assert set(references(api["Cors"]["AllowOrigin"])) == {"CorsOrigin"}
    told = FUNCTIONS["ApiFunction"]["Properties"]["Environment"]["Variables"]
    assert told["CORS_ORIGIN"] == {"Ref": "CorsOrigin"}
    for site, meant in (("https://me.example", ("https://me.example",)), ("", ())):
        given = Given({"CORS_ORIGIN": site}, tmp_path)
        assert given.settings.api.cors_origins == meant


def test_what_the_internet_reaches_has_no_keys_of_the_broker() -> None:
    brokers = able("secretsmanager:GetSecretValue", "BrokerSecret")
    assert brokers == {"Premarket", "LiveCycle", "TradeExecutor", "PositionMonitor"}
    assert able("secretsmanager:GetSecretValue", "WebhookSecret") == {"Webhook"}
    assert "Webhook" not in able("secretsmanager:GetSecretValue", "DatabaseSecret")
    assert able("s3:PutObject", "ArchiveBucket") == {
        "Premarket", "LiveCycle", "MarketAnalysis", "Nightly", "Api"
    }  # fmt: skip
    written = [
        statement["Resource"]["Fn::Sub"].partition("}/")[2]
        for owner, statement in statements("functions")
        if owner == "ApiRole" and "s3:PutObject" in statement["Action"]
    ]
    assert written == ["control/*", "chat/*"]


def test_nobody_may_halt_until_a_key_is_named() -> None:
    assert template("template")["Parameters"]["ControlKeys"]["Default"] == ""
    given = FUNCTIONS["ApiFunction"]["Properties"]["Environment"]["Variables"]
    assert given["CONTROL_KEYS"] == {"Fn::Join": [",", {"Ref": "ControlKeys"}]}
    paths = {one["Properties"]["Path"]
             for one in FUNCTIONS["ApiFunction"]["Properties"]["Events"].values()}  # fmt: skip
    assert {"/api/chat", "/api/halt", "/api/resume"} < paths


def test_who_may_ask_a_model_may_count_what_it_costs() -> None:
    """The count is in the ledger's database: without its password nothing may be spent."""
    ask = able("bedrock:InvokeModel", "BedrockModelId")
    assert {"Premarket", "LiveCycle", "MarketAnalysis"} <= ask
    assert ask <= able("secretsmanager:GetSecretValue", "DatabaseSecret")


def test_data_are_encrypted_private_and_kept() -> None:
    data = resources("data")
    database = data["Database"]
    assert database["DeletionPolicy"] == "Snapshot"
    assert database["Properties"]["StorageEncrypted"] is True
    assert database["Properties"]["PubliclyAccessible"] is False
    assert database["Properties"]["ManageMasterUserPassword"] is True
    assert data["DatabaseParameters"]["Properties"]["Parameters"]["rds.force_ssl"] == "1"
    search = data["SearchDomain"]["Properties"]
    assert search["DomainEndpointOptions"]["EnforceHTTPS"] is True
    assert search["EncryptionAtRestOptions"] == {"Enabled": True}
    bucket = data["ArchiveBucket"]
    assert bucket["DeletionPolicy"] == "Retain"
    assert set(bucket["Properties"]["PublicAccessBlockConfiguration"].values()) == {True}
    for name, queue in resources("data", "AWS::SQS::Queue").items():
        assert queue["Properties"]["SqsManagedSseEnabled"] is True, name


def test_a_message_is_given_time_and_never_lost() -> None:
    queues = resources("data", "AWS::SQS::Queue")
    executor = FUNCTIONS["TradeExecutorFunction"]["Properties"]
    orders = executor["Events"]["Orders"]["Properties"]
    assert orders["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert queues["TradeQueue"]["Properties"]["VisibilityTimeout"] >= 6 * executor["Timeout"]
    for name, dead in (("TradeQueue", "TradeDeadLetters"), ("WebhookQueue", "WebhookDeadLetters")):
        redrive = queues[name]["Properties"]["RedrivePolicy"]
        assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": [dead, "Arn"]}
        fifo = [queues[one]["Properties"].get("FifoQueue") for one in (name, dead)]
        assert fifo[0] == fifo[1]
        assert queues[dead]["Properties"]["MessageRetentionPeriod"] == 14 * 86_400


# What starts what


def test_handlers_are_the_eight_and_two_run_one_at_a_time() -> None:
    commands = {
        name: one["Properties"]["ImageConfig"]["Command"] for name, one in FUNCTIONS.items()
    }
    assert {tuple(one) for one in commands.values()} == {
        (f"infra.handlers.{name}.handler",) for name in HANDLERS
    }
    single = {
        commands[name][0].split(".")[2]: one["Properties"]["ReservedConcurrentExecutions"]
        for name, one in FUNCTIONS.items()
        if "ReservedConcurrentExecutions" in one["Properties"]
    }
    assert single == {"live_cycle": 1, "trade_executor": 1}


@pytest.mark.parametrize("name", sorted(HANDLERS))
def test_a_handler_is_there(name: str) -> None:
    if importlib.util.find_spec("infra.handlers") is None:
        pytest.skip("this version has no handlers")
    module = importlib.import_module(f"infra.handlers.{name}")
    assert callable(module.handler)


def field(text: str, lowest: int, highest: int) -> set[int]:
    """The values of a field of a cron expression."""
    if text == "*":
        return set(range(lowest, highest + 1))
    first, _, last = text.partition("-")
    return set(range(int(first), int(last or first) + 1))


def minutes(function: str) -> set[tuple[int, int]]:
    """The New York times at which a function is started, Monday to Friday."""
    found: list[tuple[int, int]] = []
    for schedule in resources("functions", "AWS::Scheduler::Schedule").values():
        given = schedule["Properties"]
        assert given["ScheduleExpressionTimezone"] == "America/New_York"
        assert given["FlexibleTimeWindow"] == {"Mode": "OFF"}
        assert given["Target"]["DeadLetterConfig"] == {"Arn": {"Ref": "MissedQueue"}}
        minute, hour, day, month, week, year = given["ScheduleExpression"][5:-1].split()
        assert (day, month, week, year) == ("?", "*", "MON-FRI", "*")
        if given["Target"]["Arn"]["Fn::GetAtt"][0] == f"{function}Function":
            found += [(h, m) for h in field(hour, 0, 23) for m in field(minute, 0, 59)]
    assert len(found) == len(set(found)), "two schedules start it in the same minute"
    return set(found)


def test_the_cycle_is_started_every_minute_from_the_open_to_the_close() -> None:
    first, last = 9 * 60 + 30, 16 * 60 + 2
    assert minutes("LiveCycle") == {divmod(m, 60) for m in range(first, last + 1)}
    assert minutes("Premarket") == {(8, 30)}
    assert minutes("LiveCycle") < minutes("PositionMonitor")
    assert minutes("Nightly") == {(18, 30)}


def test_only_the_webhook_is_open_and_all_of_the_api_is_throttled() -> None:
    api = resources("functions", "AWS::Serverless::Api")["RestApi"]["Properties"]
    assert api["Auth"]["ApiKeyRequired"] is True
    assert {"RateLimit", "BurstLimit"} <= set(api["Auth"]["UsagePlan"]["Throttle"])
    setting = api["MethodSettings"][0]
    assert (setting["HttpMethod"], setting["ResourcePath"]) == ("*", "/*")
    assert "ThrottlingRateLimit" in setting
    assert "*" not in str(api["Cors"]["AllowOrigin"])
    for name, function in FUNCTIONS.items():
        for event in function["Properties"].get("Events", {}).values():
            if event["Type"] == "Api":
                keyed = event["Properties"].get("Auth", {}).get("ApiKeyRequired", True)
                assert keyed == (name != "WebhookFunction")


# What is said about it


def test_every_function_queue_and_store_has_an_alarm_with_a_runbook() -> None:
    known, watched = anchors(OPERATIONS), set()
    for name, alarm in resources("alarms", "AWS::CloudWatch::Alarm").items():
        given = alarm["Properties"]
        assert f"docs/operations.md#{name.lower()})" in given["AlarmDescription"]["Fn::Sub"]
        assert name.lower() in known, f"docs/operations.md says nothing about {name}"
        assert given["AlarmActions"] == [{"Ref": "AlertTopic"}]
        watched |= set(references(given["Dimensions"]))
    assert {f"{name}Function" for name in (
        "Premarket", "LiveCycle", "MarketAnalysis", "TradeExecutor", "PositionMonitor", "Nightly"
    )} <= watched  # fmt: skip
    assert {"TradeDeadLetterName", "WebhookDeadLetterName", "MissedQueueName"} <= watched
    assert {"DatabaseId", "SearchDomainName", "ApiName", "ScheduleGroup"} <= watched


def test_the_plan_names_every_function_and_what_starts_it() -> None:
    text = "\n".join(plan.summary())
    for name in HANDLERS:
        assert f"infra.handlers.{name}.handler" in text
    assert "cron(30 8 ? * MON-FRI *) America/New_York" in text
    assert "POST /api/tv-alert" in text


def test_the_documented_costs_are_the_templates() -> None:
    assert table() in OPERATIONS.read_text(encoding="utf-8")
    dev, prod = (sum(cost.usd for cost in estimate(stage)) for stage in STAGES)
    assert 0 < dev < prod
