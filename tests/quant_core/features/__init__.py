"""Tests of the feature engine."""
