"""The recorded OTLP requests of real client libraries, and what they become."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

from gatewatch.core.trace import Trace, Usage, total_usage
from gatewatch.online.otlp.assemble import Assembled, assemble
from gatewatch.online.otlp.decode import JSON, PROTOBUF, Signal
from gatewatch.online.otlp.receive import Received, Rules, received
from gatewatch.store.rows import Piece
from shared import shared_path

SCENARIOS = (
    "js_vercel_ai_sdk",
    "langfuse_sdk",
    "load_oi_openai_600",
    "openinference_anthropic",
    "openinference_dspy",
    "openinference_langchain_rag_agent",
    "openinference_litellm",
    "openinference_llama_index",
    "openinference_openai",
    "otel_openai_v2_content",
    "otel_openai_v2_latest",
    "otel_openai_v2_nocontent",
    "pydantic_ai",
    "retry_duplicates_openai_v2",
    "traceloop_openllmetry",
)


class Request(NamedTuple):
    """A request as it was sent, unpacked."""

    signal: Signal
    content_type: str
    body: bytes


def index(scenario: str) -> dict[str, Any]:
    """What is known of a scenario's requests."""
    found: dict[str, Any] = json.loads(shared_path("data", "otlp", "index.json").read_text())[scenario]
    return found


def truth(scenario: str) -> dict[str, Any]:
    """What the provider really served in a scenario."""
    found: dict[str, Any] = json.loads(shared_path("data", "otlp", "truth.json").read_text())[scenario]
    return found


def requests(scenario: str) -> list[Request]:
    """A scenario's requests, in the order in which they were sent."""
    found = []
    for name, _ in index(scenario)["files"]:
        body = shared_path("data", "otlp", scenario, name).read_bytes()
        _, signal, *rest = name.split(".")
        if rest[-1] == "gz":
            body = gzip.decompress(body)
        found.append(Request(signal, JSON if rest[0] == "json" else PROTOBUF, body))
    return found


def all_received(given: Iterable[Request], rules: Rules = Rules()) -> list[Received]:  # noqa: B008
    return [received(each.body, each.content_type, each.signal, rules) for each in given]


def gathered(found: Iterable[Received]) -> dict[str, list[bytes]]:
    """The bodies of each trace, each piece once, as a store gathers them."""
    pieces: dict[tuple[str, str, str], Piece] = {}
    for each in found:
        for piece in each.pieces:
            pieces.setdefault((piece.trace, piece.span, piece.part), piece)
    traces: defaultdict[str, list[bytes]] = defaultdict(list)
    for key in sorted(pieces):
        traces[key[0]].append(pieces[key].body)
    return traces


def assembled(given: Iterable[Request], rules: Rules = Rules()) -> list[Assembled]:  # noqa: B008
    return [assemble(bodies) for bodies in gathered(all_received(given, rules)).values()]


def traces(scenario: str, rules: Rules = Rules()) -> list[Trace]:  # noqa: B008
    return [each.trace for each in assembled(requests(scenario), rules)]


def total(found: Iterable[Trace]) -> Usage:
    return total_usage(each.usage for each in found) or Usage()


def calls(found: Iterable[Trace]) -> tuple[int, int]:
    """How many model calls were answered, and how many failed."""
    models = [span for each in found for span in each.spans if span.kind == "llm"]
    return sum(span.error is None for span in models), sum(span.error is not None for span in models)
