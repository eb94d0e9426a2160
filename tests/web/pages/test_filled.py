"""The project with everything has everything: what the tests of screens rely on."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.store.base import Store
from web.browsing import Pages


@pytest.fixture
def store(filled_project: Path) -> Iterator[Store]:
    with closing(store_of(Project.open(filled_project))) as found:
        yield found


def test_it_has_everything(filled_project: Path, store: Store) -> None:
    runs = sorted(each.name.split("-")[1] for each in (filled_project / ".gatewatch" / "runs").glob("*.jsonl"))
    assert runs == ["broken", "main", "mended", "rewrite"]
    assert (filled_project / "baselines" / "support.jsonl").is_file()
    assert (filled_project / "calibrations" / "helpful.json").is_file()
    assert store.counts().traces == 1502
    assert any("helpful fell" in each.title for each in store.alerts(flow="support"))
    assert {"promoted", "ignored", "new"} <= {each.state for each in store.failures("support")}
    assert store.changes(kind="case")


def test_it_is_served(pages: Pages) -> None:
    page = pages.open("/start")
    assert page.title() == "Getting started · shop · Gatewatch"
