"""What the tests of sweeps share: a small synthetic market and a request on it."""

from datetime import date
from pathlib import Path
from typing import Any

from advisor.settings import Settings
from advisor.sweep.run import SweepRequest, SweepResult, sweep
from advisor.sweep.space import read_axes
from tests.advisor.worlds import market

FIRST, LAST = date(2026, 10, 13), date(2026, 10, 23)
GRID = ("stdev.mr_arm_z=0.9,1.2", "stdev.atr_multiplier_sl=1:2:0.5")


def asked(*vary: str, **options: Any) -> SweepRequest:
    """A request on these axes; the small grid when none is named."""
    return SweepRequest(axes=read_axes(vary or GRID), **options)


def run(folder: Path, *vary: str, settings: Settings | None = None, **options: Any) -> SweepResult:
    """A sweep of the small market."""
    return sweep(asked(*vary, **options), settings or Settings(), market(FIRST, LAST), folder)
