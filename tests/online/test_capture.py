import asyncio
import functools
import inspect
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import gatewatch
from gatewatch import Span, Usage, capture, current_trace_id, feedback, mark, note, record, span, traceparent
from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder, recorder
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
        assert len(trace.user) == 24 and b"jane" not in b"".join(payload for _, payload in kept.records())

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


class TestBlocks:
    def test_a_block(self, kept: Captured) -> None:
        with capture(flow="b", input={"q": 1}, session="s") as request:
            assert current_trace_id() == request.trace_id
            request.output = {"a": [1, 2.5, None]}
            request.usage, request.cost = Usage(1, 2), 0.25  # type: ignore[assignment]
            request.context = ["p1", {"text": "p2"}]
            request.tags, request.external_id, request.variant = ["t"], "m1", "b"
            request.versions["prompt"] = "v1"
            request.first_token_s = 0.5
            request.mark("guardrail", "guardrail", "escalated")
        trace = kept.trace()
        assert (trace.input, trace.output) == ({"q": 1}, {"a": [1, 2.5, None]})
        assert (trace.usage, trace.cost, trace.context) == (Usage(1, 2), Cost(0.25), ("p1", {"text": "p2"}))
        assert (trace.tags, trace.external_id, trace.variant) == (("t",), "m1", "b")
        assert (trace.versions, trace.first_token_s) == ({"prompt": "v1"}, 0.5)
        assert (trace.marks, trace.session, trace.flow) == (("guardrail", "escalated"), "s", "b")

    def test_what_is_set_or_changed_after_the_end_is_not_recorded(self, kept: Captured) -> None:
        tags, output, versions = ["a"], {"n": [1]}, {"prompt": "v1"}
        with capture(flow="b", input=[1]) as request:
            request.output, request.tags, request.versions = output, tags, versions
            request.usage = {"input_tokens": 1}  # type: ignore[assignment]
        output["n"].append(2)
        tags.append("b")
        versions["prompt"] = "v2"
        request.output = request.session = "late"
        request.mark("guardrail", "nonsense")
        trace = kept.trace()
        assert (trace.output, trace.tags, trace.versions) == ({"n": [1]}, ("a",), {"prompt": "v1"})
        assert (trace.session, trace.marks, trace.flaws, trace.usage) == ("", (), (), Usage(1))

    def test_an_asynchronous_block(self, kept: Captured) -> None:
        async def answer() -> None:
            async with capture(flow="b", input="q") as request:
                await asyncio.sleep(0)
                request.output = "a"

        asyncio.run(answer())
        assert (kept.trace().input, kept.trace().output) == ("q", "a")

    def test_an_error_passes_through_a_block(self, kept: Captured) -> None:
        with pytest.raises(KeyError), capture(flow="b"):
            raise KeyError("k")
        assert kept.trace().error is not None

    def test_messages_are_a_conversation_and_other_values_an_object(self, kept: Captured) -> None:
        for given in ([{"role": "user", "content": "x"}], [1, 2], None, 3):
            with capture(flow="b", input=given):
                pass
        assert [trace.input for trace in kept.traces()] == [
            {"messages": [{"role": "user", "content": "x"}]},
            {"input": [1, 2]},
            "",
            {"input": 3},
        ]

    def test_a_block_used_by_several_tasks_at_once(self, kept: Captured) -> None:
        block = capture(flow="shared")

        async def answer(name: str) -> None:
            async with block as request:
                await asyncio.sleep(0)
                request.output = name

        async def all_of_them() -> None:
            await asyncio.gather(*(answer(str(number)) for number in range(5)))

        asyncio.run(all_of_them())
        assert sorted(str(trace.output) for trace in kept.traces()) == list("01234")
        assert current_trace_id() == ""

    def test_a_block_left_in_another_context_is_recorded_and_is_nobodys_request(self, kept: Captured) -> None:
        import contextvars

        block = capture(flow="b")
        block.__enter__()
        contextvars.copy_context().run(block.__exit__, None, None, None)
        assert kept.trace().flow == "b"
        assert current_trace_id() == ""
        after: Any = capture(lambda: "x")
        after()
        assert len(kept.traces()) == 2
        recorder.set(None)


class TestNested:
    def test_an_inner_request_is_a_step_of_the_outer(self, kept: Captured) -> None:
        @capture(flow="inner", session="s", tags=["t"])
        def inner(question: str) -> str:
            with span("search", kind="retrieval"):
                pass
            mark("guardrail")
            return question.upper()

        @capture(flow="outer")
        def outer(question: str) -> str:
            first = current_trace_id()
            with capture(flow="block", input="x") as request:
                request.output, request.versions = "y", {"prompt": "v1"}
                assert current_trace_id() == first == request.trace_id
            return inner(question)

        assert outer("q") == "Q"
        trace = kept.trace()
        assert trace.flow == "outer" and (trace.session, trace.tags) == ("s", ("t",))
        assert [(each.name, each.kind, each.parent) for each in trace.spans] == [
            ("block", "step", None),
            ("inner", "step", None),
            ("search", "retrieval", 1),
        ]
        assert (trace.spans[1].input, trace.spans[1].output) == ("q", "Q")
        assert (trace.spans[0].input, trace.spans[0].output) == ("x", "y")
        assert (trace.marks, trace.versions) == (("guardrail",), {"prompt": "v1"})

    def test_an_inner_error_is_the_steps(self, kept: Captured) -> None:
        @capture
        def inner() -> None:
            raise ValueError("inner")

        @capture
        def outer() -> str:
            try:
                inner()
            except ValueError:
                return "saved"
            return "not"

        outer()
        trace = kept.trace()
        assert trace.error is None and trace.output == "saved"
        assert trace.spans[0].error is not None and trace.spans[0].error.message == "ValueError: inner"

    def test_usage_and_cost_are_summed_from_model_calls(self, kept: Captured) -> None:
        with capture(flow="x"):
            for number in (1, 2):
                with span("model", kind="llm") as call:
                    call.usage, call.cost = Usage(10, number), 0.1
            with span("tool", kind="tool") as tool:
                tool.usage = Usage(1000, 1000)
        assert kept.trace().usage == Usage(20, 3)
        assert kept.trace().cost == Cost(0.2)

    def test_a_cost_that_is_not_stated_by_all_is_left_to_the_worker(self, kept: Captured) -> None:
        with capture(flow="x"):
            with span("model", kind="llm") as call:
                call.cost = 0.1
            with span("model", kind="llm"):
                pass
        assert kept.trace().cost is None

    def test_what_is_noted_is_recorded(self, kept: Captured) -> None:
        with capture(flow="x") as request:
            note(context=["p"], usage=Usage(1), cost=0.5, versions={"prompt": "v1"})
            request.output = 1
        trace = kept.trace()
        assert (trace.context, trace.usage, trace.cost) == (("p",), Usage(1), Cost(0.5))
        assert trace.versions == {"prompt": "v1"}

    def test_a_task_that_outlives_its_request_begins_requests_of_its_own(self, kept: Captured) -> None:
        @capture
        async def late() -> str:
            return "late"

        tasks: list[asyncio.Task[str]] = []

        @capture
        async def outer() -> None:
            async def after() -> str:
                await asyncio.sleep(0)
                await asyncio.sleep(0)
                return await late()

            tasks.append(asyncio.create_task(after()))

        async def run() -> None:
            await outer()
            await tasks[0]

        asyncio.run(run())
        assert [trace.flow for trace in kept.traces()] == ["outer", "late"]

    def test_inside_an_offline_run_nothing_is_captured(self, kept: Captured) -> None:
        run = Recorder("ab" * 16)
        token = recorder.set(run)
        try:
            assert capture(lambda question: question)("q") == "q"
            assert list(capture(lambda: (yield 1))()) == [1]
            with capture(flow="x") as request:
                request.output = "a"
            assert current_trace_id() == "ab" * 16 and traceparent() == ""
            mark("guardrail")
        finally:
            recorder.reset(token)
        assert kept.traces() == [] and run.spans == []


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


class TestRecord:
    def test_a_request_after_the_fact(self, kept: Captured) -> None:
        made = record(
            flow="r",
            input="q",
            output=["a"],
            context="c",
            spans=[Span(name="s", kind="llm", usage=Usage(1, 2), cost=0.5)],
            started=1000.0,
            latency_s=0.25,
            error="it failed",
            tags=["t"],
            marks=["guardrail"],
            versions={"prompt": "v1"},
            external_id="m1",
        )
        trace = kept.trace()
        assert trace.id == made and trace.error is not None and trace.error.message == "it failed"
        assert (trace.started, trace.latency_s, trace.cost, trace.usage) == (1000.0, 0.25, Cost(0.5), Usage(1, 2))
        assert (trace.tags, trace.marks, trace.versions, trace.context) == (
            ("t",),
            ("guardrail",),
            {"prompt": "v1"},
            "c",
        )

    def test_wrong_values_are_left_out_and_told_of(self, kept: Captured) -> None:
        record(
            flow=3,  # type: ignore[arg-type]
            started=float("nan"),
            latency_s=-1.0,
            cost=float("inf"),
            usage={"input_tokens": "many"},  # type: ignore[arg-type]
            tags="one",
            marks="nonsense",
            versions={1: 2},  # type: ignore[dict-item]
            spans=[Span(name=3, kind="odd", usage=Usage("x"))],  # type: ignore[arg-type]
        )
        trace = kept.trace()
        assert (trace.flow, trace.tags, trace.versions, trace.cost) == ("3", ("one",), {"1": "2"}, Cost(unknown=1))
        assert trace.latency_s is None and trace.started is not None and trace.started > 1.7e9
        assert (trace.spans[0].name, trace.spans[0].kind, trace.spans[0].usage) == ("3", "step", None)
        assert len(trace.flaws) == 5

    def test_spans_that_are_none_are_counted_as_an_error(self, kept: Captured, caplog: Any) -> None:
        assert record(flow="x", spans=[3]) == ""  # type: ignore[list-item]
        assert sum(stats().dropped.values()) == 1 and "could not be recorded" in caplog.text


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
