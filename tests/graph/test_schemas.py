import json
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from graph.schemas import BiasAnswer, ContextAnswer, MarketAnswer, ValidationAnswer
from tests.graph.worlds import GOOD
from tests.stand_ins.schemas import fault_of
from tools.llm.schemas import wire_schema

SCHEMAS = (MarketAnswer, ValidationAnswer, BiasAnswer, ContextAnswer)
LIMITS = {"minimum", "maximum", "maxLength", "maxItems", "pattern", "default", "oneOf"}


@pytest.mark.parametrize("schema", SCHEMAS)
def test_every_provider_accepts_the_schema(schema: type[BaseModel]) -> None:
    assert fault_of(wire_schema(schema).json) is None
    said = json.dumps(schema.model_json_schema())
    assert not any(f'"{word}"' in said for word in LIMITS)


@pytest.mark.parametrize(
    "differs",
    [
        {"mr_arm": "1.0"},
        {"mr_arm": True},
        {"mr_arm": 1e6},
        {"confidence": None},
        {"evidence": "SPY.z"},
        {"opportunities": [{"symbol": "SPY"}]},
        {"opportunities": [{"symbol": "SPY", "comment": "", "size": 5}]},
        {"orders": []},
        {"assessment": "x" * 20_001},
        {"evidence": ["x" * 2_001]},
        {"evidence": ["x"] * 201},
    ],
)
def test_nonsense_is_refused(differs: dict[str, Any]) -> None:
    MarketAnswer.model_validate_json(json.dumps(GOOD))
    with pytest.raises(ValidationError):
        MarketAnswer.model_validate_json(json.dumps({**GOOD, **differs}))
