import json
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.structure import MAX_DEPTH, MAX_DIGITS, json_schema, parse, valid_json

FENCED = '```json\n{"a": 1}\n```'
SCHEMA = {
    "type": "object",
    "properties": {"items": {"type": "array", "items": {"type": "integer", "minimum": 3}}, "name": {"type": "string"}},
    "required": ["items"],
}


def score(scorer: Scorer, output: Any) -> Score:
    found = apply_inline(scorer, Trace(output=output))
    assert found.status == "scored", found.explanation
    return found


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        ' [1, "a", null, true]\n',
        '"text"',
        "5",
        "-1.5e3",
        '{"a": {"a": 1}}',
        '"\\ud800"',
        '{"a": "[[[[{{"}',
        "1e308",
    ],
)
def test_json_is_valid(text: str) -> None:
    assert score(valid_json(), text).value == 1.0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "line 1, column 1"),
        ("yes", "line 1, column 1"),
        ("{'a': 1}", "line 1, column 2"),
        ('{"a": 1,}', "in line 1"),
        ("[1,\n 2,,]", "in line 2"),
        ("1 2", "Extra data"),
        ("{} // nothing", "Extra data"),
        ("\ufeff{}", "line 1, column 1"),
        ("\u00a0{}", "line 1, column 1"),
        ("NaN", "NaN is not JSON"),
        ("[-Infinity]", "-Infinity is not JSON"),
        ("1e999", "too large"),
        ("9" * (MAX_DIGITS + 1), "digits"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', 'the key "c" is given twice'),
        ('{"a": 1, "\\u0061": 1}', 'the key "a" is given twice'),
        ('"a\nb"', "Invalid control character"),
        (FENCED, "line 1, column 1"),
    ],
)
def test_what_is_not_json_is_not_repaired(text: str, why: str) -> None:
    found = score(valid_json(), text)
    assert (found.value, found.label) == (0.0, "not JSON")
    assert why in found.explanation


def test_nesting_has_a_limit_that_does_not_depend_on_the_interpreter() -> None:
    assert score(valid_json(), "[" * MAX_DEPTH + "]" * MAX_DEPTH).value == 1.0
    assert score(valid_json(), '{"a":' * (MAX_DEPTH + 1) + "1" + "}" * (MAX_DEPTH + 1)).explanation == (
        f"it is nested deeper than {MAX_DEPTH}"
    )
    assert score(valid_json(), json.dumps("[" * 5000 + '\\"' * 5000)).value == 1.0, "brackets in a string are text"


@pytest.mark.parametrize("text", ["[" * 40_000, '"\\"' * 20_000, '"' * 40_001 + "[" * 501, '{"a":' * 20_000])
def test_adversarial_text_is_read_to_its_end(text: str) -> None:
    assert score(valid_json(), text).value == 0.0


def test_an_output_that_is_not_text_was_json_already() -> None:
    outputs: list[Any] = [{"a": 1}, [], None, 5]
    for output in outputs:
        assert score(valid_json(), output).value == 1.0


@pytest.mark.parametrize(
    ("text", "right"),
    [
        (FENCED, True),
        ("\n```\n[1]```\n", True),
        (' {"a": 1} ', True),
        ('```json\n{"a": "```"}\n```', True),
        (f"{FENCED}\n{FENCED}", False),
        (f"Here it is: {FENCED}", False),
        ("```python\n{}\n```", False),
        ("```json\n{}", False),
    ],
)
def test_one_fence_may_be_allowed(text: str, right: bool) -> None:
    assert (score(valid_json(fence=True), text).value == 1.0) is right


def test_parse_raises_value_errors_only() -> None:
    assert parse('{"a": [1.5, 2]}') == {"a": [1.5, 2]}
    for text in ("", "{", '{"a":1,"a":1}', "NaN", "[" * 100_000):
        with pytest.raises(ValueError, match=r"\w"):
            parse(text)


def test_a_schema_is_followed_or_the_first_error_is_named() -> None:
    scorer = json_schema(SCHEMA)
    assert not scorer.reference_based
    assert score(scorer, '{"items": [3, 4]}').value == 1.0
    assert score(scorer, {"items": []}).value == 1.0
    found = score(scorer, '{"items": [3, 1], "name": 5}')
    assert (found.value, found.label) == (0.0, "against schema")
    assert found.explanation == "$.items[1]: 1 is less than the minimum of 3"
    assert score(scorer, "[]").explanation.startswith("$: ")
    assert score(scorer, "{}").explanation == '$: "items" is a required property'
    assert score(scorer, "no").label == "not JSON"
    assert score(scorer, '{"items": [3], "items": [3]}').label == "not JSON"
    assert score(json_schema(SCHEMA, fence=True), '```json\n{"items": []}\n```').value == 1.0
    assert score(json_schema(True), "[]").value == 1.0
    assert score(json_schema(False), "[]").value == 0.0


def logic(*, heavy: bool = False) -> dict[str, Any]:
    """A schema of expressions, which contains itself; a heavy one has alternatives that are all gone into."""
    expression = {"$ref": "#/$defs/e"}

    def operation(name: str) -> dict[str, Any]:
        properties = {"op": True if heavy else {"const": name}, "arg": expression}
        return {"type": "object", "properties": properties, "required": ["op", "arg"]}

    return {**expression, "$defs": {"e": {"anyOf": [operation("not"), operation("neg"), {"type": "number"}]}}}


def nested(depth: int, leaf: Any) -> Any:
    for level in range(depth):
        leaf = {"op": ("not", "neg")[level % 2], "arg": leaf}
    return leaf


@pytest.mark.parametrize("heavy", [False, True])
def test_a_schema_that_contains_itself_is_held_against_however_deep(heavy: bool) -> None:
    scorer = json_schema(logic(heavy=heavy))
    for depth in (14, 200, 400):
        assert score(scorer, json.dumps(nested(depth, 1))).value == 1.0
        found = score(scorer, json.dumps(nested(depth, "x")))
        assert (found.value, found.label) == (0.0, "against schema")
        assert found.explanation == "does not follow the schema"
    assert score(scorer, nested(3, "x")).explanation.startswith('$: {"arg":{"arg":{"arg":"x"')


def test_what_is_nested_too_deep_to_be_told_is_judged_all_the_same() -> None:
    scorer = json_schema({"required": ["value"]})
    assert score(scorer, json.dumps(nested(200, 1))).explanation.endswith('"value" is a required property')
    assert score(scorer, json.dumps(nested(400, 1))).explanation == "does not follow the schema"


def test_an_error_among_alternatives_of_many_items_is_told_only_where_it_is_soon() -> None:
    lists = [{"type": "array", "items": {"type": kind}} for kind in ("string", "object")]
    assert score(json_schema({"anyOf": lists}), [1] * 100).explanation.startswith("$: [1,1,")
    assert score(json_schema({"anyOf": lists}), [1] * 50_000).explanation == "does not follow the schema"
    assert score(json_schema(lists[0]), [1] * 5_000).explanation == '$[0]: 1 is not of type "string"'


def test_half_of_a_surrogate_pair_is_no_text() -> None:
    assert score(json_schema({"type": "string"}), '"\\ud800"').value == 0.0


def test_an_explanation_is_short() -> None:
    assert len(score(json_schema({"type": "integer"}), {"a": "x" * 10_000}).explanation) <= 300


def test_a_schema_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(SCHEMA))
    assert json_schema(path).fingerprint == json_schema(str(path)).fingerprint == json_schema(SCHEMA).fingerprint
    path.write_text("{")
    with pytest.raises(ValueError, match=r"schema\.json is not JSON: .*line 1"):
        json_schema(path)
    with pytest.raises(ValueError, match="cannot be read: No such file"):
        json_schema(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "objct"}, "wrong at type"),
        ({"properties": {"a": {"minimum": "x"}}}, "wrong at properties.a.minimum"),
        ({"$ref": "#/nope"}, "/nope"),
        ({"$ref": "http://127.0.0.1:9/schema.json"}, "is another document"),
        ({"$ref": "file:///etc/hostname"}, "is another document"),
        ({"$schema": "http://127.0.0.1:9/draft"}, "Unknown meta-schema"),
        ({"pattern": "(?=a)b"}, "lookaround"),
        ({"pattern": r"(a)\1"}, "backreferences"),
        ({"minimum": float("nan")}, "nan"),
        (5, "a JSON schema is an object"),
    ],
)
def test_a_bad_schema_is_refused_when_the_scorer_is_made(schema: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        json_schema(schema)


def test_schemas_and_options_are_part_of_the_fingerprint() -> None:
    made = [valid_json(), valid_json(fence=True), json_schema({}), json_schema(SCHEMA), json_schema(SCHEMA, fence=True)]
    assert len({scorer.fingerprint for scorer in made}) == len(made)
    assert json_schema({"a": 1, "b": 2}).fingerprint == json_schema({"b": 2, "a": 1}).fingerprint
