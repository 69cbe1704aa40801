"""The deterministic core: no I/O, no clock, no environment."""
