import asyncio
import gc
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from gatewatch import capture, current_trace_id, span
from online.capturing import Captured, capturing


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Captured]:
    with capturing(tmp_path / "spool", max_bytes=50_000) as captured:
        yield captured


@capture(flow="words")
def words(text: str) -> Iterator[str]:
    for word in text.split(" "):
        with span(word):
            yield word + " "


@capture(flow="later")
async def later(text: str) -> AsyncIterator[str]:
    for word in text.split(" "):
        await asyncio.sleep(0)
        yield word + " "


def test_texts_are_joined_and_the_first_is_timed(kept: Captured) -> None:
    assert list(words("a b c")) == ["a ", "b ", "c "]
    trace = kept.trace()
    assert (trace.input, trace.output, trace.error) == ("a b c", "a b c ", None)
    assert trace.first_token_s is not None and trace.latency_s is not None
    assert 0 <= trace.first_token_s <= trace.latency_s
    assert [each.name for each in trace.spans] == ["a", "b", "c"]


def test_an_asynchronous_stream(kept: Captured) -> None:
    async def read() -> list[str]:
        return [part async for part in later("a b")]

    assert asyncio.run(read()) == ["a ", "b "]
    assert (kept.trace().output, kept.trace().flow) == ("a b ", "later")
    assert kept.trace().first_token_s is not None


def test_other_items_are_listed_as_they_were_when_they_went_by(kept: Captured) -> None:
    @capture
    def items() -> Iterator[Any]:
        yield {"n": 1}
        yield "text"

    for item in items():
        if isinstance(item, dict):
            item["n"] = 2
    assert kept.trace().output == [{"n": 1}, "text"]


def test_a_stream_closed_early_says_so(kept: Captured) -> None:
    stream = words("a b c")
    assert next(stream) == "a "
    stream.close()  # type: ignore[attr-defined]
    found = kept.trace()
    assert (found.error, found.flaws, found.output) == (None, ("the stream was closed before its end",), "a ")


def test_a_stream_that_nobody_finishes_is_recorded_when_it_is_thrown_away(kept: Captured) -> None:
    stream = words("a b c")
    next(stream)
    del stream
    gc.collect()
    assert kept.trace().flaws == ("the stream was closed before its end",)


def test_an_asynchronous_stream_closed_early(kept: Captured) -> None:
    async def read() -> None:
        stream = later("a b c")
        async for _ in stream:
            break
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(read())
    assert kept.trace().flaws == ("the stream was closed before its end",)


def test_an_error_in_the_middle_is_recorded_and_goes_on(kept: Captured) -> None:
    @capture
    def fails() -> Iterator[str]:
        yield "a"
        raise ValueError("broken")

    @capture
    async def fails_later() -> AsyncIterator[str]:
        yield "a"
        raise ValueError("broken")

    async def read() -> None:
        async for _ in fails_later():
            pass

    with pytest.raises(ValueError, match="broken"):
        list(fails())
    with pytest.raises(ValueError, match="broken"):
        asyncio.run(read())
    for trace in kept.traces():
        assert trace.error is not None and trace.error.message == "ValueError: broken"
        assert trace.output == "a"


def test_between_two_items_the_request_is_nobodys(kept: Captured) -> None:
    ids = set()
    for _ in words("a b"):
        ids.add(current_trace_id())
        with capture(flow="between"):
            pass
    assert ids == {""}
    assert sorted(trace.flow for trace in kept.traces()) == ["between", "between", "words"]


def test_what_is_sent_and_thrown_in_arrives_and_what_is_returned_comes_out(kept: Captured) -> None:
    def original() -> Generator[str, str, str]:
        said = yield "first"
        try:
            yield said
        except KeyError:
            yield "caught"
        return "done"

    stream = capture(original)()
    assert next(stream) == "first"
    assert stream.send("hello") == "hello"
    assert stream.throw(KeyError()) == "caught"
    with pytest.raises(StopIteration) as stopped:
        next(stream)
    assert stopped.value.value == "done"
    assert kept.trace().output == "firsthellocaught"


def test_the_same_for_an_asynchronous_one(kept: Captured) -> None:
    @capture
    async def original() -> Any:
        said = yield "first"
        try:
            yield said
        except KeyError:
            yield "caught"

    async def drive() -> list[str]:
        stream = original()
        return [await stream.asend(None), await stream.asend("hello"), await stream.athrow(KeyError())]

    assert asyncio.run(drive()) == ["first", "hello", "caught"]


def test_a_generator_returned_by_a_function_is_followed(kept: Captured) -> None:
    def stream() -> Iterator[str]:
        yield "a"
        yield "b"

    async def stream_later() -> AsyncIterator[str]:
        yield "c"

    answer: Any = capture(lambda question: stream())
    answer_later: Any = capture(lambda question: stream_later())

    async def read() -> list[str]:
        return [part async for part in answer_later("q")]

    assert list(answer("q")) == ["a", "b"]
    assert asyncio.run(read()) == ["c"]
    assert [(trace.input, trace.output) for trace in kept.traces()] == [("q", "ab"), ("q", "c")]


def test_an_inner_stream_is_a_step_of_the_outer_request(kept: Captured) -> None:
    @capture(flow="outer")
    def outer() -> str:
        return "".join(words("a b"))

    outer()
    trace = kept.trace()
    assert [(each.name, each.output) for each in trace.spans] == [("words", "a b "), ("a", None), ("b", None)]


def test_a_stream_without_items_has_no_output(kept: Captured) -> None:
    @capture
    def nothing() -> Iterator[str]:
        yield from ()

    assert list(nothing()) == []
    assert kept.trace().output is None and kept.trace().first_token_s is None


def test_of_an_endless_stream_only_so_much_is_kept(kept: Captured) -> None:
    @capture
    def endless() -> Iterator[str]:
        for _ in range(2000):
            yield "x" * 100

    assert len("".join(endless())) == 200_000
    trace = kept.trace()
    assert trace.cut == {"output": 200_000}
    assert isinstance(trace.output, str) and 40_000 < len(trace.output) <= 50_100


def test_signals_only_keeps_no_parts(kept: Captured) -> None:
    @capture(payload=False)
    def secret() -> Iterator[str]:
        yield "secret"

    list(secret())
    assert kept.trace().output is None and kept.trace().first_token_s is not None and kept.trace().cut == {}


def test_a_stream_of_items_that_are_not_plain_is_bounded(tmp_path: Path) -> None:
    @capture
    def answer() -> Iterator[Any]:
        for _ in range(1000):
            yield {"score": float("nan"), "text": "x" * 1000}

    with capturing(tmp_path / "other", max_bytes=20_000) as kept:
        assert sum(1 for _ in answer()) == 1000
        trace = kept.trace()
    assert isinstance(trace.output, list) and len(trace.output) <= 21 and trace.cut["output"] > 20_000
