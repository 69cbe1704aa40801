"""Bar files that lie in an S3 bucket: the same lake, where every machine can read it.

A place is written `s3://bucket/folder` or `s3://bucket/file.parquet`. Keys and region are found
where AWS's own tools find them (environment, profile, role); another service than AWS is named in
the place: `s3://bucket/lake?endpoint_override=HOST:PORT&scheme=http`. Only Parquet is read here:
of such a file the needed columns and row groups are fetched and nothing else, which CSV does not
allow (`advisor data import` makes a lake of it).
"""

from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pa_fs

from tools.errors import BadInput, NoData

_SCHEME = "s3:/"  # a Path keeps one slash of two


def in_bucket(source: Path) -> bool:
    """Whether a source was written `s3://…`."""
    return str(source).startswith(_SCHEME)


def find_objects(source: Path) -> tuple[pa_fs.FileSystem, list[Path]]:
    """The bucket's client and the Parquet files at a place, by name.

    BadInput where the bucket cannot be read or the place is not there, NoData where it holds none.
    """
    shown = str(source).replace(_SCHEME, _SCHEME + "/", 1)
    try:
        bucket, key = pa_fs.FileSystem.from_uri(shown)
        found = bucket.get_file_info(key)
        inside = [found]
        if found.type == pa_fs.FileType.Directory:
            inside = bucket.get_file_info(pa_fs.FileSelector(key, recursive=True))
    except (OSError, pa.ArrowException) as error:
        reason = str(error).splitlines()[0].strip(" .")
        raise BadInput(f"{shown} cannot be read: {reason}") from error
    if found.type == pa_fs.FileType.NotFound:
        raise BadInput(f"{shown} does not exist; name a folder or a Parquet file in the bucket")
    names = sorted(one.path for one in inside if one.is_file and one.path.endswith(".parquet"))
    if not names:
        raise NoData(f"{shown} holds no .parquet file; in a bucket only these are read")
    return bucket, [Path(name) for name in names]
