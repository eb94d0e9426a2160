import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from gatewatch.core.errors import InputError
from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.baseline import (
    baseline_name,
    baseline_path,
    is_baseline,
    make_baseline,
    read_baseline,
    write_baseline,
)
from gatewatch.offline.compare import Comparison
from gatewatch.offline.outcomes import Outcomes
from offline.making import header, problems, write_journal
from offline.pairs import FAILED, LOST, SKIPPED, Retries, Values, decided, numbered, side

V1 = Path(__file__).parent / "data" / "baseline-v1.jsonl"
LINE = '{"case":"a","scorer":"exact","hash":"h","values":[1.0]}'


def pinned(
    folder: Path,
    run: Outcomes,
    *,
    more: Sequence[Outcomes] = (),
    past: Sequence[Outcomes] = (),
    previous: Outcomes | None = None,
) -> Outcomes:
    """The baseline of a run, as it is read back."""
    path = folder / "b.jsonl"
    write_baseline(path, *make_baseline(run, more=more, past=past, previous=previous))
    return read_baseline(path)


def outcomes(found: Outcomes, case: str = "a", scorer: str = "exact") -> tuple[float, ...]:
    return found.cases[case].history[scorer]


def values(found: Outcomes) -> dict[str, dict[str, list[tuple[float | None, str]]]]:
    """Each trial's value and state, by case and scorer."""
    return {
        case: {
            name: [
                (trial.scores[name].value, trial.scores[name].status)
                for trial in outcome.trials
                if name in trial.scores
            ]
            for name in found.scorers
        }
        for case, outcome in found.cases.items()
    }


class TestFile:
    def test_it_is_sorted_by_case_and_scorer_and_says_what_it_is_of(self, tmp_path: Path) -> None:
        run = side({"b": 1.0, "a": 0.0, "B": 1.0}, more={"brief": {"a": 1.0, "b": 1.0, "B": 1.0}}, name="r1")
        run.versions, run.judges = {"model": {"m2", "m1"}}, {"brief": {"j"}}
        run.latencies.extend([0.123456, 0.2])
        run.paid, run.judge_cost = 0.5, Cost(0.25)
        head, lines = make_baseline(run, reason="better")
        path = tmp_path / "sub" / "support.jsonl"
        write_baseline(path, head, lines)
        assert [(line.case, line.scorer) for line in lines] == [
            (case, scorer) for case in ("B", "a", "b") for scorer in ("brief", "exact")
        ]
        assert (head.run, head.suite, head.task, head.reason, head.trials) == (
            "r1",
            "support",
            "app:answer",
            "better",
            1,
        )
        assert (head.versions, head.judges, head.runs) == ({"model": ("m1", "m2")}, {"brief": ("j",)}, ("r1",))
        assert (head.cost, head.judge_cost) == (Cost(0.5), Cost(0.25))
        assert head.latency_s == {"p50": 0.1617, "p95": 0.1962, "p99": 0.1992}
        assert path.read_bytes().count(b"\n") == 7
        assert path.read_bytes().endswith(b"}\n")

    def test_what_was_written_is_read_back(self, tmp_path: Path) -> None:
        run = side(
            {"b": [1.0, FAILED, LOST], "a": [0.5, SKIPPED, 0.25], "\u00fc \ud800": [1.0, 1.0]},
            more={"kind": {"a": [1.0, 1.0, 0.125]}},
            slices={"a": "refund"},
            clusters={"a": "doc"},
            must_pass=["b"],
            name="r1",
        )
        run.versions, run.judges, run.paid, run.judge_cost = {"model": {"m"}}, {"kind": {"j"}}, 0.5, Cost(0.25, 1)
        found = pinned(tmp_path, run)
        assert values(found) == values(run)
        assert (found.run, found.runs, found.suite, found.task) == ("r1", ("r1",), "support", "app:answer")
        assert (found.dataset, found.scorers, found.components) == (run.dataset, run.scorers, run.components)
        assert (found.versions, found.judges, found.trials, found.rows) == (run.versions, run.judges, 3, 8)
        assert (found.task_cost, found.judge_cost, found.label) == (Cost(0.5), Cost(0.25, 1), "baseline")
        assert found.pinned.endswith("Z")
        a = found.cases["a"]
        assert (a.slice, a.cluster, a.must_pass, found.cases["b"].must_pass) == ("refund", "doc", False, True)
        assert [trial.digest for trial in a.trials] == [trial.digest for trial in run.cases["a"].trials]
        assert outcomes(found, "b") == (1.0, 0.0)
        assert Comparison(found, run).identical

    def test_it_is_written_in_one_step(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "b.jsonl"
        write_baseline(path, *make_baseline(side({"a": 1.0})))
        before = path.read_bytes()

        def full(descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            head, lines = make_baseline(side({"a": 0.0}))
            assert problems(lambda: write_baseline(path, head, lines)) == [
                f"{path}: cannot be written: No space left on device"
            ]
        assert path.read_bytes() == before
        assert list(tmp_path.iterdir()) == [path], "nothing is left lying about"

    def test_where_it_lies_and_what_it_is_called(self, tmp_path: Path) -> None:
        assert baseline_path(Path("p"), "support") == Path("p/baselines/support.jsonl")
        assert baseline_name(side({}, suite="support")) == "support"
        named = side({}, suite="", name="r1")
        named.label = "My run / 2"
        assert baseline_name(named) == "my-run-2"
        bare = side({}, suite="", name="r1", dataset=DatasetRef("sets/Faq v2.jsonl", "0", 1))
        assert baseline_name(bare) == "faq-v2"
        memory = side({}, suite="", name="r1", dataset=DatasetRef("(in memory)", "0", 1))
        assert problems(lambda: baseline_name(memory)) == [
            'r1: has no name that its baseline could be called by (give the run one: run(..., name="..."))'
        ]
        journal = write_journal(tmp_path / "r.jsonl", header(), [])
        assert (is_baseline(V1), is_baseline(journal), is_baseline(tmp_path / "none")) == (True, False, False)

    def test_lines_that_were_lost_are_missed(self, tmp_path: Path) -> None:
        path = tmp_path / "b.jsonl"
        write_baseline(path, *make_baseline(side(numbered(3))))
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[:-1]))
        assert problems(lambda: read_baseline(path)) == [
            f"{path}:1: has 2 lines, and its header says 3 (lines were lost or added: pin the baseline anew)"
        ]

    def test_cases_without_any_score_have_no_line(self) -> None:
        run = side({"a": 1.0}, more={"kind": {"b": 1.0}})
        assert [(line.case, line.scorer) for line in make_baseline(run)[1]] == [("a", "exact"), ("b", "kind")]

    def test_the_same_values_are_the_same_beside_a_pass_mark(self, tmp_path: Path) -> None:
        value = 0.7 + 0.1
        before = pinned(tmp_path, side(numbered(40, [value] * 5), pass_at=0.8))
        after = side(numbered(40, value), pass_at=0.8)
        verdict = decided(before, after, again=Retries(value))
        assert verdict.scorers["exact"].broke == 0
        assert verdict.verdict != "REGRESSED"


class TestReading:
    def read(self, folder: Path, *lines: str | bytes) -> Outcomes:
        path = folder / "b.jsonl"
        head = V1.read_bytes().splitlines()[0]
        path.write_bytes(b"\n".join([head, *(each if isinstance(each, bytes) else each.encode() for each in lines)]))
        return read_baseline(path)

    def test_the_oldest_format(self) -> None:
        found = read_baseline(V1)
        assert values(found) == {
            "c1": {
                "exact": [(1.0, "scored"), (1.0, "scored")],
                "helpful": [(0.75, "scored"), (0.333333333333, "scored")],
            },
            "c3": {
                "exact": [(0.0, "task_error"), (1.0, "scored")],
                "helpful": [(0.0, "timeout"), (None, "scorer_error")],
            },
            "c5 \u00fc \ud800": {"exact": [(None, "skipped")], "helpful": []},
            "\u00fc": {"exact": [(1.0, "scored")], "helpful": []},
        }
        assert outcomes(found, "c1") == (1.0,) * 10
        assert (found.most_outcomes("exact"), found.pinned, found.trials) == (10, "2026-03-01T12:30:00Z", 2)
        assert found.scorers["helpful"] == ScorerRef("bbbbbbbbbbbb", "judge", {"rubric": "cccc", "model": "dddd"}, 0.75)
        assert found.dataset == DatasetRef("datasets/support.jsonl", "fd83e586797e", 5, "pr", 5)
        assert (found.versions, found.judges) == ({"model": {"m-2026", "m-2026b"}}, {"helpful": {"judge-2026"}})
        assert (found.task_cost, found.judge_cost) == (Cost(0.25, 3), Cost(0.001))
        assert found.latency_s == {"p50": 0.1875, "p95": 0.2437, "p99": None}
        assert [each[:7] for each in found.runs] == ["support"] * 3
        assert found.cases["c1"].must_pass
        assert [trial.digest for trial in found.cases["\u00fc"].trials] == [""]

    def test_a_mark_windows_line_ends_and_blank_lines_are_fine(self, tmp_path: Path) -> None:
        path = tmp_path / "b.jsonl"
        path.write_bytes(b"\xef\xbb\xbf" + V1.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\n")
        assert values(read_baseline(path)) == values(read_baseline(V1))

    def test_what_has_no_bearing_may_be_missing(self, tmp_path: Path) -> None:
        path = tmp_path / "b.jsonl"
        path.write_text(
            '{"kind":"gatewatch.baseline","version":1,"run":"r","task":"t","scorers":{"exact":{"fingerprint":"f"}},'
            f'"dataset":{{"path":"d","version":"v","cases":1}},"since":"later"}}\n{LINE}'
        )
        found = read_baseline(path)
        assert (found.runs, found.task_cost, found.pinned) == (("r",), Cost(unknown=1), "pinned")
        assert found.cases["a"].value("exact") == 1.0

    @pytest.mark.parametrize(
        ("head", "said"),
        [
            ("", "is empty (pin the baseline anew)"),
            ("[1]", "not the header of a baseline: Expected `object`, got `array` (pin the baseline anew)"),
            ("{}", "is a None, not a gatewatch.baseline"),
            ('{"kind":"gatewatch.run"}', "is a gatewatch.run, not a gatewatch.baseline"),
            (
                '{"kind":"gatewatch.baseline","version":2,"run":5}',
                "was written by a newer Gatewatch (format 2; this one reads up to 1) (upgrade gatewatch to read it)",
            ),
            (
                '{"kind":"gatewatch.baseline","version":1}',
                "not the header of a baseline: Object missing required field `run`",
            ),
        ],
    )
    def test_what_is_no_baseline_is_refused(self, tmp_path: Path, head: str, said: str) -> None:
        path = tmp_path / "b.jsonl"
        path.write_text(f"{head}\n{LINE}\n")
        assert problems(lambda: read_baseline(path)) == [f"{path}:1: {said}"]
        assert problems(lambda: read_baseline(tmp_path / "x")) == [
            f"{tmp_path / 'x'}: cannot be read: No such file or directory"
        ]

    def test_a_file_without_a_version_is_version_1(self, tmp_path: Path) -> None:
        path = tmp_path / "b.jsonl"
        path.write_bytes(V1.read_bytes().replace(b'"version":1,', b"", 1))
        try:
            assert values(read_baseline(path)) == values(read_baseline(V1))
        except InputError as error:
            raise AssertionError(str(error)) from None

    def test_all_that_is_wrong_is_told_with_its_place(self, tmp_path: Path) -> None:
        lines = [
            LINE,
            LINE.replace(",", "", 1),
            LINE.replace("hash", "hush"),
            LINE.replace("[1.0]", '["x",1.0]'),
            LINE.replace('"exact"', '"kind"').replace('"h"', '"other"'),
            LINE,
            LINE.replace("exact", "k2").replace("[1.0]", "[1.5]"),
            LINE.replace("exact", "k3")[:-1] + ',"outcomes":[-0.5]}',
            LINE.replace("exact", "k4")[:-1] + ',"states":["scored","odd"]}',
            LINE.replace("exact", "k5")[:-1] + ',"states":["scored","scored"]}',
            LINE.replace("exact", "k6").replace("1.0", "NaN"),
            LINE.replace("exact", "k7").replace("1.0", "null")[:-1] + ',"states":["scored"]}',
            "[]",
        ]
        path = tmp_path / "b.jsonl"
        assert problems(lambda: self.read(tmp_path, *lines)) == [
            f"{path}:3:12: not JSON: Expecting ',' delimiter (pin the baseline anew)",
            f'{path}:4: hush: unknown field (did you mean "hash"?)',
            f"{path}:4: hash: missing",
            f"{path}:5: values[0]: expected a number, got text",
            f"{path}:6: case 'a' has another hash than in a line above (pin the baseline anew)",
            f"{path}:7: case 'a' under exact is given in line 2 already (keep one of the two, or pin the baseline "
            "anew)",
            f"{path}:8: a value is in 0..1, got 1.5",
            f"{path}:9: a value is in 0..1, got -0.5",
            f"{path}:10: states[1]: 'odd' is not known (one of scored, task_error, timeout, scorer_error, skipped)",
            f"{path}:11: states: has 2 of them for 1 values",
            f"{path}:12: not JSON: NaN is not JSON (pin the baseline anew)",
            f"{path}:13: values: a trial is scored and has no value (pin the baseline anew)",
            f"{path}:14: expected a table, got a list",
        ]

    @pytest.mark.parametrize("line", [b'"\xff"', LINE.replace("1.0", "1e999").encode(), b"[" * 100_000])
    def test_what_cannot_even_be_parsed_is_told_too(self, tmp_path: Path, line: bytes) -> None:
        (said,) = problems(lambda: self.read(tmp_path, line))
        assert said.startswith(f"{tmp_path / 'b.jsonl'}:2")


class TestMerging:
    """What git makes of two branches, line by line."""

    def merged(self, folder: Path, base: bytes, ours: bytes, theirs: bytes) -> Path:
        paths = [folder / name for name in ("ours", "base", "theirs")]
        for path, content in zip(paths, (ours, base, theirs), strict=True):
            path.write_bytes(content)
        subprocess.run(["git", "merge-file", *map(str, paths)], check=False, capture_output=True)
        return paths[0]

    def written(self, folder: Path, cases: Mapping[str, Values], name: str = "r1") -> bytes:
        write_baseline(folder / "w.jsonl", *make_baseline(side(cases, name=name)))
        return (folder / "w.jsonl").read_bytes()

    def test_two_branches_that_settled_different_cases(self, tmp_path: Path) -> None:
        base = self.written(tmp_path, numbered(10))
        one = base.replace(b'"case":"c001","scorer":"exact","hash":"h"', b'"case":"c001","scorer":"exact","hash":"i"')
        two = base.replace(b'{"case":"c008","scorer":"exact"', b'{"case":"c0071","scorer":"exact"')
        found = read_baseline(self.merged(tmp_path, base, one, two))
        assert (found.cases["c001"].hash, "c0071" in found.cases, "c008" in found.cases) == ("i", True, False)

    def test_two_branches_that_both_pinned(self, tmp_path: Path) -> None:
        base, one, two = (self.written(tmp_path, numbered(2), name) for name in ("r1", "r2", "r3"))
        path = self.merged(tmp_path, base, one, two)
        said = "a merge conflict is not resolved (settle it, or pin the baseline anew)"
        marks = [n for n, line in enumerate(path.read_bytes().split(b"\n"), start=1) if line[:1] in b"<=>" and line]
        assert problems(lambda: read_baseline(path)) == [f"{path}:{number}: {said}" for number in marks]
        assert len(marks) == 3


class TestHistory:
    def test_outcomes_go_on_from_one_baseline_to_the_next(self, tmp_path: Path) -> None:
        one = pinned(tmp_path, side({"a": 1.0, "b": 1.0}, name="r1"))
        two = pinned(tmp_path, side({"a": 0.5, "c": 0.0}, name="r2"), previous=one)
        assert (outcomes(two), outcomes(two, "c"), two.runs) == ((1.0, 0.5), (0.0,), ("r2", "r1"))
        assert list(two.cases) == ["a", "c"]
        three = pinned(tmp_path, side({"a": [0.25, LOST, 0.75], "b": 1.0}, name="r3"), previous=two)
        assert (outcomes(three), outcomes(three, "b")) == ((1.0, 0.5, 0.25, 0.75), (1.0,))

    def test_the_last_ten_are_kept(self, tmp_path: Path) -> None:
        found = pinned(tmp_path, side({"a": 0.0}, name="r0"))
        for number in range(1, 13):
            found = pinned(tmp_path, side({"a": number / 100}, name=f"r{number}"), previous=found)
        assert outcomes(found) == tuple(number / 100 for number in range(3, 13))
        many = pinned(tmp_path, side({"a": [n / 100 for n in range(20)]}, name="many"), previous=found)
        assert outcomes(many) == tuple(n / 100 for n in range(10, 20))
        assert len(many.cases["a"].trials) == 20

    def test_the_same_run_pinned_again_counts_once(self, tmp_path: Path) -> None:
        older = pinned(tmp_path, side({"a": 0.5}, name="r0"))
        once = pinned(tmp_path, side({"a": 1.0}, name="r1"), previous=older)
        again = pinned(tmp_path, side({"a": 1.0}, name="r1"), previous=once)
        assert (outcomes(once), outcomes(again), again.runs) == ((0.5, 1.0), (0.5, 1.0), ("r1", "r0"))
        bought = side({"a": [0.0, 1.0]}, name="more")
        found = pinned(tmp_path, side({"a": 1.0}, name="r1"), more=[bought], previous=again)
        assert (outcomes(found), found.runs) == ((0.5, 1.0, 0.0, 1.0), ("r1", "more", "r0"))
        assert found.cases["a"].values("exact") == [1.0, 0.0, 1.0]
        assert outcomes(pinned(tmp_path, side({"a": 1.0}, name="r1"), previous=found)) == (0.5, 1.0, 0.0, 1.0)

    def test_stored_runs_of_the_version_count_once_too(self, tmp_path: Path) -> None:
        past = [side({"a": 0.25}, name="p1"), side({"a": 0.5, "b": 0.0}, name="p2", hashes={"b": "other"})]
        first = pinned(tmp_path, side({"a": 1.0, "b": 1.0}, name="r1"), past=past)
        assert (outcomes(first), outcomes(first, "b")) == ((0.25, 0.5, 1.0), (1.0,))
        assert (first.runs[0], set(first.runs)) == ("r1", {"r1", "p1", "p2"})
        again = pinned(tmp_path, side({"a": 0.75}, name="r2"), previous=first, past=past)
        assert outcomes(again) == (0.25, 0.5, 1.0, 0.75)

    def test_outputs_that_were_scored_again_are_no_new_outcomes(self, tmp_path: Path) -> None:
        first = pinned(tmp_path, side({"a": 1.0}, more={"kind": {"a": 1.0}}, name="r1"))
        again = side({"a": 1.0}, more={"kind": {"a": 0.5}}, refs={"kind": ScorerRef("new")}, name="r2")
        again.runs = ("r2", "r1")
        found = pinned(tmp_path, again, previous=first)
        assert (outcomes(found), outcomes(found, "a", "kind")) == ((1.0,), (0.5,))

    def test_however_many_runs_there_are_none_counts_twice(self, tmp_path: Path) -> None:
        past = [side({"a": number / 100}, name=f"p{number}") for number in range(52)]
        first = pinned(tmp_path, side({"a": 0.98}, name="r1"), past=past)
        again = pinned(
            tmp_path, side({"a": 0.99}, name="r2"), past=[*past, side({"a": 0.98}, name="r1")], previous=first
        )
        assert outcomes(again) == (*(number / 100 for number in range(44, 52)), 0.98, 0.99)
        assert len(set(again.runs)) == len(again.runs) == 54

    def test_what_was_measured_by_another_ruler_or_on_another_case_is_forgotten(self, tmp_path: Path) -> None:
        one = pinned(tmp_path, side({"a": 1.0, "b": 1.0}, more={"kind": {"a": 0.5, "b": 0.5}}, name="r1"))
        after = side(
            {"a": 0.0, "b": 0.0},
            more={"kind": {"a": 0.0, "b": 0.0}},
            refs={"kind": ScorerRef("other")},
            hashes={"b": "changed"},
            name="r2",
        )
        found = pinned(tmp_path, after, previous=one, past=[side({"a": 0.25, "b": 0.25}, name="p1")])
        assert {case: outcomes(found, case) for case in "ab"} == {"a": (1.0, 0.25, 0.0), "b": (0.0,)}
        assert {case: outcomes(found, case, "kind") for case in "ab"} == {"a": (0.0,), "b": (0.0,)}

    def test_what_another_model_judged_is_forgotten(self, tmp_path: Path) -> None:
        runs = [side({"a": value}, name=f"r{value}") for value in (0.0, 0.5, 1.0)]
        for run, model in zip(runs, ("j1", "j2", "j2"), strict=True):
            run.judges = {"exact": {model}}
        one = pinned(tmp_path, runs[0])
        assert outcomes(pinned(tmp_path, runs[1], previous=one)) == (0.5,)
        assert outcomes(pinned(tmp_path, runs[2], previous=one, past=runs[:2])) == (0.5, 1.0)

    def test_going_back_to_an_older_run_counts_nothing_twice(self, tmp_path: Path) -> None:
        one = pinned(tmp_path, side({"a": 0.25}, name="r1"))
        two = pinned(tmp_path, side({"a": 0.75}, name="r2"), previous=one)
        assert sorted(outcomes(pinned(tmp_path, side({"a": 0.25}, name="r1"), previous=two))) == [0.25, 0.75]
