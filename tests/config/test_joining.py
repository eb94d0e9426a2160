import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import pytest

from gatewatch.config import joining
from gatewatch.config.joining import Joining, Sides
from gatewatch.config.project import Project
from gatewatch.config.run_briefs import RunBriefs
from gatewatch.config.run_reads import RunReads
from gatewatch.config.stored_runs import StoredRuns
from gatewatch.core import codec
from gatewatch.core.errors import InputError, NoVerdict
from gatewatch.offline.baseline import make_baseline, write_baseline
from gatewatch.offline.case_pair import rows_of_case
from gatewatch.offline.journal import Journal
from gatewatch.offline.outcomes import Outcomes, read_run
from gatewatch.offline.reports.words import direction
from gatewatch.store.uploads import PART, KeptRun
from offline.joining import a_row, a_run, two_runs

TOML = '[project]\nname = "bot"\n'


class Store:
    """As much of a store as has runs, of a folder's journals."""

    def __init__(self, *paths: Path) -> None:
        self.bodies = {path.stem: path.read_bytes() for path in paths}
        self.read = 0

    def runs(self, suite: str = "", *, since: float = 0.0, most: int = 50) -> list[KeptRun]:
        return [found for name in self.bodies if (found := self.run(name)) is not None]

    def run(self, run: str) -> KeptRun | None:
        body = self.bodies.get(run)
        if body is None:
            return None
        record = codec.unframe(body[: body.index(b"\n") + 1])
        assert record is not None
        return KeptRun(run, "support", 1000.0, "ci", sha256(body).hexdigest(), len(body), "complete", record[1])

    def run_part(self, run: KeptRun, part: int) -> bytes:
        self.read += 1
        return self.bodies[run.run][part * PART : (part + 1) * PART]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "gatewatch.toml").write_text(TOML)
    found = Project.open(tmp_path)
    for number, path in enumerate(two_runs(found.runs)):
        os.utime(path, (100 + number, 100 + number))
    return found


@contextmanager
def refused(kind: type[Exception], *said: str) -> Iterator[None]:
    with pytest.raises(kind) as caught:
        yield
    assert all(text in str(caught.value) for text in said), str(caught.value)


class TestSides:
    def test_the_latest_run_is_held_against_the_one_before(self, project: Project) -> None:
        assert Joining(StoredRuns(project)).sides() == Sides("one", "two", "support")

    def test_a_pinned_baseline_comes_first(self, project: Project) -> None:
        write_baseline(
            project.root / "baselines" / "support.jsonl", *make_baseline(read_run(project.runs / "one.jsonl"))
        )
        joins = Joining(StoredRuns(project))
        assert joins.sides() == Sides("baseline", "two", "support")
        found = joins.joined(joins.sides())
        (row,) = found.rows([found.places["fell"]])
        assert found.before.pinned and row.baseline is not None and row.baseline.output == "within thirty days"

    def test_a_suites_name_leads_nowhere_else(self, project: Project) -> None:
        outside = project.root / "outside.jsonl"
        write_baseline(outside, *make_baseline(read_run(project.runs / "one.jsonl")))
        (project.root / "baselines").mkdir()
        assert StoredRuns(project).baseline("../outside") is None
        assert StoredRuns(project).baseline("s" * 300) is None

    def test_names_that_mean_nothing_are_refused_with_what_there_is(self, project: Project) -> None:
        joins = Joining(StoredRuns(project))
        with refused(InputError, "there is no run 'three'", "the newest: two, one"):
            joins.sides(candidate="three")
        with refused(NoVerdict, "no pinned baseline of support"):
            joins.sides(baseline="baseline")
        with refused(NoVerdict, "nothing to be held against"):
            joins.sides(candidate="one")
        with refused(InputError, "there is no run of 'other'"):
            joins.sides(suite="other")

    def test_the_start_of_an_id_is_enough_where_it_is_of_one_run(self, project: Project, tmp_path: Path) -> None:
        store = Store(a_run(tmp_path, "pushed-1", [a_row("pushed-1", "a")]))
        runs = StoredRuns(project, store, tmp_path / "copies")
        assert (runs.named("tw").header.run, runs.named("pushed").header.run) == ("two", "pushed-1")
        a_run(project.runs, "twelve", [a_row("twelve", "a")])
        with refused(InputError, "2 runs start so: twelve, two"):
            runs.named("tw")

    @pytest.mark.parametrize("name", ["../secret", "/etc/passwd", "one.jsonl", "", "a/b", "x" * 300])
    def test_no_name_is_a_path(self, project: Project, name: str) -> None:
        with refused(InputError, "is no run's id or name"):
            StoredRuns(project).named(name)

    def test_a_run_is_not_held_against_itself(self, project: Project) -> None:
        joins = Joining(StoredRuns(project))
        with refused(InputError, "is what it would be held against"):
            joins.joined(joins.sides("two", "two"))

    def test_a_run_that_a_baseline_has_outcomes_of_is_compared_as_the_command_does(self, project: Project) -> None:
        first, second = (read_run(project.runs / f"{name}.jsonl") for name in ("one", "two"))
        write_baseline(project.root / "baselines" / "support.jsonl", *make_baseline(first, past=[second]))
        joins = Joining(StoredRuns(project))
        assert joins.joined(joins.sides("baseline", "two")).before.runs == ("one", "two")
        with refused(InputError, "is what it would be held against"):
            joins.joined(joins.sides("baseline", "one"))


class TestJoined:
    def test_it_is_made_once_for_as_long_as_nothing_changes(self, project: Project) -> None:
        joins = Joining(StoredRuns(project))
        first = joins.joined(joins.sides())
        assert joins.joined(joins.sides()) is first
        (project.root / "accepted.toml").write_text(
            '[[accepted]]\ncase = "fell"\nreason = "right now"\nuntil = 2999-01-01\nowner = "mia"\n'
        )
        again = joins.joined(joins.sides())
        assert again is not first and again.accepted("fell").startswith("right now")

    def test_a_run_that_grows_is_read_again(self, project: Project) -> None:
        joins = Joining(StoredRuns(project))
        assert "later" not in joins.joined(joins.sides()).places
        with (project.runs / "two.jsonl").open("ab") as file:
            file.write(codec.frame("row", codec.encode(a_row("two", "later"))))
        assert "later" in joins.joined(joins.sides("one", "two")).places

    def test_few_are_held(self, project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        for number in range(4):
            a_run(project.runs, f"r{number}", [a_row(f"r{number}", "a")])
        monkeypatch.setattr(joining, "MOST", 2)
        joins = Joining(StoredRuns(project))
        first = joins.joined(Sides("one", "r0", "support"))
        for number in range(1, 4):
            joins.joined(Sides("one", f"r{number}", "support"))
        assert joins.joined(Sides("one", "r0", "support")) is not first

    def test_more_than_two(self, project: Project) -> None:
        a_run(project.runs, "three", [a_row("three", f"c{number:02}") for number in range(30)])
        found = Joining(StoredRuns(project)).matrix(["one", "two", "three"])
        assert found.runs == ("one", "two", "three") and found.scorers["exact"][1].losses == 2


class TestOfAStore:
    def test_runs_that_were_pushed_are_read_without_a_checkout(self, tmp_path: Path) -> None:
        store = Store(*two_runs(tmp_path / "there"))
        joins = Joining(StoredRuns(None, store, tmp_path / "copies"))
        found = joins.joined(Sides("one", "two", "support"))
        (row,) = found.rows([found.places["fell"]])
        assert row.candidate is not None and row.candidate.output == "within thirty weeks"
        read = store.read
        joins.matrix(["one", "two"])
        assert store.read == read

    def test_those_of_both_are_listed_once(self, project: Project, tmp_path: Path) -> None:
        store = Store(*two_runs(tmp_path / "there"), a_run(tmp_path / "there", "pushed", [a_row("pushed", "a")]))
        listed = StoredRuns(project, store, tmp_path / "copies").listed()
        assert [(each.header.run, each.kept is None) for each in listed] == [
            ("pushed", False),
            ("two", True),
            ("one", True),
        ]

    def test_old_copies_make_room(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("gatewatch.config.stored_runs.COPIED_BYTES", 1)
        runs = StoredRuns(None, Store(*two_runs(tmp_path / "there")), tmp_path / "copies")
        paths = [runs.journal(runs.named(name)) for name in ("one", "two")]
        assert [path.is_file() for path in paths] == [False, True]

    def test_what_is_held_is_read_though_its_copy_was_let_go_of(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store = Store(*two_runs(tmp_path / "there"), a_run(tmp_path / "there", "third", [a_row("third", "a")]))
        room = len(store.bodies["one"]) + len(store.bodies["two"])
        monkeypatch.setattr("gatewatch.config.stored_runs.COPIED_BYTES", room)
        joins = Joining(StoredRuns(None, store, tmp_path / "copies"))
        sides = Sides("one", "two", "support")
        joins.joined(sides)
        two = joins.runs.named("two")
        assert joins.reads.trials(two, "fell")
        for path in (tmp_path / "copies").iterdir():
            path.unlink()
        assert joins.reads.trials(two, "fell")
        before, after = rows_of_case(joins.joined(sides), "fell")
        assert before is not None and after is not None

    def test_what_was_used_last_stays(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        store = Store(*two_runs(tmp_path / "there"), a_run(tmp_path / "there", "third", [a_row("third", "a")]))
        runs = StoredRuns(None, store, tmp_path / "copies")
        one, two = (runs.journal(runs.named(name)) for name in ("one", "two"))
        for place, path in enumerate((one, two)):
            os.utime(path, (1000 + place, 1000 + place))
        runs.journal(runs.named("one"))
        room = len(store.bodies["one"]) + len(store.bodies["third"])
        monkeypatch.setattr("gatewatch.config.stored_runs.COPIED_BYTES", room)
        runs.journal(runs.named("third"))
        assert (one.is_file(), two.is_file()) == (True, False)


class TestBriefs:
    def test_each_run_in_a_line_beside_the_baseline(self, project: Project) -> None:
        write_baseline(
            project.root / "baselines" / "support.jsonl", *make_baseline(read_run(project.runs / "one.jsonl"))
        )
        runs = StoredRuns(project)
        two, one = RunBriefs(runs).of(runs.listed())
        assert one is not None and two is not None
        assert (one.pinned, one.state, one.scorers["exact"].delta) == (True, "complete", None)
        assert (two.pinned, two.failed, two.lost, two.scorers["exact"].losses) == (False, 1, 1, 2)
        assert two.scorers["exact"].delta_interval is not None

    def test_which_way_a_scorer_went_is_told_as_the_verdict_has_it(self, project: Project) -> None:
        """Half of 4 of 12 cases fall: an interval for itself does not reach 0, the verdict is not sure of it."""
        for name, falls in (("old", 0), ("new", 4)):
            rows = [a_row(name, f"c{n}", exact=float(n >= falls), helpful=0.9) for n in range(12)]
            a_run(project.runs, name, rows)
        write_baseline(
            project.root / "baselines" / "support.jsonl", *make_baseline(read_run(project.runs / "old.jsonl"))
        )
        joins = Joining(StoredRuns(project))
        verdict = joins.joined(joins.sides("baseline", "new")).verdict
        (brief,) = joins.briefs.of([joins.runs.named("new")])
        assert brief is not None
        beside = joins.matrix(["old", "new"]).scorers
        for name, figures in verdict.scorers.items():
            for cell in (brief.scorers[name], beside[name][1]):
                assert cell.way == direction(figures)
                assert (cell.delta, cell.delta_interval) == (figures.delta, figures.interval)
        exact = brief.scorers["exact"]
        assert exact.way == "maybe" and exact.delta_interval is not None and exact.delta_interval[1] < 0

    def test_a_verdict_is_shown_however_late_it_is_given(self, project: Project) -> None:
        runs = StoredRuns(project)
        briefs = RunBriefs(runs)
        assert [each and each.word for each in briefs.of(runs.listed())] == ["", ""]
        file = project.root / ".gatewatch" / "verdicts" / "two.json"
        file.parent.mkdir()
        file.write_text('{"verdict": "PASS"}')
        assert [each and each.word for each in briefs.of(runs.listed())] == ["PASS", ""]

    def test_a_run_that_nobody_can_read_leaves_the_others_be(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def read(path: Path) -> Outcomes:
            if path.stem == "one":
                raise ValueError("a value is in 0..1, got 5.0")
            return read_run(path)

        monkeypatch.setattr("gatewatch.config.run_briefs.read_run", read)
        runs = StoredRuns(project)
        two, one = RunBriefs(runs).of(runs.listed())
        assert two is not None and one is not None
        assert (two.state, one.state, one.reason) == ("complete", "unreadable", "a value is in 0..1, got 5.0")

    def test_a_row_that_the_header_knows_nothing_of_is_no_fault_of_ours(self, project: Project) -> None:
        a_run(project.runs, "odd", [a_row("odd", "a")])
        path = project.runs / "odd.jsonl"
        head, *rows = path.read_bytes().splitlines(keepends=True)
        kind, payload = codec.unframe(head) or ("", b"")
        header = codec.decode(payload, dict) | {"scorers": {}}
        path.write_bytes(codec.frame(kind, codec.encode(header)) + b"".join(rows))
        runs = StoredRuns(project)
        with refused(InputError, "odd", "its header knows nothing of"):
            RunReads(runs).summary(runs.named("odd"))

    def test_what_there_is_no_time_for_is_told_later(self, project: Project) -> None:
        runs = StoredRuns(project)
        briefs = RunBriefs(runs)
        assert briefs.of(runs.listed(), seconds=-1) == [None, None]
        briefs.of(runs.listed())
        assert None not in briefs.of(runs.listed(), seconds=-1)

    def test_a_run_that_is_going_on(self, project: Project) -> None:
        a_run(project.runs, "now", [a_row("now", "a")], ended=False, dataset_cases=9)
        journal = Journal.resume(project.runs / "now.jsonl")
        runs = StoredRuns(project)
        (brief,) = RunBriefs(runs).of([runs.named("now")])
        journal.close()
        (after,) = RunBriefs(runs).of([runs.named("now")])
        assert brief is not None and after is not None
        assert (brief.state, brief.rows, brief.expected, after.state) == ("running", 1, 9, "partial")
