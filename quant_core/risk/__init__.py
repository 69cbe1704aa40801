"""Risk: deterministic limits, sizing and exits. It runs last, and nothing overrules it."""
