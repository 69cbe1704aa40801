"""Objects in an S3 bucket, below a prefix.

A place is written `s3://bucket/prefix`. Writing the same bytes again changes nothing that a reader
can see, so a repeated request does no harm. A write can be made conditional on what was read
(`unless_changed`), which is how two machines change one object without losing either's work.
"""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from tools.aws.clients import asked, client, code_of
from tools.aws.parameters import AwsParameters
from tools.errors import BadInput, NoData

SCHEME = "s3://"


class Changed(Exception):
    """An object is not the one that was read."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An object's bytes, and the tag that changes with them."""

    body: bytes
    tag: str


class Objects:
    """A prefix of a bucket."""

    def __init__(self, place: str, parameters: AwsParameters) -> None:
        """BadInput when the place is not `s3://bucket/…`; nothing is asked yet."""
        # A Path keeps one slash of two.
        text = place if place.startswith(SCHEME) else place.replace("s3:/", SCHEME, 1)
        parts = urlsplit(text)
        if parts.scheme != "s3" or not parts.netloc:
            raise BadInput(f"{place!r} is no place in a bucket; write s3://bucket/folder")
        self.bucket, self._prefix = parts.netloc, parts.path.strip("/")
        self._client = client("s3", parameters)

    def place(self, key: str = "") -> str:
        """How messages name an object."""
        return "/".join(part for part in (f"{SCHEME}{self.bucket}", self._prefix, key) if part)

    def put(
        self, key: str, body: bytes, content_type: str, *, unless_changed: str | None = None,
        new: bool = False,
    ) -> str:  # fmt: skip
        """Write an object whole; gives its tag. Changed when its tag is another one already.

        `new`: or when it is there at all. Raises Transient, NotConfigured, NoData or Rejected.
        """
        from botocore.exceptions import ClientError  # type: ignore[import-untyped]

        asking: dict[str, Any] = {
            "Bucket": self.bucket, "Key": self._key(key), "Body": body,
            "ContentType": content_type,
        }  # fmt: skip
        if unless_changed is not None:
            asking["IfMatch"] = unless_changed
        if new:
            asking["IfNoneMatch"] = "*"

        def write() -> str:
            try:
                return str(self._client.put_object(**asking)["ETag"])
            except ClientError as error:
                if code_of(error) in ("PreconditionFailed", "ConditionalRequestConflict", "412"):
                    return ""
                raise

        if tag := asked(f"writing {self.place(key)}", write):
            return tag
        raise Changed(self.place(key))

    def get(self, key: str) -> Stored:
        """An object; NoData when it is not there."""

        def read() -> Stored:
            answer = self._client.get_object(Bucket=self.bucket, Key=self._key(key))
            return Stored(answer["Body"].read(), str(answer["ETag"]))

        return asked(f"reading {self.place(key)}", read)

    def find(self, key: str) -> Stored | None:
        """An object, or None when it is not there; NoData when the bucket is not."""
        from botocore.exceptions import ClientError

        try:
            return self.get(key)
        except NoData as error:
            cause = error.__cause__
            if isinstance(cause, ClientError) and code_of(cause) in ("NoSuchKey", "404"):
                return None
            raise

    def remove(self, key: str) -> None:
        """Take an object away; nothing happens where there is none."""
        asked(
            f"removing {self.place(key)}",
            lambda: self._client.delete_object(Bucket=self.bucket, Key=self._key(key)),
        )

    def names(self, below: str = "") -> list[str]:
        """The keys of the objects below one, in order, without the prefix."""
        start = self._key(below)
        pages = self._client.get_paginator("list_objects_v2")

        def listed() -> list[str]:
            found = []
            for page in pages.paginate(Bucket=self.bucket, Prefix=start):
                found += [one["Key"] for one in page.get("Contents", [])]
            return found

        skipped = len(self._prefix) + 1 if self._prefix else 0
        return [key[skipped:] for key in asked(f"listing {self.place(below)}", listed)]

    def _key(self, key: str) -> str:
        return f"{self._prefix}/{key}" if self._prefix else key
