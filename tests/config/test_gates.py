"""`gate_suite`: which runs are made, what is run again, and what stands in the way of a verdict."""

import subprocess
from pathlib import Path
from typing import Any

import pytest

from config.building import model, one, opened, problems, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.baselines import pin
from gatewatch.config.gates import gate_suite
from gatewatch.core.errors import NoVerdict
from gatewatch.core.run import RunHeader
from gatewatch.offline.gated import Gated
from gatewatch.offline.journal import JournalReader
from gatewatch.offline.result import find_run, run_paths

CASES = "".join(f'{{"id": "c{n}", "input": "q{n}", "expected": "Q{n}"}}\n' for n in range(20))
# Right, but for what `wrong.txt` names: `q3` is always wrong, `q4 1` at its first asking in a file of counts.
APP = """
from pathlib import Path
HERE = Path(__file__).parent

def answer(question, version="1"):
    count = HERE / "counts" / question
    count.parent.mkdir(exist_ok=True)
    asked = len(count.read_text()) if count.exists() else 0
    count.write_text("x" * (asked + 1))
    for line in (HERE / "wrong.txt").read_text().splitlines() if (HERE / "wrong.txt").exists() else ():
        name, _, times = line.partition(" ")
        if name == question and (not times or asked < int(times)):
            return "wrong"
    return question.upper()
"""


def project(folder: Path, more: str = "", *, trials: int | None = 5, **options: Any) -> Path:
    """A project whose version is right on every case, pinned as the baseline."""
    write(folder, suite(more, **options), app_py=APP, cases_jsonl=CASES)
    if trials is not None:
        result = one(folder)
        pin(opened(folder), result.id, trials=trials)
    forget(folder)
    return folder


def forget(folder: Path, wrong: str = "") -> None:
    """Begin a new version that is wrong in some cases."""
    for count in (folder / "counts").glob("*"):
        count.unlink()
    (folder / "wrong.txt").write_text(wrong)


def gated(folder: Path, **options: Any) -> Gated:
    return gate_suite(opened(folder), "main", **options)


def headers(folder: Path) -> list[RunHeader]:
    """The headers of all stored runs, the oldest first."""
    return [JournalReader(path).header for path in reversed(run_paths(folder / ".gatewatch" / "runs"))]


def asked(folder: Path) -> dict[str, int]:
    """How often each case was asked since the version began."""
    return {path.name: len(path.read_text()) for path in (folder / "counts").iterdir()}


def test_without_a_baseline_nothing_is_run(tmp_path: Path) -> None:
    folder = project(tmp_path, trials=None)
    with pytest.raises(NoVerdict, match=r"there is no baseline .*main\.jsonl"):
        gated(folder)
    assert headers(folder) == []


def test_the_same_answers_pass_as_identical(tmp_path: Path) -> None:
    found = gated(project(tmp_path)).verdict
    assert (found.verdict, found.identical, found.exit_code) == ("PASS", True, 0)


def test_what_broke_is_tried_again_and_blocks(tmp_path: Path) -> None:
    folder = project(tmp_path)
    forget(folder, "q3\nq7\n")
    told: list[str] = []
    found = gated(folder, tell=told.append).verdict
    assert (found.verdict, found.exit_code, found.reruns) == ("REGRESSED", 1, 4)
    assert [(row.id, row.why, row.confirmed, row.outcomes) for row in found.rows] == [
        ("c3", "B", True, (0.0, 0.0, 0.0)),
        ("c7", "B", True, (0.0, 0.0, 0.0)),
    ]
    assert asked(folder) == {f"q{n}": 3 if n in (3, 7) else 1 for n in range(20)}
    assert told == ["2 cases failed: each is tried again"] * 2
    assert [(head.purpose, head.fresh) for head in headers(folder)[-2:]] == [("flips", True)] * 2
    assert find_run(folder / ".gatewatch" / "runs", "latest").stem == found.candidate.run  # type: ignore[union-attr]


def test_what_failed_once_is_flaky_and_does_not_block(tmp_path: Path) -> None:
    folder = project(tmp_path)
    forget(folder, "q3 1\n")
    found = gated(folder).verdict
    assert found.verdict == "UNDECIDED"
    (row,) = found.rows
    assert (row.id, row.confirmed, row.flaky, row.outcomes) == ("c3", False, True, (0.0, 1.0))
    assert asked(folder)["q3"] == 2  # no third time, once it passed
    assert any("flip layer: blocks at 1 case" in line for line in found.reach)


def test_a_short_history_switches_the_flip_layer_off_and_says_so(tmp_path: Path) -> None:
    folder = project(tmp_path, trials=1)
    forget(folder, "q3\n")
    found = gated(folder).verdict
    assert (found.verdict, found.reruns) == ("UNDECIDED", 0)
    layer = found.layers[1]
    assert (layer.name, layer.on) == ("flips", False)
    assert layer.said.startswith("the baseline has 1 outcome of a case, 5 are needed: gatewatch baseline pin ")


def test_must_pass_is_policy(tmp_path: Path) -> None:
    cases = CASES.replace('"id": "c3"', '"id": "c3", "must_pass": true').replace(
        '"id": "c4"', '"id": "c4", "must_pass": true'
    )
    folder = write(tmp_path, suite(), app_py=APP, cases_jsonl=cases)
    pin(opened(folder), one(folder).id)
    forget(folder, "q3\nq4 1\n")
    found = gated(folder).verdict
    assert found.verdict == "REGRESSED"
    assert found.reasons == ("must-pass case c3 failed three times of three (exact)",)


@pytest.mark.parametrize(("undecided", "code"), [("warn", 0), ("fail", 3)])
def test_undecided_is_never_a_pass(tmp_path: Path, undecided: str, code: int) -> None:
    folder = project(tmp_path, f'gate = {{ undecided = "{undecided}" }}', trials=1)
    forget(folder, "q3 9\n")
    found = gated(folder).verdict
    assert (found.verdict, found.exit_code) == ("UNDECIDED", code)
    assert found.reach


# More trials of both sides


VERSIONS = '[tasks.new]\ncall = "app:answer"\narguments = { version = "2" }\n'


def test_spend_buys_trials_of_both_sides_until_it_is_clear(tmp_path: Path) -> None:
    folder = project(tmp_path, 'gate = { undecided = "spend" }', trials=1, head=VERSIONS)
    forget(folder, "q3 3\n")
    found = gated(folder, task="new").verdict
    assert found.verdict in ("UNDECIDED", "PASS")
    runs = [(head.task, head.trials) for head in headers(folder) if head.purpose == "trials"]
    assert runs[:2] == [("app:answer", 2), ("new", 2)]
    assert found.candidate is not None and found.baseline is not None


def test_spend_where_the_baselines_version_is_gone_says_so(tmp_path: Path) -> None:
    folder = project(tmp_path, 'gate = { undecided = "spend" }', trials=1)
    (folder / "app.py").write_text(APP.replace("question.upper()", "question.upper() + ''"))
    forget(folder, "q3 9\n")
    found = gated(folder).verdict
    assert (found.verdict, found.exit_code) == ("UNDECIDED", 0)
    assert "No trials were bought: the version of the baseline cannot be run here." in found.remarks
    assert not [head for head in headers(folder) if head.purpose == "trials" and head.task == "new"]


# The cache


def test_the_candidate_may_come_from_the_cache_and_what_is_tried_again_never_does(tmp_path: Path) -> None:
    wrong: set[str] = set()

    def reply(request: dict[str, Any]) -> str:
        question = request["messages"][-1]["content"]
        return "wrong" if question in wrong else question.upper()

    with FakeProvider(reply) as provider:
        head = model("m", provider.base_url) + '[tasks.ask]\nprompt = "p.txt"\nmodel = "m"\n'
        folder = write(tmp_path, suite(task="ask", head=head), p_txt="{input}", cases_jsonl=CASES)
        pin(opened(folder), one(folder).id, trials=5)
        assert provider.by_message["q3"] == 5
        (folder / "p.txt").write_text("{input} ")  # another prompt: nothing of it is in the cache
        wrong.add("q3 ")
        first = gated(folder).verdict
        assert (first.verdict, provider.by_message["q3 "], provider.by_message["q4 "]) == ("REGRESSED", 3, 1)
        again = gated(folder).verdict
        assert (again.verdict, provider.by_message["q3 "], provider.by_message["q4 "]) == ("REGRESSED", 5, 1)
        assert again.changed["prompt"] == first.changed["prompt"]


# The same commit again


def git(folder: Path, *words: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *words], cwd=folder, check=True, capture_output=True)


def committed(folder: Path) -> None:
    (folder / ".gitignore").write_text(".gatewatch/\ncounts/\n__pycache__/\nwrong.txt\n")
    if not (folder / ".git").exists():
        git(folder, "init", "-q")
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "change", "--allow-empty")


def test_gating_the_same_commit_again_cannot_buy_a_pass(tmp_path: Path) -> None:
    folder = project(tmp_path)
    committed(folder)
    forget(folder, "q3 3\n")  # wrong three times, then right: the fourth time it would be lucky
    assert gated(folder).verdict.verdict == "REGRESSED"
    again = gated(folder).verdict
    assert again.verdict == "REGRESSED"
    assert "The same commit was gated before: the trials of 1 earlier run count as well." in again.remarks
    assert again.reruns == 0
    (row,) = [row for row in again.rows if row.id == "c3"]
    assert row.outcomes == (0.0, 0.0, 0.0, 1.0)
    assert row.after == pytest.approx(0.5)
    committed(folder)  # another commit is another version
    fresh = gated(folder).verdict
    assert not any("gated before" in remark for remark in fresh.remarks)
    assert fresh.verdict == "PASS"


def test_a_tree_with_changes_is_not_pooled(tmp_path: Path) -> None:
    folder = project(tmp_path)
    committed(folder)
    (folder / "app.py").write_text(APP + "\n# more\n")
    forget(folder, "q3 3\n")
    assert gated(folder).verdict.verdict == "REGRESSED"
    again = gated(folder).verdict
    assert again.verdict == "PASS"
    assert "The candidate was made from a tree with uncommitted changes." in again.remarks


# What stands in the way


def test_another_ruler_is_told_before_anything_is_run_with_the_way_out(tmp_path: Path) -> None:
    evals = (
        "from gatewatch import scorer\n@scorer\ndef right(output: str, expected: str):\n    return output == expected\n"
    )
    head = '[project]\nscorers = "evals.py"\n'
    folder = write(tmp_path, suite(scorers='["right"]', head=head), app_py=APP, cases_jsonl=CASES, evals_py=evals)
    pin(opened(folder), one(folder).id)
    (folder / "evals.py").write_text(evals.replace("output ==", "output.strip() =="))
    before = len(headers(folder))
    found = gated(folder).verdict
    assert (found.verdict, found.exit_code, len(headers(folder))) == ("NOT_COMPARABLE", 3, before)
    assert found.reasons[0].startswith("right: another ruler: source changed (")
    assert found.next[0] == "gatewatch rescore baseline --suite main"
    assert any(
        remark.startswith("The baseline's stored outputs can be scored again: 20 rows") for remark in found.remarks
    )


def test_a_run_that_is_cut_off_or_all_wrong_is_broken(tmp_path: Path) -> None:
    costly = APP.replace("def answer", "from gatewatch import note\n\ndef answer").replace(
        "    count = ", "    note(cost=0.1)\n    count = "
    )
    folder = project(tmp_path, "concurrency = 1")
    (folder / "app.py").write_text(costly)
    found = gated(folder, changes={"budget": "0.50 USD"}).verdict
    assert (found.verdict, found.broken, found.exit_code) == ("NOT_COMPARABLE", True, 4)
    assert found.reasons[0].startswith("the candidate's run is partial: ")
    (folder / "app.py").write_text("def answer(question):\n    raise ValueError('down')\n")
    found = gated(folder).verdict
    assert (found.verdict, found.exit_code) == ("NOT_COMPARABLE", 4)
    assert found.reasons == ("the candidate's run has nothing but errors to show",)


def test_a_grown_dataset_pairs_what_it_can_and_another_one_does_not(tmp_path: Path) -> None:
    folder = project(tmp_path)
    more = "".join(f'{{"id": "n{n}", "input": "n{n}", "expected": "N{n}"}}\n' for n in range(20))
    (folder / "cases.jsonl").write_text(CASES + more)
    grown = gated(folder).verdict
    assert (grown.verdict, grown.paired, len(grown.new)) == ("PASS", 20, 20)
    assert any("The baseline is older than the dataset (20 new)" in remark for remark in grown.remarks)
    (folder / "cases.jsonl").write_text(CASES.replace('"expected": "Q', '"expected": "R').replace("c1", "d1"))
    other = gated(folder).verdict
    assert (other.verdict, other.exit_code) == ("NOT_COMPARABLE", 3)
    assert other.reasons[0].startswith("another dataset: only 0 cases are the same on both sides")


def test_variants_are_named_one_by_one(tmp_path: Path) -> None:
    folder = write(tmp_path, suite('matrix = { version = ["1", "2"] }'), app_py=APP, cases_jsonl=CASES)
    pin(opened(folder), _runs(folder)[0])
    assert problems(lambda: gated(folder)) == [
        "gatewatch.toml: suites.main.matrix: has 2 variants: a gate judges one "
        "(name it with --task: 'app:answer version=1', 'app:answer version=2')"
    ]
    found = gated(folder, task="app:answer version=2").verdict
    assert (found.verdict, found.changed) == ("PASS", {"version": ("1", "2")})


def _runs(folder: Path) -> list[str]:
    from config.building import ran

    return [result.id for result in ran(folder)]


def test_stored_runs_are_judged_without_running_anything(tmp_path: Path) -> None:
    folder = project(tmp_path)
    good = one(folder, label="good")
    forget(folder, "q3\nq4\nq5\nq6\nq7\nq8\n")
    bad = one(folder, label="bad")
    count = len(headers(folder))
    found = gated(folder, run=bad.id, against="good").verdict
    assert (found.verdict, found.baseline.run, len(headers(folder))) == ("REGRESSED", good.id, count)  # type: ignore[union-attr]
    assert found.layers[1].said == "the candidate is a stored run"


def test_a_wrong_gate_table_is_told_whole_and_by_every_command(tmp_path: Path) -> None:
    more = 'gate = { primary = "exct", max_drop = "much", min = { exat = 0.5 }, max_cost = "lots", undecided = "warn" }'
    folder = write(tmp_path, suite(more), app_py=APP, cases_jsonl=CASES)
    where = "gatewatch.toml: suites.main.gate"
    expected = [
        f"{where}.primary: 'exct' is not a scorer of this suite (did you mean \"exact\"?)",
        f"{where}.min: 'exat' is not a scorer of this suite (did you mean \"exact\"?)",
        f"{where}.max_drop: expected 0.05 or \"5pp\", got 'much'",
        f"{where}.max_cost: expected an amount such as \"2.00 USD\", got 'lots'",
    ]
    assert problems(lambda: gated(folder)) == expected
    assert problems(lambda: one(folder)) == expected


# Stopping early


def test_an_early_stop_says_partial_and_cannot_become_a_baseline(tmp_path: Path) -> None:
    cases = "".join(f'{{"id": "c{n}", "input": "q{n}", "expected": "Q{n}"}}\n' for n in range(200))
    more = "gate = { early_stop = true }\nconcurrency = 1"
    folder = write(tmp_path, suite(more), app_py=APP, cases_jsonl=cases)
    pin(opened(folder), one(folder).id, trials=5)
    forget(folder)
    (folder / "app.py").write_text(APP.replace("question.upper()", 'f"{question.upper()}"'))
    found = gated(folder).verdict
    assert found.verdict == "PASS"
    assert found.stopped == "stopped early: no fall that matters is to be expected after 80 of 200 rows"
    assert sum(asked(folder).values()) == 80
    (found_problem,) = problems(lambda: pin(opened(folder), "latest"))
    assert "is not complete: 80 of 200 rows" in found_problem


# What is no candidate


def test_the_baselines_own_run_is_no_candidate(tmp_path: Path) -> None:
    folder = project(tmp_path)
    (run,) = [head.run for head in headers(folder) if not head.purpose]
    (said,) = problems(lambda: gated(folder, run=run), folder)
    assert said == f"{run}: is what it would be held against (name another run, or --against)"


def test_a_run_of_another_suite_is_no_candidate(tmp_path: Path) -> None:
    other = '[suites.other]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["exact"]\n'
    folder = project(tmp_path, head=other)
    result = one(folder, "other")
    assert problems(lambda: gated(folder, run=result.id), folder) == [f"{result.id}: is a run of other, not of main"]


def test_nothing_is_bought_for_a_baseline_from_what_changed_without_a_record(tmp_path: Path) -> None:
    folder = project(tmp_path, 'gate = { undecided = "spend" }', trials=1)
    forget(folder, "q3 9\n")
    found = gated(folder).verdict
    assert found.verdict == "UNDECIDED"
    assert "No trials were bought: the version of the baseline cannot be run here." in found.remarks


def test_nothing_is_bought_where_no_case_moved(tmp_path: Path) -> None:
    folder = project(
        tmp_path, 'gate = { undecided = "spend" }', trials=1, head=VERSIONS.replace('"2"', '"2", end = " "')
    )
    (folder / "app.py").write_text(
        APP.replace('version="1"', 'version="1", end=""').replace("upper()", "upper() + end")
    )
    pin(opened(folder), one(folder).id)
    found = gated(folder, task="new").verdict
    assert found.verdict == "UNDECIDED", found.reasons
    assert "No trials were bought: no case moved, so that only more cases can rule a fall out." in found.remarks
