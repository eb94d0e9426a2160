import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch import Span, Usage, capture, current_trace_id, mark, note, record, span, traceparent
from gatewatch.core.money import Cost
from gatewatch.core.spans import Recorder, recorder
from gatewatch.online.process import stats
from online.capturing import Captured, capturing


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Captured]:
    with capturing(tmp_path / "spool") as captured:
        yield captured


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

    def test_steps_of_one_capture_object_in_several_tasks_are_not_mixed_up(self, kept: Captured) -> None:
        block = capture(flow="step")

        async def answer(name: str, before: list[asyncio.Event], after: asyncio.Event) -> None:
            with block as request:
                request.output = name
                after.set()
                for event in before:
                    await event.wait()

        async def both() -> None:
            entered = [asyncio.Event() for _ in range(3)]
            left = asyncio.Event()
            with capture(flow="outer"):
                await asyncio.gather(
                    answer("first", entered[1:2], entered[0]),  # left first, while the second is still open
                    answer("second", [left], entered[1]),
                    self._set_after(entered[1], left),
                )

        asyncio.run(both())
        assert [(each.name, each.output) for each in kept.trace().spans] == [("step", "first"), ("step", "second")]
        assert block._open == {} and current_trace_id() == ""

    @staticmethod
    async def _set_after(first: asyncio.Event, then: asyncio.Event) -> None:
        await first.wait()
        for _ in range(5):
            await asyncio.sleep(0)
        then.set()

    def test_a_block_left_in_another_thread_is_let_go_of(self, kept: Captured) -> None:
        from gatewatch.online.capture import _blocks

        block = capture(flow="b")
        block.__enter__()
        thread = threading.Thread(target=block.__exit__, args=(None, None, None))
        thread.start()
        thread.join()
        assert kept.trace().flow == "b"
        with block:
            assert len(_blocks.get()) == 1
        assert _blocks.get() == ()
        recorder.set(None)

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

    def test_of_a_request_without_end_only_so_many_steps_are_kept(
        self, kept: Captured, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("gatewatch.core.spans.MOST_LIVE_SPANS", 3)
        with capture(flow="x"):
            for number in range(6):
                with span(str(number)):
                    pass
        assert [each.name for each in kept.trace().spans] == ["0", "1", "2", "(more steps than are kept)"]

    def test_a_block_shared_by_threads_inside_requests_of_their_own(self, kept: Captured) -> None:
        block = capture(flow="step")
        gate = threading.Barrier(4)

        def answer(name: str) -> None:
            with capture(flow=name):
                gate.wait()
                with block as step:
                    gate.wait()
                    step.output = name

        threads = [threading.Thread(target=answer, args=(str(number),)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted((trace.flow, trace.spans[0].output) for trace in kept.traces()) == [(n, n) for n in "0123"]

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


class TestWhatAnApplicationMayDo:
    def test_nothing_of_it_raises(self, kept: Captured) -> None:
        from datetime import datetime

        class Unsure(str):
            def __bool__(self) -> bool:
                raise ValueError("unsure")

        class Keys:
            def keys(self) -> Any:
                raise RuntimeError("keys")

        def tags() -> Iterator[str]:
            yield "a"
            raise KeyError("tags")

        odd: Any = {"session": Unsure("s"), "tags": tags(), "versions": Keys()}
        with capture(flow="odd", **odd) as request:
            request.marks = 5  # type: ignore[assignment]
            mark("guardrail")
        assert (kept.trace().session, kept.trace().marks) == ("s", ("guardrail",))
        with capture(flow="x") as request:
            request.started = datetime.now()  # type: ignore[assignment]
        assert stats().dropped == {"error: TypeError": 1}

    def test_notes_that_cannot_be_kept_are_told_of(self, kept: Captured) -> None:
        wrong: Any = {"input_tokens": 3}
        with capture(flow="x"):
            note(versions="v3")  # type: ignore[arg-type]
            note(usage=Usage(1, 2))
            note(usage=wrong, versions={"prompt": "v1"})
        trace = kept.trace()
        assert (trace.usage, trace.versions) == (Usage(1, 2), {"prompt": "v1"})
        assert [flaw.partition(":")[0] for flaw in trace.flaws] == [
            "versions could not be noted",
            "usage could not be noted",
        ]

    @pytest.mark.parametrize("spans", [False, True])
    def test_names_are_cut_and_told_of(self, kept: Captured, spans: bool) -> None:
        long = "x" * 3_000_000
        with capture(flow=long, session=long, user=long, external_id=long, variant=long, tags=[long] * 1000) as request:
            request.marks = (long, "guardrail")
            for number in range(1000):
                mark(long, f"m{number}", "guardrail")
            if spans:
                with span("s"):
                    pass
        ((_, payload),) = kept.records()
        assert len(payload) < 32_000
        trace = kept.trace()
        assert len(trace.session) == len(trace.external_id) == len(trace.flow) == 400
        assert {"session was cut from 3000000 characters", "tags were cut"} <= set(trace.flaws)
        assert trace.marks == ("guardrail",)
