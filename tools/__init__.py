"""The hands: one adapter for each outside thing, behind the ports of tools.ports."""
