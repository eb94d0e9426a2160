"""`gatewatch demo` as a user starts it: a process of its own, in any folder, without network."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatewatch.core.case import Expected
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.result import RunResult, run_paths

# Nothing may be looked up or connected to: the audit hook sees every such attempt, whichever library makes it.
OFFLINE = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise SystemExit(f"network: {event} {arguments}")
sys.addaudithook(refuse)
from gatewatch.cli.main import main
main()
"""
VERDICTS = {
    "rewrite": ("REGRESSED", 1),
    "reworded": ("UNDECIDED", 0),
    "quicker": ("REGRESSED", 1),
}
"""Of the candidates when the story is over."""
TOLD = {"rewrite": ("REGRESSED", 1), "quicker": ("PASS", 0)}
"""Of those that are gated at its beginning."""


def gatewatch(cwd: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", OFFLINE, *arguments],
        cwd=cwd,
        env={**os.environ, "COLUMNS": "", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def runs(project: Path) -> list[RunResult]:
    return [RunResult(path) for path in run_paths(project / ".gatewatch" / "runs")]


def newest(project: Path, task: str) -> RunResult:
    return next(
        found for found in runs(project) if (found.summary.header.task, found.summary.header.purpose) == (task, "")
    )


def answers(project: Path) -> dict[tuple[str, str], set[Any]]:
    """All that was ever answered, by task and case."""
    found: dict[tuple[str, str], set[Any]] = {}
    for run in runs(project):
        for row in run.rows():
            if row.trace is not None:
                said = row.trace.output if row.trace.error is None else row.trace.error.message
                found.setdefault((run.summary.header.task, row.case), set()).add(said)
    return found


def sections(shown: str) -> dict[str, str]:
    """The parts of the story, each by the command over it."""
    found: dict[str, list[str]] = {"": []}
    for line in shown.splitlines():
        if line.startswith(("gatewatch ", "python ")) and line.endswith("───"):
            found[line.rstrip("─").strip()] = []
        elif line == "Next":
            found[line] = []
        else:
            found[list(found)[-1]].append(line.rstrip())
    return {typed: "\n".join(lines) for typed, lines in found.items()}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(here: Path) -> str:
    done = gatewatch(here, "demo", PYTHONHASHSEED="1")
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def copy(here: Path, shown: str, tmp_path: Path) -> Path:
    """The project with all that the demo left in it, to be changed."""
    return Path(shutil.copytree(here / "gatewatch-demo", tmp_path / "gatewatch-demo"))


def test_the_story_is_told(shown: str) -> None:
    told = sections(shown)
    titles = [re.sub(r"show [0-9a-f]{12}|F[0-9]+|show [0-9]+", "...", each) for each in told]
    assert titles == [
        "",
        "gatewatch run support",
        "gatewatch baseline pin support --trials 5",
        "gatewatch gate support --task rewrite",
        "gatewatch gate support --task quicker",
        "python live.py --version quicker",
        "gatewatch trends support --days 3",
        "gatewatch alerts ...",
        "gatewatch mine support --days 1 --most 3",
        "gatewatch label ...",
        "gatewatch promote ...",
        "gatewatch rebaseline support --reason ...",
        "gatewatch gate support --task quicker, again",
        "gatewatch ...",
        "Next",
    ]
    assert "Its project is in gatewatch-demo, 8 files were written there." in told[""]
    assert "122 cases of datasets/support.jsonl@" in told["gatewatch run support"]
    assert "All of it is in baselines/support.jsonl" in told["gatewatch baseline pin support --trials 5"]
    assert "  cd gatewatch-demo" in told["Next"].split("\n")
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 100
    assert len(lines) <= 320
    assert shown.replace("\n", "").isprintable()


@pytest.mark.parametrize("task", TOLD)
def test_each_candidate_gets_its_verdict_and_its_exit_code(shown: str, task: str) -> None:
    word, code = TOLD[task]
    told = sections(shown)[f"gatewatch gate support --task {task}"].split("\n")
    (verdict,) = [line for line in told if line[2:].startswith(("REGRESSED  ", "PASS  ", "UNDECIDED  "))]
    assert verdict[2:].startswith(f"{word}  ")
    assert told[-2].startswith(f"exit code {code}: ")
    assert any(line.startswith("states_answer ") and "0.902" in line for line in told)
    assert "layers    contract on: 14 must-pass cases" in told


def test_the_rewrite_is_shown_by_rows(shown: str) -> None:
    told = sections(shown)["gatewatch gate support --task rewrite"]
    assert "  · ... and 5 more like these\n  · states_answer: 42 cases that always passed have now failed" in told
    assert "1 of the 47 cases that fell\n✕ ord-06 · must-pass · blocks (contract)" in told
    assert "  error     │ AttributeError: 'NoneType' object has no attribute 'items'" in told
    blocking = told.split("\nblocking  ")[1].split("\n\n")[0]
    assert blocking.startswith("ord-01, ord-06, "), "what must pass comes first"
    assert " ... and 3" in blocking


def test_the_gate_says_the_same(copy: Path) -> None:
    found = {}
    for task, (word, code) in VERDICTS.items():
        done = gatewatch(copy, "gate", "support", "--task", task, "--json")
        found[task] = json.loads(done.stdout)
        assert (done.returncode, found[task]["verdict"], found[task]["exit_code"]) == (code, word, code), task
    blocked = {row["id"] for row in found["rewrite"]["rows"] if row.get("why")}
    assert {"ord-06", "ret-08", "ord-01", "acc-03"} <= blocked
    words = found["reworded"]["scorers"]["states_answer"]
    assert (words["broke"], words["fixed"]) == (8, 6)
    assert (words["flips"]["flipped"], words["flips"]["confirmed"]) == (8, 0)
    assert words["lower"] < -0.05 and words["p"] > 0.1
    rows = found["reworded"]["rows"]
    assert {row["scorer"] for row in rows} == {"states_answer"}


def commands_next(shown: str) -> list[list[str]]:
    lines = [line.partition("  #")[0].strip() for line in sections(shown)["Next"].split("\n")]
    return [shlex.split(line)[1:] for line in lines if line.startswith("gatewatch ")]


def test_what_comes_next_can_be_typed(copy: Path, shown: str) -> None:
    typed = commands_next(shown)
    assert [words[0] for words in typed] == ["show", "show", "accept", "gate", "plan", "serve", "gate", "init"]
    codes = [gatewatch(copy, *words).returncode for words in typed if not {"--selftest", "serve"} & set(words)]
    assert codes == [0, 0, 0, 1, 0, 0]  # asked five times each, the reworded bot is seen to fall


def test_its_pages_are_served(copy: Path) -> None:
    """When the story was told already, too."""
    child = subprocess.Popen(
        [sys.executable, "-m", "gatewatch", "demo", "--serve", "--port", "0"],
        cwd=copy.parent,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stderr is not None
    served = next(match for line in child.stderr if (match := re.search(r"http://127\.0\.0\.1:\d+", line)))
    assert httpx.get(f"{served[0]}/readyz").status_code == 200
    child.send_signal(signal.SIGINT)
    child.communicate()
    assert child.returncode == 128 + signal.SIGINT


@pytest.mark.slow
def test_the_gate_of_the_demo_can_be_tested_on_itself(copy: Path, shown: str) -> None:
    (typed,) = [words for words in commands_next(shown) if "--selftest" in words]
    done = gatewatch(copy, *typed)
    assert done.returncode == 0
    assert "changes that change nothing, this gate would" in done.stdout


def test_the_version_in_use_is_good_and_the_rewrite_is_worse(here: Path, shown: str) -> None:
    good, worse = (newest(here / "gatewatch-demo", task).summary for task in ("bot:answer", "rewrite"))
    assert 0.85 <= (good.scorers["states_answer"].figure.mean or 0) <= 0.95
    assert (worse.scorers["states_answer"].figure.mean or 1) <= 0.65
    assert good.errors == {}
    assert 1 <= sum(worse.errors.values()) <= 5
    for name in good.scorers:
        assert (worse.scorers[name].figure.mean or 0) < (good.scorers[name].figure.mean or 0)
    assert worse.header.components["version"] == "worse"


def test_what_must_pass_passes_in_the_version_in_use(here: Path, shown: str) -> None:
    rows = list(newest(here / "gatewatch-demo", "bot:answer").rows())
    must = [row for row in rows if row.must_pass]
    assert len(must) >= 5
    assert all(score.value in (None, 1.0) for row in must for score in row.scores.values())
    assert all(row.trace is not None and row.trace.versions["knowledge_base"] == "2026-11" for row in rows)


def test_the_dataset_has_cases_of_every_kind(here: Path, shown: str) -> None:
    cases = list(open_dataset(here / "gatewatch-demo" / "datasets" / "support.jsonl"))
    expected = [case.expected for case in cases if isinstance(case.expected, Expected)]
    assert 100 <= len(cases) <= 200
    assert len({case.slice for case in cases}) >= 6
    assert max(Counter(case.cluster for case in cases if case.cluster).values()) >= 3
    assert 1 <= sum(bool(case.retired) for case in cases) <= 2
    assert any(each.tool_calls for each in expected) and any(each.tool_calls == () for each in expected)
    assert any(isinstance(case.input, dict) and "messages" in case.input for case in cases)
    articles = (here / "gatewatch-demo" / "kb.md").read_text()
    assert 12 <= articles.count("\n## ") <= 18
    for each in expected:
        assert all(f"## {name}: " in articles for name in each.relevant or ())


@pytest.mark.slow
def test_answers_do_not_depend_on_the_hash_seed(here: Path, shown: str, tmp_path: Path) -> None:
    """Those to the dataset: which live requests are promoted depends on which were sampled."""
    assert gatewatch(tmp_path, "demo", PYTHONHASHSEED="2").returncode == 0
    said, before = (
        {(task, case): told for (task, case), told in answers(folder / "gatewatch-demo").items() if "-" in case}
        for folder in (tmp_path, here)
    )
    assert said == before
    assert len(said) == 3 * 122
    assert {task for task, _ in said} == {"bot:answer", "rewrite", "quicker"}


@pytest.mark.slow
def test_changes_are_kept_and_seen_and_can_be_undone(copy: Path) -> None:
    """A second time in the same folder: the baseline is pinned again, and there is text that would steer a terminal."""
    articles, baseline = copy / "kb.md", copy / "baselines" / "support.jsonl"
    before, pinned = articles.read_text(), baseline.read_text()
    articles.write_text(before.replace("within 45 days", "within \x1b[31m31\u202e days"))
    (copy / "evals.py").unlink()
    again = gatewatch(copy.parent, "demo", "--dir", str(copy))
    assert again.returncode == 0
    assert f"Its project is in {copy}, 1 file was written there." in again.stdout
    assert "Kept as you changed them: datasets/support.jsonl, kb.md (--fresh writes them anew)." in again.stdout
    assert "It is stopped: the loop was gone through here before. --fresh begins anew." in again.stdout
    assert again.stdout.replace("\n", "").isprintable()
    assert [line for line in again.stdout.splitlines() if line.startswith("exit code")]
    assert (newest(copy, "bot:answer").summary.scorers["states_answer"].figure.mean or 1) < 0.9
    assert baseline.read_text() != pinned
    assert gatewatch(copy.parent, "demo", "--dir", str(copy), "--fresh").returncode == 0
    assert articles.read_text() == before


@pytest.mark.slow
def test_it_fits_into_80_columns(tmp_path: Path) -> None:
    done = gatewatch(tmp_path, "demo", COLUMNS="80")
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert max(len(line) for line in lines if "activate" not in line) <= 80
    assert any(line.startswith("  gatewatch accept ord-06 ") for line in lines)


@pytest.mark.parametrize("kind", ["file", "folder", "project"])
def test_what_is_not_the_demo_is_left_alone(tmp_path: Path, kind: str) -> None:
    mine = tmp_path / "mine"
    if kind == "file":
        mine.write_text("mine")
    else:
        mine.mkdir()
        (mine / ("gatewatch.toml" if kind == "project" else "notes.txt")).write_text("[project]\n")
    before = sorted(tmp_path.rglob("*"))
    done = gatewatch(tmp_path, "demo", "--dir", "mine")
    assert done.returncode == 2
    assert done.stderr == "error: mine: is there already, and is not the demo (name another folder: --dir)\n"
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[tasks.quicker]", "[tasks.mine]", "no longer has [tasks.quicker]"),
        ("concurrency = 4", 'matrix = { version = ["good", "worse"] }\n', "suites.support has a matrix now, and the "),
        ("[suites.support]", "[suites.mine]", "there is no [suites.support]"),
    ],
)
def test_a_project_that_no_longer_has_the_story_is_told_so(copy: Path, old: str, new: str, said: str) -> None:
    settings = copy / "gatewatch.toml"
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))
    done = gatewatch(copy.parent, "demo")
    assert done.returncode == 2
    assert said in done.stderr


def test_rows_are_listed_with_their_cases_and_scores(here: Path, shown: str) -> None:
    listed = gatewatch(here / "gatewatch-demo", "show", "rewrite", "--failed", "--limit", "100")
    assert listed.returncode == 0
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith("ord-06")]
    case, slice_name, *_, answer, found, called, clean, short = line.split()
    assert (case, slice_name, answer, called, clean, short) == ("ord-06", "orders", "0", "0", "0", "0")
    assert found in ("0", "—")
    assert "AttributeError: '" in line
    assert max(map(len, listed.stdout.splitlines())) <= 120
