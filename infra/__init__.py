"""Deployment: Lambda handlers, templates, containers, dashboards."""
