"""A browser for each worker, the filled project, and the pages over it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from web.browsing import Pages, browsing, chromium, open_server
from web.filled import filled


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def filled_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a project with everything. Tests that change it take a copy."""
    return filled(tmp_path_factory.mktemp("filled"))


@pytest.fixture(scope="session")
def filled_url(filled_project: Path) -> Iterator[str]:
    """A server over the filled project, for tests that only look."""
    with open_server(filled_project) as found:
        yield found.url


@pytest.fixture
def pages(browser: Browser, filled_url: str) -> Iterator[Pages]:
    """The pages over the filled project."""
    with browsing(browser, filled_url) as found:
        yield found
