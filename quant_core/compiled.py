"""The one door to numba: `@compiled` functions are typed for mypy and cached for the next start.

Surprise recorded here: numba's cache looks only at the file of the function it caches, so a kernel
that inlines another file's kernel would go on using its old body. The cache folder therefore
carries a digest of every source file of `quant_core`; editing any of them starts a new cache.
Set NUMBA_CACHE_DIR to keep it elsewhere (a read-only container); numba reads that itself.
"""

import hashlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def _cache_directory() -> str:
    package = Path(__file__).parent
    digest = hashlib.sha256(numba.__version__.encode())
    for source in sorted(package.rglob("*.py")):
        digest.update(source.read_bytes())
    folder = package.parent / ".numba_cache" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        folder = Path(tempfile.gettempdir()) / "advisor-numba" / folder.name
        folder.mkdir(parents=True, exist_ok=True)
    return str(folder)


if not numba.config.CACHE_DIR:  # type: ignore[attr-defined]
    numba.config.CACHE_DIR = _cache_directory()  # type: ignore[attr-defined]


def compiled(function: _Function) -> _Function:
    """Compile a kernel to machine code on first use and keep the result on disk.

    Kernels take arrays, numbers and structured records; they do no I/O and raise nothing. They
    release the interpreter's lock, so several may run in threads, each on its own state.
    IEEE arithmetic is kept (no fast-math), so results are the same on every machine.
    """
    return cast(_Function, numba.njit(cache=True, error_model="numpy", nogil=True)(function))
