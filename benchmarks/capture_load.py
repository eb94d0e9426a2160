"""One process that captures with Gatewatch, with the OpenTelemetry SDK, or not at all, and prints what that cost it.

`python -m benchmarks.capture_load tight|paced KIND FOLDER [SECONDS]`, for `benchmarks.capture`. It needs only
msgspec, and the SDK for its part.
"""

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

SENTENCE = "The refund window is thirty days from delivery, and the parcel has to be sent back whole. "
QUESTION, ANSWER = (SENTENCE * 22)[:1950], (SENTENCE[::-1] * 22)[:1950]  # with what goes with them, a record of 4 KB
MESSAGES = [{"role": "user", "content": QUESTION[:480]} for _ in range(4)]
RATE, WARM = 400, 200


Answer = Callable[[Any], Any]
Started = tuple[Answer, Callable[[], object]]
"""A function that answers, and one that waits until all is written."""


def none(_: Path) -> Started:
    """Nothing is captured."""
    return (lambda _: ANSWER), (lambda: None)


def gatewatch_text(folder: Path, **options: Any) -> Started:
    """A question and an answer."""
    import gatewatch

    gatewatch.configure(spool=folder / "spool")

    @gatewatch.capture(flow="support", **options)
    def answer(question: Any) -> Any:  # noqa: ARG001
        return ANSWER

    return answer, lambda: gatewatch.flush(60)


def gatewatch_chat(folder: Path) -> Started:
    """A conversation and an answer, and what an application knows of them."""
    import gatewatch

    gatewatch.configure(spool=folder / "spool")

    @gatewatch.capture(
        flow="support", session="chat-17", user="u-4711", variant="b", tags=["vip"], versions={"prompt": "v3"}
    )
    def answer(messages: Any) -> Any:  # noqa: ARG001
        gatewatch.note(usage=gatewatch.Usage(812, 310), versions={"model": "gpt-5-mini"})
        return ANSWER

    return answer, lambda: gatewatch.flush(60)


def _otel(folder: Path) -> tuple[Any, Callable[[], object]]:
    """The SDK as its documentation sets it up; its exporter writes no more than we do, and as cheaply."""
    import msgspec
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class FileExporter(SpanExporter):  # type: ignore[misc,unused-ignore]
        def __init__(self) -> None:
            self.file = (folder / "spans").open("ab", buffering=0)

        def export(self, spans: Any) -> Any:
            lines = [
                msgspec.json.encode(
                    (f"{s.context.trace_id:032x}", s.name, s.start_time, s.end_time, dict(s.attributes))
                )
                for s in spans
            ]
            self.file.write(b"\n".join(lines))
            return SpanExportResult.SUCCESS

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(FileExporter(), max_queue_size=8192))
    return provider.get_tracer("benchmark"), lambda: provider.force_flush(60_000)


def otel_text(folder: Path) -> Started:
    """A question and an answer, as two attributes."""
    tracer, flush = _otel(folder)

    def answer(question: Any) -> Any:
        with tracer.start_as_current_span("support") as span:
            span.set_attribute("input", question)
            span.set_attribute("output", ANSWER)
            return ANSWER

    return answer, flush


def otel_chat(folder: Path) -> Started:
    """A conversation and what is known of it, by the names of the semantic conventions, in which messages are JSON."""
    tracer, flush = _otel(folder)

    def answer(messages: Any) -> Any:
        with tracer.start_as_current_span("support") as span:
            span.set_attribute("gen_ai.conversation.id", "chat-17")
            span.set_attribute("enduser.id", "u-4711")
            span.set_attribute("app.variant", "b")
            span.set_attribute("app.tags", ["vip"])
            span.set_attribute("app.version.prompt", "v3")
            span.set_attribute("gen_ai.input.messages", json.dumps(messages))
            span.set_attribute("gen_ai.request.model", "gpt-5-mini")
            span.set_attribute("gen_ai.usage.input_tokens", 812)
            span.set_attribute("gen_ai.usage.output_tokens", 310)
            span.set_attribute("gen_ai.output.messages", ANSWER)
            return ANSWER

    return answer, flush


KINDS: dict[str, Callable[[Path], Started]] = {
    "none": none,
    "gatewatch text": gatewatch_text,
    "gatewatch chat": gatewatch_chat,
    "gatewatch signals": lambda folder: gatewatch_text(folder, payload=False),
    "otel text": otel_text,
    "otel chat": otel_chat,
}


def tight(answer: Answer, flush: Callable[[], object], given: Any, *, calls: int = 2000) -> float:
    """Microseconds of the caller's CPU per call, the least of several loops."""
    best = float("inf")
    for _ in range(9):
        began = time.thread_time()
        for _ in range(calls):
            answer(given)
        best = min(best, time.thread_time() - began)
        flush()
    return best / calls * 1e6


async def paced(answer: Answer, given: Any, seconds: float) -> dict[str, float]:
    """Requests at an even rate, each with some work of its own, as an application has."""
    document = {"orders": [{"id": n, "note": SENTENCE, "lines": list(range(20))} for n in range(25)]}
    took: list[float] = []

    async def handle() -> None:
        for _ in range(2):
            json.loads(json.dumps(document))
            await asyncio.sleep(0)
        began = time.perf_counter()
        answer(given)
        took.append(time.perf_counter() - began)

    tasks: set[asyncio.Task[None]] = set()
    started, cpu = time.perf_counter(), time.process_time()
    number = int(RATE * seconds)
    for place in range(number):
        await asyncio.sleep(max(0.0, started + place / RATE - time.perf_counter()))
        task = asyncio.create_task(handle())
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    await asyncio.gather(*tasks)
    wall, cpu = time.perf_counter() - started, time.process_time() - cpu
    took = sorted(took[WARM:])
    return {
        "p50": took[len(took) // 2] * 1e6,
        "p99": took[int(len(took) * 0.99)] * 1e6,
        "cpu": 100 * cpu / wall,
    }


def main() -> None:
    """Measure one thing, and print it as JSON."""
    mode, kind, folder = sys.argv[1], sys.argv[2], Path(sys.argv[3])
    answer, flush = KINDS[kind](folder)
    given = MESSAGES if kind.endswith("chat") else QUESTION
    if mode == "tight":
        print(json.dumps({"us": tight(answer, flush, given)}))
    else:
        print(json.dumps(asyncio.run(paced(answer, given, float(sys.argv[4])))))
        flush()


if __name__ == "__main__":
    main()
