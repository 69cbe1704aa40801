"""The endpoints, a module for each part of what is asked. Handlers are plain functions."""
