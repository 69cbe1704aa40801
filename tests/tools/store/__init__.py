"""Tests of the ledger: what it keeps, what it refuses, and what it notices."""
