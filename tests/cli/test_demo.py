"""`gatewatch demo` as a user starts it: a process of its own, in any folder, without network."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

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


def demo(cwd: Path, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-c", OFFLINE, "demo", *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def results(project: Path) -> dict[str, RunResult]:
    found = [RunResult(path) for path in reversed(run_paths(project / ".gatewatch" / "runs"))]  # the newest wins
    return {result.summary.header.name: result for result in found}


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def shown(here: Path) -> Iterator[str]:
    done = demo(here)
    assert (done.returncode, done.stderr) == (0, "")
    yield done.stdout


def test_the_story_is_told(shown: str) -> None:
    lines = shown.splitlines()
    for part in (
        "Its project is in gatewatch-demo, 6 files were written there.",
        "Each was run over the 58 cases, and every answer was scored:",
        "The version in use",
        "The rewrite",
        "Where states_answer fell most",
        "25 of 58 cases fail in the rewrite alone; 5 of them",
        "Next",
        "  cd gatewatch-demo",
    ):
        assert part in [line.rstrip() for line in lines]
    assert "rewrite   crashed: AttributeError: 'NoneType' object has no attribute 'items'" in shown
    assert max(map(len, lines)) <= 100


def test_the_good_version_is_good_and_the_worse_one_is_worse(here: Path, shown: str) -> None:
    found = results(here / "gatewatch-demo")
    good, worse = (found[f"version={version}"].summary for version in ("good", "worse"))
    assert 0.85 <= (good.scorers["states_answer"].figure.mean or 0) <= 0.95
    assert (worse.scorers["states_answer"].figure.mean or 1) <= 0.65
    assert good.errors == {}
    assert 1 <= sum(worse.errors.values()) <= 5
    for name in good.scorers:
        assert (worse.scorers[name].figure.mean or 0) < (good.scorers[name].figure.mean or 0)
    assert (good.header.components["version"], worse.header.components["version"]) == ("good", "worse")


def test_what_must_pass_passes_in_the_good_version(here: Path, shown: str) -> None:
    rows = list(results(here / "gatewatch-demo")["version=good"].rows())
    must = [row for row in rows if row.must_pass]
    assert len(must) >= 5
    assert all(score.value in (None, 1.0) for row in must for score in row.scores.values())
    assert all(row.trace is not None and row.trace.versions["knowledge_base"] == "2026-11" for row in rows)


def test_the_dataset_has_cases_of_every_kind(here: Path, shown: str) -> None:
    cases = list(open_dataset(here / "gatewatch-demo" / "datasets" / "support.jsonl"))
    expected = [case.expected for case in cases if isinstance(case.expected, Expected)]
    assert 44 <= len(cases) <= 60
    assert len({case.slice for case in cases}) >= 6
    assert max(Counter(case.cluster for case in cases if case.cluster).values()) >= 3
    assert 1 <= sum(bool(case.retired) for case in cases) <= 2
    assert any(each.tool_calls for each in expected) and any(each.tool_calls == () for each in expected)
    assert any(isinstance(case.input, dict) and "messages" in case.input for case in cases)
    articles = (here / "gatewatch-demo" / "kb.md").read_text()
    assert 12 <= articles.count("\n## ") <= 18
    for each in expected:
        assert all(f"## {name}: " in articles for name in each.relevant or ())


def test_answers_do_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    said = []
    for seed in ("1", "2"):
        assert demo(tmp_path, "--dir", seed, PYTHONHASHSEED=seed).returncode == 0
        rows = [row for result in results(tmp_path / seed).values() for row in result.rows()]
        said.append({(row.case, row.trace.versions["retriever"]): row.trace.output for row in rows if row.trace})
    assert said[0] == said[1]
    assert len(said[0]) == 116


def test_changes_are_kept_and_seen_and_can_be_undone(tmp_path: Path) -> None:
    project = tmp_path / "deep" / "er"
    assert demo(tmp_path, "--dir", str(project)).returncode == 0
    articles = project / "kb.md"
    before = articles.read_text()
    articles.write_text(before.replace("within 45 days", "within \x1b[31m31\u202e days"))
    (project / "evals.py").unlink()
    again = demo(tmp_path, "--dir", str(project))
    assert again.returncode == 0
    assert f"Its project is in {project}, 1 file was written there." in again.stdout
    assert "Kept as you changed them: kb.md (--fresh writes them anew)." in again.stdout
    assert "\x1b" not in again.stdout and "\u202e" not in again.stdout
    assert (results(project)["version=good"].summary.scorers["states_answer"].figure.mean or 1) < 0.89
    assert demo(tmp_path, "--dir", str(project), "--fresh").returncode == 0
    assert articles.read_text() == before


@pytest.mark.parametrize("kind", ["file", "folder", "project"])
def test_what_is_not_the_demo_is_left_alone(tmp_path: Path, kind: str) -> None:
    mine = tmp_path / "mine"
    if kind == "file":
        mine.write_text("mine")
    else:
        mine.mkdir()
        (mine / ("gatewatch.toml" if kind == "project" else "notes.txt")).write_text("[project]\n")
    before = sorted(tmp_path.rglob("*"))
    done = demo(tmp_path, "--dir", "mine")
    assert done.returncode == 2
    assert done.stderr == "error: mine: is there already, and is not the demo (name another folder: --dir)\n"
    assert sorted(tmp_path.rglob("*")) == before


def test_a_matrix_without_the_two_versions_is_told(tmp_path: Path) -> None:
    assert demo(tmp_path).returncode == 0
    settings = tmp_path / "gatewatch-demo" / "gatewatch.toml"
    settings.write_text(settings.read_text().replace('["good", "worse"]', '["good"]'))
    done = demo(tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "error: gatewatch-demo/gatewatch.toml: suites.support.matrix: no longer has the versions good and worse "
        "(--fresh writes all files anew)\n"
    )


def test_rows_are_listed_with_their_cases_and_scores(here: Path, shown: str) -> None:
    listed = subprocess.run(
        [sys.executable, "-m", "gatewatch", "show", "version=worse", "--failed", "--limit", "100"],
        cwd=here / "gatewatch-demo",
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (line,) = [line for line in listed.stdout.splitlines() if line.startswith("ord-06")]
    case, slice_name, *_, answer, found, called, clean, short = line.split()
    assert (case, slice_name, answer, called, clean, short) == ("ord-06", "orders", "0", "0", "0", "0")
    assert found in ("0", "—")
    assert "AttributeError: '" in line
    assert max(map(len, listed.stdout.splitlines())) <= 120
