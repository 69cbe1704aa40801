"""The domain types: what they refuse, and that nobody can change them."""

import math
from dataclasses import FrozenInstanceError, fields, is_dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_core import types
from quant_core.types import ExitReason, Multipliers, Setup, State, Verdict

NAMES = ("mr_arm", "mr_trigger", "tc_arm", "tc_trigger")


def test_every_domain_type_is_frozen_slotted_and_keyword_only():
    found = [kind for kind in vars(types).values() if is_dataclass(kind)]
    assert len(found) >= 15
    for kind in found:
        assert kind.__dataclass_params__.frozen, kind
        assert "__slots__" in vars(kind), kind
        assert all(field.kw_only for field in fields(kind)), kind


def test_multipliers_default_to_one_and_do_not_change():
    multipliers = Multipliers()
    assert multipliers.as_tuple() == (1.0, 1.0, 1.0, 1.0)
    with pytest.raises(FrozenInstanceError):
        multipliers.mr_arm = 2.0  # type: ignore[misc]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", [0.0, 0.4999, 2.0001, -1.0, math.nan, math.inf])
def test_a_multiplier_outside_its_bounds_is_refused_by_name(name, value):
    with pytest.raises(ValueError, match=f"multiplier {name} is .*must lie in"):
        Multipliers(**{name: value})


@pytest.mark.parametrize("value", [0.5, 1.0, 2.0])
def test_the_bounds_themselves_are_allowed(value):
    assert Multipliers(mr_arm=value).mr_arm == value


@pytest.mark.parametrize(
    ("given_value", "kept"),
    [(0.1, 0.5), (0.7, 0.7), (9.0, 2.0), (-3.0, 0.5), (math.nan, 1.0), (math.inf, 1.0), (2, 2.0)],
)
def test_clamping_brings_values_inside_and_nonsense_to_one(given_value, kept):
    clamped = Multipliers.clamped({"tc_trigger": given_value})
    assert clamped == Multipliers(tc_trigger=kept)


def test_clamping_ignores_what_is_not_a_multiplier():
    assert Multipliers.clamped({"leverage": 50.0}) == Multipliers()


@given(st.dictionaries(st.sampled_from(NAMES), st.floats()))
def test_clamping_always_gives_valid_multipliers(values):
    clamped = Multipliers.clamped(values)
    assert all(0.5 <= value <= 2.0 for value in clamped.as_tuple())
    assert Multipliers.clamped(dict(zip(NAMES, clamped.as_tuple(), strict=True))) == clamped


@pytest.mark.parametrize(
    ("ruling", "factor"),
    [("approve", 1.0), ("veto", 1.0), ("abstain", 1.0), ("reduce", 0.5), ("reduce", 0.001)],
)
def test_verdicts_that_make_sense(ruling, factor):
    assert Verdict(ruling=ruling, size_factor=factor).size_factor == factor


@pytest.mark.parametrize(
    ("ruling", "factor"),
    [
        ("approve", 0.5),
        ("veto", 0.5),
        ("abstain", 0.9),
        ("reduce", 1.0),
        ("reduce", 0.0),
        ("reduce", -0.5),
        ("approve", 1.5),  # never enlarges
        ("reduce", 1.0001),
        ("approve", math.nan),
        ("reduce", math.inf),
    ],
)
def test_verdicts_that_do_not(ruling, factor):
    with pytest.raises(ValueError, match="size_factor"):
        Verdict(ruling=ruling, size_factor=factor)


def test_names_that_are_stored_and_exported():
    assert [setup.value for setup in Setup] == ["MR", "TC"]
    assert [str(state) for state in State][:3] == ["idle", "mr_armed", "tc_armed"]
    assert [str(reason) for reason in ExitReason] == [
        "stop",
        "trailing_stop",
        "target",
        "end_of_day",
        "max_hold",
        "kill",
        "drawdown",
    ]
