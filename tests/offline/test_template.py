from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.offline.template import fill, fill_text, names_in, unknown_name, values_of

TEXT = Case(id="c1", input="why?", context=("one", {"two": 2}))
OBJECT = Case(id="c1", input={"question": "why?", "lang": "de", "n": 3})


def test_what_a_template_can_name() -> None:
    assert values_of(TEXT, 2) == {"input": "why?", "id": "c1", "trial": 2, "context": 'one\n\n{"two":2}'}
    assert values_of(OBJECT, 0) == {**OBJECT.input, "input": OBJECT.input, "id": "c1", "trial": 0, "context": ""}  # type: ignore[dict-item]
    assert values_of(Case(input="x", context="all"), 0)["context"] == "all"


def test_an_argument_comes_before_another_meaning_of_its_name() -> None:
    case = Case(id="c1", input={"context": "the passage", "id": "order 7"})
    assert fill_text("{id}: {context}", values_of(case, 0)) == "order 7: the passage"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("", ""),
        ("no names", "no names"),
        ("Q: {question} ({lang})", "Q: why? (de)"),
        ("{n}{n}", "33"),
        ("{input}", '{"lang":"de","n":3,"question":"why?"}'),
        ("{unknown} {question}", "{unknown} why?"),
        ("{{question}}", "{question}"),
        ("{{{question}}}", "{why?}"),
        ("{ question } {question!r} {0} {}", "{ question } {question!r} {0} {}"),
        ('{"a": 1}', '{"a": 1}'),
        ('Answer as {"a": {"b": 1}} to {question}', 'Answer as {"a": {"b": 1}} to why?'),
        ('Answer as {{"a": {{"b": 1}}}} to {question}', 'Answer as {"a": {"b": 1}} to why?'),
        ('Answer as {{"a": {"b": {"c": 1}}}} to {question}', 'Answer as {"a": {"b": {"c": 1}}} to why?'),
    ],
)
def test_filling_text(template: str, text: str) -> None:
    assert fill_text(template, values_of(OBJECT, 0)) == text


def test_what_is_filled_in_is_not_a_template() -> None:
    case = Case(id="c1", input={"question": "{lang} {{ }}", "lang": "de"})
    assert fill_text("{question}", values_of(case, 0)) == "{lang} {{ }}"


def test_filling_a_value_keeps_the_types_of_what_stands_alone() -> None:
    template: dict[str, Any] = {"q": "{question}", "n": "{n}", "all": ["{input}", "n={n}"], "fixed": 1.5, "{n}": None}
    assert fill(template, values_of(OBJECT, 4)) == {
        "q": "why?",
        "n": 3,
        "all": [OBJECT.input, "n=3"],
        "fixed": 1.5,
        "{n}": None,
    }
    assert fill("{unknown}", values_of(OBJECT, 0)) == "{unknown}"
    assert fill(("{n}",), values_of(OBJECT, 0)) == [3]


def test_the_names_that_a_template_mentions() -> None:
    assert names_in({"a": ["{x} {{y}}", {"b": "{z}"}], "c": 5}) == {"x", "z"}
    assert names_in(None) == set()


def test_a_name_that_the_case_has_no_value_for() -> None:
    values = values_of(OBJECT, 0)
    assert unknown_name({"question", "input"}, values) == ""
    assert unknown_name({"qestion", "x"}, values) == (
        'the template names {qestion}, which the case does not have (did you mean "question"?)'
    )
