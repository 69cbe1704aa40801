"""Image and compose file: small, not root, read-only, reachable from this machine alone."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from advisor import _PACKAGES
from advisor.cli import app
from advisor.settings import load_settings
from infra.templates import template
from tests.infra.promql import INFRA

ROOT = INFRA.parent
COMPOSE = yaml.safe_load((INFRA / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("advisor", "upgrade", "trader")


def stages() -> dict[str, list[tuple[str, str]]]:
    """The instructions of each stage of the Dockerfile, continued lines joined."""
    text = (INFRA / "Dockerfile").read_text(encoding="utf-8")
    text = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#"))
    found: dict[str, list[tuple[str, str]]] = {}
    for line in filter(str.strip, text.replace("\\\n", " ").splitlines()):
        word, _, rest = line.strip().partition(" ")
        if word == "FROM":
            current = found.setdefault(rest.split(" AS ")[1], [])
        current.append((word, " ".join(rest.split())))
    return found


def given(stage: str, word: str) -> list[str]:
    return [rest for one, rest in stages()[stage] if one == word]


def test_what_runs_is_not_root_and_says_whether_it_is_well() -> None:
    for stage in ("advisor", "lambda"):
        user = given(stage, "USER")[-1]
        assert int(user.split(":")[0]) >= 1000
    assert "/api/health" in stages()["advisor"][-1][1]
    assert stages()["advisor"][-1][0] == "HEALTHCHECK"


def test_the_ledger_on_aws_is_believed_only_with_the_certificates_in_the_image() -> None:
    added = [(stage, *one.split()[-2:]) for stage in stages() for one in given(stage, "ADD")]
    ((stage, source, here),) = added
    assert stage == "lambda"
    assert source.startswith("https://truststore.pki.rds.amazonaws.com/")
    variables = template("functions")["Globals"]["Function"]["Environment"]["Variables"]
    assert variables["LEDGER_URL"]["Fn::Sub"].endswith(f"?sslmode=verify-full&sslrootcert={here}")


def test_images_are_named_by_version() -> None:
    names = [given(stage, "FROM")[0].split(" AS ")[0] for stage in ("build", "advisor")]
    names += [one["image"] for name, one in SERVICES.items() if name not in OURS]
    for name in names:
        assert re.search(r":[\w.-]*\d", name), f"{name} has no version"


def test_all_code_and_nothing_else_is_copied_into_the_image() -> None:
    sources = [rest.split()[:-1] for rest in given("build", "COPY")]
    copied = {source for sources_ in sources for source in sources_}
    assert {*_PACKAGES, "ui"} <= copied
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in kept, "everything is left out that is not named"
    for source in copied:
        assert (ROOT / source).exists()
        assert f"!{source}" in kept


def test_the_extras_exist_and_the_neural_models_come_only_when_asked_for() -> None:
    extras = given("build", "ARG")[0].removeprefix("EXTRAS=").split(",")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert set(extras) <= set(project["optional-dependencies"])
    for extra in extras:
        packages = " ".join(project["optional-dependencies"][extra])
        assert "torch" not in packages
        assert "xgboost" not in packages
    assert "models" not in extras


def test_the_settings_of_the_image_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = (
        dict(re.findall(r'(\w+)="?([^\s"]*)"?', " ".join(given("advisor", "ENV"))))
        | SERVICES["advisor"]["environment"]
    )
    ours = {name: value for name, value in pairs.items() if name.startswith("ADVISOR_")}
    settings = load_settings(environment=ours)
    assert settings.telemetry.metrics_port == 9464
    assert settings.telemetry.metrics_host == "0.0.0.0"
    assert settings.api.keys_file.startswith("/var/lib/advisor/")


@pytest.mark.parametrize("name", OURS)
def test_commands_of_the_compose_file_are_commands(name: str) -> None:
    program, *words = SERVICES[name]["command"]
    assert program == "advisor"
    command: Any = get_command(app)
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    command.make_context(name, list(words), resilient_parsing=False).close()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    for port in service.get("ports", []):
        assert port.startswith("127.0.0.1:")
    assert "outside" in service["networks"] or not service.get("ports")


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_says_whether_it_is_well_or_ends(name: str) -> None:
    service = SERVICES[name]
    if name in OURS:  # in the image, or it ends by itself
        assert "build" in service
    else:
        assert service["healthcheck"]["test"]
    for needed, how in service.get("depends_on", {}).items():
        assert needed in SERVICES
        assert how["condition"] in ("service_healthy", "service_completed_successfully")


def test_secrets_come_from_a_file_that_is_not_in_the_repository() -> None:
    text = (INFRA / "compose.yaml").read_text(encoding="utf-8")
    assert not re.search(r"(?i)(password|secret|api_key)\w*:\s*[\"']?\w", text)
    example = (INFRA / "env.example").read_text(encoding="utf-8")
    for line in example.splitlines():
        assert line.startswith("#") or line.endswith("=") or not line
    for named in re.findall(r"\$\{(\w+):\?", text):  # what compose refuses to start without
        assert f"\n{named}=\n" in example
    checked = subprocess.run(
        ["git", "check-ignore", "infra/.env"], cwd=ROOT, capture_output=True, check=False
    )
    assert checked.returncode == 0


def test_nobody_gets_the_keys_of_another() -> None:
    for name, service in SERVICES.items():
        assert ("env_file" in service) == (name in OURS), name
    assert SERVICES["advisor"]["env_file"] == [".env"]
    passwords = {
        name: [key for key in service.get("environment", {}) if "PASSWORD" in key]
        for name, service in SERVICES.items()
    }
    assert passwords["postgres"] == ["POSTGRES_PASSWORD"]
    assert passwords["grafana"] == ["GF_SECURITY_ADMIN_PASSWORD"]
    assert passwords["prometheus"] == []
    assert (
        SERVICES["advisor"]["environment"]["PGPASSWORD"]
        == (SERVICES["postgres"]["environment"]["POSTGRES_PASSWORD"])
    )


def test_what_is_mounted_is_there_and_volumes_are_declared() -> None:
    for service in SERVICES.values():
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (INFRA / source).exists()
                assert volume.endswith(":ro")
            else:
                assert source in COMPOSE["volumes"]


def test_prometheus_scrapes_the_port_that_is_served() -> None:
    config = yaml.safe_load((INFRA / "prometheus/prometheus.yml").read_text(encoding="utf-8"))
    port = SERVICES["advisor"]["environment"]["ADVISOR_TELEMETRY__METRICS_PORT"]
    (api,) = (one for one in config["scrape_configs"] if one["job_name"] == "advisor-api")
    assert api["static_configs"][0]["targets"] == [f"advisor:{port}"]


def test_the_entry_point_puts_kernels_where_they_can_be_written(tmp_path: Path) -> None:
    kernels = tmp_path / "compiled"
    (kernels / "one").mkdir(parents=True)
    (kernels / "one" / "kernel.nbi").write_text("machine code")
    script = (INFRA / "entrypoint.sh").read_text().replace("/opt/kernels", str(kernels))
    place = tmp_path / "writable"
    shell = shutil.which("sh")
    assert shell is not None
    assert os.access(INFRA / "entrypoint.sh", os.X_OK)
    for _ in range(2):  # a restart finds them there
        done = subprocess.run(
            [shell, "-c", script, "entrypoint", "echo", "it runs"],
            env={"NUMBA_CACHE_DIR": str(place), "PATH": os.environ["PATH"]},
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert done.stdout == "it runs\n"
        assert (place / "one" / "kernel.nbi").read_text() == "machine code"
        assert [one.name for one in place.iterdir()] == ["one"]
