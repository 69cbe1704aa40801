"""The JSON schema that is sent with a question, in the dialect that every provider accepts.

Providers constrain their models by a subset of JSON Schema, each by another one, and refuse the
rest. So the schema sent has closed objects with every field required, and bounds, lengths and
patterns only in words, in the field's description; they are enforced where the answer is read
(`tools.llm.answers`). Maps with free keys and tuples of fixed length cannot be said in the subset
and are a mistake of the schema's author.
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec
from pydantic import BaseModel

_KEPT = {"$ref", "type", "enum", "const", "description"}
_UNSAID = {"title", "default", "additionalProperties", "required", "$defs"}


@dataclass(frozen=True, slots=True)
class WireSchema:
    """A schema as it is sent: name, JSON, and the SHA-256 of its canonical form."""

    name: str
    json: dict[str, Any]
    hash: str


@lru_cache(maxsize=128)
def wire_schema(model: type[BaseModel]) -> WireSchema:
    """The schema of a pydantic model; TypeError when it cannot be sent."""
    whole = model.model_json_schema()
    sent = _portable(whole, model.__name__)
    if "$defs" in whole:
        sent["$defs"] = {
            name: _portable(part, f"{model.__name__}.{name}")
            for name, part in whole["$defs"].items()
        }
    return WireSchema(model.__name__, sent, sha256_of(sent))


def sha256_of(content: Any) -> str:
    """The SHA-256 of a value's canonical JSON."""
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def _portable(schema: dict[str, Any], where: str) -> dict[str, Any]:
    kept = {name: value for name, value in schema.items() if name in _KEPT}
    words = {
        name: value
        for name, value in schema.items()
        if name not in _KEPT | _UNSAID | {"properties", "items", "anyOf", "oneOf", "allOf"}
    }
    if "prefixItems" in words:
        raise TypeError(f"{where} is a tuple of fixed length; models cannot be held to one")
    for choice in ("anyOf", "oneOf", "allOf"):
        if choice in schema:
            kept["anyOf" if choice == "oneOf" else choice] = [
                _portable(part, where) for part in schema[choice]
            ]
    if "items" in schema:
        kept["items"] = _portable(schema["items"], where)
    if schema.get("type") == "object":
        if "properties" not in schema:
            raise TypeError(f"{where} is a map with free keys; models cannot be held to one")
        kept["properties"] = {
            name: _portable(part, f"{where}.{name}") for name, part in schema["properties"].items()
        }
        kept["required"] = list(schema["properties"])
        kept["additionalProperties"] = False
    words.pop("discriminator", None)
    if words:
        said = ", ".join(f"{name} {value}" for name, value in sorted(words.items()))
        kept["description"] = f"{kept.get('description', '')} ({said})".strip()
    return kept
