"""Cases that stand in what the application or a judge is given."""

import pytest
from msgspec.structs import replace

from gatewatch.loop.audit import audit
from gatewatch.loop.finding import Finding
from gatewatch.loop.leaks import Source
from loop.auditing import ALONE, dataset

PROMPT = """You answer customers of a shop.

Example: "My daughter's bicycle was delivered without its left pedal, what now?"
Answer: Send us a picture and we will send the missing part within two days.
Be brief and polite, and never promise what the articles do not say.
"""


def leaks(*cases: object, prompt: str = PROMPT) -> list[Finding]:
    beside = replace(ALONE, sources=[Source("prompts/answer.txt", prompt)])
    return [each for each in audit(dataset(*cases), beside).findings if each.check == "leaked"]  # type: ignore[arg-type]


def test_a_query_that_stands_in_the_prompt_is_found() -> None:
    (one,) = leaks("My daughter's bicycle was delivered without its LEFT pedal - what now")
    assert one.why == "12 of 12 words of its input stand in prompts/answer.txt:3"
    assert (one.figures[0].value, one.figures[0].n) == (12, 12)


def test_an_answer_that_stands_in_the_prompt_is_found() -> None:
    expected = "Send us a picture and we will send the missing part within two days, or a refund."
    (one,) = leaks({"input": "It came broken", "expected": expected})
    assert one.why == "14 of 17 words of what it expects stand in prompts/answer.txt:4"


def test_a_passage_of_a_long_text_is_enough() -> None:
    (one,) = leaks(f"Hello there. {'The weather was fine. ' * 20} Be brief and polite, and never promise what you like")
    assert one.figures[0].value == 8


@pytest.mark.parametrize(
    "case",
    [
        "You answer customers",
        "Be brief and polite to me when I ask you for this",
        {"input": "x", "expected": "within two days"},
        {"input": "x", "expected": "Be brief and polite, and never"},
    ],
)
def test_few_words_are_anybodys(case: object) -> None:
    assert leaks(case) == []


def test_what_many_cases_begin_with_is_how_they_are_written() -> None:
    frame = "Be brief and polite, and never promise what the articles do not say."
    assert leaks(*[f"{frame} Question {number * 7919}" for number in range(5)]) == []
    assert len(leaks(*[f"{frame} Question {number * 7919}" for number in range(3)])) == 3


def test_scripts_without_spaces_are_compared_by_letters() -> None:
    (one,) = leaks("我的订单什么时候可以送到北京", prompt="例子:我的订单什么时候可以送到北京?")
    assert one.figures[0].value == 14


def test_a_text_that_says_one_word_all_over_takes_no_time() -> None:
    (one,) = leaks("ha " * 3000, prompt="ha " * 50_000)
    assert one.check == "leaked"
