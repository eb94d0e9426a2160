"""What a run will probably cost, said before it starts."""

import json
from pathlib import Path
from typing import Any

import pytest

from config.building import model, one, opened, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.forecast import forecast
from gatewatch.config.runs import prepare_suite
from gatewatch.core.errors import InputError
from gatewatch.core.run import RunHeader
from gatewatch.offline.journal import JournalReader

URL = "http://127.0.0.1:9/v1"
BOT = '[tasks.bot]\nprompt = "p.md"\nmodel = "app"\n'


def said(folder: Path, **options: Any) -> str:
    project = opened(folder)
    (ready,) = prepare_suite(project, "main", **options)
    return forecast(project, ready)


def prompting(folder: Path, head: str, more: str = "", *, cases: int = 10) -> Path:
    write(folder, suite(more, task="bot", head=head + BOT), p_md="{input}")
    lines = [{"id": f"c{n}", "input": f"{n}" * 400, "expected": "x"} for n in range(cases)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_without_a_model_there_is_nothing_to_say(tmp_path: Path) -> None:
    folder = write(tmp_path, suite())
    assert said(folder) == "2 rows to run; no model of gatewatch.toml is called"
    assert said(folder, trials=3) == "6 rows to run; no model of gatewatch.toml is called"
    assert said(folder, budget="1 USD") == (
        "2 rows to run; no model of gatewatch.toml is called; the budget counts what the task reports"
    )
    one(folder)  # an earlier run does not say what an unknown cost will be
    assert said(folder) == "2 rows to run; no model of gatewatch.toml is called"


def test_a_task_that_states_its_cost(tmp_path: Path) -> None:
    app = "from gatewatch import note\n\ndef answer(question):\n    note(cost=0.25)\n    return question\n"
    folder = write(tmp_path, suite(), app_py=app)
    run = one(folder).id
    assert said(folder) == f"2 rows to run; about $0.500 (as in {run})"
    assert said(folder, trials=10_000) == f"20,000 rows to run; about $5,000.00 (as in {run})"


def test_a_guess_from_the_prompts_lengths(tmp_path: Path) -> None:
    # The message has 400 characters and 32 around them: 108 tokens; 300 are guessed to be answered.
    folder = prompting(tmp_path, model("app", URL, price="input = 1000.0\noutput = 0.0"))
    assert said(folder) == "10 rows to run; about $1.08 (a rough guess from the prompts' lengths)"
    folder = prompting(tmp_path, model("app", URL, price="input = 0.0\noutput = 1000.0"))
    assert said(folder) == "10 rows to run; about $3.00 (a rough guess from the prompts' lengths)"
    folder = prompting(
        tmp_path, model("app", URL, "parameters = { max_tokens = 30 }", price="input = 0\noutput = 1000.0")
    )
    assert said(folder) == "10 rows to run; about $0.300 (a rough guess from the prompts' lengths)"
    folder = prompting(
        tmp_path, model("app", URL, 'parameters = { max_tokens = "few" }', price="input = 0\noutput = 1000")
    )
    assert said(folder) == "10 rows to run; about $3.00 (a rough guess from the prompts' lengths)"


def test_judges_are_guessed_too(tmp_path: Path) -> None:
    head = model("app", URL, price="input = 0\noutput = 0") + model("judge", URL, price="input = 0\noutput = 1000")
    head += BOT + '[scorers.kind]\nrubric = "kind.md"\n'
    toml = suite(task="bot", scorers='["exact", "kind"]', head=head)
    folder = write(tmp_path, toml, p_md="{input}", kind_md='---\nscale = "binary"\n---\nIs it kind?\n')
    assert said(folder) == "2 rows to run; about $0.600 (a rough guess from the prompts' lengths)"


def test_an_unknown_price_is_no_zero(tmp_path: Path) -> None:
    folder = prompting(tmp_path, model("app", URL, price=""))
    assert said(folder) == "10 rows to run; no forecast: the price of 'app-model' is unknown"


def test_a_model_of_this_machine_costs_nothing(tmp_path: Path) -> None:
    local = {f"mini/{name}": "{}" for name in ("config.json", "tokenizer.json", "model.safetensors")}
    head = model("app", URL, price="input = 0\noutput = 1000") + BOT
    head += '[models.here]\npath = "mini"\n[scorers.near]\nuse = "semantic_similarity"\nmodel = "here"\n'
    folder = write(tmp_path, suite(task="bot", scorers='["near"]', head=head), p_md="{input}")
    (folder / "mini").mkdir()
    for name, text in local.items():
        (folder / name).write_text(text)
    assert said(folder) == "2 rows to run; about $0.600 (a rough guess from the prompts' lengths)"


def test_a_budget_that_will_stop_it(tmp_path: Path) -> None:
    folder = prompting(tmp_path, model("app", URL, price="input = 0.0\noutput = 1000.0"), 'budget = "0.75 USD"\n')
    guess = "10 rows to run; about $3.00 (a rough guess from the prompts' lengths)"
    assert said(folder) == f"{guess}; the budget of $0.750 will stop it at about 25%"
    assert said(folder, budget="3 USD") == guess
    assert said(folder, budget="0 USD") == f"{guess}; the budget of $0.00 will stop it at about 0%"


def test_as_in_an_earlier_run_and_what_is_left_of_one(tmp_path: Path) -> None:
    with FakeProvider(lambda _: "x" * 198) as provider:  # 50 tokens, with the quotation marks
        head = model("app", provider.base_url, "cache = false", price="input = 0.0\noutput = 1000.0")
        folder = prompting(tmp_path, head, "concurrency = 1\n")
        stopped = one(folder, budget="0.23 USD")
        assert stopped.summary.rows == 4
        assert said(folder) == f"10 rows to run; about $0.500 (as in {stopped.id})"
        left = f"6 rows to run (4 done); about $0.300 (as in {stopped.id})"
        assert said(folder, resume=True, budget="9 USD") == left
        assert said(folder, resume=True, budget="0.35 USD") == (
            f"{left}; the budget of $0.350 will stop it at about 50%"
        )


def test_a_run_from_the_cache_is_no_forecast(tmp_path: Path) -> None:
    with FakeProvider(lambda _: "x" * 198) as provider:
        folder = prompting(tmp_path, model("app", provider.base_url, price="input = 0.0\noutput = 1000.0"))
        first, second = one(folder), one(folder)
        assert second.summary.task_cost.total == 0.0
        assert said(folder) == f"10 rows to run; about $0.500 (as in {first.id})"
        (folder / "p.md").write_text("Now {input}")  # which will be asked anew
        assert said(folder) == f"10 rows to run; about $0.500 (as in {first.id})"


@pytest.mark.parametrize("other", ["another.jsonl", "torn.jsonl", "empty.jsonl"])
def test_other_files_among_the_runs(other: str, tmp_path: Path) -> None:
    folder = write(tmp_path, suite(scorers='["exact", "contains"]'), app_py="def answer(question): return question\n")
    result = one(folder)
    kept = result.path.read_bytes()
    content = {"another.jsonl": b'{"id": "a"}\n', "torn.jsonl": kept[:80], "empty.jsonl": b""}
    (result.path.parent / other).write_bytes(content[other])
    assert said(folder) == "2 rows to run; no model of gatewatch.toml is called"
    with pytest.raises(InputError):
        JournalReader(result.path.parent / other)
    assert isinstance(JournalReader(result.path).header, RunHeader)
