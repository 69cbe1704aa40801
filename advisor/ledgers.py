"""Where a ledger is: a file, a folder that holds one, or a database's address.

Whatever a person may name as a ledger is understood here and nowhere else. The password of a
database is not part of an address: it comes from PGPASSWORD, which `secrets.sources` may take from
SSM or Secrets Manager; an address that holds one all the same is never shown with it.
"""

from pathlib import Path

from advisor.secrets import open_secrets
from advisor.settings import Settings
from tools.errors import NoData
from tools.secrets import Secrets
from tools.store.dialect import LEDGER_FILE, Synchronous
from tools.store.postgresql import Access, Password
from tools.store.store import Heads, Store

PASSWORD = "PGPASSWORD"


def is_address(place: str | Path) -> bool:
    """Whether a place is a database's address rather than a path."""
    return "://" in str(place)


def ledger_at(place: str | Path | None, settings: Settings) -> str:
    """The file or address of a ledger; the one in the settings when none is named.

    Raises NoData where there is no file, or nothing is named at all.
    """
    place = place if place is not None else settings.ledger.url
    if place is None:
        raise NoData("no ledger is named; name a file, an output folder or a database, or set "
                     "ledger.url")  # fmt: skip
    if is_address(place):
        return str(place)
    path = Path(place)
    path = path / LEDGER_FILE if path.is_dir() else path
    if not path.is_file():
        raise NoData(f"there is no ledger at {path}; name a ledger file or an output folder")
    return str(path)


def named_or_newest(place: str | Path | None, settings: Settings) -> str:
    """As `ledger_at`; where nothing is named, the ledger here or below ./out written last."""
    if place is not None or settings.ledger.url is not None:
        return ledger_at(place, settings)
    found = [*Path().glob(LEDGER_FILE), *Path("out").rglob(LEDGER_FILE)]
    if not found:
        raise NoData(
            f"there is no {LEDGER_FILE} below ./out; make one with `advisor demo`, or name one"
        )
    return str(max(found, key=lambda path: path.stat().st_mtime))


def folder_of(place: str | Path) -> Path | None:
    """The folder of a ledger that is a file, where its index stands; None for a database."""
    if is_address(place):
        return None
    path = Path(place)
    return path if path.is_dir() else path.parent


def open_ledger(
    place: str | Path,
    settings: Settings,
    *,
    read_only: bool = True,
    synchronous: Synchronous = "FULL",
    secrets: Secrets | None = None,
    heads: Heads | None = None,
) -> Store:
    """Open what `ledger_at` found, or a file to be made; raises what `Store.open` raises.

    `secrets` are those that are open already, `heads` as for `Store.open`.
    """
    access = Access(
        connections=settings.ledger.connections,
        connect_seconds=settings.ledger.connect_seconds,
        password=password_of(settings, secrets) if is_address(place) else None,
    )
    return Store.open(
        place, read_only=read_only, synchronous=synchronous, access=access, heads=heads
    )


def password_of(settings: Settings, secrets: Secrets | None = None) -> Password | None:
    """How a database's password is asked for; None leaves it to PGPASSWORD in the environment."""
    if PASSWORD not in settings.secrets.sources:
        return None
    known = secrets or open_secrets(settings)
    return lambda renewed: known.secret(PASSWORD, renewed=renewed)
