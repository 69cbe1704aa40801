"""Where a user's runs are when no place is named: below ./out, the newest ledger first."""

from pathlib import Path

from tools.errors import NoData
from tools.store.dialect import LEDGER_FILE


def newest_ledger() -> Path:
    """The ledger here or below ./out that was written last; NoData when there is none."""
    found = [*Path().glob(LEDGER_FILE), *Path("out").rglob(LEDGER_FILE)]
    if not found:
        raise NoData(
            f"there is no {LEDGER_FILE} below ./out; make one with `advisor demo`, or name one"
        )
    return max(found, key=lambda path: path.stat().st_mtime)
