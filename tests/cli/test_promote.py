"""`gatewatch promote` and `gatewatch pull`: what is said, and what programs are told."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from cli.building import run
from gatewatch.config.monitors import store_of
from gatewatch.config.project import Project
from gatewatch.core.case import derived_id
from gatewatch.loop.pull import baseline_change
from gatewatch.store.base import Store
from loop.failing import DATASET, NOW, a_project, cases, mined, said, trace
from loop.test_pull import baseline

ID = derived_id("Can I return shoes after 30 days?")
PATH = Path("datasets/support.jsonl")


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "160")
    a_project(tmp_path)
    with closing(store_of(Project.open(tmp_path))) as found:
        mined(found, trace(1), trace(2, "Is there a shop in Oslo?\x1b[2J"))
        said(found, 1, expected="Yes.")
        yield found


def git(*words: str) -> None:
    identity = ("-c", "user.name=m", "-c", "user.email=m@example.com")
    subprocess.run(["git", *identity, *words], check=True, capture_output=True)


def test_a_failure(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "promote", "F1", "--by", "mia", "--owner", "ole", "--until", "2099-01-31")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        f"I1: case {ID} is new (datasets/support.jsonl:2; may fail until 2099-01-31, ole sees to it; C1 pulled)",
        "! 1 of 2 items of F1 are not settled yet: `gatewatch label F1`",
        "Have datasets/support.jsonl reviewed, and commit it. Once it passes: `gatewatch rebaseline support`",
    ]
    code, out, _ = run(capsys, "promote", "F1")
    assert code == 0
    assert out.startswith(f"I1: case {ID} asks it already (datasets/support.jsonl:2; promoted from {1:032x} on 2")
    assert len(cases(PATH)) == 2


def test_what_programs_are_told(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "promote", "F1", "I2", "--json")
    assert code == 2
    assert out == ""  # I2 is not labelled: what is meant is not clear, and nothing is done
    code, out, _ = run(capsys, "promote", "I2", "--expected", '{"answer": "Yes."}', "--dry-run", "--json")
    told = json.loads(out)
    assert (code, told["kind"], told["version"], told["dry_run"]) == (0, "gatewatch.promote", 1, True)
    assert told["promoted"][0]["case"]["expected"] == {"answer": "Yes."}
    assert PATH.read_text() == DATASET
    code, out, _ = run(capsys, "promote", "F1", "--json", "--strict")
    (found,) = json.loads(out)["promoted"]
    assert (found["change"]["name"], found["change"]["state"], found["written"]["what"]) == ("C1", "pulled", "added")


def test_what_is_hostile_does_not_steer_the_terminal(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "promote", "I2", "--expected", "x\x1b[31m", "--dry-run")
    assert "\x1b" not in out


def test_what_is_expected_from_a_file(store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "right.json").write_text('{"answer": "In Oslo, yes."}')
    assert run(capsys, "promote", "I2", "--expected", "@right.json")[0] == 0
    assert cases(PATH)[1].answer == "In Oslo, yes."
    assert (
        run(capsys, "promote", "I2", "--expected", "@no")[2] == "error: no: cannot be read: No such file or directory\n"
    )
    assert "error: --expected: anser: unknown field" not in run(capsys, "promote", "I2", "--expected", "{}")[1]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--merge", "--separate"), "give one of --merge and --separate"),
        (("--open", "3x"), "expected a duration"),
        (("--open", "3d", "--strict"), "give one of --until, --open and --strict"),
        (("--until", "soon"), "expected a day such as 2026-12-31, got 'soon'"),
        (("--until", "2001-01-01"), "--until: 2001-01-01 has passed already (give a day to come)"),
    ],
)
def test_wrong_usage(store: Store, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], told: str) -> None:
    code, _, err = run(capsys, "promote", "F1", *words)
    assert code == 2
    assert told in err


def test_through_the_outbox_into_a_checkout_and_its_main_branch(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    git("init", "-q", "-b", "main")
    git("add", "datasets", "gatewatch.toml")
    git("commit", "-qm", "one")
    code, out, _ = run(capsys, "promote", "F1", "--outbox", "--until", "2099-01-31", "--by", "mia")
    assert code == 0
    assert "C1 pending; waits for `gatewatch pull`: as --outbox says)" in out
    assert run(capsys, "pull", "--dry-run")[1] == f"C1 (case): {ID} waits for datasets/support.jsonl, by mia\n"
    assert run(capsys, "pull")[1].splitlines() == [
        f"C1 (case): {ID} added to datasets/support.jsonl:2",
        "Have datasets/support.jsonl reviewed, and commit it.",
    ]
    assert run(capsys, "pull")[1] == "nothing waits\n"
    assert "C1  pulled  case" in run(capsys, "pull", "--list")[1]
    git("commit", "-qam", "two")
    assert run(capsys, "pull")[1] == f"C1 (case): {ID} is merged\n"
    told = json.loads(run(capsys, "pull", "--list", "--json")[1])
    assert [(each["name"], each["state"]) for each in told["changes"]] == [("C1", "merged")]
    noted = {each.action for each in store.audit(0.0, 50)}
    assert {"promote", "change pulled", "change merged"} <= noted


def test_an_exception_and_a_baseline_come_with_it_and_one_that_cannot_waits_on(
    store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--reason", "on purpose", "--until", "2099-01-01", "--owner", "mia")
    assert run(capsys, "accept", "greet", *options, "--outbox")[1] == (
        "C1: case greet is accepted until 2099-01-01, once `gatewatch pull` wrote it.\n"
    )
    assert not Path("accepted.toml").exists()
    path = "baselines/support.jsonl"
    store.propose([baseline_change(path, baseline(), b"x", suite="support", by="mia", at=NOW)], NOW)
    run(capsys, "promote", "F1", "--outbox")
    code, out, err = run(capsys, "pull")
    assert code == 2
    assert "C1 (exception): greet added to accepted.toml" in out
    assert f"C3 (case): {ID} added to datasets/support.jsonl:2" in out
    assert err.startswith(
        "error: C2 (baseline) waits on: C2: baselines/support.jsonl: is another baseline than the one"
    )
    assert 'case = "greet"' in Path("accepted.toml").read_text()
    told = json.loads(run(capsys, "pull", "--json")[1])
    assert [len(each["problems"]) for each in told["changes"]] == [1]
    assert run(capsys, "pull", "--withdraw", "C2")[1] == "C2 (baseline): support is withdrawn\n"
    assert run(capsys, "pull", "--withdraw", "c3")[2].startswith("error: C3: is pulled: it is in somebody's files")
    assert run(capsys, "pull", "--withdraw", "C9")[2].startswith("error: C9: there is no such change")
    assert run(capsys, "pull")[0] == 0


def test_a_server_that_does_not_answer(store: Store, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = run(capsys, "pull", "--from", "http://127.0.0.1:9")
    assert code == 4
    assert err.startswith("error: http://127.0.0.1:9 did not answer: ConnectError")
    code, _, err = run(capsys, "pull", "--from", "nowhere")
    assert code == 2
    assert "--from" in err
