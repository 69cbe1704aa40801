"""Columns of bar files, of whatever Arrow type, as numpy arrays and back.

What is no number in a price column becomes NaN and not an error: the rules for bars refuse and
count such a row, and the rest of the file stays of use.

Surprise recorded here: `pa.array(...)` and `Array.to_numpy()` import pandas to see whether they
are dealing with it. That costs a fresh process 0.2 s, ten times what it takes to read the bars.
"""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tools.errors import BadInput

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"


def as_numpy(column: pa.Array) -> NDArray[Any]:
    """A numeric or boolean column without nulls; read-only, shape (rows,)."""
    if pa.types.is_boolean(column.type):
        return np.from_dlpack(column.cast(pa.int8())).astype(np.bool_)
    return np.from_dlpack(column)


def as_arrow(values: NDArray[Any]) -> pa.Array:
    """A contiguous array of numbers or booleans as a column."""
    if values.dtype == np.bool_:
        return as_arrow(values.astype(np.int8)).cast(pa.bool_())
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [None, pa.py_buffer(values)])


def plain(column: pa.Array) -> pa.Array:
    """A column with its dictionary resolved, and text trimmed and of type `string`."""
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pc.utf8_trim_whitespace(column.cast(pa.string()))
    return column


def as_floats(column: pa.Array, name: str, file: str) -> NDArray[np.float64]:
    """A price or volume column; missing values and text that is no number are NaN."""
    column = plain(column)
    kind = column.type
    if pa.types.is_string(kind):
        if pc.any(pc.match_substring(column, "\n")).as_py():
            raise BadInput(f"a quotation mark in column {name} is never closed", file=file)
        try:
            column = column.cast(pa.float64())
        except pa.ArrowInvalid:
            numeric = pc.match_substring_regex(column, _NUMBER)
            column = pc.if_else(numeric, column, None).cast(pa.float64())
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        column = column.cast(pa.float64(), safe=False)
    elif pa.types.is_null(kind):
        column = column.cast(pa.float64())
    else:
        raise BadInput(
            f"column {name} holds {kind}, not numbers; name the right one with --map {name}=NAME",
            file=file,
        )
    return as_numpy(pc.fill_null(column, float("nan")) if column.null_count else column)
