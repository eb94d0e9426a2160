from datetime import date
from pathlib import Path

import pytest

from gatewatch.core.errors import InputError
from gatewatch.offline.accept import Entry, Exceptions
from gatewatch.offline.baseline import make_baseline, read_baseline, write_baseline
from gatewatch.offline.gated import compared
from gatewatch.offline.joined import SHOWN, SORTS, Joined, Show, Sort, View
from gatewatch.offline.joined_json import as_json
from gatewatch.offline.outcomes import read_run
from offline.joining import a_row, a_run, joined, two_runs


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Joined:
    return joined(tmp_path_factory.mktemp("runs"))


def ids(found: Joined, show: Show = "all", **more: str) -> list[str]:
    return [row.id for row in found.rows(found.look(View(show=show, **more)))]  # type: ignore[arg-type]


class TestFilters:
    @pytest.mark.parametrize(
        ("show", "cases"),
        [
            ("regressed", {"fell", "slid", "broke"}),
            ("improved", {"rose"}),
            ("changed", {"fell", "slid", "rose", "broke", "reworded"}),
            ("errors", {"broke", "lost"}),
            ("new", {"new", "gone", "altered"}),
        ],
    )
    def test_each_shows_its_rows(self, found: Joined, show: Show, cases: set[str]) -> None:
        assert set(ids(found, show)) == cases

    def test_all_shows_every_case_of_both_sides_once(self, found: Joined) -> None:
        cases = ids(found)
        assert len(cases) == len(set(cases)) == 40 and {"gone", "new"} < set(cases)

    def test_a_scorer_narrows_what_it_says(self, found: Joined) -> None:
        assert set(ids(found, "regressed", scorer="exact")) == {"fell", "broke"}
        assert set(ids(found, "errors", scorer="exact")) == {"broke"}

    def test_a_slice_narrows(self, found: Joined) -> None:
        assert set(ids(found, "changed", slice="returns")) == {"slid", "rose"}

    @pytest.mark.parametrize("text", ["WEEKS", "question of fell", "fell"])
    def test_a_search_looks_into_id_input_and_outputs_whatever_the_case(self, found: Joined, text: str) -> None:
        assert ids(found, search=text) == ["fell"]

    def test_a_search_does_not_run_over_the_end_of_a_row(self, found: Joined) -> None:
        assert ids(found, search="\0") == [] and ids(found, search="nowhere") == []

    def test_counts_are_of_every_filter_as_it_would_be(self, found: Joined) -> None:
        view = View(slice="returns", scorer="helpful")
        counts = found.counts(view)
        assert counts == {show: len(ids(found, show, slice="returns", scorer="helpful")) for show in SHOWN}

    @pytest.mark.parametrize("view", [View(scorer="exacd"), View(slice="return")])
    def test_what_is_not_there_is_said_with_what_is(self, found: Joined, view: View) -> None:
        with pytest.raises(InputError, match="did you mean"):
            found.look(view)


class TestOrders:
    def test_the_worst_first(self, found: Joined) -> None:
        assert ids(found, "regressed")[-1] == "slid"
        assert ids(found, "regressed", scorer="helpful") == ["broke", "fell", "slid"]

    def test_what_rose_furthest_is_first_among_what_rose(self, tmp_path: Path) -> None:
        values = {"a": 0.1, "b": 0.5, "c": 0.3}
        one = a_run(tmp_path, "one", [a_row("one", case, helpful=0.1) for case in values])
        two = a_run(tmp_path, "two", [a_row("two", case, helpful=value) for case, value in values.items()])
        assert ids(Joined(compared(read_run(one), read_run(two))), "improved") == ["b", "c"]

    def test_by_what_they_cost_and_took_more(self, found: Joined) -> None:
        assert ids(found, "all", sort="cost")[0] == ids(found, "all", sort="latency")[0] == "fell"

    def test_as_the_run_has_them(self, found: Joined) -> None:
        assert ids(found, "regressed", sort="run") == ["fell", "slid", "broke"]

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("show", SHOWN)
    def test_no_order_loses_a_row(self, found: Joined, show: Show, sort: Sort) -> None:
        assert sorted(ids(found, show, sort=sort)) == sorted(ids(found, show))


class TestRows:
    def test_a_row_has_both_sides(self, found: Joined) -> None:
        (row,) = found.rows([found.places["fell"]])
        assert row.baseline is not None and row.candidate is not None
        assert (row.input, row.baseline.output, row.candidate.output) == (
            "question of fell",
            "within thirty days",
            "within thirty weeks",
        )
        assert (row.baseline.cost, row.candidate.latency_s, row.changed) == (0.001, 3.0, True)
        cell = row.scores["exact"]
        assert (cell.state, cell.before, cell.after, cell.delta, cell.crossed) == ("loss", 1.0, 0.0, -1.0, "broke")

    def test_what_failed_says_why(self, found: Joined) -> None:
        (row,) = found.rows([found.places["broke"]])
        assert row.candidate is not None and row.candidate.failed
        assert row.candidate.output == "the app crashed" and row.candidate.latency_s is None

    def test_a_lost_score_is_no_fall(self, found: Joined) -> None:
        (row,) = found.rows([found.places["lost"]])
        assert (row.scores["helpful"].state, row.scores["helpful"].delta) == ("error", None)

    def test_what_is_on_one_side_has_one(self, found: Joined) -> None:
        new, gone, altered = found.rows([found.places[case] for case in ("new", "gone", "altered")])
        assert (new.kind, new.baseline, gone.kind, gone.candidate) == ("new", None, "removed", None)
        assert (altered.kind, altered.scores["exact"].state) == ("changed", "apart")

    def test_the_counts_of_a_scorer_are_its_wins_and_losses(self, found: Joined) -> None:
        for name, figures in found.verdict.scorers.items():
            assert len(ids(found, "regressed", scorer=name)) == figures.losses
            assert len(ids(found, "improved", scorer=name)) == figures.wins

    def test_what_was_accepted_is_said(self, tmp_path: Path) -> None:
        one, two = two_runs(tmp_path)
        entry = Entry(reason="it is right now", until=date(2999, 1, 1), owner="mia", case="fell")
        exceptions = Exceptions([("accepted.toml:1", entry)])
        found = Joined(compared(read_run(one), read_run(two)), exceptions)
        (row,) = found.rows([found.places["fell"]])
        assert row.accepted == "it is right now (until 2999-01-01, mia)" and row.scores["exact"].state == "loss"

    def test_a_pinned_baseline_has_texts_as_long_as_its_journal_is_there(self, tmp_path: Path) -> None:
        one, two = two_runs(tmp_path)
        write_baseline(tmp_path / "b.jsonl", *make_baseline(read_run(one)))
        pinned = read_baseline(tmp_path / "b.jsonl")
        with_it = Joined(compared(pinned, read_run(two), journal=one))
        without = Joined(compared(pinned, read_run(two), journal=tmp_path / "gone.jsonl"))
        rows = [each.rows([each.places["fell"]])[0].baseline for each in (with_it, without)]
        assert [row.output for row in rows if row is not None] == ["within thirty days", ""]
        assert ids(with_it, "regressed") == ids(without, "regressed")

    def test_trials_are_means(self, tmp_path: Path) -> None:
        before = [a_row("one", "a", trial=trial) for trial in range(2)]
        after = [a_row("two", "a", trial=trial, exact=float(trial), latency_s=1.0 + trial) for trial in range(2)]
        one, two = a_run(tmp_path, "one", before, trials=2), a_run(tmp_path, "two", after, trials=2)
        found = Joined(compared(read_run(one), read_run(two)))
        (row,) = found.rows([0])
        assert row.candidate is not None
        assert (row.scores["exact"].after, row.candidate.latency_s, row.changed) == (0.5, 1.5, False)


def test_the_object_for_programs_has_a_window_and_says_where_the_next_is(found: Joined) -> None:
    told = as_json(found, View(show="all"), offset=10, limit=20)
    assert (told["total"], told["offset"], told["next"], len(told["rows"])) == (40, 10, 30, 20)
    assert told["verdict"]["kind"] == "gatewatch.verdict" and "rows" not in told["verdict"]
    assert told["counts"]["regressed"] == 3 and told["headline"]
    assert as_json(found, View(show="all"), offset=30, limit=20)["next"] is None


def test_half_of_a_surrogate_pair_and_megabytes_are_no_trouble(tmp_path: Path) -> None:
    long = 'é\n"x" ' * 800_000
    outputs = {"a": "\ud800 odd", "b": long, "c": {"answer": long}}
    one = a_run(tmp_path, "one", [a_row("one", case) for case in outputs])
    two = a_run(tmp_path, "two", [a_row("two", case, output) for case, output in outputs.items()])
    found = Joined(compared(read_run(one), read_run(two)))
    sides = [row.candidate.output for row in found.rows(range(3)) if row.candidate is not None]
    assert sides[0] == "\ud800 odd" and sides[1] == long[:1000] and sides[2].startswith('{"answer":"é')
    assert ids(found, "changed") == ["a", "b", "c"]
