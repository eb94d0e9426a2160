"""The settings that hold: where each comes from, what it means, and that nothing secret is told."""

from pathlib import Path

import pytest
from msgspec.structs import fields

from gatewatch.config.effective import HIDDEN, Setting, effective, has_changed
from gatewatch.config.project import Project
from gatewatch.config.settings import Settings

SECRETS = """
[project]
name = "bot"
store = "postgresql://bot:hush@db.example/traces?sslpassword=hush"

[models.judge]
model = "gpt-5-mini"
base_url = "$JUDGE_URL"
headers = { org = "hush", key = "$ORG_KEY" }
parameters = { api_key = "hush", temperature = 0 }

[scorers.helpful]
rubric = "helpful.md"

[tasks.bot]
url = "https://bot:hush@app.example/answer?token=hush"
headers = { Authorization = "Bearer hush" }
environment = { PASSWORD = "hush" }
arguments = { secret = "hush" }
body = { inner = [{ access_token = "hush" }] }

[monitors.support]
flow = "support"
scorers = [{ use = "pii", sample = 0.5 }]
alert = { to = ["slack:https://hooks.example/hush"], rules = { pii = { drop = 0.1 } } }

[alerts]
to = ["webhook:$HOOK"]
heartbeat = "https://beat.example/hush"
secret_env = "HOOK_SECRET"
smtp = "smtps://bot:hush@mail.example:465"
"""


def opened(folder: Path, text: str) -> Project:
    (folder / "gatewatch.toml").write_text(text)
    return Project.open(folder)


def found(project: Project, environment: dict[str, str] | None = None) -> dict[str, Setting]:
    sections = effective(project, environment or {})
    return {f"{section.name}.{each.key}": each for section in sections for each in section.settings}


def test_nothing_secret_is_told(tmp_path: Path) -> None:
    every = found(opened(tmp_path, SECRETS))
    assert not [each for each in every.values() if "hush" in each.value]
    assert every["project.store"].value == f"postgresql://bot:{HIDDEN}@db.example/traces?sslpassword={HIDDEN}"
    assert every["tasks.bot.url"].value == f"https://bot:{HIDDEN}@app.example/answer?token={HIDDEN}"
    assert every["models.judge.headers"].value == f'{{"org":"{HIDDEN}","key":"$ORG_KEY"}}'
    assert every["monitors.support.alert.to"].value == '["slack:hooks.example/..."]'
    assert every["alerts.heartbeat"].value == "beat.example/..."


def test_each_says_where_it_comes_from_and_what_the_environment_lacks(tmp_path: Path) -> None:
    project = opened(tmp_path, SECRETS)
    every = found(project)
    assert (every["project.name"].source, every["online.keep"].source) == ("file", "default")
    assert (every["models.judge.base_url"].source, every["models.judge.base_url"].lacks) == ("environment", "JUDGE_URL")
    lacking = {name: each.lacks for name, each in every.items() if each.lacks}
    assert lacking == {
        "models.judge.base_url": "JUDGE_URL",
        "models.judge.key_env": "OPENAI_API_KEY",
        "models.judge.headers": "ORG_KEY",
        "alerts.to": "HOOK",
        "alerts.secret_env": "HOOK_SECRET",
    }
    there = dict.fromkeys(lacking.values(), "x")
    assert not [each for each in found(project, there).values() if each.lacks]


def test_every_key_of_every_table_is_there_with_its_meaning(tmp_path: Path) -> None:
    every = found(opened(tmp_path, SECRETS))
    for field in fields(Settings):
        assert any(name.startswith(f"{field.name}.") for name in every) or field.name in ("prices", "suites")
    silent = [name for name, each in every.items() if not each.means and not name.startswith("scorers.")]
    assert not silent
    assert every["online.payloads"].means.startswith("how much room payloads may take; beyond it the oldest")
    assert every["monitors.support.alert.rules.pii.drop"].value == "0.1"
    assert every["monitors.support.scorers"].value == '[{"use":"pii","sample":0.5}]'


@pytest.mark.parametrize(("text", "changed"), [(SECRETS, False), (SECRETS + "# a note", False), ("[project]", True)])
def test_a_file_that_says_something_else_by_now_is_told(tmp_path: Path, text: str, changed: bool) -> None:
    project = opened(tmp_path, SECRETS)
    (tmp_path / "gatewatch.toml").write_text(text)
    assert has_changed(project) is changed


def test_without_a_file_all_is_as_it_is_by_default(tmp_path: Path) -> None:
    every = found(Project(tmp_path))
    assert {each.source for each in every.values()} == {"default"} and not has_changed(Project(tmp_path))
