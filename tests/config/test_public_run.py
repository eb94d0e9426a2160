"""`gatewatch.run(...)`: from a script, from a notebook, with and without a project around it."""

import asyncio
import functools
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

import gatewatch
from config.building import model, outputs, problems, rows, suite, write
from gatewatch import Case, Score, run, scorer
from gatewatch.checks.provider import FakeProvider
from gatewatch.core.case import Tier
from gatewatch.offline.result import RunResult, run_paths
from gatewatch.scorers.text import exact

CASES: list[Case | dict[str, Any]] = [Case(id="a", input="one", expected="ONE"), {"id": "b", "input": "two"}]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def shout(question: str) -> str:
    return question.upper()


def test_a_function_over_cases(here: Path) -> None:
    result = run(shout, on=CASES, scorers=[exact(), "contains"], name="First try")
    assert result.summary.scorers["exact"].figure.mean == 1.0
    assert outputs(result) == {("a", 0): "ONE", ("b", 0): "TWO"}
    header = result.summary.header
    assert (header.task, header.name, header.suite) == (f"{__name__}:shout", "First try", "")
    assert header.run.startswith("first-try-")
    assert run_paths(here / ".gatewatch" / "runs") == [result.path]
    assert str(result) == str(RunResult(result.path))
    assert repr(result) == str(result)


async def shout_later(question: str) -> str:
    await asyncio.sleep(0)
    return question.upper()


class Bot:
    def __init__(self, end: str) -> None:
        self.end = end

    def __call__(self, question: str) -> str:
        return question + self.end

    def answer(self, question: str) -> str:
        return question + self.end


@pytest.mark.parametrize(
    ("task", "spec", "said"),
    [
        (lambda question: question[0], f"{__name__}:<lambda>", "o"),
        (shout_later, f"{__name__}:shout_later", "ONE"),
        (Bot("?"), f"{__name__}:Bot", "one?"),
        (Bot("!").answer, f"{__name__}:Bot.answer", "one!"),
        (functools.partial(Bot.answer, Bot(".")), "functools:partial", "one."),
    ],
)
def test_what_can_be_called(task: Any, spec: str, said: str) -> None:
    result = run(task, on=CASES, scorers=["exact"])
    assert outputs(result)["a", 0] == said
    assert result.summary.header.task == spec


def test_settings_of_a_suite(here: Path) -> None:
    @scorer
    def half(output: str) -> Score:
        return Score(0.5)

    order: list[str] = []
    more = [Case(id=f"c{n}", input=str(n), tier="nightly" if n % 2 else "pr") for n in range(8)]

    def note(case: Case) -> None:
        order.append(case.id)

    tier: Tier = "pr"
    result = run(
        shout, on=more, scorers=[half], trials=2, tier=tier, limit=3, seed=3, concurrency=1, timeout=5,
        scorer_timeout=5, budget="1 USD", pass_at={"half": 0.5}, setup=note, teardown=note,
    )  # fmt: skip
    assert {case for case, _ in rows(result)} == {"c0", "c2", "c4"}
    assert len(order) == 12
    header = result.summary.header
    assert (header.trials, header.seed, header.dataset.tier, header.dataset.limit) == (2, 3, "pr", 3)
    passed = result.summary.scorers["half"].passed
    assert passed is not None
    assert passed.mean == 1.0
    assert run(shout, on=more, scorers=[half], trials=None, tier=None, budget="").summary.rows == 8


def test_a_dataset_file_and_a_project_around(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    evals = "from gatewatch import scorer\n\n@scorer\ndef short(output: str): return len(output) < 4\n\n"
    evals += "def slice_of(input): return input[0]\n"
    head = '[project]\nscorers = "evals.py"\nslice = "evals:slice_of"\n[tasks.bot]\ncall = "app:answer"\n'
    write(here, head + '[scorers.near]\nuse = "similarity"\n', evals_py=evals)
    (here / "deep").mkdir()
    (here / "deep" / "own.jsonl").write_text('{"id": "a", "input": "one", "expected": "ONE"}\n')
    monkeypatch.chdir(here / "deep")
    result = run("bot", on="own.jsonl", scorers=["short", "near", "pii"])
    assert outputs(result) == {("a", 0): "ONE"}
    assert rows(result)["a", 0].slice == "o"
    assert result.path.parent == here / ".gatewatch" / "runs"  # the project's
    assert outputs(run("app:answer", on=Path("own.jsonl"), scorers=["short"])) == {("a", 0): "ONE"}


def test_a_judge_and_its_money(here: Path) -> None:
    (here / "kind.md").write_text('---\nscale = "binary"\n---\nIs it kind?\n')
    with FakeProvider(lambda _: '{"explanation": "Yes.", "verdict": "pass"}') as provider:
        write(here, model("judge", provider.base_url))
        result = run(shout, on=CASES, scorers=[gatewatch.judge("kind.md", name="kind")], budget="9 USD")
        assert result.summary.judge_cost.total
        write(here, model("judge", provider.base_url, price=""))
        calls = provider.calls
        said = problems(lambda: run(shout, on=CASES, scorers=[gatewatch.judge("kind.md")], budget="9 USD"))
        assert provider.calls == calls
    assert said == [
        "budget: cannot be kept: the price of 'judge-model' ([models.judge]) is unknown "
        '(add [prices."judge-model"] with input and output)'
    ]


def test_inside_a_running_event_loop() -> None:
    async def notebook() -> RunResult:
        threads = threading.active_count()
        result = run(shout_later, on=CASES, scorers=["exact"])
        assert threading.active_count() <= threads + 1
        with pytest.raises(gatewatch.GatewatchError):
            run(shout_later, on=[], scorers=["exact"])
        return result

    assert asyncio.run(notebook()).summary.scorers["exact"].figure.mean == 1.0


SCRIPT = """
import gatewatch

def answer(question):
    print("asked", question)
    return question

if __name__ == "__main__":
    result = gatewatch.run(answer, on=[{"input": "x", "expected": "x"}], scorers=["exact"])
    print(result)
    print(result.summary.header.task)
"""


def test_a_plain_script(here: Path) -> None:
    (here / "script.py").write_text(SCRIPT)
    done = subprocess.run([sys.executable, "script.py"], cwd=here, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "asked x"
    assert lines[1].startswith("run-")
    assert lines[-1] == "__main__:answer"
    assert "exact    1.000" in done.stdout


# What is wrong with a call


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        ("trails", "run() has no argument 'trails' (did you mean \"trials\"?)"),
        ("matrix", "run() has no argument 'matrix' (known: budget, concurrency, pass_at, scorer_timeout, seed, tier, "
         "timeout, trials)"),
        ("dataset", "run() has no argument 'dataset' (known: budget, concurrency, pass_at, scorer_timeout, seed, tier, "
         "timeout, trials)"),
    ],
)  # fmt: skip
def test_unknown_arguments(argument: str, said: str) -> None:
    given: dict[str, Any] = {argument: {}}
    with pytest.raises(TypeError) as caught:
        run(shout, on=CASES, scorers=["exact"], **given)
    assert str(caught.value) == said


ONE = "cannot be called with one argument"
CANNOT = "the input is text, but config.test_public_run:<lambda>() cannot take it: too many positional arguments"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"trials": 0}, "trials: expected a whole number >= 1"),
        ({"concurrency": 0}, "concurrency: expected a whole number >= 1"),  # it would wait for ever
        ({"timeout": "5"}, "timeout: expected a number, got text"),
        ({"limit": 0}, "limit: must be 1 or more, got 0"),
        ({"budget": "lots"}, "budget: expected an amount such as \"2.00 USD\", got 'lots'"),
        ({"budget": 2.0}, "budget: expected text, got a number"),
        ({"pass_at": {"exat": 0.5}}, 'pass_at.exat: not a scorer of this suite (did you mean "exact"?)'),
        ({"pass_at": {"exact": 50}}, "pass_at.exact: expected a number <= 1.0"),
        ({"scorers": ["exat"]}, "scorers[0]: there is no scorer 'exat' (did you mean \"exact\"?)"),
        ({"scorers": "exat"}, "scorers[0]: there is no scorer 'exat' (did you mean \"exact\"?)"),
        ({"scorers": ["exact", exact()]}, "scorers[1]: 'exact' is given twice"),
        ({"scorers": [shout]}, "scorers[0]: expected a scorer, got function (make one of a function with @scorer)"),
        ({"scorers": [3]}, "scorers[0]: expected a scorer, got int (a scorer, or the name of one)"),
        (
            {"on": []},
            '(in memory): no cases (write one JSON object a line, such as {"input": "...", "expected": "..."})',
        ),
        ({"on": "nowhere.jsonl"}, "nowhere.jsonl: no such file (a dataset is a .jsonl or .csv file)"),
        ({"on": [{"input": "x"}, "y"]}, "(in memory):2: expected a JSON object, got str (one JSON object a line)"),
        (
            {"task": "nothing"},
            "task: there is no [tasks.nothing] (none is defined; or write module:function, replay:FILE, command:LINE "
            "or a URL)",
        ),
        ({"task": "nowhere:f"}, "task: there is no module 'nowhere' (looked in DIR and in what is installed)"),
        ({"task": "replay:nowhere.jsonl"}, "nowhere.jsonl: cannot be read: No such file or directory"),
        (
            {"task": dict},
            "task: no signature found for builtin type <class 'dict'> (give a function that is written in Python)",
        ),
        ({"task": lambda: "x"}, f"(in memory):1: {CANNOT}\n(in memory):2: {CANNOT}"),
        ({"setup": lambda: None}, f"setup: {ONE}: too many positional arguments"),
        ({"teardown": lambda a, b: None}, f"teardown: {ONE}: missing a required argument: 'b'"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_run(given: dict[str, Any], said: str, here: Path) -> None:
    arguments: dict[str, Any] = {"task": shout, "on": CASES, "scorers": ["exact"], **given}
    found = problems(lambda: run(arguments.pop("task"), **arguments), here)
    assert [each.replace(__name__, "config.test_public_run") for each in found] == said.split("\n")
    assert not (here / ".gatewatch").exists()


def test_everything_at_once(here: Path) -> None:
    write(here, "")
    found = problems(lambda: run("ap:f", on="x.jsonl", scorers=["exat"], trials=0, limit=0, budget=3), here)
    assert [each.split(":")[0] for each in found] == ["limit", "trials", "budget", "scorers[0]", "x.jsonl", "task"]


def test_a_suites_keys_beside_a_broken_project(here: Path) -> None:
    (here / "gatewatch.toml").write_text(suite("trails = 3\n"))
    assert problems(lambda: run(shout, on=CASES, scorers=["exact"])) == [
        'gatewatch.toml: suites.main.trails: unknown field (did you mean "trials"?)'
    ]


def test_outputs_that_were_recorded(here: Path) -> None:
    lines = [{"id": case, "trial": trial, "output": f"{case}{trial}"} for case in "ab" for trial in range(2)]
    (here / "out.jsonl").write_text("\n".join(json.dumps(line) for line in lines))
    result = run("replay:out.jsonl", on=CASES, scorers=["exact"])
    assert outputs(result) == {("a", 0): "a0", ("a", 1): "a1", ("b", 0): "b0", ("b", 1): "b1"}
