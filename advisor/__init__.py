"""The application: settings, composition root, the cycle, the session loop, commands."""

import hashlib
from functools import lru_cache
from pathlib import Path

__version__ = "0.1.0"

_PACKAGES = ("advisor", "graph", "tools", "prompts", "quant_core", "rag", "infra")


@lru_cache(maxsize=1)
def code_version() -> str:
    """Version and a digest of all source files and prompts: which code produced a row, exactly."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for package in _PACKAGES:
        found = (root / package).rglob("*.py"), (root / package).rglob("*.md")
        for source in sorted(path for paths in found for path in paths):
            digest.update(source.relative_to(root).as_posix().encode())
            digest.update(source.read_bytes())
    return f"{__version__}+{digest.hexdigest()[:12]}"
