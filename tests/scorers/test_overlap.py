from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.case import Case
from gatewatch.core.trace import Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.overlap import bleu, chrf, rouge_l, token_f1

ALL = [token_f1(), rouge_l(), bleu(), chrf(), chrf(words=2)]


def value(scorer: Scorer, output: Any, expected: str) -> float:
    found = apply_inline(scorer, Trace(output=output), Case(input="?", expected=expected)).value
    assert found is not None
    return found


@pytest.mark.parametrize("scorer", ALL)
def test_the_same_text_is_1_and_another_is_0(scorer: Scorer) -> None:
    assert value(scorer, "refunds take five working days", "refunds take five working days") == pytest.approx(1.0)
    assert value(scorer, "xyz", "qwv") == pytest.approx(0.0)


words = st.lists(st.sampled_from(["a", "cat", "sat", "on", "mat", "5"]), max_size=12).map(" ".join)


@given(words, words)
def test_rouge_l_is_the_longest_common_sequence(one: str, other: str) -> None:
    a, b = one.split(), other.split()
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, left in enumerate(a, 1):
        for j, right in enumerate(b, 1):
            table[i][j] = table[i - 1][j - 1] + 1 if left == right else max(table[i - 1][j], table[i][j - 1])
    total = len(a) + len(b)
    assert value(rouge_l(), one, other) == pytest.approx(2 * table[-1][-1] / total if total else 1.0)


@pytest.mark.parametrize("scorer", ALL)
@given(words, words)
def test_in_range(scorer: Scorer, one: str, other: str) -> None:
    assert 0.0 <= value(scorer, one, other) <= 1.0


def test_shared_words() -> None:
    assert value(token_f1(), "The answer is: Paris!", "paris") == pytest.approx(0.5)
    assert value(token_f1(), "the", "a") == 1.0
    assert value(token_f1(), "", "Paris") == 0.0


def test_only_so_much_is_compared() -> None:
    long = "word " * 5000
    score = apply_inline(rouge_l(), Trace(output=long), Case(input="?", expected=long))
    assert (score.value, score.label) == (1.0, "cut")
    score = apply_inline(chrf(), Trace(output=long), Case(input="?", expected=long))
    assert score.label == "cut"


def test_options() -> None:
    with pytest.raises(ValueError, match=r"words must be in 0\.\.4, got 9"):
        chrf(words=9)
