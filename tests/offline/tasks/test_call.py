import asyncio
import functools
import math
import threading
from collections.abc import Callable
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.spans import Recorder, recorder, span
from gatewatch.core.threads import Abandoned, DaemonPool
from gatewatch.core.trace import Trace, Usage
from gatewatch.offline.task import TaskFailed
from gatewatch.offline.tasks.call import CallTask


def made(fn: Callable[..., Any], *, timeout: float = 10.0, **arguments: Any) -> CallTask:
    return CallTask(fn, "app:answer", threads=DaemonPool(2), timeout=timeout, arguments=arguments)


def answered(task: CallTask, given: str | dict[str, Any], **fields: Any) -> Trace:
    async def ask() -> Trace:
        try:
            return await task.answer(Case(id="c1", input=given, **fields), 0)
        finally:
            await task.close()

    return asyncio.run(ask())


def output(fn: Callable[..., Any], given: str | dict[str, Any], **arguments: Any) -> Any:
    return answered(made(fn, **arguments), given).output


CONVERSATION: dict[str, Any] = {"messages": [{"role": "user", "content": "hi"}], "assistant": "fixed"}


class TestBinding:
    def test_text_becomes_the_first_argument(self) -> None:
        def answer(question: str, lang: str = "en") -> list[str]:
            return [question, lang]

        assert output(answer, "why?") == ["why?", "en"]

    def test_the_fields_of_an_object_become_arguments(self) -> None:
        def answer(question: str, *, lang: str, n: int = 3) -> list[Any]:
            return [question, lang, n]

        assert output(answer, {"lang": "de", "question": "why?"}) == ["why?", "de", 3]

    def test_input_asks_for_the_whole_object(self) -> None:
        def answer(input: Any) -> Any:  # noqa: A002
            return input

        assert output(answer, {"a": 1}) == {"a": 1}
        assert output(answer, "text") == "text"
        assert output(answer, CONVERSATION) == CONVERSATION

    def test_case_asks_for_the_case(self) -> None:
        def both(question: str, case: Case) -> list[str]:
            return [question, case.id]

        def alone(case: Case) -> Any:
            return case.input

        def by_name(case: Case, a: int) -> list[Any]:
            return [case.id, a]

        assert output(both, "why?") == ["why?", "c1"]
        assert output(alone, "why?") == "why?"
        assert output(by_name, {"a": 1}) == ["c1", 1]

    def test_the_messages_of_a_conversation_come_without_our_own_word(self) -> None:
        def answer(messages: list[Any]) -> Any:
            return messages

        assert output(answer, CONVERSATION) == CONVERSATION["messages"]

    def test_an_argument_of_the_users_may_be_called_assistant(self) -> None:
        def answer(assistant: str) -> str:
            return assistant

        assert output(answer, {"assistant": "fixed"}) == "fixed"

    def test_arguments_of_a_variant_are_the_same_for_every_case(self) -> None:
        def answer(question: str, prompt: str) -> list[str]:
            return [question, prompt]

        assert output(answer, "why?", prompt="v2") == ["why?", "v2"]
        assert made(answer, prompt="v2", n=3).versions.items() >= {"prompt": "v2", "n": "3"}.items()

    def test_any_keywords(self) -> None:
        def answer(**everything: Any) -> Any:
            return everything

        assert output(answer, {"a": 1, "b": 2}, prompt="v2") == {"a": 1, "b": 2, "prompt": "v2"}


class TestFlaws:
    def test_none(self) -> None:
        def answer(question: str, lang: str = "en") -> str:
            return question

        task = made(answer)
        assert task.flaw(Case(input="why?"), 1) == ""
        assert task.flaw(Case(input={"question": "why?"}), 1) == ""

    def test_what_cannot_be_bound_is_told_before_anything_is_run(self) -> None:
        def answer(question: str) -> str:
            raise AssertionError("it is not called")

        task = made(answer)
        assert task.flaw(Case(input={"qestion": "why?", "lang": "de"}), 1) == (
            "the input is the arguments lang, qestion, but app:answer(question: str) -> str cannot take it: "
            "missing a required argument: 'question'"
        )
        assert task.flaw(Case(input={"question": "why?", "lang": "de"}), 1) == (
            "the input is the arguments lang, question, but app:answer(question: str) -> str cannot take it: "
            "got an unexpected keyword argument 'lang'"
        )

    def test_text_for_a_function_without_arguments(self) -> None:
        def answer() -> str:
            return "x"

        assert made(answer).flaw(Case(input="why?"), 1) == (
            "the input is text, but app:answer() -> str cannot take it: too many positional arguments"
        )

    def test_an_argument_that_comes_from_two_sides(self) -> None:
        def answer(prompt: str, question: str) -> str:
            return question

        said = made(answer, prompt="v2").flaw(Case(input="why?"), 1)
        assert said.endswith("cannot take it: multiple values for argument 'prompt'")


class TestCalling:
    def test_async_functions_and_objects(self) -> None:
        async def answer(question: str) -> str:
            return question + "!"

        class Bot:
            async def __call__(self, question: str) -> str:
                return question + "?"

            async def reply(self, question: str) -> str:
                return question + "."

            def sync(self, question: str) -> str:
                return question + ","

        assert output(answer, "a") == "a!"
        assert output(Bot(), "a") == "a?"
        assert output(Bot().reply, "a") == "a."
        assert output(Bot().sync, "a") == "a,"
        assert output(functools.partial(answer), "a") == "a!"
        assert not made(answer).own_deadline
        assert made(Bot().sync).own_deadline
        assert made(answer).timed

    def test_sync_functions_run_on_threads_with_our_context(self) -> None:
        seen: list[str] = []

        def answer(question: str) -> str:
            seen.append(threading.current_thread().name)
            with span("step"):
                return question

        current = Recorder("t1")

        async def ask() -> None:
            recorder.set(current)
            task = made(answer)
            await task.answer(Case(input="why?"), 0)
            await task.close()

        asyncio.run(ask())
        assert seen == ["gatewatch-worker"]
        assert [each.name for each in current.spans] == ["step"]

    def test_what_it_returns_is_a_trace_or_an_output(self) -> None:
        given = answered(made(lambda q: Trace(output=q, usage=Usage(1))), "x")
        assert (given.output, given.usage) == ("x", Usage(1))
        assert answered(made(lambda q: {"a": (q,)}), "x").output == {"a": ["x"]}
        with pytest.raises(TaskFailed, match=r"^the output cannot be kept: nan at \$ has no place in JSON$"):
            answered(made(lambda q: math.nan), "x")

    def test_what_it_raises_goes_through(self) -> None:
        class NoError(BaseException):
            pass

        for error in (KeyError("a"), SystemExit(3), NoError("b")):

            def fail(question: str, error: BaseException = error) -> str:
                raise error

            async def fail_later(question: str, error: BaseException = error) -> str:
                raise error

            with pytest.raises(type(error)):
                answered(made(fail), "x")
            if isinstance(error, Exception):  # asyncio itself lets the others through at once
                with pytest.raises(type(error)):
                    answered(made(fail_later), "x")

    def test_a_sync_function_that_raises_stop_iteration(self) -> None:
        def answer(question: str) -> str:
            raise StopIteration("done")

        with pytest.raises(RuntimeError, match="StopIteration: done"):
            answered(made(answer), "x")

    def test_one_that_does_not_come_back_is_abandoned_and_counted(self) -> None:
        go_on = threading.Event()
        task = made(lambda q: go_on.wait(), timeout=0.05)
        try:
            with pytest.raises(Abandoned, match=r"^no answer within 0.05 s$"):
                answered(task, "x")
            assert task.abandoned == 1
        finally:
            go_on.set()


def test_what_a_function_does_to_its_arguments_is_nothing_to_the_next_trial() -> None:
    def answer(messages: list[dict[str, str]]) -> int:
        messages.append({"role": "assistant", "content": "x"})
        return len(messages)

    case = Case(id="c", input={"messages": [{"role": "user", "content": "hi"}]})
    task = made(answer)
    assert [asyncio.run(task.answer(case, trial)).output for trial in range(3)] == [2, 2, 2]
