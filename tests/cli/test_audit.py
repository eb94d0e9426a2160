"""`gatewatch audit`: what it says, what it writes, and how it ends."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cli.building import run
from config.building import ran, suite, write
from gatewatch.checks.traffic import request, take
from gatewatch.core.clock import wall
from gatewatch.store.open import open_store

CASES = [
    {"id": "a", "input": "How long may I return a jacket?", "expected": "45 days"},
    {"id": "b", "input": "how long may I return a jacket", "expected": "45 days"},
    {"id": "c", "input": "How long may I return a jacket?!", "expected": "14 days"},
    {"id": "d", "input": "Is the shop in York open on Sundays, please?", "expected": "yes"},
    {"id": "e", "input": "Telegrams by pigeon", "slice": "odd"},
]
DAY = 86_400.0


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(tmp_path)
    text = "".join(json.dumps(case) + "\n" for case in CASES)
    return write(tmp_path, suite(), cases_jsonl=text)


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, Any]]:
    code, out, _ = run(capsys, "audit", *words, "--json")
    return code, json.loads(out)


def live(folder: Path, *texts: str, slice: str = "returns") -> None:  # noqa: A002 - the vocabulary's word
    (folder / ".gatewatch").mkdir(exist_ok=True)
    store = open_store(folder / ".gatewatch" / "gatewatch.db")
    now = wall()
    take(
        store,
        request("first", at=now - 40 * DAY),
        *(
            request(f"r{number}", at=now - number * 60, payload=json.dumps({"input": text}).encode(), slice=slice)
            for number, text in enumerate(texts)
        ),
        now=now,
    )
    store.close()


def test_what_is_found_is_told_by_check_with_what_may_be_done(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, "audit", "main")
    assert code == 0
    assert err == ""
    assert "cases.jsonl (suite main): 5 cases in use" in out
    assert re.search(r"^contradictory +1 +1 +20.0%", out, re.MULTILINE)
    assert "c  cases.jsonl:3" in out
    assert "expects '14 days' against '45 days'" in out
    assert "→ retire b" in out
    assert "stale: there is no store of live traffic" in out
    assert "saturated: no baseline is pinned (baselines/main.jsonl)" in out
    assert "1 edit proposed" in out


def test_json_is_one_object_with_all_of_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = told(capsys, "main")
    assert (code, found["kind"], found["version"]) == (0, "gatewatch.audit", 1)
    assert (found["suite"], found["dataset"], found["cases"], found["retired"]) == ("main", "cases.jsonl", 5, 0)
    assert found["counts"]["duplicate"] == {"findings": 1, "cases": 1, "share": 0.2}
    assert [each["check"] for each in found["findings"]] == ["contradictory", "duplicate", "unlabelled"]
    assert found["findings"][1]["proposed"][0]["case"] == "b"
    assert "applied" not in found
    assert found["tripped"] == []


def test_a_file_stands_for_the_suite_that_has_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "cases.jsonl")[1]["suite"] == "main"
    (project / "other.jsonl").write_text('{"input": "x"}\n')
    assert told(capsys, "other.jsonl")[1]["unchecked"]["leaked"] == "no suite of gatewatch.toml has this dataset"
    write(project, suite() + suite().replace("main", "more"), cases_jsonl=(project / "cases.jsonl").read_text())
    assert told(capsys, "cases.jsonl")[1]["unchecked"]["flaky"] == "is of the suites main, more: name one of them"


def test_a_file_needs_no_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.jsonl").write_text('{"id": "a", "input": "x"}\n{"id": "b", "input": " X"}\n')
    code, found = told(capsys, "d.jsonl")
    assert code == 0
    assert [each["check"] for each in found["findings"]] == ["duplicate"]


def test_what_is_neither_suite_nor_file_is_refused(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "audit", "mian") == (
        2, "", 'error: mian: is neither a suite nor a dataset file (did you mean "main"?)\n',
    )  # fmt: skip
    code, _, err = run(capsys, "audit", "main", "--only", "duplicates", "--apply", "stail")
    assert code == 2
    assert "--only: there is no check 'duplicates' (did you mean \"duplicate\"?)" in err


def test_only_some_checks(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, found = told(capsys, "main", "--only", "duplicate", "--only", "stale")
    assert [each["check"] for each in found["findings"]] == ["duplicate"]
    assert list(found["unchecked"]) == ["stale"]


def test_a_limit_that_is_passed_ends_with_1(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "audit", "main", "--fail-on", "duplicate", "--fail-on", "contradictory:10%")
    assert code == 1
    assert err.splitlines() == [
        "✕ duplicate: 1 found (20.0% of cases), and 0 may be",
        "✕ contradictory: 1 found (20.0% of cases), and 10% may be",
    ]
    assert run(capsys, "audit", "main", "--fail-on", "duplicate:1", "--fail-on", "duplicate:20%")[0] == 0
    code, found = told(capsys, "main", "--fail-on", "duplicate", "--fail-on", "stale")
    assert code == 1
    assert [each["check"] for each in found["tripped"]] == ["duplicate"]
    assert [each["check"] for each in found["unknown"]] == ["stale"]


def test_a_check_that_could_not_be_made_is_no_pass(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "audit", "main", "--fail-on", "stale:5%")
    assert code == 3
    assert err == "? stale: not checked: there is no store of live traffic\n"


def test_a_proposal_is_a_diff_and_changes_nothing(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (project / "cases.jsonl").read_bytes()
    code, out, _ = run(capsys, "audit", "main", "--proposal", "p.diff")
    assert code == 0
    assert "p.diff: 1 edit proposed" in out
    assert (project / "cases.jsonl").read_bytes() == before
    changed = [line for line in (project / "p.diff").read_text().splitlines() if line[0] in "+-"]
    assert changed[:2] == ["--- a/cases.jsonl", "+++ b/cases.jsonl"]
    assert changed[2] == "-" + json.dumps(CASES[1])
    assert changed[3].startswith("+" + json.dumps(CASES[1])[:-1] + ', "retired": "duplicate of a (audit ')
    code, _, err = run(capsys, "audit", "main", "--proposal", "gone/p.diff")
    assert (code, "gone/p.diff: cannot be written" in err) == (2, True)


def test_it_is_applied_once(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "audit", "main", "--apply")
    assert (code, "cases.jsonl: 1 case edited" in out) == (0, True)
    once = (project / "cases.jsonl").read_bytes()
    code, found = told(capsys, "main", "--apply")
    assert (code, found["applied"], found["retired"]) == (0, 0, 1)
    assert (project / "cases.jsonl").read_bytes() == once


def test_only_the_checks_that_are_named_are_applied(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys, "main", "--apply", "saturated", "--apply=near-duplicate")[1]["applied"] == 0
    assert told(capsys, "main", "--apply", "duplicate")[1]["applied"] == 1


def test_the_suites_scorers_prompts_runs_and_baseline_are_looked_at(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prompt = "Answer.\nFor example: Is the shop in York open on Sundays, please? Yes.\n"
    app = f'"""{prompt}"""\n\ndef answer(question):\n    return "yes"\n'
    write(project, suite(), cases_jsonl=(project / "cases.jsonl").read_text(), app_py=app)
    results = [*ran(project, trials=10)]
    assert run(capsys, "baseline", "pin", results[0].id)[0] == 0
    _, found = told(capsys, "main")
    by_check = {each["check"]: each for each in found["findings"]}
    assert by_check["leaked"]["cases"] == ["d"]
    assert by_check["leaked"]["why"].endswith("app.py:2")
    assert by_check["unlabelled"]["cases"] == ["e"]
    assert by_check["saturated"]["cases"] == ["d"]
    assert set(found["unchecked"]) == {"stale", "missing_slice"}


def test_live_traffic_is_looked_at(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live(project, *["may I return this jacket", "is York open on a Sunday"] * 150)
    _, found = told(capsys, "main")
    stale = [each for each in found["findings"] if each["check"] == "stale"]
    assert [each["cases"] for each in stale] == [["e"]]
    assert stale[0]["figures"][0]["high"] == pytest.approx(0.0122, abs=0.0001)
    (missing,) = [each for each in found["findings"] if each["check"] == "missing_slice"]
    assert missing["why"].startswith("returns: ")
    assert missing["cases"] == []


def test_which_flow_is_meant_has_to_be_known(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    live(project, "x")
    store = open_store(project / ".gatewatch" / "gatewatch.db")
    take(store, request("other", flow="billing"))
    store.close()
    _, found = told(capsys, "main")
    assert "name one of billing, support with --flow" in found["unchecked"]["stale"]
    _, found = told(capsys, "main", "--flow", "support", "--days", "1")
    assert "needs 200 requests of support" in found["unchecked"]["stale"]
    monitors = '[monitors.m]\nflow = "billing"\nscorers = []\nbaseline = "main"\n'
    write(project, suite() + monitors, cases_jsonl=(project / "cases.jsonl").read_text())
    assert "of billing" in told(capsys, "main")[1]["unchecked"]["stale"]


def test_hostile_texts_steer_no_terminal(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "d.jsonl").write_text(
        '{"id": "a", "input": "\\u001b[2Jx"}\n{"id": "b", "input": "\\u001b[2JX", "expected": "\\u001b[31m"}\n'
    )
    _, out, _ = run(capsys, "audit", "d.jsonl")
    assert "\x1b" not in out
