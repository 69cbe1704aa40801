"""Reading an answer: text in, a valid value or a problem that can be told to the model.

Total: no text raises, takes long, or yields an unbounded value. The text must be one JSON value
and nothing else; numbers must be finite and within ±1e15, keys unique; then the schema applies,
strictly (no text for a number, no field too many).
"""

import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar

from pydantic import BaseModel, ValidationError

T = TypeVar("T", bound=BaseModel)
LARGEST_NUMBER = 1e15
PROBLEM_CHARACTERS = 1_000


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a text is not an answer, in words for the model and for people."""

    message: str


def read_answer(text: str, schema: type[T], max_characters: int) -> T | Problem:
    """The value that a text holds, or what is wrong with it."""
    if len(text) > max_characters:
        return Problem(f"the answer has {len(text)} characters; at most {max_characters} are read")
    if not text.strip():
        return Problem("the answer is empty")
    try:
        _check_json(text)
        return schema.model_validate_json(text, strict=True, extra="forbid")
    except ValidationError as error:
        return Problem(_in_words(error))
    except RecursionError:
        return Problem("the JSON is nested too deeply")
    except json.JSONDecodeError as error:
        return Problem(f"the answer is not one JSON value: {error}"[:PROBLEM_CHARACTERS])
    except Exception as error:  # a validator of the schema may raise anything
        return Problem(f"{type(error).__name__}: {error}"[:PROBLEM_CHARACTERS])


def _check_json(text: str) -> None:
    """Refuse what JSON parsers let pass and programs trip over."""
    json.loads(
        text,
        parse_constant=_refuse_constant,
        parse_int=_check_number,
        parse_float=_check_number,
        object_pairs_hook=_check_keys,
    )


def _refuse_constant(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number that an answer may hold")


def _check_number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number) or abs(number) > LARGEST_NUMBER:
        raise ValueError(f"the number {digits[:40]} is too large")
    return number


def _check_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key occurs twice in one object")
    return found


def _in_words(error: ValidationError) -> str:
    lines = [
        f"{'.'.join(str(part) for part in problem['loc']) or 'the answer'}: {problem['msg']}"
        for problem in error.errors(include_url=False, include_input=False)[:8]
    ]
    return "; ".join(lines)[:PROBLEM_CHARACTERS]
