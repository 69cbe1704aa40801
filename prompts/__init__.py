"""Versioned prompt templates and their strict renderer."""
