import pytest

from gatewatch.core.case import Case
from gatewatch.core.threads import DaemonPool
from gatewatch.offline.tasks.call import CallTask
from gatewatch.online.arguments import Arguments


def plain(question: str, k: int = 3) -> object:
    return (question, k)


def whole(input: dict[str, object]) -> object:  # noqa: A002
    return input


def named(*, question: str) -> object:
    return question


def several(question: str, *more: str, **others: object) -> object:
    return (question, more, others)


def nothing() -> object:
    return None


@pytest.mark.parametrize(
    ("function", "args", "kwargs", "given"),
    [
        (plain, ("q",), {}, "q"),
        (plain, (), {"question": "q"}, "q"),
        (plain, ("q", 4), {}, {"question": "q", "k": 4}),
        (plain, (7,), {}, {"question": 7}),
        (plain, (), {"k": 4, "question": "q"}, {"k": 4, "question": "q"}),
        (whole, ({"a": 1},), {}, {"a": 1}),
        (whole, ("text",), {}, "text"),
        (named, (), {"question": "q"}, {"question": "q"}),
        (several, ("q", "r"), {"x": 1}, {"question": "q", "more": ["r"], "x": 1}),
        (nothing, (), {}, {}),
        (len, ("abc",), {}, "abc"),
        (print, ("a", "b"), {}, {"args": ["a", "b"]}),
    ],
)
def test_the_input_of_a_call(
    function: object, args: tuple[object, ...], kwargs: dict[str, object], given: object
) -> None:
    assert Arguments(function).input(args, kwargs) == given  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("function", "args", "kwargs"),
    [
        (plain, ("q",), {}),
        (plain, ("q",), {"k": 5}),
        (plain, (7,), {}),
        (whole, ({"a": 1},), {}),
        (named, (), {"question": "q"}),
        (several, ("q",), {"x": 1}),
        (nothing, (), {}),
    ],
)
def test_a_case_made_of_it_calls_the_function_again(
    function: object, args: tuple[object, ...], kwargs: dict[str, object]
) -> None:
    given = Arguments(function).input(args, kwargs)  # type: ignore[arg-type]
    task = CallTask(function, "f", threads=DaemonPool(1), timeout=1)  # type: ignore[arg-type]
    positional, by_name = task._bind(Case(input=given))
    assert function(*positional, **by_name) == function(*args, **kwargs)  # type: ignore[operator]


def test_one_argument_may_be_named_as_the_input() -> None:
    arguments = Arguments(plain, "question")
    assert arguments.input(("q", 4), {}) == "q"
    assert arguments.input((), {"k": 4}) == {}
    assert Arguments(plain, "k").input(("q", 4), {}) == {"input": 4}


def test_bound_arguments_have_the_defaults() -> None:
    assert Arguments(plain).bound(("q",), {}) == {"question": "q", "k": 3}


def test_self_is_not_an_argument() -> None:
    class Bot:
        def answer(self, question: str) -> str:
            return question

    assert Arguments(Bot.answer).input((Bot(), "q"), {}) == "q"
    assert Arguments(Bot.answer).input((Bot(),), {"question": "q"}) == "q"
