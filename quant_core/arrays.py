"""The two kinds of arrays that numbers travel in, apart from the kernels that fill them.

A process that only reads a ledger (the API, a question) needs the names and not the compiler.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
