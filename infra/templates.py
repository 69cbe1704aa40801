"""The CloudFormation templates as plain data: `!Ref x` reads as `{"Ref": "x"}`, and so on."""

from functools import cache
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parent / "cloudformation"
PARTS = ("network", "data", "functions", "alarms")
STAGES = ("dev", "prod")


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """YAML with CloudFormation's short forms."""


def _short_form(loader: _Loader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
        return {name: value.split(".", 1) if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_Loader.add_multi_constructor("!", _short_form)


@cache  # reading one takes a good part of a second
def template(name: str) -> dict[str, Any]:
    """One template by the name of its file, without its ending; to be read, not changed."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    loaded: dict[str, Any] = yaml.load(text, Loader=_Loader)
    return loaded


def parameters(stage: str) -> dict[str, str]:
    """The parameters of a stage, as they are given to `aws cloudformation deploy`."""
    lines = (FOLDER / f"{stage}.params").read_text(encoding="utf-8").splitlines()
    pairs = (line.partition("=") for line in lines if line.strip())
    return {name: value for name, _, value in pairs}


def resources(name: str, kind: str = "") -> dict[str, dict[str, Any]]:
    """The resources of a template by their logical id, or those of one type."""
    found: dict[str, dict[str, Any]] = template(name)["Resources"]
    return {key: one for key, one in found.items() if not kind or one["Type"] == kind}


def sizes(name: str, stage: str) -> dict[str, Any]:
    """What a template's mapping chooses for a stage."""
    found: dict[str, Any] = template(name)["Mappings"]["Sizes"][stage]
    return found
