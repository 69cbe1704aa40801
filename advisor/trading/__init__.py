"""A lane whose orders are a broker's: fills booked, orders sent, positions protected, all agreed.

`Trading` is the face; the rest are its steps, in the order in which it takes them.
"""

from advisor.trading.trading import Trading

__all__ = ["Trading"]
