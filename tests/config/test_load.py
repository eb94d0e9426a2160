"""Reading gatewatch.toml: every problem at once, each with its path."""

from pathlib import Path

import pytest

from config.building import problems
from gatewatch.config.load import find, load, shortest
from gatewatch.config.settings import Settings

SUITE = '[suites.main]\ndataset = "d"\ntask = "t"\nscorers = []\n'
RULE = "not a usable name (lower-case letters, digits, dots, dashes and underscores, 100 at most)"

# what the file holds, what is said of it
TABLE: dict[str, tuple[str | bytes, list[str]]] = {
    "not UTF-8": (b"[project]\nname = '\xe9'\n", ["gatewatch.toml: not UTF-8 at byte 18 (save it as UTF-8)"]),
    "ends too early": ("x = ", ["gatewatch.toml: not TOML: Invalid value"]),
    "a key twice": ("[project]\nname = 'a'\nname = 'b'\n", ["gatewatch.toml:3:11: not TOML: Cannot overwrite a value"]),
    "a table of another kind": ("suites = 3", ["gatewatch.toml: suites: expected a table, got a whole number"]),
    "an entry of another kind": (
        "[models]\nx = 3\n[scorers]\ny = 'exact'\n",
        [
            "gatewatch.toml: models.x: expected a table, got a whole number",
            "gatewatch.toml: scorers.y: expected a table, got text",
        ],
    ),
    "unknown tables and keys": (
        "[project]\nnmae = 'x'\n[modles.x]\nmodel = 'm'\n",
        [
            'gatewatch.toml: modles: unknown field (did you mean "models"?)',
            'gatewatch.toml: project.nmae: unknown field (did you mean "name"?)',
        ],
    ),
    "a date for text": ("[project]\nname = 1979-05-27\n", ["gatewatch.toml: project.name: expected text, got date"]),
    "a suite's name": (SUITE.replace("main", '"Support Bot"'), [f"gatewatch.toml: suites.Support Bot: {RULE}"]),
    "a suite's long name": (SUITE.replace("main", "a" * 101), [f"gatewatch.toml: suites.{'a' * 101}: {RULE}"]),
    "a monitor's name": ("[monitors.X]\nflow = 'f'\nscorers = []\n", [f"gatewatch.toml: monitors.X: {RULE}"]),
    "a suite": (
        SUITE + "trials = 0\nconcurrency = 0\nscorer_timeout = 0\nbudget = 2.0\nseed = 'a'\npass_at = { x = 2 }\n",
        [
            "gatewatch.toml: suites.main.trials: expected a whole number >= 1",
            "gatewatch.toml: suites.main.concurrency: expected a whole number >= 1",
            "gatewatch.toml: suites.main.scorer_timeout: expected a number > 0.0",
            "gatewatch.toml: suites.main.seed: expected a whole number, got text",
            "gatewatch.toml: suites.main.budget: expected text, got a number",
            "gatewatch.toml: suites.main.pass_at.x: expected a number <= 1.0",
        ],
    ),
    "a matrix": (
        SUITE + "matrix = { a = 1 }\n",
        ["gatewatch.toml: suites.main.matrix.a: expected a list, got a whole number"],
    ),
    "a task": (
        "[tasks.t]\ncommand = 3\nversions = { a = 1 }\nfoo = 1\n",
        [
            "gatewatch.toml: tasks.t.foo: unknown field (known: arguments, body, call, command, environment, headers, "
            "method, model, parameters, paths, prompt, replay, system, tools, url, versions)",
            "gatewatch.toml: tasks.t.command: expected text or a list, got a whole number",
            "gatewatch.toml: tasks.t.versions.a: expected text, got a whole number",
        ],
    ),
    "a model": (
        "[models.m]\nrpm = 1.5\ncache = 'no'\nheaders = { a = 1 }\n",
        [
            "gatewatch.toml: models.m.headers.a: expected text, got a whole number",
            "gatewatch.toml: models.m.rpm: expected a whole number, got a number",
            "gatewatch.toml: models.m.cache: expected true or false, got text",
            "gatewatch.toml: models.m.model: missing",
        ],
    ),
    "a model of two kinds": (
        '[models.m]\nmodel = "m"\npath = "folder"\n',
        ["gatewatch.toml: models.m: has model and path (it is a provider's or in a folder, not both)"],
    ),
    "prices": (
        "[prices.m]\ninput = 1.0\n[prices.o]\ninput = 1e308\noutput = 1_000_000\n"
        "[prices.n]\ninput = -1\noutput = nan\ncached_input = '2'\n",
        [
            "gatewatch.toml: prices.m.output: missing",
            "gatewatch.toml: prices.n.cached_input: expected a number, got text",
            "gatewatch.toml: prices.o.input: must be at most 1,000,000, got 1e+308 (US dollars per million tokens)",
            "gatewatch.toml: prices.n.input: must be 0 or more, got -1",
            "gatewatch.toml: prices.n.output: must be a finite number, got nan",
        ],
    ),
    "numbers that are none, once each": (
        SUITE + "timeout = inf\nscorer_timeout = nan\n[models.m]\nmodel = 'm'\nparameters = { t = [{ x = -inf }] }\n",
        [
            "gatewatch.toml: suites.main.scorer_timeout: expected a number > 0.0",
            "gatewatch.toml: suites.main.timeout: must be a finite number, got inf",
            "gatewatch.toml: models.m.parameters.t[0].x: must be a finite number, got -inf",
        ],
    ),
    "a monitor": (
        "[monitors.m]\nflow = 3\nscorers = [{ use = 'x', sample = 2.0 }, { sample = 0.5 }, 'pii']\n",
        [
            "gatewatch.toml: monitors.m.flow: expected text, got a whole number",
            "gatewatch.toml: monitors.m.scorers[0].sample: expected a number <= 1.0",
            "gatewatch.toml: monitors.m.scorers[1].use: missing",
            "gatewatch.toml: monitors.m.scorers[2]: expected a table, got text",
        ],
    ),
}


@pytest.mark.parametrize("name", TABLE)
def test_what_is_wrong_is_said(name: str, tmp_path: Path) -> None:
    content, said = TABLE[name]
    path = tmp_path / "gatewatch.toml"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert problems(lambda: load(path)) == said


@pytest.mark.parametrize(
    "content", [f"x = {'9' * 5000}", "x = " + "[" * 5000, "x = " + "{ a = " * 3000, "a." * 3000 + "a = 1"]
)
def test_what_is_beyond_measure_is_no_fault_of_ours(tmp_path: Path, content: str) -> None:
    path = tmp_path / "gatewatch.toml"
    path.write_text(content)
    (said,) = problems(lambda: load(path))
    assert said.startswith("gatewatch.toml: not TOML: ")


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "gatewatch.toml").mkdir()
    assert problems(lambda: load(tmp_path / "gatewatch.toml")) == ["gatewatch.toml: cannot be read: Is a directory"]
    assert problems(lambda: load(tmp_path / "x.toml")) == ["x.toml: cannot be read: No such file or directory"]


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf\r\n", b"# nothing but a comment", b"[suites]\n"])
def test_an_empty_file_has_the_defaults(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "gatewatch.toml"
    path.write_bytes(content)
    assert load(path) == Settings()


def test_the_nearest_file_above_is_the_projects(tmp_path: Path) -> None:
    inner = tmp_path / "outer" / "inner" / "deep"
    inner.mkdir(parents=True)
    assert find(inner) is None
    (tmp_path / "outer" / "gatewatch.toml").touch()
    assert find(inner) == tmp_path / "outer" / "gatewatch.toml"
    (inner.parent / "gatewatch.toml").mkdir()  # a folder of that name is not meant
    assert find(inner) == tmp_path / "outer" / "gatewatch.toml"
    (inner / "gatewatch.toml").touch()
    assert find(inner) == inner / "gatewatch.toml"


def test_paths_are_written_as_people_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shortest(tmp_path / "data" / "cases.jsonl") == Path("data/cases.jsonl")
    assert shortest(tmp_path.parent / "cases.jsonl") == tmp_path.parent / "cases.jsonl"
