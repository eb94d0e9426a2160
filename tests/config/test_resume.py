"""Going on with a run that was cut off: unchanged, or not at all."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from config.building import model, one, prepared, problems, ran, rows, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.project import Project
from gatewatch.offline.result import RunResult, run_paths

NONE = "gatewatch.toml: suites.main: has no unfinished run to resume (leave --resume out to start one)"
LOGGING = """from pathlib import Path

def answer(question, style=""):
    with open(Path(__file__).parent / "asked", "a") as file:
        file.write(question + style + "\\n")
    return question.upper()
"""


def many(folder: Path, toml: str, **files: str) -> Path:
    """A project with ten cases whose application notes what it was asked."""
    write(folder, toml, **{"app_py": LOGGING, **files})
    cases = [{"id": f"c{n}", "input": f"q{n}", "expected": f"Q{n}"} for n in range(10)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    return folder


def cut(result: RunResult, keep: int) -> RunResult:
    """The run as it lies there when its process was killed after some rows: the last record is torn."""
    lines = result.path.read_bytes().splitlines(keepends=True)
    result.path.write_bytes(b"".join(lines[: 1 + keep]) + lines[1 + keep][:20])
    return RunResult(result.path)


def asked(folder: Path) -> list[str]:
    found = (folder / "asked").read_text().split()
    (folder / "asked").write_text("")
    return found


def test_only_what_is_missing_is_run(tmp_path: Path) -> None:
    folder = many(tmp_path, suite("seed = 7\n"))
    whole = one(folder)
    before = rows(whole)
    asked(folder)
    cut(whole, 4)
    (ready,) = prepared(folder, resume=True)
    assert ready.done is not None
    assert len(ready.done.finished) == 4
    assert ready.header.run == whole.id
    again = one(folder, resume=True)
    assert sorted(asked(folder)) == sorted(
        {f"q{n}" for n in range(10)} - {case.replace("c", "q") for case, _ in ready.done.finished}
    )
    assert again.path == whole.path
    assert again.summary.state == "complete"
    assert {key: row.scores for key, row in rows(again).items()} == {key: row.scores for key, row in before.items()}
    assert problems(lambda: prepared(folder, resume=True)) == [NONE]


def test_nothing_to_resume(tmp_path: Path) -> None:
    folder = many(tmp_path, suite())
    assert problems(lambda: prepared(folder, resume=True)) == [NONE]
    cut(one(folder), 3)
    assert problems(lambda: prepared(folder, resume=True, label="another")) == [NONE]
    one(folder)  # the newest is complete
    assert problems(lambda: prepared(folder, resume=True)) == [NONE]


def test_an_older_run_by_its_name_or_id(tmp_path: Path) -> None:
    folder = many(tmp_path, suite())
    named = cut(one(folder, label="mine"), 3)
    unnamed = cut(one(folder), 5)
    one(folder)
    (ready,) = prepared(folder, resume=True, label="mine")
    assert (ready.header.run, ready.path) == (named.id, named.path)
    (ready,) = prepared(folder, resume=True, label=unnamed.id)
    assert ready.path == unnamed.path


def test_a_run_goes_on_as_it_began(tmp_path: Path) -> None:
    folder = many(tmp_path, suite('trials = 3\nseed = 5\ntier = "pr"\n'))
    began = cut(one(folder, limit=4), 6)
    (ready,) = prepared(many(tmp_path, suite("trials = 1\nconcurrency = 2\n")), resume=True)
    assert (ready.plan.trials, ready.plan.cells, ready.header.seed) == (3, 12, 5)
    assert ready.header.dataset == began.summary.header.dataset
    assert ready.plan.concurrency == 2


def scorer(text: str) -> dict[str, str]:
    return {"evals_py": f"from gatewatch import scorer\n\n@scorer\ndef own(output: str):\n    return {text}\n"}


OWN = {"scorers": '["exact", "own"]', "head": '[project]\nscorers = "evals.py"\n'}
BOT = '[tasks.bot]\ncall = "app:answer"\narguments = { style = "x" }\n'

# what the run began with, what it would go on with, what is said to have been what and to be what
CHANGED: dict[str, tuple[Callable[[Path], Any], Callable[[Path], Any], list[tuple[str, str, str]]]] = {
    "dataset": (
        lambda folder: many(folder, suite()),
        lambda folder: (folder / "cases.jsonl").write_text('{"id": "c0", "input": "another"}\n'),
        [("the dataset was", "{version}", "{version}")],
    ),
    "task": (
        lambda folder: many(folder, suite()),
        lambda folder: many(folder, suite(task="app:other"), app_py=LOGGING.replace("answer", "other")),
        [("the task was", "app:answer", "app:other"), ("the component code was", "{print}", "{print}")],
    ),
    "the application's code": (
        lambda folder: many(folder, suite()),
        lambda folder: many(folder, suite(), app_py=LOGGING.replace("upper", "lower")),
        [("the component code was", "{print}", "{print}")],
    ),
    "component": (
        lambda folder: many(folder, suite(task="bot", head=BOT)),
        lambda folder: many(folder, suite(task="bot", head=BOT.replace('"x"', '"y"') + "versions = { kb = '2' }\n")),
        [("the component kb was", "None", "2"), ("the component style was", "x", "y")],
    ),
    "scorer's source": (
        lambda folder: many(folder, suite(**OWN), **scorer("len(output) > 1")),
        lambda folder: many(folder, suite(**OWN), **scorer("len(output) > 2")),
        [("the scorer own (source) was", "{print}", "{print}")],
    ),
    "scorer's options": (
        lambda folder: many(folder, suite(scorers='["near"]', head='[scorers.near]\nuse = "numeric"\n')),
        lambda folder: many(folder, suite(scorers='["near"]', head='[scorers.near]\nuse = "numeric"\ntolerance = 1\n')),
        [("the scorer near (parameter tolerance) was", "{print}", "{print}")],
    ),
    "scorers": (
        lambda folder: many(folder, suite()),
        lambda folder: many(folder, suite(scorers='["contains"]')),
        [("the scorer contains was", "not in use", "in use"), ("the scorer exact was", "in use", "not in use")],
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_what_has_changed_is_named(name: str, tmp_path: Path) -> None:
    first, then, said = CHANGED[name]
    first(tmp_path)
    began = cut(one(tmp_path), 3)
    kept = began.path.read_bytes()
    then(tmp_path)
    found = problems(lambda: prepared(tmp_path, resume=True))
    assert len(found) == len(said)
    for problem, (what, before, after) in zip(found, said, strict=True):
        start, _, rest = problem.partition(f"cannot be resumed: {what} ")
        assert start == f"{began.path}: "
        was, _, rest = rest.partition(" when the run began and ")
        now, _, rest = rest.partition(" now ")
        assert rest == "(start a new run)"
        if before.startswith("{"):
            assert was != now
            assert len(was) == len(now) == 12
        else:
            assert (was, now) == (before, after)
    assert began.path.read_bytes() == kept


def test_layout_and_names_of_runs_are_no_change(tmp_path: Path) -> None:
    many(tmp_path, suite(**OWN), **scorer("len(output) > 1"))
    cut(one(tmp_path), 3)
    many(tmp_path, suite("timeout = 9\n", **OWN), **scorer("len( output )>1  # quite long"))
    assert one(tmp_path, resume=True).summary.state == "complete"


def test_a_commit_is_a_change(tmp_path: Path) -> None:
    folder = many(tmp_path, suite())

    def commit(message: str) -> str:
        who = ("-c", "user.name=n", "-c", "user.email=e@example.com")
        subprocess.run(["git", *who, "commit", "-qam", message], cwd=folder, check=True)
        found = subprocess.run(["git", "rev-parse", "--short=12", "HEAD"], cwd=folder, check=True, capture_output=True)
        return found.stdout.decode().strip()

    subprocess.run(["git", "init", "-q"], cwd=folder, check=True)
    subprocess.run(["git", "add", "app.py"], cwd=folder, check=True)
    first = commit("first")
    began = cut(one(folder), 3)
    assert began.summary.header.components["commit"] == first
    assert prepared(folder, resume=True)[0].path == began.path
    (folder / "app.py").write_text(LOGGING + "# changed\n")
    said = f"{began.path}: cannot be resumed: the component commit was {first} when the run began and"
    assert problems(lambda: prepared(folder, resume=True)) == [f"{said} {first}+changes now (start a new run)"]
    second = commit("second")
    assert problems(lambda: prepared(folder, resume=True)) == [f"{said} {second} now (start a new run)"]


# Variants

MATRIX = suite('matrix = { style = ["x", "y", "z"] }\n')


def test_only_the_variants_that_were_cut_off_go_on(tmp_path: Path) -> None:
    folder = many(tmp_path, MATRIX)
    _, y, z = ran(folder)
    cut(y, 4)
    z.path.unlink()  # as if it had not been begun
    asked(folder)
    (ready,) = prepared(folder, resume=True)
    assert (ready.path, ready.header.name, ready.header.task) == (y.path, "style=y", "app:answer style=y")
    (again,) = ran(folder, resume=True)
    assert again.summary.state == "complete"
    assert len(asked(folder)) == 6
    assert len(run_paths(Project.open(folder).runs)) == 2
    assert problems(lambda: prepared(folder, resume=True)) == [NONE]


def test_one_variant_of_a_matrix_by_its_name_or_its_runs_id(tmp_path: Path) -> None:
    folder = many(tmp_path, MATRIX)
    x, y, z = ran(folder)
    for result in (x, y, z):
        cut(result, 4)
    assert [ready.path for ready in prepared(folder, resume=True)] == [x.path, y.path, z.path]
    assert [ready.path for ready in prepared(folder, resume=True, label=y.id)] == [y.path]


def test_a_named_matrix(tmp_path: Path) -> None:
    folder = many(tmp_path, MATRIX)
    results = ran(folder, label="mine")
    assert [result.summary.header.name for result in results] == [f"mine style={style}" for style in "xyz"]
    cut(results[0], 4)
    cut(results[2], 4)
    assert [ready.path for ready in prepared(folder, resume=True, label="mine")] == [results[0].path, results[2].path]
    assert problems(lambda: prepared(folder, resume=True)) == [NONE]  # runs without a name are meant


def test_a_row_whose_judge_had_not_answered_is_only_judged(tmp_path: Path) -> None:
    def reply(request: dict[str, Any]) -> str:
        judged = request["model"] == "judge-model"
        return '{"explanation": "fine", "verdict": "pass"}' if judged else "an answer"

    with FakeProvider(reply) as provider:
        head = model("app", provider.base_url, "cache = false") + model("judge", provider.base_url, "cache = false")
        head += '[tasks.bot]\nprompt = "p.md"\nmodel = "app"\n[scorers.kind]\nrubric = "kind.md"\n'
        toml = suite("concurrency = 1\n", task="bot", scorers='["exact", "kind"]', head=head)
        folder = many(tmp_path, toml, p_md="{input}", kind_md='---\nscale = "binary"\n---\nIs it kind?\n')
        whole = one(folder)
        cost = whole.summary.task_cost + whole.summary.judge_cost
        cut(whole, 7)  # three whole rows, in two pieces each, and one without its judge
        before = len(provider.requests)
        (ready,) = prepared(folder, resume=True)
        assert ready.done is not None
        assert (len(ready.done.finished), len(ready.done.started)) == (3, 1)
        again = one(folder, resume=True)
    models = [request["model"] for request in provider.requests[before:]]
    assert (models.count("app-model"), models.count("judge-model")) == (6, 7)
    assert again.summary.states == {"scored": 20}
    total = again.summary.task_cost + again.summary.judge_cost
    assert total.total == pytest.approx(cost.total)
