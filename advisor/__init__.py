"""The application: settings, composition root, the cycle, the session loop, commands."""

import hashlib
from functools import lru_cache
from pathlib import Path

__version__ = "0.1.0"

_PACKAGES = ("advisor", "graph", "tools", "prompts", "quant_core", "rag", "infra")


@lru_cache(maxsize=1)
def code_version() -> str:
    """Version and a digest of every source file: which code produced a row, exactly."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for source in sorted((root / package).rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode())
            digest.update(source.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"
