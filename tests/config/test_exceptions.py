"""Accepting: what is named must be there, and what is written can be read back."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from config.building import opened, problems, suite, write
from gatewatch.config.exceptions import accept
from gatewatch.core.clock import now
from gatewatch.offline.accept import read_exceptions

UNTIL = now().date() + timedelta(days=30)


def accepted(folder: Path, what: str, **options: object) -> None:
    given: dict[str, object] = {"reason": "known", "until": UNTIL, "owner": "mia", **options}
    accept(opened(folder), what, **given)  # type: ignore[arg-type]


def test_cases_and_scorers_are_appended(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    accepted(folder, "a")
    accepted(folder, "exact", suite="main", reason='a "quoted"\nreason \\ with a backslash')
    accepted(folder, "b", scorer="exact")
    found = read_exceptions(folder / "accepted.toml", "main")
    assert [(where, entry.what) for where, entry in found.entries] == [
        ("accepted.toml:4", "case a"),
        ("accepted.toml:10", "scorer exact"),
        ("accepted.toml:17", "case b under exact"),
    ]
    assert found.entries[1][1].reason == 'a "quoted"\nreason \\ with a backslash'
    assert [entry.what for _, entry in read_exceptions(folder / "accepted.toml", "other").entries] == [
        "case a",
        "case b under exact",
    ]


@pytest.mark.parametrize(
    ("what", "options", "said"),
    [
        ("c", {}, "c: is neither a case nor a scorer (known: a, b, exact)"),
        ("exat", {}, 'exat: is neither a case nor a scorer (did you mean "exact"?)'),
        ("a", {"suite": "mian"}, "--suite: there is no suite 'mian' (did you mean \"main\"?)"),
        ("a", {"scorer": "exat"}, "--scorer: no suite has a scorer 'exat' (did you mean \"exact\"?)"),
        ("a", {"until": date(2020, 1, 1)}, "--until: 2020-01-01 has passed already (give a day to come)"),
    ],
)
def test_a_slip_of_the_pen_accepts_nothing(tmp_path: Path, what: str, options: dict[str, object], said: str) -> None:
    folder = write(tmp_path, suite())
    assert problems(lambda: accepted(folder, what, **options)) == [said]
    assert not (folder / "accepted.toml").exists()


def test_a_file_that_is_wrong_is_not_written_to(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), accepted_toml='[[accepted]]\ncase = "a"\n')
    before = (folder / "accepted.toml").read_text()
    assert len(problems(lambda: accepted(folder, "a"))) == 3
    assert (folder / "accepted.toml").read_text() == before
