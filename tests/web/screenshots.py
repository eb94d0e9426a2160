"""The pictures of the pages that the documentation shows: `make screenshots`.

Each screen is looked at as it is over the filled project, and some of what lies behind it.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from gatewatch.web.pages.screens import SCREENS
from web.browsing import SIZES, Pages, browsing, chromium, open_server, ready
from web.filled import filled

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"
OPENED = ("runs", "datasets", "scorers", "traces", "alerts", "failures")
"""Screens of which the first thing in their list is shown, too."""
DARK = ("overview",)
"""Screens that are shown dark, too."""


def take(pages: Pages, folder: Path, *, size: str = "wide") -> None:
    """Take all pictures."""
    for screen in SCREENS:
        page = pages.open(screen.path, size=size)
        keep(page, folder / f"{screen.key}.png")
        if screen.key in OPENED and (first := page.locator("a.open").first).count():
            found = pages.open(str(first.get_attribute("href")), page=page)
            keep(found, folder / f"{screen.key}-one.png")
        page.context.close()
        if screen.key in DARK:
            page = pages.open(screen.path, size=size, theme="dark")
            keep(page, folder / f"{screen.key}-dark.png")
            page.context.close()


def keep(page: Page, file: Path) -> None:
    """A picture of a page once what it fetches is there."""
    ready(page)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=file)


def main() -> int:
    """Take them over a project that is made for it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=Path, default=PICTURES, help="the folder that they are written into")
    parser.add_argument("--size", choices=sorted(SIZES), default="wide")
    parser.add_argument("--project", type=Path, help="a filled project that is there already; it is copied")
    given = parser.parse_args()
    given.to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as temporary:
        project = Path(temporary) / "shop"
        if given.project:
            shutil.copytree(given.project, project)
        else:
            filled(project)
        with chromium() as browser, open_server(project) as served, browsing(browser, served.url) as pages:
            take(pages, given.to, size=given.size)
    return 0


if __name__ == "__main__":
    sys.exit(main())
