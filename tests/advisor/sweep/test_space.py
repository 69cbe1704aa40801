"""Which combinations are tried, and how a `--vary` that cannot be used is refused."""

import numpy as np
import pytest

from advisor.settings import Settings
from advisor.sweep.run import planned
from advisor.sweep.space import grid, in_force, read_axes, rules_table, sample, usable
from quant_core.parameters import StdevParameters, pack
from tests.advisor.sweep.worlds import asked
from tools.errors import BadInput


def test_a_stepped_range_has_both_ends_and_a_grid_every_combination() -> None:
    axes = read_axes(["stdev.mr_arm_z=1.0:1.6:0.1", "fills.slippage_bps=0,1"])
    assert axes[0].values == (1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6)
    table = grid(axes)
    assert table.shape == (14, 2)
    assert table[:3].tolist() == [[1.0, 0.0], [1.0, 1.0], [1.1, 0.0]]


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("stdev.mr_arm=1,2", "did you mean stdev.mr_arm_z"),
        ("nonsense=1", "there is no such setting to vary"),
        ("stdev.mr_arm_z", "names no values"),
        ("stdev.mr_arm_z=", "names no values"),
        ("stdev.mr_arm_z=,", "the grid is empty"),
        ("stdev.mr_arm_z=1,x", "'x' is not a number"),
        ("stdev.mr_arm_z=1,1", "named twice"),
        ("stdev.mr_arm_z=nan", "nan is not a value"),
        ("stdev.mr_arm_z=2:1", "ends before it begins"),
        ("stdev.mr_arm_z=1:2:0", "the step of 1:2:0 is 0"),
        ("stdev.mr_arm_z=2:1:0.1", "the grid is empty"),
        ("stdev.mr_arm_z=1:2:3:4", "is no range"),
        ("stdev.mr_arm_z=0:10:0.00001", "take a larger step"),
    ],
)
def test_what_cannot_be_read_is_named(vary: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        read_axes([vary])


def test_nothing_to_vary_is_an_empty_grid() -> None:
    with pytest.raises(BadInput, match="the grid is empty; name a setting"):
        read_axes([])


def test_a_key_given_twice_is_refused() -> None:
    with pytest.raises(BadInput, match=r"stdev.mr_arm_z is given twice"):
        read_axes(["stdev.mr_arm_z=1,2", "stdev.mr_arm_z=3"])


def test_a_grid_without_a_step_and_one_too_large_are_refused() -> None:
    with pytest.raises(BadInput, match="a grid needs a step"):
        grid(read_axes(["stdev.mr_arm_z=1:2"]))
    many = read_axes(["stdev.mr_arm_z=1:2:0.001", "stdev.tc_arm_z=1:2:0.001"])
    with pytest.raises(BadInput, match=r"1,002,001 combinations, more than 100,000"):
        grid(many)


@pytest.mark.parametrize(
    ("vary", "said"),
    [
        ("stdev.mr_arm_z=1,99", r"stdev.mr_arm_z=99: mr_arm_z is 99.0; it must lie in"),
        ("multipliers.mr_arm=0.1,1", r"multipliers.mr_arm=0.1: multiplier mr_arm is 0.1"),
        ("stdev.window=60,60.5", r"stdev.window=60.5: window is 60.5; it must be a whole"),
        ("risk.max_position=50", r"risk.max_position=50: max_position is 50.0"),
    ],
)
def test_a_value_out_of_range_is_refused_with_its_range(vary: str, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        planned(asked(vary, "stdev.tc_arm_z=1.5,1.8"), Settings())


def test_values_that_contradict_each_other_are_left_out_and_counted() -> None:
    axes = read_axes(["stdev.entry_from=570,700", "stdev.entry_until=600,720"])
    keys = [axis.key for axis in axes]
    table, notes = usable(Settings(), keys, grid(axes))
    assert table.tolist() == [[570, 600], [570, 720], [700, 720]]
    assert "1 of 4 combinations contradict themselves" in notes[0]
    assert "entry_from is 700, after entry_until 600" in notes[0]


def test_a_sample_is_repeatable_whole_where_it_must_be_and_never_twice_the_same() -> None:
    axes = read_axes(["stdev.mr_arm_z=1:2", "stdev.window=60:70", "fills.slippage_bps=0,1"])
    first, again, other = sample(axes, 50, 7), sample(axes, 50, 7), sample(axes, 50, 8)
    assert first.tobytes() == again.tobytes() != other.tobytes()
    assert (first[:, 0] >= 1).all()
    assert (first[:, 0] <= 2).all()
    assert set(first[:, 1]) <= set(range(60, 71))
    few = read_axes(["fills.slippage_bps=0,1"])
    assert sorted(sample(few, 50, 7).ravel()) == [0, 1]


def test_the_kernels_record_is_the_one_that_a_replay_packs() -> None:
    settings = Settings()
    keys = ["stdev.mr_arm_z", "multipliers.tc_arm"]
    rules, multipliers = rules_table(settings, keys, np.array([[1.5, 0.8]]))
    assert (
        rules.tobytes()
        == pack(StdevParameters(mr_arm_z=1.5), settings.risk, settings.fills).tobytes()
    )
    assert multipliers.tolist() == [[1.0, 1.0, 0.8, 1.0]]
    assert in_force(settings, keys) == (1.2, 1.0)
