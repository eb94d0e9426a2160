"""A project: found from a folder, and the models and scorers that its settings name."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.building import model, one, opened, prepared, problems, rows, suite, write
from gatewatch.checks.provider import FakeProvider
from gatewatch.config.composites import COMPOSITES
from gatewatch.config.project import Problems, Project, runs_of
from gatewatch.core.errors import ConfigError, Problem
from gatewatch.scorers.library import BUILT_INS

RUBRIC = '---\nscale = "binary"\nmodel = "judge"\n---\nIs it kind?\n'

# The project


def test_a_project_is_found_from_below(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = write(tmp_path, suite()) / "deep" / "er"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    for project in (Project.open(), Project.open(deep), Project.open(deep, required=False)):
        assert project.root == tmp_path
        assert list(project.settings.suites) == ["main"]
        assert project.runs == tmp_path / ".gatewatch" / "runs" == runs_of(deep)


def test_without_a_project(tmp_path: Path) -> None:
    said = "DIR: no gatewatch.toml here or above (start a project with `gatewatch init`)"
    assert problems(lambda: Project.open(tmp_path), tmp_path) == [said]
    project = Project.open(tmp_path, required=False)
    assert project.root == tmp_path
    assert project.scorers() == {}
    assert runs_of(tmp_path) == project.runs == tmp_path / ".gatewatch" / "runs"


def test_settings_are_followed(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    file = tmp_path / "gatewatch.toml"
    file.write_text('[project]\nname = "one"\n')
    project = Project.open(tmp_path)
    file.write_text('[project]\nname = "another"\n')
    project.follow()
    assert project.settings.project.name == "another"
    file.write_text("[project")
    project.follow()
    project.follow()
    assert project.settings.project.name == "another"
    assert len(caplog.records) == 1 and "cannot be used" in caplog.text
    file.write_text('[project]\nname = "mended"\n')
    project.follow()
    assert project.settings.project.name == "mended"


def test_problems_are_gathered_and_said_once() -> None:
    found = Problems()
    for what in ("one", "two", "one"):
        with found.gather():
            raise ConfigError([Problem("here", what), Problem("there", what)])
    assert len(found) == 6
    with pytest.raises(ConfigError) as caught:
        found.raise_any()
    assert str(caught.value) == "here: one\nthere: one\nhere: two\nthere: two"
    with pytest.raises(KeyError), found.gather():
        raise KeyError("not for us")
    Problems().raise_any()


# Models


def test_a_model_is_made_once(tmp_path: Path) -> None:
    project = Project.open(write(tmp_path, model("app", "http://127.0.0.1:9", "rpm = 60\nconcurrency = 3")))
    made = project.model("app")
    assert project.model("app") is made
    assert made.identity["model"] == "app-model"
    assert made.pace.state()["limit"] == 3
    assert "secret" not in repr(made)
    asyncio.run(project.close())
    assert not (tmp_path / ".gatewatch").exists()  # nothing was asked, nothing kept


def test_all_that_is_wrong_with_a_model(tmp_path: Path) -> None:
    table = '[models.app]\nmodel = "m"\nbase_url = "127.0.0.1"\nkey_env = "NO_SUCH_KEY"\nrpm = 0\n'
    table += 'timeout = 0\nretries = -1\nheaders = { a = "$NO_SUCH_HEADER" }\n'
    project = Project.open(write(tmp_path, table))
    assert problems(lambda: project.model("app")) == [
        f"gatewatch.toml: models.app: {what}"
        for what in (
            "base_url must begin with http:// or https:// and name a host, got '127.0.0.1'",
            "the variable NO_SUCH_KEY is not set",
            "the variable NO_SUCH_HEADER is not set",
            "rpm must be at least 1, got 0",
            "retries must be at least 0, got -1",
            "timeout must be a number of seconds above 0, got 0",
        )
    ]
    assert problems(lambda: project.model("ap")) == [
        'gatewatch.toml: models.ap: is named, but not configured (did you mean "app"?)'
    ]
    assert project.models == {}


# Scorers


EVALS = """
from gatewatch import Score, judge, scorer
from gatewatch.scorers.text import contains

@scorer
def shouts(output: str):
    return output.isupper()

@scorer(name="exact")
async def ours(output, expected):
    return Score(0.25, label="ours")

again = shouts
two = contains(name="two", any_of=["two", "TWO"])
kind = judge({rubric!r}, name="kind", model="judge")
not_a_scorer = 3
"""


@pytest.fixture
def provider() -> Iterator[FakeProvider]:
    with FakeProvider(lambda _: '{"explanation": "Gentle.", "verdict": "pass"}') as running:
        yield running


def test_scorers_of_a_file_and_of_tables(tmp_path: Path, provider: FakeProvider) -> None:
    head = (
        '[project]\nscorers = "evals/own.py"\n' + model("judge", provider.base_url) + model("other", provider.base_url)
    )
    head += '[scorers.kinder]\nrubric = "rubrics/kind.md"\nmodel = "other"\n'
    head += '[scorers.form]\nuse = "json_schema"\nschema = "form.json"\n[scorers.near]\nuse = "similarity"\n'
    used = ["shouts", "exact", "two", "kind", "kinder", "form", "near", "pii"]
    folder = write(
        tmp_path,
        suite(scorers=str(used).replace("'", '"'), head=head),
        evals__own_py=EVALS.replace("{rubric!r}", repr(str(tmp_path / "rubrics" / "kind.md"))),
        rubrics__kind_md=RUBRIC,
        form_json='{"type": "string"}',
    )
    assert list(Project.open(folder).scorers()) == ["shouts", "exact", "two", "kind", "kinder", "form", "near"]
    result = one(folder)
    assert list(result.summary.scorers) == used
    row = rows(result)["b", 0]
    said = {name: (score.value, score.label) for name, score in row.scores.items()}
    assert said == {
        "shouts": (1.0, ""),
        "exact": (0.25, "ours"),
        "two": (1.0, ""),
        "kind": (1.0, "pass"),
        "kinder": (1.0, "pass"),
        "form": (0.0, "not JSON"),
        "near": (0.0, ""),
        "pii": (1.0, ""),
    }
    assert row.scores["kind"].source == "judge"
    assert sorted(result.summary.header.prices) == ["judge", "other"]
    assert {request["model"] for request in provider.requests} == {"judge-model", "other-model"}


def test_files_of_tables_are_the_projects_wherever_we_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    head = '[scorers.kind]\nrubric = "r.md"\n[scorers.form]\nuse = "json_schema"\nschema = "s.json"\n'
    head += '[project]\nscorers = "evals.py"\n'
    evals = "from gatewatch import judge\n\nown = judge('r.md', name='own')\n"
    folder = write(tmp_path, suite(head=head), r_md=RUBRIC, s_json="{}", evals_py=evals)
    (folder / "deep").mkdir()
    monkeypatch.chdir(folder / "deep")
    assert list(opened(folder).scorers()) == ["own", "kind", "form"]


KNOWN = f"known: {', '.join(sorted({*BUILT_INS, *COMPOSITES}))}"


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("[scorers.x]\nfull = true", f"scorers.x.use: missing ({KNOWN})"),
        ("[scorers.x]\nuse = 3", f"scorers.x.use: expected text, got 3 ({KNOWN})"),
        ('[scorers.x]\nuse = "exat"', "scorers.x: there is no scorer 'exat' (did you mean \"exact\"?)"),
        (
            '[scorers.x]\nuse = "exact"\nname = "y"',
            "scorers.x.name: unknown field (the scorer's name is 'x', the table's)",
        ),
        ('[scorers.x]\nuse = "judge"', "scorers.x: judge needs the option 'rubric'"),
        ('[scorers.x]\nuse = "numeric"\ntolerance = "wide"', "scorers.x: tolerance: expected a number, got text"),
        ('[scorers.x]\nrubric = "nowhere.md"', "DIR/nowhere.md: there is no such file"),
        (
            '[scorers.x]\nuse = "json_schema"\nschema = "nowhere.json"',
            "scorers.x: the schema DIR/nowhere.json cannot be read: No such file or directory",
        ),
        ('[scorers.own]\nuse = "exact"', "scorers.own: is also in evals.py (name one of the two otherwise)"),
    ],
)
def test_what_is_wrong_with_a_table(table: str, said: str, tmp_path: Path) -> None:
    evals = "from gatewatch import scorer\n\n@scorer\ndef own(output): return True\n"
    folder = write(tmp_path, suite(head=f'[project]\nscorers = "evals.py"\n{table}\n'), evals_py=evals)
    (found,) = problems(lambda: prepared(folder), folder)
    assert found.removeprefix("gatewatch.toml: ").startswith(said)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("concise", "evals.py has a function concise without @scorer (put @scorer above def concise)"),
        ("exat", "there is no scorer 'exat' (did you mean \"exact\"?)"),
        ("qqqqzzzz", "there is no scorer 'qqqqzzzz' (`gatewatch scorers` lists them)"),
    ],
)
def test_a_name_that_no_scorer_has(name: str, said: str, tmp_path: Path) -> None:
    head = '[project]\nscorers = "evals.py"\n'
    folder = write(tmp_path, suite(head=head, scorers=f'["{name}"]'), evals_py="def concise(output): return True\n")
    assert problems(lambda: prepared(folder), folder) == [f"gatewatch.toml: suites.main.scorers[0]: {said}"]


def test_two_scorers_of_one_name(tmp_path: Path) -> None:
    evals = "from gatewatch import scorer\n\na = scorer(name='own')(lambda output: True)\n"
    evals += "b = scorer(name='own')(lambda output: False)\n"
    folder = write(tmp_path, suite(head='[project]\nscorers = "evals.py"\n'), evals_py=evals)
    assert problems(lambda: prepared(folder)) == [
        "gatewatch.toml: project.scorers: two scorers are named 'own' (name one otherwise)"
    ]


def test_a_scorer_of_ours_that_needs_options(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(scorers='["regex", "judge"]'))
    at = "gatewatch.toml: suites.main.scorers"
    assert problems(lambda: prepared(folder)) == [
        f"{at}[0]: regex needs the option 'pattern' (give its options in [scorers.regex])",
        f"{at}[1]: judge needs the option 'rubric' (give its options in [scorers.judge])",
    ]


def test_a_judge_whose_model_is_not_there(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(scorers='["kind"]', head='[scorers.kind]\nrubric = "r.md"\n'), r_md=RUBRIC)
    assert problems(lambda: prepared(folder)) == [
        "gatewatch.toml: models.judge: is named, but not configured (none is defined)"
    ]
    assert opened(folder).named("kind", "here").models == ("judge",)
