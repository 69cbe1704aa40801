"""The schema on the wire: closed, complete, and free of what a provider would refuse."""

from enum import StrEnum
from typing import Literal

import pytest
from pydantic import BaseModel, Field

from tests.stand_ins.schemas import fault_of
from tests.tools.llm.worlds import View
from tools.llm.schemas import wire_schema


def test_every_object_is_closed_and_complete_and_bounds_are_said_in_words():
    sent = wire_schema(View).json
    assert fault_of(sent) is None
    assert sent["required"] == ["mood", "arm", "symbols", "note", "claims"]
    assert sent["properties"]["arm"] == {
        "type": "number",
        "description": "multiplier on the arm threshold (maximum 2.0, minimum 0.5)",
    }
    assert sent["$defs"]["Claim"]["additionalProperties"] is False


def test_optional_fields_become_required_ones():
    class Optional(BaseModel):
        note: str = "none"
        when: Literal["now", "later"] | None = None

    sent = wire_schema(Optional).json
    assert sent["required"] == ["note", "when"]
    assert fault_of(sent) is None


def test_enums_unions_and_nested_lists_can_be_sent():
    class Side(StrEnum):
        LONG = "long"
        SHORT = "short"

    class Long(BaseModel):
        kind: Literal["long"]
        stop: float

    class Short(BaseModel):
        kind: Literal["short"]
        cover: float

    class Plan(BaseModel):
        side: Side
        legs: list[Long | Short]
        first: Long | Short = Field(discriminator="kind")
        rows: tuple[tuple[float, ...], ...]

    assert fault_of(wire_schema(Plan).json) is None


def test_what_models_cannot_be_held_to_is_a_mistake_of_the_author():
    class Free(BaseModel):
        weights: dict[str, float]

    class Fixed(BaseModel):
        range: tuple[float, float]

    with pytest.raises(TypeError, match=r"Free\.weights is a map with free keys"):
        wire_schema(Free)
    with pytest.raises(TypeError, match=r"Fixed\.range is a tuple of fixed length"):
        wire_schema(Fixed)


def test_the_hash_follows_what_is_sent():
    def made(limit: float) -> type[BaseModel]:
        class Made(BaseModel):
            number: float = Field(le=limit)

        return Made

    assert wire_schema(made(1.0)).hash == wire_schema(made(1.0)).hash
    assert wire_schema(made(1.0)).hash != wire_schema(made(2.0)).hash
