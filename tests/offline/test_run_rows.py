from pathlib import Path

import pytest

from gatewatch.core.errors import InputError
from gatewatch.offline.outcomes import read_run
from gatewatch.offline.run_rows import BY, ONLY, By, Only, RunRows, RunView
from offline.joining import two_runs


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> RunRows:
    return RunRows(read_run(two_runs(tmp_path_factory.mktemp("runs"))[1]))


def ids(rows: RunRows, show: Only = "all", **more: str) -> list[str]:
    return [row.id for row in rows.rows(rows.look(RunView(show=show, **more)))]  # type: ignore[arg-type]


def test_what_failed_is_under_a_mark(rows: RunRows) -> None:
    assert set(ids(rows, "failed")) == {"fell", "broke"}
    assert ids(rows, "errors") == ["broke", "lost"] and ids(rows, "errors", scorer="exact") == ["broke"]


def test_the_worst_first(rows: RunRows) -> None:
    assert ids(rows)[:3] == ["broke", "fell", "slid"]
    assert ids(rows, sort="cost")[0] == ids(rows, sort="latency")[0] == "fell"


def test_a_search_and_a_slice_narrow(rows: RunRows) -> None:
    assert ids(rows, search="THIRTY weeks") == ["fell"]
    assert set(ids(rows, slice="returns")) == {"slid", "rose"}


@pytest.mark.parametrize("sort", BY)
def test_no_order_loses_a_row(rows: RunRows, sort: By) -> None:
    view = RunView(sort=sort)
    assert {show: len(ids(rows, show, sort=sort)) for show in ONLY} == rows.counts(view)


def test_a_row_says_what_became_of_it(rows: RunRows) -> None:
    broke, lost = (rows.rows([rows.ids.index(case)])[0] for case in ("broke", "lost"))
    assert (broke.failed, broke.output, broke.status["exact"], broke.passed["exact"]) == (
        True,
        "the app crashed",
        "task_error",
        False,
    )
    assert (lost.values["helpful"], lost.status["helpful"], lost.passed["helpful"]) == (None, "scorer_error", None)


def test_what_is_not_there_is_said(rows: RunRows) -> None:
    with pytest.raises(InputError, match="did you mean"):
        rows.look(RunView(scorer="exat"))


def test_a_run_without_rows_has_none(tmp_path: Path) -> None:
    from offline.joining import a_run

    empty = RunRows(read_run(a_run(tmp_path, "none", [])))
    assert empty.rows(empty.look(RunView())) == [] and empty.counts(RunView())["all"] == 0
