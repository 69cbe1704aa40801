"""Tests of Amazon's services: the real clients against moto's server."""
