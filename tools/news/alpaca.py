"""News of symbols from Alpaca, read as headlines like any other feed's.

An item is dated by its publication and received when it is fetched: what was published this
morning and fetched at noon was not known in between.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from tools import alpaca as edge
from tools.errors import Transient
from tools.market.alpaca import DATA
from tools.news.feeds import FeedState, Fetched
from tools.news.rows import NewsRejection, Refused, headline

SCHEME = "alpaca:"
LOOKS_BACK = timedelta(days=3)
MOST = 1_000
_COLUMNS = {
    "id": "id", "published_at": "created_at", "received_at": "received_at", "source": "source",
    "title": "headline", "summary": "summary", "symbols": "symbols",
}  # fmt: skip


def fetch_alpaca(
    environment: Mapping[str, str],
    symbols: Sequence[str],
    state: FeedState,
    now: datetime,
    *,
    base_url: str | None = None,
    read_seconds: float = 30.0,
) -> Fetched:
    """What was published since the fetch before (`state.modified`), else in the last days.

    Raises NotConfigured without keys or alpaca-py, Rejected with Alpaca's words, Transient when it
    cannot be reached. Rows that are no headlines are refused by name.
    """
    edge.installed()
    from alpaca.data.historical.news import NewsClient
    from alpaca.data.requests import NewsRequest

    client = NewsClient(*edge.keys(environment), raw_data=True, url_override=base_url or DATA)
    edge.tame(client, read_seconds)
    since = datetime.fromisoformat(state.modified) if state.modified else now - LOOKS_BACK
    # A little over the edge: what was published while we asked comes twice and is known once.
    request = NewsRequest(
        symbols=",".join(symbols), start=since - timedelta(minutes=10), end=now, limit=MOST,
        include_content=False,
    )  # fmt: skip
    place = f"{SCHEME}{','.join(symbols)}"
    found = edge.asked(f"the news of {place}", lambda: client.get_news(request), lost=Transient)
    items, rejections = [], []
    for number, row in enumerate(found.get("news") or [], 1):
        try:
            plain = {**row, "id": f"alpaca:{row.get('id')}", "received_at": now.isoformat()}
            items.append(headline(plain, _COLUMNS, UTC))  # type: ignore[arg-type]
        except Refused as refused:
            reason, value = refused.args
            rejections.append(
                NewsRejection(file=place, row=number, reason=reason, value=str(value))
            )
    return Fetched(
        items=tuple(items),
        rejections=tuple(rejections),
        state=FeedState(modified=now.isoformat()),
        unchanged=not items and not rejections,
    )
