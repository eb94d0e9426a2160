"""Tasks from their settings: every kind from gatewatch.toml to a scored row, and all that can be wrong with one."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.building import model, one, outputs, prepared, problems, rows, suite, write
from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.offline.result import Prepared

TASK = "gatewatch.toml: suites.main.task"


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    """A provider that answers in capitals, and on other paths with JSON of its own form."""

    def reply(request: dict[str, Any]) -> str | dict[str, Any] | Reply:
        if "messages" in request:
            return str(request["messages"][-1]["content"]).upper()
        if request.get("input") == "two":
            return Reply(status=503, text="tired")
        if "question" in request:
            said = {"text": str(request["question"]).upper()}
            return {"choices": [said], "used": {"in": 3, "out": 4}, "price": 0.25, "found": ["a passage"]}
        return {"output": str(request["input"]).upper(), "usage": {"input_tokens": 5}, "cost": 0.5}

    with FakeProvider(reply) as running:
        yield running


# Each kind, from the file to the rows


@pytest.mark.parametrize(
    ("app", "said"),
    [
        ("def answer(question): return question.upper()", "ONE"),
        ("async def answer(question): return question.upper()", "ONE"),
        ("class answer:\n    def __new__(cls, question): return question.upper()", "ONE"),
        ("def answer(input, case): return [input, case.id, case.expected]", ["one", "a", "ONE"]),
        ("import functools\nanswer = functools.partial(lambda end, text: text + end, '!')", "one!"),
    ],
)
def test_call(tmp_path: Path, app: str, said: Any) -> None:
    assert outputs(one(write(tmp_path, suite(), app_py=app + "\n")))["a", 0] == said


def test_call_with_arguments_which_are_components(tmp_path: Path) -> None:
    head = '[tasks.bot]\ncall = "app:answer"\narguments = { end = "?", times = 2 }\nversions = { kb = "7" }\n'
    app = "def answer(question, *, end, times): return question + end * times\n"
    result = one(write(tmp_path, suite(task="bot", head=head), app_py=app))
    assert outputs(result)["a", 0] == "one??"
    assert result.summary.header.components.items() >= {"end": "?", "times": "2", "kb": "7"}.items()
    assert result.summary.header.task == "bot"


COMMAND = """import json, os, sys
case = json.load(sys.stdin)
print(json.dumps({"output": case["input"].upper() + os.environ["END"], "cost": 0.5, "versions": {"x": "1"}}))
"""


@pytest.mark.parametrize("command", ['"python3 bot.py"', '["python3", "bot.py"]'])
def test_command(tmp_path: Path, command: str) -> None:
    head = f'[tasks.bot]\ncommand = {command}\nenvironment = {{ END = "!" }}\n'
    result = one(write(tmp_path, suite(task="bot", head=head), bot_py=COMMAND))
    assert outputs(result) == {("a", 0): "ONE!", ("b", 0): "TWO!"}
    assert result.summary.header.components == {"command": "python3 bot.py"}
    assert result.summary.task_cost.total == 1.0


def test_command_in_short_that_lies_in_the_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bot = f"#!/usr/bin/env python3\n{COMMAND}"
    folder = write(tmp_path, suite(task="command:./bot.sh 'an argument'"), bot_sh=bot)
    (folder / "bot.sh").chmod(0o755)
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")  # it is started in the project's folder wherever we are
    monkeypatch.setenv("END", "")
    result = one(folder)
    assert outputs(result)["a", 0] == "ONE"
    assert result.summary.header.task == "command:./bot.sh 'an argument'"


def test_url_in_short(tmp_path: Path, provider: FakeProvider) -> None:
    result = one(write(tmp_path, suite(task=f"{provider.url}/bot")))
    assert outputs(result) == {
        ("a", 0): "ONE",
        ("b", 0): f'{provider.url}/bot: HTTP 503: {{"error":{{"message":"tired","type":"error","code":null}}}}',
    }
    assert result.summary.task_cost.amount == 0.5
    assert result.summary.header.components == {"url": f"{provider.url}/bot"}


def test_url_with_everything(tmp_path: Path, provider: FakeProvider, monkeypatch: pytest.MonkeyPatch) -> None:
    head = f"""
[tasks.bot]
url = "{provider.url}/ask"
headers = {{ authorization = "$TASK_TOKEN", x-plain = "as it is" }}
body = {{ question = "{{input}}", of = ["{{id}}", "{{trial}}"], stream = false }}
[tasks.bot.paths]
output = "choices[0].text"
context = "found"
input_tokens = "used.in"
output_tokens = "used.out"
cost = "$.price"
"""
    monkeypatch.setenv("TASK_TOKEN", "Bearer secret")
    before = len(provider.requests)
    result = one(write(tmp_path, suite(task="bot", head=head)))
    assert outputs(result) == {("a", 0): "ONE", ("b", 0): "TWO"}
    trace = rows(result)["a", 0].trace
    assert trace is not None
    assert trace.context == ("a passage",)
    assert result.summary.task_cost.total == 0.5
    assert (result.summary.task_tokens.input_tokens, result.summary.task_tokens.output_tokens) == (6, 8)
    sent = sorted(provider.requests[before:], key=lambda request: str(request["question"]))
    assert sent[0] == {"question": "one", "of": ["a", 0], "stream": False}
    assert provider.headers[before]["authorization"] == "Bearer secret"
    assert provider.headers[before]["x-plain"] == "as it is"
    components = result.summary.header.components
    assert components["url"] == f"{provider.url}/ask"
    assert "secret" not in str(result.path.read_text())
    other = prepared(write(tmp_path, suite(task="bot", head=head.replace("false", "true"))))[0].header.components
    assert other["request"] != components["request"]  # a changed body is a changed component


def test_prompt(tmp_path: Path, provider: FakeProvider) -> None:
    head = model("app", provider.base_url, "parameters = { temperature = 0.5 }") + (
        '[tasks.bot]\nprompt = "p/ask.md"\nmodel = "app"\nsystem = "p/be.md"\ntools = "tools.json"\n'
        "parameters = { max_tokens = 9 }\n"
    )
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]
    before = len(provider.requests)
    files = {"p__ask_md": "Say {input} ({id})", "p__be_md": "\ufeffBe {input}.", "tools_json": json.dumps(tools)}
    result = one(write(tmp_path, suite(task="bot", head=head), **files))
    assert outputs(result)["a", 0] == "SAY ONE (A)"
    (sent,) = (each for each in provider.requests[before:] if each["messages"][-1]["content"] == "Say one (a)")
    assert sent["messages"][0] == {"role": "system", "content": "Be one."}
    assert (sent["model"], sent["temperature"], sent["max_tokens"], sent["tools"]) == ("app-model", 0.5, 9, tools)
    header = result.summary.header
    assert header.components.keys() == {"prompt", "model", "parameters", "tools"}
    assert header.prices == {
        "app": {
            "model": "app-model",
            "source": "gatewatch.toml",
            "input": 1000.0,
            "output": 2000.0,
            "cached_input": 1000.0,
        }
    }
    tokens = result.summary.task_tokens
    assert result.summary.task_cost.total == pytest.approx(
        ((tokens.input_tokens or 0) * 1000 + (tokens.output_tokens or 0) * 2000) / 1e6
    )


def test_replay_has_as_many_trials_as_its_file(tmp_path: Path) -> None:
    lines = [{"id": i, "trial": n, "output": f"{i}{n}"} for i in "ab" for n in range(3)]
    folder = write(tmp_path, suite(task="replay:out.jsonl"), out_jsonl="\n".join(map(json.dumps, lines)))
    assert outputs(one(folder)) == {(i, n): f"{i}{n}" for i in "ab" for n in range(3)}
    assert outputs(one(folder, trials=2)).keys() == {(i, n) for i in "ab" for n in range(2)}
    assert problems(lambda: prepared(folder, trials=4), folder) == [
        "DIR/cases.jsonl:1: DIR/out.jsonl has no output for case 'a', trial 3",
        "DIR/cases.jsonl:2: DIR/out.jsonl has no output for case 'b', trial 3",
    ]


# What can be wrong with one

# keys of [tasks.bot], what is said
WRONG: dict[str, tuple[str, str]] = {
    "nothing to run": ("arguments = { a = 1 }", "bot: says not what to run (give exactly one of {kinds})"),
    "two things to run": (
        'call = "app:answer"\nreplay = "x"',
        "bot: has call and replay (give exactly one of {kinds})",
    ),
    "a key of another kind": (
        'call = "app:answer"\nmodel = "app"',
        "bot.model: a task with 'call' has no model (it belongs to 'prompt')",
    ),
    "environment for a call": (
        'call = "app:answer"\nenvironment = { A = "b" }',
        "bot.environment: a task with 'call' has no environment (it belongs to 'command')",
    ),
    "call: not a reference": ('call = "app"', "bot.call: expected module:function, got 'app'"),
    "call: no such argument": (
        'call = "app:answer"\narguments = { qestion = "x", x = 1 }',
        "bot.call: app:answer has no argument 'qestion' (did you mean \"question\"?)\n"
        "gatewatch.toml: tasks.bot.call: app:answer has no argument 'x' (known: question)",
    ),
    "call: no signature": (
        'call = "builtins:dict"',
        "bot.call: no signature found for builtin type <class 'dict'> (name a function that is written in Python)",
    ),
    "command: not words": ('command = "python3 \'x"', "bot.command: cannot be split into words: No closing quotation"),
    "command: blank": ('command = "  "', "bot.command: names no program"),
    "command: no program": (
        'command = "no-such-bot x"',
        "bot.command: there is no program 'no-such-bot' (looked along PATH)",
    ),
    "command: no program here": (
        'command = ["./bot.py"]',
        "bot.command: there is no program './bot.py' (looked in DIR)",
    ),
    "command: not on its own path": (
        'command = "python3"\nenvironment = { PATH = "/nowhere" }',
        "bot.command: there is no program 'python3' (looked along PATH)",
    ),
    "url: no address": (
        'url = "localhost:80"',
        "bot.url: must begin with http:// or https:// and name a host, got 'localhost:80'",
    ),
    "url: no host": (
        'url = "http:///x"',
        "bot.url: must begin with http:// or https:// and name a host, got 'http:///x'",
    ),
    "url: half a bracket": ('url = "http://[::1"', "bot.url: is no URL: Invalid IPv6 URL"),
    "url: a port beyond all": ('url = "http://a:70000"', "bot.url: is no URL: Port out of range 0-65535"),
    "url: a header of two lines": (
        'url = "http://x"\nheaders = { a = "b\\r\\nc: d" }',
        "bot.headers: the value of 'a' holds characters that cannot be sent in a header",
    ),
    "url: a secret in it": (
        'url = "http://me:secret@x/y"',
        "bot.url: holds a name or password (put the secret into headers, as $NAME)",
    ),
    "url: unknown path": (
        'url = "http://x"\npaths = { ouput = "x" }',
        'bot.paths.ouput: unknown (did you mean "output"?)',
    ),
    "url: no path to the output": (
        'url = "http://x"\npaths = { cost = "x" }',
        "bot.paths.output: missing (say where in the reply the output lies)",
    ),
    "url: header not set": (
        'url = "http://x"\nheaders = { a = "$NO_SUCH_TOKEN" }',
        "bot.headers.a: the variable NO_SUCH_TOKEN is not set (set it, or write the value)",
    ),
    "prompt: no model": ('prompt = "p.md"', "bot.model: missing (name the [models.NAME] that the prompt is sent to)"),
    "prompt: no file": ('prompt = "q.md"\nmodel = "app"', "bot.prompt: q.md cannot be read: No such file or directory"),
    "prompt: a folder": ('prompt = "."\nmodel = "app"', "bot.prompt: . cannot be read: Is a directory"),
    "prompt: not UTF-8": ('prompt = "latin.md"\nmodel = "app"', "bot.prompt: latin.md cannot be read: not UTF-8"),
    "prompt: no system file": (
        'prompt = "p.md"\nmodel = "app"\nsystem = "s.md"',
        "bot.system: s.md cannot be read: No such file or directory",
    ),
    "prompt: tools are no JSON": (
        'prompt = "p.md"\nmodel = "app"\ntools = "p.md"',
        "bot.tools: p.md is not JSON: Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
    ),
    "prompt: tools are no list": (
        'prompt = "p.md"\nmodel = "app"\ntools = "tools.json"',
        "bot.tools: tools.json is not a list of objects (one for each tool, as providers take them)",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_said(name: str, tmp_path: Path) -> None:
    keys, said = WRONG[name]
    head = f"{model('app', 'http://127.0.0.1:9/v1')}\n[tasks.bot]\n{keys}\n"
    folder = write(tmp_path, suite(task="bot", head=head), p_md="{input}", tools_json='{"name": "f"}')
    (folder / "latin.md").write_bytes(b"\xe9")
    expected = f"gatewatch.toml: tasks.{said}".replace("{kinds}", "call, command, url, prompt, replay")
    assert problems(lambda: prepared(folder), folder) == expected.split("\n")


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("command:", f"{TASK}: says not what to run (give exactly one of call, command, url, prompt, replay)"),
        ("command:no-such-bot", f"{TASK}: there is no program 'no-such-bot' (looked along PATH)"),
        ("replay:nothing.jsonl", "DIR/nothing.jsonl: cannot be read: No such file or directory"),
        ("app:", f"{TASK}: expected module:function, got 'app:'"),
        (
            "anwser",
            f'{TASK}: there is no [tasks.anwser] (did you mean "answer"?; or write module:function, replay:FILE, '
            "command:LINE or a URL)",
        ),
    ],
)
def test_what_is_wrong_with_a_short_form(task: str, said: str, tmp_path: Path) -> None:
    head = '[tasks.answer]\ncall = "app:answer"\n'
    folder = write(tmp_path, suite(head=head))
    assert problems(lambda: prepared(folder, task=task), folder) == [said]


def test_another_task_in_the_place_of_the_suites(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(task="broken"), out_jsonl='{"id":"a","output":"1"}\n{"id":"b","output":"2"}\n')
    (ready,) = prepared(folder, task="replay:out.jsonl")
    assert isinstance(ready, Prepared)
    assert ready.header.task == "replay:out.jsonl"


def test_the_variable_of_a_header_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "TASK_TOKEN", "very-secret")
    head = '[tasks.bot]\nurl = "http://127.0.0.1:9"\nheaders = { a = "$TASK_TOKEN" }\n'
    result = one(write(tmp_path, suite(task="bot", head=head)))
    assert result.summary.all_failed
    assert "very-secret" not in result.path.read_text()
