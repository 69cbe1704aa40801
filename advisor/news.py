"""Which news a run reads: files, and ledgers that kept the news of an earlier run.

A ledger has the chart alerts too that reached the run: a replay of it is shown them as it was.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from advisor.settings import Settings
from quant_core.types import ChartAlert
from tools.errors import NoData
from tools.news.files import NewsFiles, NewsFormat, read_news_files
from tools.news.ledger import LedgerNews, chart_alerts
from tools.news.shelf import JoinedNews
from tools.ports import NewsReader
from tools.store.store import Store

LEDGER_SUFFIX = ".sqlite"
LEDGER_IN_FOLDER = "ledger.sqlite"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsSources:
    """An open set of news sources. `reader` is None when there are none; `digest` is identity.

    `alerts` are those of charts in its ledgers, in the order in which they were recorded.
    """

    reader: NewsReader | None = None
    files: NewsFiles | None = None
    digest: str = ""
    alerts: tuple[ChartAlert, ...] = ()

    def counts(self) -> dict[str, Any] | None:
        """What was read, accepted and refused by reason; None without files."""
        if self.files is None:
            return None
        reasons = Counter(one.reason for one in self.files.rejections)
        return {
            "read": self.files.read,
            "accepted": len(self.files.shelf.items),
            "rejected": dict(sorted(reasons.items())),
        }


def open_news(paths: Sequence[Path], settings: Settings, stack: ExitStack) -> NewsSources:
    """Open files, folders and ledgers of news; the stack closes them."""
    ledgers = [ledger for path in paths if (ledger := _ledger(path))]
    others = [path for path in paths if _ledger(path) is None]
    readers: list[NewsReader] = []
    parts: list[str] = []
    alerts: dict[str, ChartAlert] = {}
    files = None
    if others:
        form = NewsFormat(columns=settings.news.columns, tz=settings.news.timezone)
        files = read_news_files(others, form)
        readers.append(files.shelf)
        parts.append(files.shelf.digest())
    for ledger in ledgers:
        if not ledger.is_file():
            raise NoData(f"there is no ledger at {ledger}; name a file of news, or a ledger")
        store = stack.enter_context(Store.open(ledger, read_only=True))
        readers.append(LedgerNews(store))
        for one in chart_alerts(store):
            alerts.setdefault(one.id, one)
        parts += sorted(head for run in store.runs() for head in store.heads(run.run_id).values())
    if not readers:
        return NewsSources()
    digest = hashlib.sha256(" ".join(parts).encode()).hexdigest()[:16]
    return NewsSources(
        reader=JoinedNews(readers), files=files, digest=digest, alerts=tuple(alerts.values())
    )


def _ledger(path: Path) -> Path | None:
    """The ledger that a path names, if it names one."""
    if path.suffix == LEDGER_SUFFIX:
        return path
    inside = path / LEDGER_IN_FOLDER
    return inside if inside.is_file() else None
