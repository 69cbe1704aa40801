"""What makes two questions the same: everything that can change the answer, and nothing else.

In the key: the models in order and where they are reached, what is sent to them, the prompt (its
id and version too, because the record names them), the schema, the words of the repair and the
bound on the answer. Not in it: time, deadlines, retries, budgets, prices, keys.
"""

from dataclasses import asdict, dataclass

import msgspec
from pydantic import BaseModel

from tools.llm.calls import Prompt
from tools.llm.parameters import ModelParameters
from tools.llm.schemas import WireSchema, sha256_of, wire_schema

FORMAT = 1
REPAIR = (
    "Your answer cannot be used: {problem}\n"
    "Answer the same question again with one JSON object that satisfies the schema, and with "
    "nothing else."
)
SHOWN_OF_ANSWER = 4_000


@dataclass(frozen=True, slots=True)
class Identity:
    """A question's key, its schema, and the canonical JSON of what is sent beside the prompt."""

    key: str
    schema: WireSchema
    parameters: str


def identify(parameters: ModelParameters, prompt: Prompt, schema: type[BaseModel]) -> Identity:
    """The identity of a question."""
    wire = wire_schema(schema)
    sent = {
        "models": [
            {"name": str(name), "base_url": parameters.base_url(name.provider)}
            for name in parameters.order()
        ],
        "max_output_tokens": parameters.max_output_tokens,
        "temperature": parameters.temperature,
        "effort": parameters.effort,
        "max_answer_characters": parameters.max_answer_characters,
        "repair": [REPAIR, SHOWN_OF_ANSWER],
    }
    key = sha256_of(
        {
            "format": FORMAT,
            "sent": sent,
            "prompt": asdict(prompt),
            "schema": {"name": wire.name, "json": wire.json},
        }
    )
    return Identity(key, wire, msgspec.json.encode(sent, order="deterministic").decode())
