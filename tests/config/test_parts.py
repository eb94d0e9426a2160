"""What a run is made of beside its settings: hooks, slices, budgets, replies that were kept."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.building import model, one, outputs, prepared, problems, rows, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.parts import commit_of

MAIN = "gatewatch.toml: suites.main"


# Hooks and slices


def test_hooks_are_called_around_the_task(tmp_path: Path) -> None:
    app = """
log = []

def set_up(case): log.append(f"up {case.id}")

async def take_down(case): log.append(f"down {case.id}")

def answer(question):
    log.append(question)
    return " ".join(log)
"""
    more = 'setup = "app:set_up"\nteardown = "app:take_down"\nconcurrency = 1\n'
    said = list(outputs(one(write(tmp_path, suite(more), app_py=app))).values())
    assert said[0] in ("up a one", "up b two")
    assert said[1] in ("up a one down a up b two", "up b two down b up a one")


def test_hooks_that_fail(tmp_path: Path) -> None:
    app = "def answer(question): return question\n\ndef fail(case): raise OSError(case.id)\n"
    found = rows(one(write(tmp_path, suite('setup = "app:fail"\n'), app_py=app)))
    assert {row.scores["exact"].status for row in found.values()} == {"task_error"}
    result = one(write(tmp_path, suite('teardown = "app:fail"\n'), app_py=app))
    assert result.summary.states == {"scored": 2}
    assert result.summary.notes == {"tear-down failed: OSError: a": 1, "tear-down failed: OSError: b": 1}


@pytest.mark.parametrize("key", ["setup", "teardown"])
@pytest.mark.parametrize(
    ("function", "said"),
    [
        ("def hook(): ...", "too many positional arguments"),
        ("def hook(case, more): ...", "missing a required argument: 'more'"),
        ("def hook(*, case): ...", "too many positional arguments"),
    ],
)
def test_a_hook_takes_a_case(key: str, function: str, said: str, tmp_path: Path) -> None:
    folder = write(tmp_path, suite(f'{key} = "hooks:hook"\n'), hooks_py=function + "\n")
    assert problems(lambda: prepared(folder)) == [f"{MAIN}.{key}: cannot be called with one argument: {said}"]


SLICED = suite(head='[project]\nslice = "slices:slice_of"\n')


@pytest.mark.parametrize(
    ("function", "slices"),
    [
        ("def slice_of(input): return 'long' if len(input) > 3 else 'short'", {"own", "short"}),
        ("def slice_of(input): return len(input)", {"own", "3"}),
        ("def slice_of(input): return {}[input]", {"own", "(no slice: KeyError)"}),
        ("def slice_of(input, unit='words', *more): return unit", {"own", "words"}),
    ],
)
def test_cases_without_a_slice_are_given_one(function: str, slices: set[str], tmp_path: Path) -> None:
    folder = write(tmp_path, SLICED, slices_py=function + "\n")
    (folder / "cases.jsonl").write_text('{"id": "a", "input": "one"}\n{"id": "b", "input": "two", "slice": "own"}\n')
    assert {row.slice for row in rows(one(folder)).values()} == slices


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (
            "async def slice_of(input): return 'x'",
            "is async (it is called for every row: write it as a plain function)",
        ),
        ("def slice_of(): return 'x'", "cannot be called with one argument: too many positional arguments"),
        ("slice_of = 'x'", "slices:slice_of is not a function (it is of type str)"),
    ],
)
def test_a_slice_takes_an_input(function: str, said: str, tmp_path: Path) -> None:
    folder = write(tmp_path, SLICED, slices_py=function + "\n")
    assert problems(lambda: prepared(folder)) == [f"gatewatch.toml: project.slice: {said}"]


def test_the_commit_of_what_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert commit_of(tmp_path) == {}
    monkeypatch.setenv("PATH", str(tmp_path))  # no git at all
    assert commit_of(Path(__file__).parent) == {}


# Money


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    """Answers what it was asked last; as a judge, gives a 4 of 5."""

    def reply(request: dict[str, Any]) -> str:
        if request["model"] == "judge-model":
            return '{"explanation": "Quite so.", "score": 4}'
        return str(request["messages"][-1]["content"])

    with FakeProvider(reply) as running:
        yield running


def paid(
    folder: Path, provider: FakeProvider, more: str = "", *, cases: int = 12, cache: str = "", top: str = ""
) -> Path:
    """A project whose application and judge cost money, the application's calls 10 times the judge's a token."""
    head = model("app", provider.base_url, cache + "\n" + top)
    head += model("judge", provider.base_url, cache, price="input = 100.0\noutput = 200.0")
    head += '[tasks.bot]\nprompt = "p.md"\nmodel = "app"\n[scorers.good]\nrubric = "good.md"\n'
    toml = suite(more, task="bot", scorers='["exact", "good"]', head=head)
    write(folder, toml, p_md="{input}", good_md='---\nscale = "1-5"\n---\nHow good is it?\n')
    lines = [{"id": f"c{n:02}", "input": f"question {n:02}", "expected": f"question {n:02}"} for n in range(cases)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def bill(provider: FakeProvider) -> float:
    """What a provider that counted four characters a token would charge for what it was asked, at these prices."""
    total = 0.0
    for request in provider.requests:
        judged = request["model"] == "judge-model"
        read = len(json.dumps(request["messages"], separators=(",", ":"), ensure_ascii=False).encode()) // 4
        said = '{"explanation": "Quite so.", "score": 4}' if judged else str(request["messages"][-1]["content"])
        written = (len(said) + 2) // 4
        total += (read * 1000 + written * 2000) / 1e6 / (10 if judged else 1)
    return total


def test_task_and_judge_are_counted_apart(tmp_path: Path, provider: FakeProvider) -> None:
    summary = one(paid(tmp_path, provider)).summary
    assert provider.calls == 24
    assert summary.task_cost.total is not None
    assert summary.judge_cost.total is not None
    assert summary.task_cost.total + summary.judge_cost.total == pytest.approx(bill(provider))
    assert summary.scorers["good"].figure.mean == 0.75
    tokens = summary.task_tokens, summary.judge_tokens
    assert sum(each.input_tokens or 0 for each in tokens) == provider.billed.input_tokens
    assert sum(each.output_tokens or 0 for each in tokens) == provider.billed.output_tokens


def test_a_budget_stops_a_run_and_more_money_goes_on_with_it(tmp_path: Path, provider: FakeProvider) -> None:
    whole = bill_of_a_run(tmp_path / "whole", provider)
    provider.requests.clear()
    more = f'concurrency = 1\nbudget = "{whole * 0.45:.9f} USD"\n'
    folder = paid(tmp_path / "stopped", provider, more, cache="cache = false")
    stopped = one(folder).summary
    assert stopped.end is not None
    assert (stopped.state, stopped.end.state) == ("partial", "partial")
    assert stopped.end.reason == f"the budget of {float(f'{whole * 0.45:.9f}'):g} USD is used up"
    assert stopped.rows == 5  # a sixth of the twelve would be one half
    assert bill(provider) == pytest.approx(whole * 5 / 12)
    assert one(folder, resume=True).summary.rows == 5  # the money spent before is counted again
    assert len(provider.requests) == 10
    finished = one(folder, resume=True, budget=f"{whole * 1.1:.9f} USD").summary
    assert finished.state == "complete"
    assert len(provider.requests) == 24
    total = finished.task_cost + finished.judge_cost
    assert total.total == pytest.approx(whole)
    assert bill(provider) == pytest.approx(whole)


def bill_of_a_run(folder: Path, provider: FakeProvider) -> float:
    one(paid(folder, provider, cache="cache = false"))
    return bill(provider)


def test_a_budget_of_nothing_begins_nothing(tmp_path: Path, provider: FakeProvider) -> None:
    summary = one(paid(tmp_path, provider, 'budget = "0 USD"\n')).summary
    assert (summary.rows, provider.calls) == (0, 0)
    assert summary.all_failed


def test_a_budget_wants_every_price(tmp_path: Path, provider: FakeProvider) -> None:
    folder = paid(tmp_path, provider, 'budget = "1 USD"\n')
    toml = (folder / "gatewatch.toml").read_text().replace("[prices.judge-model]", "[prices.other]")
    (folder / "gatewatch.toml").write_text(toml.replace("[prices.app-model]", "[prices.another]"))
    said = f"{MAIN}.budget: cannot be kept: the price of '{{0}}-model' ([models.{{0}}]) is unknown " \
        '(add [prices."{0}-model"] with input and output)'  # fmt: skip
    assert problems(lambda: prepared(folder)) == [said.format("app"), said.format("judge")]
    summary = one(folder, budget="").summary  # without one, what is unknown is called so
    assert (summary.task_cost.total, summary.task_cost.unknown, summary.judge_cost.unknown) == (None, 12, 12)


@pytest.mark.parametrize("budget", ["1", "USD 1", "-1 USD", "1 EUR", "1,5 USD", "1e3 USD", "nan USD"])
def test_what_is_no_budget(budget: str, tmp_path: Path) -> None:
    folder = write(tmp_path, suite(f'budget = "{budget}"\n'))
    assert problems(lambda: prepared(folder)) == [
        f"{MAIN}.budget: expected an amount such as \"2.00 USD\", got '{budget}'"
    ]


def test_a_second_run_asks_nothing_and_costs_nothing(tmp_path: Path, provider: FakeProvider) -> None:
    folder = paid(tmp_path, provider)
    first = one(folder)
    assert provider.calls == 24
    second = one(folder)
    assert provider.calls == 24
    assert (second.summary.task_cost.total, second.summary.judge_cost.total) == (0.0, 0.0)
    assert outputs(second) == outputs(first)
    assert second.summary.scorers == first.summary.scorers
    assert second.summary.task_tokens == first.summary.task_tokens  # what it would have been made of


def test_every_trial_has_an_answer_of_its_own(tmp_path: Path, provider: FakeProvider) -> None:
    folder = paid(tmp_path, provider, cases=3)
    one(folder, trials=2)
    calls = [request["model"] for request in provider.requests]
    assert calls.count("app-model") == 6
    one(folder, trials=3)
    calls = [request["model"] for request in provider.requests]
    assert calls.count("app-model") == 9  # the first two are known
    one(folder, trials=1)
    assert len(provider.requests) == len(calls)


@pytest.mark.parametrize(
    "changed",
    [{"top": "parameters = { temperature = 0.5 }"}, {"cache": "cache = false"}],
)
def test_what_is_asked_anew(changed: dict[str, str], tmp_path: Path, provider: FakeProvider) -> None:
    one(paid(tmp_path, provider, cases=3))
    before = [request["model"] for request in provider.requests].count("app-model")
    one(paid(tmp_path, provider, cases=3, **changed))
    after = [request["model"] for request in provider.requests].count("app-model")
    assert (before, after) == (3, 6)


def test_a_budget_is_never_passed_by_more_than_what_was_in_work(tmp_path: Path, provider: FakeProvider) -> None:
    whole = bill_of_a_run(tmp_path / "whole", provider)
    provider.requests.clear()
    folder = paid(tmp_path / "four", provider, "concurrency = 4\n", cache="cache = false")
    one(folder, budget=f"{whole / 3:.9f} USD")
    assert bill(provider) <= whole / 3 + 4 * whole / 12 + 1e-9
