"""`gatewatch gate` as CI starts it: a process of its own, its exit code, its two streams, its reports."""

import csv
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from config.building import gatewatch, suite, write

CASES = "".join(f'{{"id": "c{n}", "input": "q{n}", "expected": "Q{n}"}}\n' for n in range(20))
BROKEN = """
def answer(question):
    if question in ("q3", "q4"):
        return "<script>alert(1)</script> | \\x1b[31m`@everyone`"
    return question.upper()
"""


def project(folder: Path, more: str = "", *, trials: int = 5, app: str = "", **options: Any) -> Path:
    """A project with a pinned baseline, and then another version of the application."""
    write(folder, suite(more, **options), cases_jsonl=CASES)
    assert gatewatch(folder, "run", "main").returncode == 0
    assert gatewatch(folder, "baseline", "pin", "main", "--trials", str(trials)).returncode == 0
    if app:
        (folder / "app.py").write_text(app)
    return folder


def verdict(folder: Path, *arguments: str, **environment: str) -> tuple[int, dict[str, Any]]:
    done = gatewatch(folder, "gate", "main", "--json", *arguments, environment=environment)
    return done.returncode, json.loads(done.stdout)


def test_0_what_changes_nothing_passes(tmp_path: Path) -> None:
    code, found = verdict(project(tmp_path))
    assert (code, found["verdict"], found["exit_code"]) == (0, "PASS", 0)
    assert found["reasons"] == ["identical: every output is the same, byte for byte"]


def test_1_what_broke_is_named(tmp_path: Path) -> None:
    folder = project(tmp_path, app=BROKEN)
    code, found = verdict(folder)
    assert (code, found["verdict"]) == (1, "REGRESSED")
    assert [(row["id"], row["why"]) for row in found["rows"]] == [("c3", "B"), ("c4", "B")]
    assert (found["scorers"]["exact"]["losses"], found["scorers"]["exact"]["wins"]) == (2, 0)
    assert found["changed"].keys() == {"code"}
    assert found["mde"] > 0
    said = gatewatch(folder, "gate", "main").stdout
    assert "REGRESSED" in said and "c3" in said and "\x1b" not in said
    assert max(map(len, said.splitlines())) <= 80


def test_2_wrong_usage_and_configuration(tmp_path: Path) -> None:
    folder = project(tmp_path)
    for arguments, said in (
        (["gate"], "Missing argument 'SUITE'"),
        (["gate", "mian"], 'there is no [suites.mian] (did you mean "main"?)'),
        (["gate", "main", "--run", "main", "--trials", "2"], "--run is a run that was made already"),
        (["gate", "main", "--run", "nothing"], "no such run"),
        (["gate", "main", "--undecided", "maybe"], "'maybe' is not one of"),
        (["compare", "main"], "give two runs or more"),
        (["accept", "c1", "--reason", "x", "--until", "soon", "--owner", "me"], "--until: expected a day"),
        (["accept", "c1", "--reason", " ", "--until", "2999-01-01", "--owner", "me"], "--reason is empty"),
        (["baseline", "pin", "nothing"], "no such run"),
        (["rescore", "nothing"], "no such run"),
        (["plan", "mian"], "there is no [suites.mian]"),
    ):
        done = gatewatch(folder, *arguments)
        assert (done.returncode, done.stdout) == (2, ""), arguments
        assert said in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("damage", ["[[accepted]", '[[accepted]]\ncase = "c1"\nuntill = 2030-01-01\n'])
def test_2_a_file_of_exceptions_that_is_wrong(tmp_path: Path, damage: str) -> None:
    folder = project(tmp_path)
    (folder / "accepted.toml").write_text(damage)
    done = gatewatch(folder, "gate", "main")
    assert (done.returncode, done.stdout) == (2, "")
    assert "accepted.toml" in done.stderr


def test_2_a_baseline_that_is_damaged(tmp_path: Path) -> None:
    folder = project(tmp_path)
    path = folder / "baselines" / "main.jsonl"
    whole = path.read_text()
    for damaged, said in (
        (whole.replace('"case":"c1"', '"case":"c0"', 1), "main.jsonl:3"),
        (whole.replace('"version":1', '"version":2', 1), "was written by a newer Gatewatch"),
        (whole[:-20], "not JSON"),
        ("", "is empty"),
    ):
        path.write_text(damaged)
        done = gatewatch(folder, "gate", "main")
        assert (done.returncode, done.stdout) == (2, ""), said
        assert said in done.stderr


def test_3_no_baseline_another_dataset_another_ruler(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), cases_jsonl=CASES)
    done = gatewatch(folder, "gate", "main")
    assert (done.returncode, done.stdout) == (3, "")
    assert "there is no baseline" in done.stderr
    project(tmp_path)
    (folder / "cases.jsonl").write_text(CASES.replace('"c', '"d'))
    code, found = verdict(folder)
    assert (code, found["verdict"]) == (3, "NOT_COMPARABLE")
    (folder / "cases.jsonl").write_text(CASES)
    head = '[scorers.exact]\nuse = "exact"\ncase = false\n'
    write(folder, suite(head=head.replace("case = false", 'after = ":"')), cases_jsonl=CASES)
    code, found = verdict(folder)
    assert (code, found["verdict"]) == (3, "NOT_COMPARABLE")
    assert "another ruler" in found["reasons"][0]


def test_3_undecided_where_the_suite_says_that_it_fails(tmp_path: Path) -> None:
    folder = project(tmp_path, 'gate = { undecided = "fail" }', trials=1, app=BROKEN)
    assert verdict(folder)[0] == 3
    code, found = verdict(folder, "--undecided", "warn")
    assert (code, found["verdict"]) == (0, "UNDECIDED")
    assert found["reach"]


MOODY = "from gatewatch import scorer\n@scorer\ndef moody(output: str):\n    assert output < 'Q15'\n    return True\n"


def test_3_too_many_scores_lost(tmp_path: Path) -> None:
    calm = MOODY.replace("assert output < 'Q15'", "pass")
    options = {"head": '[project]\nscorers = "evals.py"\n', "scorers": '["moody"]'}
    folder = write(tmp_path, suite(**options), cases_jsonl=CASES, evals_py=calm)
    same = calm.replace("@scorer\n", '@scorer(version="1")\n')
    (folder / "evals.py").write_text(same)
    assert gatewatch(folder, "run", "main").returncode == 0
    assert gatewatch(folder, "baseline", "pin", "main").returncode == 0
    (folder / "evals.py").write_text(MOODY.replace("@scorer\n", '@scorer(version="1")\n'))
    (folder / "app.py").write_text("def answer(question):\n    return question.upper() + '!'\n")
    code, found = verdict(folder)
    assert (code, found["verdict"]) == (3, "UNDECIDED")
    assert "pairs were lost to scorer errors" in found["reasons"][0]


def test_4_a_run_that_broke(tmp_path: Path) -> None:
    folder = project(tmp_path, app="def answer(question):\n    raise ValueError('down')\n")
    code, found = verdict(folder)
    assert (code, found["verdict"]) == (4, "NOT_COMPARABLE")


def test_reports_are_written_and_agree(tmp_path: Path) -> None:
    folder = project(tmp_path, app=BROKEN)
    files = ["--markdown", "out/g.md", "--html", "g.html", "--junit", "g.xml", "--csv", "g.csv"]
    code, found = verdict(folder, *files, GITHUB_ACTIONS="true")
    assert code == 1
    markdown = (folder / "out" / "g.md").read_text()
    assert markdown.startswith("<!-- gatewatch:main -->")
    assert "REGRESSED" in markdown and "\x1b" not in markdown
    assert "<script" not in markdown.split("```diff")[0]  # within a fence it is text
    page = (folder / "g.html").read_text()
    assert "<script" not in page and "c3" in page
    tree = ElementTree.parse(folder / "g.xml").getroot()
    assert sum(int(each.get("failures", "0")) for each in tree.iter("testsuite")) >= 2
    rows = list(csv.DictReader((folder / "g.csv").read_text().splitlines(keepends=True)))
    assert [row["id"] for row in rows] == [row["id"] for row in found["rows"]]
    done = gatewatch(folder, "gate", "main", environment={"GITHUB_ACTIONS": "true"})
    assert "::error file=cases.jsonl,line=4" in done.stderr
    blocked = folder / "blocked"
    blocked.write_text("")
    done = gatewatch(folder, "gate", "main", "--html", "blocked/g.html")
    assert done.returncode == 2
    assert "cannot be written" in done.stderr


def test_the_self_test(tmp_path: Path) -> None:
    folder = project(tmp_path)
    done = gatewatch(folder, "gate", "main", "--selftest")
    assert done.returncode == 0
    assert "Of 500 changes that change nothing, this gate would" in done.stdout
    found = json.loads(gatewatch(folder, "gate", "main", "--selftest", "--json").stdout)
    assert (found["kind"], found["rate"]) == ("gatewatch.selftest", 0.0)


def test_an_exception_holds_until_its_last_day(tmp_path: Path) -> None:
    folder = project(tmp_path, app=BROKEN)
    for case in ("c3", "c4"):
        done = gatewatch(folder, "accept", case, "--reason", "new wording", "--until", "2999-01-01", "--owner", "mia")
        assert done.returncode == 0
    code, found = verdict(folder)
    assert (code, found["verdict"]) == (0, "PASS" if found["scorers"]["exact"]["lower"] > -0.05 else "UNDECIDED")
    assert [row["accepted"] != "" for row in found["rows"]] == [True, True]
    assert {each["state"] for each in found["accepted"]} == {"holds"}
    text = (folder / "accepted.toml").read_text()
    (folder / "accepted.toml").write_text(text.replace("2999-01-01", "2020-01-01", 1))
    code, found = verdict(folder)
    assert (code, found["verdict"]) == (1, "REGRESSED")
    assert "the exception for case c3 expired on 2020-01-01 (mia)" in found["reasons"][0]


def test_a_fifth_of_the_runs_is_compared_in_any_way(tmp_path: Path) -> None:
    folder = project(tmp_path, app=BROKEN)
    assert gatewatch(folder, "run", "main", "--name", "bad").returncode == 0
    done = gatewatch(folder, "compare", "baseline", "bad", "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["scorers"]["exact"]["losses"]) == (0, 2)
    done = gatewatch(folder, "compare", "baseline", "bad", "main")
    assert done.returncode == 0
    assert "bad" in done.stdout and "baseline" in done.stdout
    found = json.loads(gatewatch(folder, "compare", "bad", "main", "baseline", "--json").stdout)
    assert (found["kind"], len(found["runs"]), len(found["scorers"]["exact"])) == ("gatewatch.matrix", 3, 3)


def test_what_is_pinned_is_shown(tmp_path: Path) -> None:
    folder = project(tmp_path)
    done = gatewatch(folder, "baseline", "show", "main")
    assert done.returncode == 0
    assert "exact: 1.000" in done.stdout and "20 cases" in done.stdout
    assert json.loads(gatewatch(folder, "baseline", "show", "main", "--json").stdout)["suite"] == "main"
    found = json.loads(gatewatch(folder, "baseline", "pin", "main", "--json").stdout)
    assert (found["kind"], found["lines"]) == ("gatewatch.baseline", 20)


def test_what_a_gate_can_see_is_planned(tmp_path: Path) -> None:
    folder = project(tmp_path)
    done = gatewatch(folder, "plan", "main")
    assert done.returncode == 0
    assert "20 cases x 1 trial: a fall of " in done.stdout
    assert json.loads(gatewatch(folder, "plan", "main", "--json").stdout)["kind"] == "gatewatch.plan"


def test_stored_outputs_are_scored_again(tmp_path: Path) -> None:
    folder = project(tmp_path)
    done = gatewatch(folder, "rescore", "baseline", "--suite", "main", "--forecast")
    assert (done.returncode, done.stdout) == (0, "")
    assert "100 rows to run" in done.stderr  # the trials that were bought for it, too
    done = gatewatch(folder, "rescore", "main", "--name", "again")
    assert done.returncode == 0
    assert "pin it:  gatewatch baseline pin main-again-rescore-" in done.stdout
