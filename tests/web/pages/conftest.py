"""A browser for each worker, the filled project, and the pages over it."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from web.browsing import Pages, browsing, chromium, open_server
from web.filled import filled, filled_copy


@pytest.fixture(scope="module")  # while it is there an event loop runs in this thread, which other tests may not have
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="session")
def filled_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with everything, for this worker to look at. Tests that change it take a copy (`filled_copy`)."""
    own = tmp_path_factory.mktemp("filled") / "project"
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" not in os.environ:
        return filled(own)
    with (base.parent / "filled.lock").open("w") as lock:  # the first worker makes it for all
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = base.parent / "filled"
        if not made.exists():
            filled(made.with_name("filled.part")).rename(made)
    return filled_copy(made, own)


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
