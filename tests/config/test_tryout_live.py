"""Trying a scorer on texts: what it says, what it costs, and where the cap stops it."""

import json
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.config.project import Project
from gatewatch.config.tryout_live import by_hand, forecast, try_on
from gatewatch.core.errors import GatewatchError

TOML = """
[project]
name = "bot"
[models.judge]
model = "judge-1"
base_url = "{url}"
key_env = ""
cache = false
[prices."judge-1"]
input = 1000.0
output = 1000.0
[scorers.kind]
rubric = "kind.md"
model = "judge"
[scorers.short]
use = "regex"
pattern = "(?s).{{1,5}}"
full = true
"""


def project(folder: Path, url: str = "http://127.0.0.1:9/v1") -> Project:
    (folder / "kind.md").write_text('---\nscale = "binary"\n---\nPass: it is kind. Fail: it is not.\n')
    (folder / "gatewatch.toml").write_text(TOML.format(url=url))
    return Project.open(folder)


def judgement(_: dict[str, Any]) -> Reply:
    return Reply(text=json.dumps({"explanation": "kind", "verdict": "pass"}))


def test_a_rule_says_what_it_says_and_costs_nothing(tmp_path: Path) -> None:
    given = [by_hand("q", text, "", "") for text in ("short", "too long")]
    done: list[int] = []
    tried = try_on(project(tmp_path), "short", given, cap=0.0, progress=done.append)
    assert [each.score.value for each in tried.trials if each.score] == [1.0, 0.0]
    assert (tried.mean.mean, tried.cost.amount, tried.capped, done) == (0.5, 0.0, 0, [2])


def test_a_judge_is_asked_until_the_cap_is_reached(tmp_path: Path) -> None:
    with FakeProvider(judgement) as provider:
        here = project(tmp_path, provider.base_url)
        given = [by_hand("q", "Good day!", "", "") for _ in range(20)]
        each = forecast(here, here.named("kind", ""), given[:1])
        assert each
        tried = try_on(here, "kind", given, cap=3.5 * each)
        asked = [trial for trial in tried.trials if trial.score is not None]
        assert 1 <= len(asked) < 20
        assert provider.calls == len(asked)
        assert tried.capped == 20 - len(asked)
        assert tried.cost.amount > 0


def test_what_needs_an_expected_answer_is_given_the_one_that_was_put_in(tmp_path: Path) -> None:
    tried = try_on(project(tmp_path), "exact", [by_hand("q", "yes", "yes", ""), by_hand("q", "yes", "", "")], cap=0.0)
    assert [each.score and each.score.status for each in tried.trials] == ["scored", "skipped"]


def test_nothing_to_score_is_told(tmp_path: Path) -> None:
    with pytest.raises(GatewatchError, match="nothing to score"):
        try_on(project(tmp_path), "short", [], cap=1.0)
