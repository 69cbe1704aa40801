"""Independent reference implementations, used as test oracles; they import nothing under test."""
