"""Tests of the project, laid out like its packages."""
