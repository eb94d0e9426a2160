"""Client libraries as they come from the registry, in an environment of their own, pointed at a server."""

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatewatch.checks.provider import FakeProvider
from live.serving import TOML, process, token
from shared import ROOT, required

PYTHON = ROOT / ".venv-clients" / "bin" / "python"
WHOLE = TOML.replace('redact = "off"', "")
USER = "jane.doe@example.com"

OPENINFERENCE = """
import os, openai
from openinference.instrumentation import using_attributes
from openinference.instrumentation.openai import OpenAIInstrumentor
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
OpenAIInstrumentor().instrument(tracer_provider=provider)
client = openai.OpenAI(max_retries=0)
for number in range(5):
    with using_attributes(session_id=f"chat-{number // 2}", user_id="jane.doe@example.com"):
        with trace.get_tracer("app").start_as_current_span("support"):
            client.chat.completions.create(model="m", messages=[{"role": "user", "content": f"Question {number}?"}])
provider.shutdown()
"""

LANGFUSE = """
import os
from langfuse import Langfuse, observe, propagate_attributes

client = Langfuse()

@observe(name="search", as_type="tool")
def search(query):
    return ["five days"]

@observe(name="support")
def answer(question):
    found = search(question)
    with client.start_as_current_observation(as_type="generation", name="chat", model="m", input=question) as step:
        step.update(output=found[0], usage_details={"input": 10, "output": 4})
    return found[0]

for number in range(5):
    with propagate_attributes(session_id=f"chat-{number // 2}", user_id="jane.doe@example.com"):
        answer(f"Question {number}?")
client.flush()
client.shutdown()
"""


def run(program: str, **variables: str) -> None:
    """Run a program with the client libraries."""
    if not PYTHON.exists():
        what = f"{PYTHON} is not there: `make test-slow` makes it, from tests/live/clients.txt"
        if required("clients"):
            pytest.fail(what)
        pytest.skip(what)
    done = subprocess.run(
        [PYTHON, "-c", program], env=os.environ | variables, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr


def traces(url: str, number: int, reader: str = "") -> list[dict[str, Any]]:
    """All requests with what is known of each, once so many are there."""
    with httpx.Client(base_url=url, headers={"authorization": f"Bearer {reader}"} if reader else {}) as client:
        deadline = time.monotonic() + 60
        while len(found := client.get("/v1/traces").json()["traces"]) < number and time.monotonic() < deadline:
            time.sleep(0.2)
        assert len(found) == number, found
        return [client.get(f"/v1/traces/{each['id']}").json() for each in found]


@pytest.mark.slow
def test_openinference_on_the_openai_sdk_reaches_the_store_whole(tmp_path: Path) -> None:
    def answer(request: dict[str, Any]) -> str:
        return f"Answer to {request['messages'][-1]['content']}"

    with FakeProvider(answer) as provider, process(tmp_path, toml=WHOLE) as server:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": server.url, "OPENAI_API_KEY": "k"}
        run(OPENINFERENCE, OPENAI_BASE_URL=provider.base_url, **variables)
        found = traces(server.url, 5)
    assert sorted(each["trace"]["output"] for each in found) == [f"Answer to Question {n}?" for n in range(5)]
    assert {each["trace"]["session"] for each in found} == {"chat-0", "chat-1", "chat-2"}
    usage = [each["trace"]["usage"] for each in found]
    assert sum(each["input_tokens"] for each in usage) == provider.billed.input_tokens
    assert sum(each["output_tokens"] for each in usage) == provider.billed.output_tokens
    assert USER not in json.dumps(found)


@pytest.mark.slow
def test_langfuse_s_own_sdk_sends_to_us_as_it_does_to_its_own_server(tmp_path: Path) -> None:
    with process(tmp_path, toml=WHOLE) as server:
        secret = token(tmp_path, "--role", "ingest")
        run(LANGFUSE, LANGFUSE_BASE_URL=server.url, LANGFUSE_PUBLIC_KEY="pk-any", LANGFUSE_SECRET_KEY=secret)
        found = traces(server.url, 5, token(tmp_path, "--role", "read"))
    assert [each["trace"]["output"] for each in found] == ["five days"] * 5
    assert {each["trace"]["flow"] for each in found} == {"support"}
    assert {each["trace"]["session"] for each in found} == {"chat-0", "chat-1", "chat-2"}
    assert [each["trace"]["usage"] for each in found] == [{"input_tokens": 10, "output_tokens": 4}] * 5
    assert [[span.get("kind", "step") for span in each["trace"]["spans"]] for each in found] == [
        ["step", "tool", "llm"]
    ] * 5
    assert USER not in json.dumps(found)
