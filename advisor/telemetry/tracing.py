"""Spans by OpenTelemetry where it is installed and set up; nothing, at no cost, elsewhere.

Only its API is used: what becomes of spans is decided by whoever starts the process, as
`opentelemetry-instrument advisor …` does from its OTEL_ variables. Without a provider there are no
spans, and then none are asked for.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

Span = Callable[..., AbstractContextManager[Any]]


def no_span(name: str, **attributes: str) -> AbstractContextManager[None]:  # noqa: ARG001
    """Around work that nobody traces."""
    return nullcontext()


def spans() -> Span:
    """How to open a span: by the tracer of this process, or not at all."""
    try:
        from opentelemetry import trace
    except ModuleNotFoundError:
        return no_span
    if isinstance(
        trace.get_tracer_provider(), trace.ProxyTracerProvider | trace.NoOpTracerProvider
    ):
        return no_span
    tracer = trace.get_tracer("advisor")

    def span(name: str, **attributes: str) -> AbstractContextManager[Any]:
        """A span of a name; attributes are prefixed with `advisor.`."""
        named = {f"advisor.{key}": value for key, value in attributes.items()}
        return tracer.start_as_current_span(name, attributes=named)

    return span
