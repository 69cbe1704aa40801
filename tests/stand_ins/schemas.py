"""What the services accept as a JSON schema: the part that all of them share."""

from typing import Any

ALLOWED = {
    "type",
    "properties",
    "required",
    "additionalProperties",
    "items",
    "enum",
    "const",
    "anyOf",
    "allOf",
    "description",
    "title",
    "$ref",
    "$defs",
}


def fault_of(schema: Any, where: str = "schema") -> str | None:
    """Why a schema would be refused, or None."""
    if not isinstance(schema, dict):
        return f"{where} is not an object"
    if unknown := set(schema) - ALLOWED:
        return f"{where} has unsupported keywords {sorted(unknown)}"
    parts = [(f"{where}.{name}", part) for name, part in schema.get("$defs", {}).items()]
    if schema.get("type") == "object":
        properties = schema.get("properties", {})
        if schema.get("additionalProperties") is not False:
            return f"{where} must set additionalProperties to false"
        if set(schema.get("required", ())) != set(properties):
            return f"{where} must require every property"
        parts += [(f"{where}.{name}", part) for name, part in properties.items()]
    if schema.get("type") == "array":
        parts.append((f"{where}[]", schema.get("items")))
    parts += [(where, part) for part in schema.get("anyOf", ())]
    return next((fault for name, part in parts if (fault := fault_of(part, name))), None)
