"""The script that Streamlit runs for every visitor: style, the line on top, the chosen page."""

import sys
from pathlib import Path

import streamlit as st

# The server runs this file by its path; `ui` and `advisor` are found beside it, installed or not.
_ROOT = str(Path(__file__).parents[1])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)

from advisor.api import schemas  # noqa: E402
from ui.parts import html, notices, strip  # noqa: E402
from ui.views import (  # noqa: E402
    analyses,
    chat,
    health,
    premarket,
    settings,
    symbol,
    today,
    trades,
    value,
)
from ui.visit import current  # noqa: E402

PAGES = (
    (today, "Today", "today"),
    (symbol, "Symbol", "symbol"),
    (trades, "Trades", "trades"),
    (analyses, "Analyses", "analyses"),
    (value, "Advisor value", "value"),
    (premarket, "Premarket", "premarket"),
    (chat, "Chat", "chat"),
    (health, "Health", "health"),
    (settings, "Settings", "settings"),
)


def main() -> None:
    """One run of the script."""
    st.set_page_config(page_title="Advisor", layout="wide")
    html.draw_style()
    pages = [
        st.Page(module.show, title=title, url_path=path, default=path == "today")
        for module, title, path in PAGES
    ]
    page = st.navigation(pages, position="top")
    visit = current()
    trouble = visit.read(schemas.Watchlist, "/api/watchlist").trouble
    if trouble is not None and trouble.why == "key":
        notices.ask_for_key(trouble)
        return
    st.set_page_config(page_title=strip.title(visit))
    strip.draw_strip(visit)
    page.run()


main()
