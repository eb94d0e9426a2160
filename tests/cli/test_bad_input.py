"""Bad input, each kind with its exact message and exit code: nothing is run, nobody is asked, before all is good."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewatch.checks.provider import FakeProvider
from gatewatch.cli.main import status

GOOD = {
    "gatewatch.toml": """
[suites.main]
dataset = "cases.jsonl"
task = "app:answer"
scorers = ["exact"]
""",
    "app.py": "def answer(question):\n    return question\n",
    "cases.jsonl": '{"id": "a", "input": "x", "expected": "x"}\n',
}

WITH_MODEL = """
[models.app]
model = "app-model"
base_url = "URL"
key_env = ""

[tasks.answer]
prompt = "prompt.md"
model = "app"

[suites.main]
dataset = "cases.jsonl"
task = "answer"
scorers = ["exact"]
"""


LONG = "x" * 300
Files = dict[str, str | bytes]


def suite(more: str = "", **keys: str) -> Files:
    """The good project with other keys in its suite, as TOML, and more tables behind it."""
    text = '[suites.main]\ndataset = "cases.jsonl"\ntask = "app:answer"\nscorers = ["exact"]\n'
    for key, value in keys.items():
        lines = [line for line in text.splitlines() if not line.startswith(f"{key} =")]
        text = "\n".join([*lines, f"{key} = {value}"]) + "\n"
    return {"gatewatch.toml": text + more}


def cases(*lines: str | bytes) -> Files:
    """The good project with other lines in its dataset."""
    return {"cases.jsonl": b"\n".join(line if isinstance(line, bytes) else line.encode() for line in lines) + b"\n"}


CASE = '{"id": "a", "input": "x"}'

# files that differ from the good project, what is said on standard error
TABLE: dict[str, tuple[Files, str]] = {
    "dataset: no such file": (
        suite(dataset='"case.jsonl"'),
        "case.jsonl: no such file (a dataset is a .jsonl or .csv file)",
    ),
    "dataset: a name that is too long": (
        suite(dataset=f'"{LONG}.jsonl"'),
        f"{LONG}.jsonl: cannot be read: File name too long",
    ),
    "dataset: empty": (
        {"cases.jsonl": b""},
        'cases.jsonl: no cases (write one JSON object a line, such as {"input": "...", "expected": "..."})',
    ),
    "dataset: not JSON, two lines": (
        cases(CASE, '{"id": "b", "input": }', '{"id": "c" "input": "x"}'),
        "cases.jsonl:2:22: not JSON: Expecting value (one JSON object a line)\n"
        "cases.jsonl:3:12: not JSON: Expecting ',' delimiter (one JSON object a line)",
    ),
    "dataset: not an object": (
        cases("[1, 2]"),
        "cases.jsonl:1: expected a JSON object, got list (one JSON object a line)",
    ),
    "dataset: unknown field": (
        cases('{"id": "a", "input": "x", "expectd": "x"}'),
        'cases.jsonl:1: expectd: unknown field (did you mean "expected"?)',
    ),
    "dataset: wrong types": (
        cases('{"id": 1, "input": ["x"], "tags": "t", "must_pass": "yes"}'),
        "cases.jsonl:1: id: expected text, got a whole number\n"
        "cases.jsonl:1: input: expected text or a table, got a list\n"
        "cases.jsonl:1: tags: expected a list, got text\n"
        "cases.jsonl:1: must_pass: expected true or false, got text",
    ),
    "dataset: no input": (cases('{"id": "a"}'), "cases.jsonl:1: input: missing"),
    "dataset: NaN": (
        cases('{"id": "a", "input": {"x": NaN}}'),
        "cases.jsonl:1: not JSON: NaN is not JSON (one JSON object a line)",
    ),
    "dataset: id twice": (
        cases(CASE, '{"id": "a", "input": "y"}'),
        "cases.jsonl:2: id 'a' is given in line 1 already (ids must differ)",
    ),
    "dataset: key twice": (
        cases('{"id": "a", "input": "x", "input": "y"}'),
        "cases.jsonl:1: the field 'input' is given twice in one object (keep one of the two)",
    ),
    "dataset: Latin-1": (
        cases(CASE, '{"id": "b", "input": "é"}'.encode("latin-1")),
        "cases.jsonl:2: not UTF-8 at byte 48 (save the file as UTF-8)",
    ),
    "dataset: UTF-16": (
        {"cases.jsonl": CASE.encode("utf-16")},
        "cases.jsonl:1: the file is UTF-16, at byte 0 (save it as UTF-8)",
    ),
    "dataset: bad role": (
        cases('{"id": "a", "input": {"messages": [{"role": "bot", "content": "x"}]}}'),
        "cases.jsonl:1: input.messages[0].role: unknown role 'bot' (one of system, developer, user, assistant, tool)",
    ),
    "dataset: unknown scorer in a case": (
        cases('{"id": "a", "input": "x", "scorers": ["exat"]}'),
        "cases.jsonl:1: scorers: no scorer 'exat' (did you mean \"exact\"?)",
    ),
    "dataset: all retired": (
        cases('{"id": "a", "input": "x", "retired": "old"}'),
        "cases.jsonl: no case to run: all are retired",
    ),
    "dataset: CSV with an unknown column": (
        suite(dataset='"c.csv"') | {"c.csv": "id,input,expcted\na,x,y\n"},
        'c.csv:1: expcted: unknown column (did you mean "expected"?)',
    ),
    "config: not TOML": (
        {"gatewatch.toml": "[suites.main\n"},
        "gatewatch.toml:1:13: not TOML: Expected ']' at the end of a table declaration",
    ),
    "config: unknown keys, both said": (
        suite(trails="3", scorer='["exact"]'),
        'gatewatch.toml: suites.main.trails: unknown field (did you mean "trials"?)\n'
        'gatewatch.toml: suites.main.scorer: unknown field (did you mean "scorers"?)',
    ),
    "config: wrong types": (
        suite(trials='"3"', timeout="-1"),
        "gatewatch.toml: suites.main.trials: expected a whole number, got text\n"
        "gatewatch.toml: suites.main.timeout: expected a number > 0.0",
    ),
    "config: missing keys": (
        {"gatewatch.toml": "[suites.main]\n"},
        "gatewatch.toml: suites.main.dataset: missing\n"
        "gatewatch.toml: suites.main.task: missing\n"
        "gatewatch.toml: suites.main.scorers: missing",
    ),
    "config: unknown scorer": (
        suite(scorers='["exat"]'),
        "gatewatch.toml: suites.main.scorers[0]: there is no scorer 'exat' (did you mean \"exact\"?)",
    ),
    "config: pass mark of no scorer": (
        suite(pass_at="{ exat = 0.5 }"),
        'gatewatch.toml: suites.main.pass_at.exat: not a scorer of this suite (did you mean "exact"?)',
    ),
    "config: budget": (
        suite(budget='"two dollars"'),
        "gatewatch.toml: suites.main.budget: expected an amount such as \"2.00 USD\", got 'two dollars'",
    ),
    "config: bad option of a scorer": (
        suite('\n[scorers.fmt]\nuse = "regex"\npatern = "a"\n', scorers='["fmt"]'),
        "gatewatch.toml: scorers.fmt: regex has no option 'patern' (did you mean \"pattern\"?); "
        "regex needs the option 'pattern'",
    ),
    "config: bad pattern": (
        suite('\n[scorers.fmt]\nuse = "regex"\npattern = "(?=a)"\n', scorers='["fmt"]'),
        "gatewatch.toml: scorers.fmt: the pattern '(?=a)' is refused: invalid perl operator: (?= "
        "(lookaround takes more than linear time: match what you want instead)",
    ),
    "task: no such module": (
        suite(task='"ap:answer"'),
        "gatewatch.toml: suites.main.task: there is no module 'ap' (looked in DIR and in what is installed)",
    ),
    "task: no such function": (
        suite(task='"app:anwser"'),
        "gatewatch.toml: suites.main.task: app has no 'anwser' (did you mean \"answer\"?)",
    ),
    "task: module fails": (
        {"app.py": "import os\nos.nothing_of_the_kind\n"},
        "gatewatch.toml: suites.main.task: app cannot be imported: AttributeError: module 'os' has no "
        "attribute 'nothing_of_the_kind' (app.py:2)",
    ),
    "task: no such table": (
        suite(task='"answer"'),
        "gatewatch.toml: suites.main.task: there is no [tasks.answer] (none is defined; or write "
        "module:function, replay:FILE, command:LINE or a URL)",
    ),
    "task: input does not fit": (
        cases('{"id": "a", "input": {"text": "x"}}'),
        "cases.jsonl:1: the input is the arguments text, but app:answer(question) cannot take it: missing"
        " a required argument: 'question'",
    ),
    "task: replay without an output": (
        suite(task='"replay:out.jsonl"')
        | cases(CASE, '{"id": "b", "input": "y"}')
        | {"out.jsonl": '{"id": "a", "output": "x"}\n'},
        "cases.jsonl:2: out.jsonl has no output for case 'b'",
    ),
    "task: replay with bad lines": (
        suite(task='"replay:out.jsonl"')
        | {"out.jsonl": '{"id": "a"}\n{"id": "a", "output": "x", "latency": 1}\n{"id": "a", "output": NaN}\n'},
        'out.jsonl:1: neither output nor error (say {"output": null} when the output was nothing)\n'
        'out.jsonl:2: latency: unknown field (did you mean "latency_s"?)\n'
        "out.jsonl:3: not JSON: NaN is not JSON (one JSON object a line)",
    ),
    "replay: a name that cannot be": (
        suite(task='"replay:a\\u0000"'),
        "a: cannot be read: embedded null byte",
    ),
    "command: a word that cannot be": (
        suite(task='"command:cat a\\u0000"'),
        "gatewatch.toml: suites.main.task: holds a null character, which no command may",
    ),
    "prompt: a name that cannot be": (
        {"gatewatch.toml": WITH_MODEL.replace("prompt.md", "prompt\\u0000.md")},
        "gatewatch.toml: tasks.answer.prompt: prompt.md cannot be read: embedded null byte",
    ),
    "rubric: a name that is too long": (
        suite(f'\n[scorers.good]\nrubric = "{LONG}.md"\n', scorers='["good"]'),
        f"{LONG}.md: cannot be read: File name too long",
    ),
    "rubric: a name that cannot be": (
        suite('\n[scorers.good]\nrubric = "good\\u0000.md"\n', scorers='["good"]'),
        "good.md: cannot be read: embedded null byte",
    ),
    "rubric: no scale": (
        suite('\n[scorers.good]\nrubric = "good.md"\n', scorers='["good"]')
        | {"good.md": "---\nscal = 1\n---\nGood?\n"},
        "good.md:2: unknown key 'scal' (did you mean \"scale\"?)\n"
        'good.md:1: scale is missing (write scale = "binary", or a range such as scale = "1-5")',
    ),
    "model: not configured": (
        {"gatewatch.toml": WITH_MODEL.replace("[models.app]", "[models.ap]"), "prompt.md": "{input}"},
        'gatewatch.toml: models.app: is named, but not configured (did you mean "ap"?)',
    ),
    "model: key not set": (
        {"gatewatch.toml": WITH_MODEL.replace('key_env = ""', 'key_env = "NO_SUCH_KEY"'), "prompt.md": "{input}"},
        "gatewatch.toml: models.app: the variable NO_SUCH_KEY is not set",
    ),
    "model: budget without a price": (
        {"gatewatch.toml": WITH_MODEL + 'budget = "1.00 USD"\n', "prompt.md": "{input}"},
        "gatewatch.toml: suites.main.budget: cannot be kept: the price of 'app-model' ([models.app]) is "
        'unknown (add [prices."app-model"] with input and output)',
    ),
    "model: template names what the case has not": (
        {"gatewatch.toml": WITH_MODEL, "prompt.md": "{inptu}"},
        'cases.jsonl:1: the template names {inptu}, which the case does not have (did you mean "input"?)',
    ),
    "model: dataset bad beside a good model": (
        cases(CASE, "{") | {"gatewatch.toml": WITH_MODEL, "prompt.md": "{input}"},
        "cases.jsonl:2:2: not JSON: Expecting property name enclosed in double quotes (one JSON object a line)",
    ),
}


@pytest.fixture(scope="module")
def provider() -> Iterator[FakeProvider]:
    with FakeProvider() as running:
        yield running


@pytest.mark.parametrize("name", TABLE)
def test_bad_input(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    provider: FakeProvider,
) -> None:
    files, said = TABLE[name]
    for file, content in {**GOOD, **files}.items():
        data = content if isinstance(content, bytes) else content.replace("URL", provider.base_url).encode()
        (tmp_path / file).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    code = status(["run", "main"])
    printed = capsys.readouterr()
    assert printed.err.replace(str(tmp_path), "DIR").removeprefix("error: ").strip() == said
    assert code == 2
    assert printed.out == ""
    assert provider.calls == 0
    assert not (tmp_path / ".gatewatch" / "runs").exists()
