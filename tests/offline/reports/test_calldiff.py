from hypothesis import given
from hypothesis import strategies as st

from gatewatch.offline.reports.calldiff import call_diff
from gatewatch.scorers.agent import Made

made = st.tuples(st.sampled_from("abc"), st.integers(0, 2)).map(lambda each: Made(each[0], {"x": each[1]}))
calls = st.lists(made, max_size=8)


def test_calls_answer_each_other_by_name_and_arguments() -> None:
    before = [Made("search", {"q": "a"}), Made("search", {"q": "b"}), Made("send", {})]
    after = [Made("search", {"q": "b"}), Made("send", {"to": "x"})]
    found = call_diff(before, after)
    assert [(each.kind, each.name) for each in found] == [("del", "search"), ("same", "search"), ("change", "send")]
    assert [line.path for line in found[2].lines if line.kind == "ins"] == ["$.to"]


@given(calls, calls)
def test_every_call_is_told_once_in_its_order(before: list[Made], after: list[Made]) -> None:
    found = call_diff(before, after)
    assert [each.before for each in found if each.before is not None] == [each.arguments for each in before]
    assert [each.after for each in found if each.after is not None] == [each.arguments for each in after]


@given(calls)
def test_the_same_calls_are_the_same(made: list[Made]) -> None:
    assert all(each.kind == "same" for each in call_diff(made, made))


def test_many_calls_end() -> None:
    many = [Made("a", {"n": number}) for number in range(5000)]
    assert len(call_diff(many, many[::-1])) >= 300
