import asyncio
import functools
import inspect
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatewatch
from gatewatch import Usage, capture, current_trace_id, feedback, mark, note, record, span, traceparent
from gatewatch.core.money import Cost
from gatewatch.online.process import configure, stats
from online.capturing import Captured, capturing


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Captured]:
    with capturing(tmp_path / "spool") as captured:
        yield captured


class TestFunctions:
    def test_a_call_is_one_trace(self, kept: Captured) -> None:
        @capture(flow="support")
        def answer(question: str) -> str:
            """Answer."""
            assert len(current_trace_id()) == 32
            return f"to {question}"

        assert answer("why?") == "to why?"
        assert current_trace_id() == ""
        trace = kept.trace()
        assert (trace.flow, trace.input, trace.output, trace.error) == ("support", "why?", "to why?", None)
        assert trace.latency_s is not None and trace.latency_s >= 0
        assert trace.started is not None and trace.started > 1.7e9
        assert len(trace.id) == 32 and trace.flaws == ()

    def test_a_decorator_needs_no_brackets_and_the_flow_is_then_the_functions_name(self, kept: Captured) -> None:
        @capture
        def answer() -> None: ...

        answer()
        assert (kept.trace().flow, kept.trace().input) == ("answer", {})

    def test_identity_and_signature_are_kept(self) -> None:
        def answer(question: str, *, tone: str = "kind") -> str:
            """Answer."""
            return question + tone

        made = capture(answer)
        assert (made.__name__, made.__doc__, made.__module__) == ("answer", "Answer.", answer.__module__)
        assert inspect.signature(made) == inspect.signature(answer)
        assert made.__wrapped__ is answer  # type: ignore[attr-defined]

    def test_the_kind_of_a_function_is_kept(self) -> None:
        async def coroutine() -> None: ...
        def generator() -> Any:
            yield 1

        async def stream() -> Any:
            yield 1

        assert inspect.iscoroutinefunction(capture(coroutine))
        assert inspect.isgeneratorfunction(capture(generator))
        assert inspect.isasyncgenfunction(capture(stream))

    def test_one_frame_is_added_to_the_stack(self, kept: Captured) -> None:
        def depth() -> int:
            return len(inspect.stack(0))

        assert capture(depth)() == depth() + 1

    def test_an_async_call(self, kept: Captured) -> None:
        @capture(flow="a")
        async def answer(question: str) -> str:
            await asyncio.sleep(0)
            return question.upper()

        async def both() -> list[str]:
            return list(await asyncio.gather(answer("x"), answer("y")))

        assert asyncio.run(both()) == ["X", "Y"]
        assert {trace.output for trace in kept.traces()} == {"X", "Y"}
        assert len({trace.id for trace in kept.traces()}) == 2

    def test_a_method_a_class_method_and_a_static_method(self, kept: Captured) -> None:
        class Bot:
            @capture
            def one(self, question: str) -> str:
                return question

            @capture
            @classmethod
            def two(cls, question: str) -> str:
                return question

            @classmethod
            @capture
            def three(cls, question: str) -> str:
                return question

            @capture
            @staticmethod
            def four(question: str) -> str:
                return question

        bot = Bot()
        assert [bot.one("1"), Bot.two("2"), bot.three("3"), bot.four("4")] == ["1", "2", "3", "4"]
        assert [trace.input for trace in kept.traces()] == ["1", "2", "3", "4"]

    def test_an_object_that_can_be_called(self, kept: Captured) -> None:
        class Bot:
            async def __call__(self, question: str) -> str:
                return question

        assert asyncio.run(capture(Bot())("q")) == "q"
        assert (kept.trace().input, kept.trace().flow) == ("q", "Bot")

    def test_a_partial(self, kept: Captured) -> None:
        def answer(tone: str, question: str) -> str:
            return tone + question

        assert capture(functools.partial(answer, "kind"))("q") == "kindq"
        assert kept.trace().input == "q"

    def test_a_function_that_returns_a_coroutine_is_captured_until_that_is_done(self, kept: Captured) -> None:
        async def later(question: str) -> str:
            with span("inside"):
                return question

        answer: Any = capture(lambda question: later(question))
        assert asyncio.run(answer("q")) == "q"
        assert (kept.trace().output, kept.trace().spans[0].name) == ("q", "inside")

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_an_error_is_recorded_and_goes_on(self, kept: Captured, asynchronous: bool) -> None:
        def fail() -> None:
            raise LookupError("nothing there")

        async def fail_later() -> None:
            fail()

        with pytest.raises(LookupError) as raised:
            asyncio.run(capture(fail_later)()) if asynchronous else capture(fail)()
        assert raised.traceback[-1].name == "fail"
        error = kept.trace().error
        assert error is not None and error.message == "LookupError: nothing there" and error.kind == "error"
        assert "in fail" in error.detail and "gatewatch/online" not in error.detail

    def test_a_time_out_is_told_from_an_error(self, kept: Captured) -> None:
        @capture
        def slow() -> None:
            raise TimeoutError

        with pytest.raises(TimeoutError):
            slow()
        error = kept.trace().error
        assert error is not None and error.kind == "timeout"

    def test_a_cancelled_request_is_recorded(self, kept: Captured) -> None:
        @capture
        async def wait() -> None:
            await asyncio.Event().wait()

        async def cancel() -> None:
            task = asyncio.create_task(wait())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        error = kept.trace().error
        assert error is not None and error.message.startswith("CancelledError")

    @pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt])
    def test_what_ends_the_process_is_recorded_and_goes_on(self, kept: Captured, kind: type[BaseException]) -> None:
        @capture
        def leave() -> None:
            raise kind

        with pytest.raises(kind):
            leave()
        assert kept.trace().error is not None

    def test_a_wrong_call_fails_as_without_capture(self, kept: Captured) -> None:
        @capture
        def answer(question: str) -> str:
            return question

        with pytest.raises(TypeError, match="unexpected keyword argument 'no'"):
            answer("x", no=1)  # type: ignore[call-arg]
        assert kept.trace().input == {"question": "x", "no": 1}

    def test_what_is_changed_afterwards_is_recorded_as_it_was(self, kept: Captured) -> None:
        @capture
        def answer(messages: list[dict[str, str]]) -> list[str]:
            messages.append({"role": "assistant"})
            return output

        output = ["a"]
        answer([{"role": "user"}])
        output.append("b")
        assert kept.trace().input == {"messages": [{"role": "user"}]}
        assert kept.trace().output == ["a"]


class TestOptions:
    def test_text_and_functions_of_the_arguments(self, kept: Captured) -> None:
        @capture(
            flow="chat",
            session=lambda arguments: arguments["chat"],
            user=lambda arguments: arguments["who"],
            external_id="m1",
            variant=lambda arguments: "b",
            tags=lambda arguments: ["vip", arguments["chat"]],
            versions=lambda arguments: {"prompt": "v3"},
            input="question",
        )
        def answer(question: str, chat: str, who: str = "jane@example.com") -> str:
            return question

        answer("q", chat="c1")
        trace = kept.trace()
        assert (trace.session, trace.external_id, trace.variant) == ("c1", "m1", "b")
        assert (trace.tags, trace.versions, trace.input) == (("vip", "c1"), {"prompt": "v3"}, "q")
        assert len(trace.user) == 34 and b"jane" not in b"".join(payload for _, payload in kept.records())

    def test_options_that_are_wrong_never_raise(self, kept: Captured) -> None:
        wrong: Any = 7
        with capture(flow=wrong, session=wrong, tags=wrong, versions=wrong, traceparent=wrong, user=wrong) as request:
            request.mark(wrong)
            request.versions = wrong
            request.usage = request.cost = request.tags = wrong
        assert (kept.trace().flow, kept.trace().session, kept.trace().tags) == ("7", "7", ("7",))

    def test_one_that_fails_is_left_out_and_told_of(self, kept: Captured) -> None:
        @capture(session=lambda arguments: arguments["nowhere"])
        def answer() -> str:
            return "a"

        assert answer() == "a"
        assert (kept.trace().session, kept.trace().flaws) == ("", ("session could not be told: KeyError",))

    def test_the_same_user_has_the_same_hash_and_another_key_another(self, tmp_path: Path) -> None:
        users = []
        for folder, key in (("a", ""), ("a", ""), ("b", ""), ("c", "k"), ("d", "k")):
            with capturing(tmp_path / folder, user_key=key) as kept:
                record(user="jane")
                users.append(kept.traces()[-1].user)
        assert users[0] == users[1] and users[3] == users[4]
        assert len(set(users)) == 3

    def test_the_key_of_users_is_the_owners_alone(self, kept: Captured) -> None:
        record(user="jane")
        kept.records()
        assert (kept.folder / "user.key").stat().st_mode & 0o777 == 0o600
        assert kept.folder.stat().st_mode & 0o777 == 0o700

    def test_signals_only(self, kept: Captured) -> None:
        @capture(payload=False, session="s")
        def answer(question: str) -> str:
            with span("model", kind="llm", input=question) as call:
                call.usage, call.cost = Usage(3, 4), 0.5
            note(context="secret passage")
            return "secret"

        answer("secret")
        trace = kept.trace()
        assert b"secret" not in b"".join(payload for _, payload in kept.records())
        assert (trace.usage, trace.cost, trace.session, trace.spans) == (Usage(3, 4), Cost(0.5), "s", ())
        assert trace.latency_s is not None

    def test_nothing_is_captured_where_it_is_switched_off(self, tmp_path: Path) -> None:
        with capturing(tmp_path / "spool", enabled=False):
            assert capture(lambda question: question)("q") == "q"
            with capture(flow="x") as request:
                request.output = "a"
            assert record(flow="x") == "" and not (tmp_path / "spool").exists()
            feedback("t", thumbs="up")


class TestTraceContext:
    HEADER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    def test_an_incoming_trace_goes_on(self, kept: Captured) -> None:
        @capture(traceparent=lambda arguments: arguments["headers"].get("traceparent"), input="question")
        def answer(question: str, headers: dict[str, str]) -> str:
            return traceparent()

        sent = answer("q", {"traceparent": self.HEADER})
        trace = kept.trace()
        assert trace.id == "0af7651916cd43dd8448eb211c80319c" and trace.parent_id == "b7ad6b7169203331"
        assert sent == f"00-{trace.id}-{trace.span_id}-01"

    @pytest.mark.parametrize("header", ["", "nonsense", "00-" + "0" * 32 + "-b7ad6b7169203331-01", None, 3])
    def test_one_that_is_not_valid_is_ignored(self, kept: Captured, header: Any) -> None:
        with capture(flow="x", traceparent=header):
            pass
        assert len(kept.trace().id) == 32 and kept.trace().parent_id == ""

    def test_outside_of_a_request_there_is_none(self) -> None:
        assert traceparent() == ""


class TestMarks:
    def test_an_unknown_mark_is_told_of(self, kept: Captured, caplog: pytest.LogCaptureFixture) -> None:
        with capture(flow="x"):
            mark("guardrail", "gardrail")
        assert (kept.trace().marks, kept.trace().flaws) == (("guardrail",), ("unknown mark 'gardrail'",))
        assert "there is no mark 'gardrail'" in caplog.text

    def test_outside_of_a_request_nothing_happens(self) -> None:
        mark("guardrail")


def test_threads_record_apart(kept: Captured) -> None:
    @capture
    def answer(number: int) -> int:
        with span(str(number)):
            return number

    threads = [threading.Thread(target=lambda n=n: [answer(n) for _ in range(50)]) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = kept.traces()
    assert len({trace.id for trace in found}) == 400
    assert all(trace.spans[0].name == str(trace.output) for trace in found)


def test_the_public_names_work(tmp_path: Path) -> None:
    with capturing(tmp_path / "spool"):
        gatewatch.configure(flow="all")
        with gatewatch.capture(input="q"):
            pass
        assert gatewatch.flush()
        assert stats().written == 1
        configure(flow="")
