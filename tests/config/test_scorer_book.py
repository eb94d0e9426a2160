"""The scorers of a project: who uses each, and whether a calibration is of the scorer as it is now."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from gatewatch.config.calibrations import Kept, write_calibration
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.config.scorer_book import Did, ScorerBook
from gatewatch.core.errors import ConfigError
from gatewatch.scorers.calibrate import Calibration
from gatewatch.store.base import Store

TOML = """
[project]
name = "bot"
scorers = "evals.py"
[scorers.short]
use = "regex"
pattern = ".{1,5}"
[suites.support]
dataset = "d.jsonl"
task = "replay:r.jsonl"
scorers = ["short", "exact", "polite"]
[monitors.live]
flow = "support"
scorers = [{ use = "short" }]
"""
EVALS = '''
from gatewatch import scorer

@scorer
def polite(output: str) -> bool:
    """Whether it says please."""
    return "please" in output
'''
NOW = 1_790_000_000.0


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "gatewatch.toml").write_text(TOML)
    (tmp_path / "evals.py").write_text(EVALS)
    return Project.open(tmp_path)


@pytest.fixture
def store(project: Project) -> Iterator[Store]:
    with closing(store_of(project)) as found:
        yield found


def kept(fingerprint: str, **parts: str) -> Kept:
    found = Calibration(word="USABLE", why="it agrees", labels=60, missing=0, split=0)
    return Kept(scorer="polite", fingerprint=fingerprint, parts=parts, at="2026-05-01T10:00:00Z", found=found)


def test_it_says_who_uses_each_and_those_of_the_project_are_here(project: Project, store: Store) -> None:
    every = {each.listed.name: each for each in ScorerBook(project).entries(store, NOW)}
    assert (every["short"].suites, every["short"].monitors, every["short"].here) == (("support",), ("live",), True)
    assert (every["exact"].here, every["regex"].here, every["polite"].here) == (True, False, True)
    assert (every["weighted"].kind, every["polite"].kind) == ("composite", "rule")
    assert every["short"].did == Did()


def test_a_calibration_is_void_once_the_scorer_is_another(project: Project, store: Store) -> None:
    book = ScorerBook(project)
    now = book.entry(store, "polite", NOW).listed.fingerprint
    write_calibration(project.root, kept(now))
    assert book.entry(store, "polite", NOW).trust.void == ""
    write_calibration(project.root, kept("0" * 12, source="other"))
    assert book.entry(store, "polite", NOW).trust.void == "source changed since"
    (project.root / "calibrations" / "polite.json").write_text("{")
    assert "is no calibration" in book.entry(store, "polite", NOW).trust.flaw


def test_a_scorer_is_shown_with_its_code_or_its_settings(project: Project, store: Store) -> None:
    book = ScorerBook(project)
    assert 'return "please" in output' in book.whole("polite").code
    assert book.whole("short").settings == {"use": "regex", "pattern": ".{1,5}"}
    with pytest.raises(ConfigError, match="short"):
        book.entry(store, "shor", NOW)


def test_shares_and_costs_are_unknown_where_nothing_was_asked() -> None:
    assert (Did().share, Did().each) == (None, None)
    assert Did(n=9, errors=1, cost=2.0, judged=8).share == 0.1
    assert Did(cost=2.0, judged=8).each == 0.25
    assert Did(cost=2.0, judged=8, unknown=1).each is None
