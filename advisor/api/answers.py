"""How an answer leaves: the model as JSON, with a tag that spares sending it twice."""

import hashlib

from fastapi import Request
from fastapi.responses import Response
from pydantic import BaseModel


def answer(request: Request, model: BaseModel) -> Response:
    """The model as JSON, or 304 when the client's `If-None-Match` names what it would get.

    The tag is weak: it names the content, which may travel compressed or not.
    """
    body = model.model_dump_json().encode()
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if tag in _tags(request.headers.get("if-none-match", "")):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type="application/json", headers=headers)


def _tags(header: str) -> set[str]:
    return {part.strip() for part in header[:2000].split(",")}
