"""How failures stand to the golden dataset."""

from gatewatch.core.case import Case
from gatewatch.loop.golden import Golden, Placed, Stands
from gatewatch.loop.likeness import normal
from gatewatch.loop.space import Words

CASES = [
    Case(id="a", input="Where is my order 71?"),
    Case(id="b", input={"question": "How do I return a damaged lamp?"}),
    Case(id="old", input="do you ship to norway", retired="no more"),
]
TEXTS = ["where is my order 71", "how do i return a damaged lamp", "do you ship to norway", "i want to return a lamp"]


def stands(*texts: str, cases: list[Case] = CASES) -> Stands:
    golden = Golden(cases)
    space = Words([*golden.texts, *TEXTS, *texts])
    return Placed(golden, space).stands([normal(text) for text in texts], space.vectors(texts))


def test_the_same_query_is_covered() -> None:
    assert stands("WHERE is  my order 71!") == Stands("covered", "a", 1.0)
    assert stands("nothing like it", "how do i return the damaged lamp").novelty == "covered"


def test_another_number_is_another_order() -> None:
    assert stands("where is my order 72").novelty == "near"


def test_what_is_about_the_same_is_near_and_all_else_new() -> None:
    found = stands("i want to return a lamp")
    assert (found.novelty, found.nearest) == ("near", "b") and 0.35 <= found.likeness < 0.9
    assert stands("is it going to rain").novelty == "new"


def test_retired_cases_cover_nothing() -> None:
    assert stands("do you ship to norway").novelty == "new"


def test_without_cases_all_is_new() -> None:
    assert stands("anything", cases=[]) == Stands()
    golden = Golden([])
    assert (len(golden), golden.shortest, golden.longest, golden.languages) == (0, 0, 0, frozenset())


def test_lengths_and_languages_are_those_of_the_cases() -> None:
    golden = Golden([*CASES, Case(id="de", input="Wo ist meine Bestellung, die ich gestern aufgegeben habe?")])
    assert (golden.shortest, golden.longest) == (21, 57)
    assert golden.languages == {"en", "de"}
