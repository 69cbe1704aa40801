"""What a running advisor says about itself: logs, metrics, traces. It changes no decision.

`Telemetry` is what the cycle and its surroundings call; on its own it hears nothing and costs
nothing. `open_telemetry` makes the one that records, and serves its metrics on a port if asked.
"""

from advisor.telemetry.port import SILENT, Telemetry, observed

__all__ = ["SILENT", "Telemetry", "observed"]
