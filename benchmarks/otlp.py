"""OTLP from the bytes of a request to where a trace can be asked for: microseconds of CPU a span, on one core.

The bodies are like those of an instrumented service: a request's own span around a model call in OpenInference, of a
few hundred characters each way, 512 spans a body.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.measure import Report
from benchmarks.online import WORDS
from gatewatch.models.prices import Prices
from gatewatch.online.ingest import Ways
from gatewatch.online.otlp.assemble import assemble
from gatewatch.online.otlp.decode import PROTOBUF
from gatewatch.online.otlp.receive import Received, Rules, received
from gatewatch.online.otlp.redacting import Cleaning
from gatewatch.online.settle import Pauses, settle
from gatewatch.store.open import open_store

TRACES = 10_240
BODY = 256
NOW = 1_790_000_000.0
KEPT, REDACTED = Rules(), Rules(cleaning=Cleaning(pii=True))


def bodies(random: Random, traces: int = TRACES) -> list[bytes]:
    """Requests of OTLP, each with the spans of 256 traces."""
    return [body(random, BODY) for _ in range(traces // BODY)]


def body(random: Random, traces: int) -> bytes:
    """One request of OTLP with two spans a trace."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    def text(words: int) -> str:
        return " ".join(random.choice(WORDS) for _ in range(words))

    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    attribute(group.resource, "service.name", "support")
    scope = group.scope_spans.add()
    for _ in range(traces):
        trace, root = random.randbytes(16), random.randbytes(8)
        started = int((NOW - random.random() * 3600) * 1e9)
        question, answer = text(60), text(60)
        call = scope.spans.add(trace_id=trace, span_id=random.randbytes(8), parent_span_id=root, name="ChatCompletion")
        call.start_time_unix_nano, call.end_time_unix_nano = started + 1_000_000, started + 400_000_000
        call.status.code = 1
        said: dict[str, str | int] = {
            "openinference.span.kind": "LLM",
            "llm.system": "openai",
            "input.value": f'{{"model": "gpt-5-mini", "messages": [{{"role": "user", "content": "{question}"}}]}}',
            "input.mime_type": "application/json",
            "output.value": f'{{"choices": [{{"message": {{"role": "assistant", "content": "{answer}"}}}}]}}',
            "output.mime_type": "application/json",
            "llm.invocation_parameters": '{"model": "gpt-5-mini", "temperature": 0.2}',
            "llm.input_messages.0.message.role": "user",
            "llm.input_messages.0.message.content": question,
            "llm.output_messages.0.message.role": "assistant",
            "llm.output_messages.0.message.content": answer,
            "llm.model_name": "gpt-5-mini",
            "llm.token_count.prompt": 90,
            "llm.token_count.completion": 80,
            "llm.token_count.total": 170,
            "llm.token_count.prompt_details.cache_read": 40,
            "llm.finish_reason": "stop",
        }
        for key, value in said.items():
            attribute(call, key, value)
        outer = scope.spans.add(trace_id=trace, span_id=root, name="POST /chat")
        outer.start_time_unix_nano, outer.end_time_unix_nano = started, started + 401_000_000
        attribute(outer, "http.route", "/chat")
        attribute(outer, "session.id", f"s{random.randrange(traces)}")
    return bytes(request.SerializeToString())


def attribute(owner: Any, key: str, value: str | int) -> None:
    """Add an attribute to a message of OTLP."""
    pair = owner.attributes.add(key=key)
    if isinstance(value, int):
        pair.value.int_value = value
    else:
        pair.value.string_value = value


def cpu(work: Callable[[], object]) -> float:
    """CPU seconds that some work took."""
    before = time.process_time()
    work()
    return time.process_time() - before


def read(given: Sequence[bytes], rules: Rules) -> list[Received]:
    """What is made of some bodies."""
    return [received(each, PROTOBUF, "traces", rules) for each in given]


def main() -> None:
    """Print the figures."""
    report = Report()
    given = bodies(Random(1))
    spans = 2 * TRACES
    for name, rules, limit in (("as they are", KEPT, 60), ("redacted", REDACTED, 110)):
        took = cpu(lambda rules=rules: read(given, rules))  # type: ignore[misc]
        report.line(f"bytes to encoded parts, {name}: CPU", took / spans * 1e6, "us a span", limit=limit)
    pieces = [each.pieces for each in read(given, KEPT)]
    traces: dict[str, list[bytes]] = {}
    for each in (piece for body in pieces for piece in body):
        traces.setdefault(each.trace, []).append(each.body)
    took = cpu(lambda: [assemble(each) for each in traces.values()])
    report.line("parts to a trace of two spans: CPU", took / TRACES * 1e6, "us a trace", limit=150)

    store = open_store(Path(tempfile.mkdtemp()) / "store.db")
    wall = time.perf_counter()
    staged = cpu(lambda: [store.stage(each, NOW) for each in pieces])
    report.line("staging in SQLite: CPU", staged / spans * 1e6, "us a span", limit=60)
    ways = Ways(price=Prices({}).cost)

    def all_settled() -> None:
        while settle(store, ways, clock=lambda: NOW + 100, pauses=Pauses()).more:
            pass

    settled = cpu(all_settled)
    report.line("settling into SQLite, priced: CPU", settled / TRACES * 1e6, "us a trace", limit=500)
    per_span = (cpu(lambda: read(given, KEPT)) + staged + settled) / spans
    wall = time.perf_counter() - wall
    print(
        f"bytes to queryable: {1 / per_span:,.0f} spans/s by CPU seconds of one core, {spans / wall:,.0f} by the wall"
    )
    report.line("bytes to queryable, redaction off: CPU", per_span * 1e6, "us a span", limit=300)
    assert store.counts().traces == TRACES
    store.close()
    report.exit()


if __name__ == "__main__":
    main()
