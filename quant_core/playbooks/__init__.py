"""Playbooks: each turns bands and features into signals; everything after a signal is shared."""
