"""Server-sent events: how they are written, and what a client is to do when the line breaks."""

from pydantic import BaseModel

EVENT_STREAM = "text/event-stream"
# One event as OpenAPI describes it; `data` is the JSON of the model that the event's name tells.
EVENT_SCHEMA = {
    "type": "object",
    "properties": {
        "event": {"type": "string"},
        "id": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
# `X-Accel-Buffering` is for nginx: it would hold events back.
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
RECONNECT = b"retry: 2000\n\n"
HEARTBEAT = b": still here\n\n"


def event(name: str, model: BaseModel, identity: str | None = None) -> bytes:
    """One event; JSON holds no line break, so the data is one line."""
    head = f"id: {identity}\n" if identity else ""
    return f"{head}event: {name}\ndata: {model.model_dump_json()}\n\n".encode()
