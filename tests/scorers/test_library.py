import inspect
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.errors import RubricError
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.library import BUILT_INS, make
from gatewatch.scorers.text import contains, exact, numeric

NEEDED: dict[str, dict[str, Any]] = {
    "regex": {"pattern": "a"},
    "json_schema": {"schema": {"type": "object"}},
    "well_formed": {"kind": "date"},
    "parses": {"language": "python"},
}
RUBRIC = '---\nscale = "binary"\n---\nIs it right?\n'


@pytest.fixture
def rubric(tmp_path: Path) -> Path:
    path = tmp_path / "helpful.md"
    path.write_text(RUBRIC)
    return path


@pytest.mark.parametrize("name", sorted(set(BUILT_INS) - {"judge"}))
def test_every_built_in_is_made_under_its_own_name_or_another(name: str) -> None:
    scorer = make(name, NEEDED.get(name, {}))
    assert isinstance(scorer, Scorer)
    assert scorer.name == name
    assert make(name, {"name": "mine", **NEEDED.get(name, {})}).name == "mine"


def test_every_built_in_takes_its_options_as_keywords() -> None:
    for name, factory in BUILT_INS.items():
        parameters = inspect.signature(factory).parameters
        assert "name" in parameters, name
        assert all(each.kind in (each.KEYWORD_ONLY, each.POSITIONAL_OR_KEYWORD) for each in parameters.values()), name


def test_a_judge_is_made_too(rubric: Path) -> None:
    scorer = make("judge", {"rubric": rubric, "name": "kind", "model": "small", "parameters": {"temperature": 0}})
    assert (scorer.name, scorer.models) == ("kind", ("small",))
    assert make("judge", {"rubric": str(rubric)}).name == "helpful"
    with pytest.raises(RubricError):
        make("judge", {"rubric": rubric.with_name("none.md")})


def test_options_arrive_as_they_would_in_python() -> None:
    assert make("exact", {"after": "A:", "drop": "$"}).fingerprint == exact(after="A:", drop="$").fingerprint
    assert make("contains", {"any_of": ["a", "b"]}).fingerprint == contains(any_of=("a", "b")).fingerprint
    assert make("numeric", {"tolerance": 1}).fingerprint == numeric(tolerance=1.0).fingerprint


def test_a_schema_may_be_a_path_or_a_table(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text('{"type": "object"}')
    made = [make("json_schema", {"schema": each}) for each in (path, str(path), {"type": "object"})]
    assert len({scorer.fingerprint for scorer in made}) == 1


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("exakt", {}, "there is no scorer 'exakt' (did you mean \"exact\"?)"),
        ("exact", {"ignore_cas": True}, "exact has no option 'ignore_cas' (did you mean \"ignore_case\"?)"),
        ("exact", {"strip": "yes"}, "strip: expected true or false, got text"),
        ("exact", {"name": 5}, "name: expected text, got a whole number"),
        ("exact", {"after": ""}, "after must not be empty: leave it out to compare all of the text"),
        ("tool_calls", {"order": "strickt"}, "order: 'strickt' is not known (one of any, strict, subset)"),
        ("tool_calls", {"strings": 5}, "strings: 5 is not known (one of exact, loose)"),
        ("numeric", {"tolerance": "1"}, "tolerance: expected a number, got text"),
        ("numeric", {"tolerance": True}, "tolerance: expected a number, got true or false"),
        ("numeric", {"tolerance": -1}, "tolerance must be 0 or more, and finite, got -1.0"),
        ("contains", {"any_of": "a"}, "any_of: expected a list, got text"),
        ("contains", {"any_of": ["a", 5]}, "any_of[1]: expected text, got a whole number"),
        ("regex", {}, "regex needs the option 'pattern'"),
        ("json_schema", {"schema": 7}, "schema: expected true or false or text or a table, got a whole number"),
        ("judge", {"model": "small"}, "judge needs the option 'rubric'"),
        ("judge", {"rubric": "a.md", "model": {}}, "model: expected text or a list, got a table"),
        ("pii", {"types": ["email"]}, "pii has no option 'types' (known: name, phone)"),
    ],
)
def test_what_is_wrong_is_said_with_what_may_have_been_meant(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        make(name, options)
    assert str(caught.value) == message


def test_all_that_is_wrong_with_the_options_is_said_at_once() -> None:
    with pytest.raises(ValueError, match=r"full: .*; regex has no option 'patern'.*; regex needs the option 'pattern'"):
        make("regex", {"full": 1, "patern": "a"})
