"""A bar as a stream brings it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBar:
    """A minute of one symbol as it arrived, unchecked; `start` is its start, UTC."""

    symbol: str
    start: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    received_at: datetime
    revised: bool = False
