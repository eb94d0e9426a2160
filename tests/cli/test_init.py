"""`gatewatch init` as a user starts it: what it writes works at once, and what is there stays."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.result import RunResult, run_paths
from gatewatch.scorers.rubric_file import load_rubric

FILES = [
    ".github/workflows/gatewatch.yml",
    ".gitignore",
    "app.py",
    "datasets/README.md",
    "datasets/starter.jsonl",
    "evals.py",
    "gatewatch.toml",
    "rubrics/helpful.md",
]


def gatewatch(cwd: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "OPENAI_API_KEY"}
    return subprocess.run(
        [sys.executable, "-m", "gatewatch", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_the_starter_works_at_once_without_a_key(tmp_path: Path) -> None:
    done = gatewatch(tmp_path, "init", "mine")
    assert (done.returncode, done.stderr) == (0, "")
    assert files_in(tmp_path / "mine") == FILES
    typed = done.stdout.partition("Next:\n")[2].split("\n")
    assert typed == [
        "  cd mine",
        "  gatewatch doctor",
        "  gatewatch run starter",
        "  gatewatch show --rows",
        "  gatewatch baseline pin starter --trials 5",
        "  gatewatch gate starter",
        "",
    ]
    assert "What a gate over the cases of starter can see" in done.stdout
    assert "10 cases x 1 trial: a fall of 28.3 pp" in done.stdout
    project = tmp_path / "mine"
    doctor = gatewatch(project, "doctor")
    assert doctor.returncode == 0, doctor.stdout
    assert "monitors   live" in doctor.stdout
    ran = gatewatch(project, "run", "starter")
    assert ran.returncode == 0, ran.stderr
    (path,) = run_paths(project / ".gatewatch" / "runs")
    summary = RunResult(path).summary
    assert {name: scorer.figure.mean for name, scorer in summary.scorers.items()} == dict.fromkeys(summary.scorers, 1.0)
    assert list(summary.scorers) == ["states_the_answer", "tool_calls", "format", "pii"]
    assert gatewatch(project, "show", "--rows").returncode == 0


def test_the_template_has_every_kind_and_its_page_names_each(tmp_path: Path) -> None:
    assert gatewatch(tmp_path, "init").returncode == 0
    page = (tmp_path / "datasets" / "README.md").read_text()
    cases = list(open_dataset(tmp_path / "datasets" / "starter.jsonl"))
    assert all(f"`{case.id}`" in page for case in cases)
    assert {"regenerated", None} <= {case.input.get("assistant") for case in cases if isinstance(case.input, dict)}
    assert load_rubric(tmp_path / "rubrics" / "helpful.md").scale.high == 5


def test_nothing_is_written_over_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("mine")
    (tmp_path / "rubrics").mkdir()
    (tmp_path / "rubrics" / "helpful.md").write_text("mine too")
    done = gatewatch(tmp_path, "init")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        "error: app.py: is there already (--force writes over it)\n"
        "rubrics/helpful.md: is there already (--force writes over it)\n"
    )
    assert files_in(tmp_path) == ["app.py", "rubrics/helpful.md"]
    assert gatewatch(tmp_path, "init", "--force").returncode == 0
    assert files_in(tmp_path) == FILES
    assert (tmp_path / "app.py").read_text() != "mine"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (None, ".gatewatch/\n"),
        ("", ".gatewatch/\n"),
        ("dist", "dist\n.gatewatch/\n"),
        ("dist/\n\n", "dist/\n.gatewatch/\n"),
        ("/.gatewatch\ndist\n", "/.gatewatch\ndist\n"),
    ],
)
def test_a_gitignore_gets_a_line_if_it_lacks_it(tmp_path: Path, before: str | None, after: str) -> None:
    if before is not None:
        (tmp_path / ".gitignore").write_text(before)
    assert gatewatch(tmp_path, "init").returncode == 0
    assert (tmp_path / ".gitignore").read_text() == after


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("a file")
    done = gatewatch(tmp_path, "init", "mine")
    assert done.returncode == 2
    assert done.stderr == "error: mine/app.py: cannot be written: File exists\n"


LOG = """asked_at,question,answer,topic,thumbs
1,Where is my parcel?,On its way,shipping,up
2,where is my PARCEL,Lost,shipping,down
3,Can I pay by card?,Yes,payment,
4,Mail me at jo@example.com please,Done,payment,
5,,nothing,payment,
6,short line
7,How do I close my account?,Under Settings,account,
"""


def test_cases_are_proposed_from_a_log(tmp_path: Path) -> None:
    (tmp_path / "Chat Log.csv").write_text(LOG)
    done = gatewatch(tmp_path, "init", "mine", "--from", "Chat Log.csv")
    assert done.returncode == 0
    assert done.stderr == (
        "left out: Chat Log.csv:6: question is empty\n"
        "left out: Chat Log.csv:7: 2 cells, but the header names 5 columns\n"
    )
    project = tmp_path / "mine"
    cases = list(open_dataset(project / "datasets" / "chat-log.jsonl"))
    (mail,) = [case for case in cases if "jo@" in str(case.input)]
    assert [line.strip() for line in done.stdout.partition("\nFrom ")[2].split("\n\n")[0].splitlines()] == [
        "Chat Log.csv:",
        "input from 'question', output from 'answer', slice from 'topic', signals",
        "from 'thumbs'",
        "7 lines read, 2 of them unreadable",
        "1 repeat another word for word, 0 almost so",
        "4 cases proposed, from 4 strata",
        f"! personal data in 1, left as it is: {mail.id} (email)",
        "mask it before you commit the file; names and addresses are not looked for",
    ]
    assert sorted(str(case.input) for case in cases) == [
        "Can I pay by card?",
        "How do I close my account?",
        "Mail me at jo@example.com please",
        "where is my PARCEL",
    ]
    assert gatewatch(project, "doctor").returncode == 0
    assert gatewatch(project, "run", "chat-log").returncode == 0


def test_in_a_project_only_the_cases_are_written(tmp_path: Path) -> None:
    assert gatewatch(tmp_path, "init").returncode == 0
    (tmp_path / "app.py").write_text("def answer(question): return question\n")
    (tmp_path / "logs.jsonl").write_text('{"prompt": "Hello?"}\n')
    done = gatewatch(tmp_path, "init", "--from", "logs.jsonl")
    assert done.returncode == 0
    assert '[suites.logs]\ndataset = "datasets/logs.jsonl"\n' in done.stdout
    assert files_in(tmp_path) == sorted([*FILES, "datasets/logs.jsonl", "logs.jsonl"])
    assert (tmp_path / "app.py").read_text() == "def answer(question): return question\n"
    again = gatewatch(tmp_path, "init", "--from", "logs.jsonl")
    assert (again.returncode, again.stderr) == (
        2,
        "error: datasets/logs.jsonl: is there already (--force writes over it)\n",
    )
    assert gatewatch(tmp_path, "init", "--from", "logs.jsonl", "--force").returncode == 0


@pytest.mark.parametrize("name", ["starter", "logs"])
def test_the_log_and_the_template_are_never_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "datasets").mkdir()
    log = tmp_path / ("starter.jsonl" if name == "starter" else "datasets/logs.jsonl")
    log.write_text('{"prompt": "Hello?"}\n')
    done = gatewatch(tmp_path, "init", "--from", str(log), "--force")
    assert done.returncode == 0, done.stderr
    assert json.loads(log.read_text()) == {"prompt": "Hello?"}
    assert len(open_dataset(tmp_path / "datasets" / f"{name}-cases.jsonl")) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--from", "none.csv"], "error: none.csv: no such file\n"),
        (["--from", "bad.csv"], "error: bad.csv:2: question is empty\nbad.csv:3: question is empty\n"),
        (
            ["--from", "bad.csv", "--input", "answr"],
            "error: bad.csv: there is no column 'answr' (did you mean \"answer\"?)\n",
        ),
        (
            ["--from", "odd.csv"],
            "error: odd.csv: no column is known to hold what users asked "
            "(name the column with --input COLUMN: when, what)\n",
        ),
    ],
)
def test_a_log_that_cannot_be_used_leaves_nothing_behind(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "bad.csv").write_text("question,answer\n,a\n,b\n")
    (tmp_path / "odd.csv").write_text("when,what\n1,a\n")
    done = gatewatch(tmp_path, "init", "mine", *arguments)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", message)
    assert not (tmp_path / "mine").exists()


def test_a_column_without_a_log_is_wrong_usage(tmp_path: Path) -> None:
    done = gatewatch(tmp_path, "init", "--input", "asked")
    assert done.returncode == 2
    assert "--input names a column of the logs: give their file with --from" in done.stderr
