"""The page of measured figures says what the command that writes it would say now."""

import pytest
from benchmarks.quality import figures, table
from benchmarks.scorers import PAGE, deterministic

from shared import shared_path

pytestmark = pytest.mark.slow


def test_the_figures_are_those_of_today() -> None:
    shared_path("data")
    page = PAGE.read_text(encoding="utf-8")
    for line in table(figures()):
        assert line in page, "write the page anew: python -m benchmarks.scorers --write"


def test_every_deterministic_scorer_is_on_the_page() -> None:
    page = PAGE.read_text(encoding="utf-8")
    missing = [scorer.name for _, scorer in deterministic() if f"| `{scorer.name}` |" not in page]
    assert missing == []
