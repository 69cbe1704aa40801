"""`make screenshots`: the demo, served and photographed, for the README. Needs Chromium.

Pictures are kept small: a palette of 256 colours shows flat pages as they are.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image

from benchmarks.api import serving

HERE = Path(__file__).parents[1] / "docs" / "screenshots"
ADVISOR = [sys.executable, "-c", "from advisor.cli import main; main()"]
SETTLED = 2_500
PICTURES = (
    ("today-light", "", "Watchlist", "light", (1440, 900)),
    ("today-dark", "", "Watchlist", "dark", (1440, 900)),
    ("symbol-dark", "symbol?symbol=NVDA", "Decisions", "dark", (1440, 980)),
    ("trades-light", "trades", "By symbol", "light", (1440, 1150)),
    ("value-light", "value", "Lanes: identical bars", "light", (1440, 900)),
    ("phone-today", "", "Watchlist", "dark", (390, 844)),
    ("phone-analyses", "analyses", "What happened next", "light", (390, 844)),
)


def main() -> None:
    """Make the demo, serve it, write the pictures."""
    from playwright.sync_api import sync_playwright

    chromium = os.environ.get("ADVISOR_TEST_CHROMIUM") or shutil.which("chromium")
    if not chromium:
        sys.exit("make screenshots needs chromium: install it or set ADVISOR_TEST_CHROMIUM")
    HERE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        out = Path(folder) / "demo"
        subprocess.run([*ADVISOR, "demo", "--out", str(out)], check=True, capture_output=True)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        with serving(out / "ledger.sqlite") as (_, port):
            for picture in PICTURES:
                _take(browser, f"http://127.0.0.1:{port}", *picture)
        browser.close()


def _take(
    browser: Any, address: str, name: str, page: str, text: str, theme: str, size: tuple[int, int]
) -> None:
    viewport = {"width": size[0], "height": size[1]}
    context = browser.new_context(viewport=viewport, color_scheme=theme)
    tab = context.new_page()
    tab.goto(f"{address}/{page}")
    tab.get_by_text(text).first.wait_for(state="attached")
    tab.wait_for_timeout(SETTLED)
    file = HERE / f"{name}.png"
    tab.screenshot(path=file)
    context.close()
    Image.open(file).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        file, optimize=True
    )
    print(f"{file.relative_to(Path.cwd())}  {file.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
