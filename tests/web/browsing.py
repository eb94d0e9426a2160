"""A browser over a real server, and what every page must hold: no error on the console, nothing from elsewhere.

    def test_runs(pages: Pages) -> None:            # fixture of tests/web/pages/conftest.py: the filled project
        page = pages.open("/runs")
        page.keyboard.press("j")

Under the pages' policy no text can be run as a script: wait by locators, and by `html[data-ready]`, which `open` does.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, expect, sync_playwright

from gatewatch.web.pages.house import Screen
from gatewatch.web.pages.screens import SCREENS
from shared import required
from web.serving import Served, served

PATHS = ("/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES = {"wide": (1440, 900), "middle": (1100, 800), "narrow": (400, 800)}
PATIENCE_MS = 15_000
expect.set_options(timeout=PATIENCE_MS)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Chromium, or a skip where there is none."""
    named = os.environ.get("GATEWATCH_CHROMIUM", "")
    path = next((each for each in (named, *PATHS) if each and Path(each).exists()), None)
    if path is None:
        message = "no Chromium: install it, or name it by GATEWATCH_CHROMIUM"
        if required("chromium"):
            pytest.fail(message)
        pytest.skip(message)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()


class Pages:
    """The pages of a server, in a browser. `troubles` are what no page may have; they fail the test at its end."""

    def __init__(self, browser: Browser, url: str, *, script: bool = True, **options: Any) -> None:
        self.browser = browser
        self.url = url.rstrip("/")
        self.script = script
        self.options = options
        self.troubles: list[str] = []
        self.expected = ["Transition was skipped"]  # of a page that is left before it was faded in
        self._contexts: list[BrowserContext] = []

    def context(
        self, *, size: str = "wide", theme: Literal["light", "dark"] = "light", **options: Any
    ) -> BrowserContext:
        """A browser of somebody else: own cookies, own size and theme."""
        width, height = SIZES[size]
        found = self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme=theme,
            java_script_enabled=self.script,
            reduced_motion="reduce",
            **self.options,
            **options,
        )
        found.set_default_timeout(PATIENCE_MS)
        found.on("console", self._console)
        found.on("weberror", lambda error: self.troubles.append(f"error: {error.error}"))
        found.on("request", self._request)
        self._contexts.append(found)
        return found

    def open(
        self,
        path: str = "/",
        *,
        page: Page | None = None,
        size: str = "wide",
        theme: Literal["light", "dark"] = "light",
    ) -> Page:
        """A page that has loaded, its scripts run; in a browser of its own unless a page is given."""
        found = page or self.context(size=size, theme=theme).new_page()
        found.goto(self.url + path)
        if self.script:
            ready(found)
        return found

    def expect(self, *texts: str) -> None:
        """Let through what is said on the console with one of some texts in it: a 404 that a test asks for."""
        self.expected += texts

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.troubles.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _request(self, request: Request) -> None:
        found = urlsplit(request.url)
        if found.scheme not in ("data", "blob") and found.netloc != urlsplit(self.url).netloc:
            self.troubles.append(f"a request to another server: {request.url[:200]}")

    def close(self) -> None:
        for context in self._contexts:
            context.close()

    def check(self) -> None:
        """Fail on troubles that nobody expected."""
        left = [each for each in self.troubles if not any(text in each for text in self.expected)]
        assert not left, "\n".join(left)


def ready(page: Page) -> None:
    """Wait until a page's scripts have run."""
    page.locator("html[data-ready]").wait_for(state="attached")


@contextmanager
def browsing(browser: Browser, url: str, *, script: bool = True, **options: Any) -> Iterator[Pages]:
    """The pages at an address; troubles fail when this is left."""
    found = Pages(browser, url, script=script, **options)
    try:
        yield found
    finally:
        found.close()
    found.check()


@contextmanager
def open_server(
    folder: Path, toml: str | None = None, *, prefix: str = "", screens: Sequence[Screen] = SCREENS
) -> Iterator[Served]:
    """A server over a project's folder (an empty project unless it is filled), open to whoever asks."""
    file = folder / "gatewatch.toml"
    text = toml or (file.read_text() if file.exists() else '[project]\nname = "bot"\n')
    with served(folder, text, open_="always", prefix=prefix, screens=screens) as found:
        yield found


def shot(page: Page, name: str) -> None:
    """A picture of a page, where `GATEWATCH_SHOTS` names a folder for them."""
    folder = os.environ.get("GATEWATCH_SHOTS")
    if folder:
        Path(folder).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(folder) / f"{name}.png")
