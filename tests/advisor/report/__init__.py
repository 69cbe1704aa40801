"""Tests of the report of a replay."""
