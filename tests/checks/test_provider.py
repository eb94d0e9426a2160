"""The fake provider and the frozen clock: what other tests lean on."""

import asyncio
import json
import urllib.error
import urllib.request
from typing import Any

import pytest

from gatewatch.checks.clock import FrozenClock
from gatewatch.checks.provider import FakeProvider, Reply


def post(url: str, body: dict[str, Any]) -> tuple[int, Any]:
    request = urllib.request.Request(url, json.dumps(body).encode(), {"content-type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            return response.status, json.loads(response.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def chat(provider: FakeProvider, text: str = "hi") -> tuple[int, Any]:
    return post(
        f"{provider.base_url}/chat/completions", {"model": "m", "messages": [{"role": "user", "content": text}]}
    )


def test_it_answers_like_a_provider_and_counts() -> None:
    with FakeProvider(reply=lambda request: request["messages"][0]["content"].upper()) as provider:
        status, body = chat(provider)
        assert (status, body["choices"][0]["message"]["content"], body["model"]) == (200, "HI", "m")
        assert body["usage"]["prompt_tokens"] > 0
        assert (provider.calls, provider.accepted, provider.refusals) == (1, 1, 0)
        assert provider.requests[0]["model"] == "m"


def test_it_refuses_beyond_its_burst() -> None:
    with FakeProvider(rate=0.001, burst=2) as provider:
        assert [chat(provider)[0] for _ in range(4)] == [200, 200, 429, 429]
        assert (provider.calls, provider.accepted, provider.refusals) == (4, 2, 2)


def test_other_paths_answer_too() -> None:
    with FakeProvider(reply=lambda request: {"answer": request["question"]}) as provider:
        assert post(f"{provider.url}/bot", {"question": "x"}) == (200, {"answer": "x"})


def test_what_the_reply_raises_is_a_500() -> None:
    def fail(_request: dict[str, Any]) -> str:
        raise ValueError("no")

    with FakeProvider(reply=fail) as provider:
        assert chat(provider)[0] == 500


def test_a_stated_status() -> None:
    with FakeProvider(reply=lambda _request: Reply(status=401, text="who")) as provider:
        status, body = chat(provider)
    assert (status, body["error"]["message"]) == (401, "who")


def test_a_body_of_ones_own() -> None:
    own = {"error": {"message": "no such key"}}
    with FakeProvider(reply=lambda _request: Reply(status=401, body=own)) as provider:
        assert chat(provider) == (401, own)
    with pytest.raises(TypeError, match="body must be bytes, or an object to be sent as JSON, got str"):
        Reply(body="no such key")  # type: ignore[arg-type]


def test_hours_pass_at_once_and_in_order() -> None:
    clock = FrozenClock()
    seen: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, clock()))

    async def work() -> None:
        await asyncio.gather(wait("late", 7200), wait("soon", 60))

    clock.run(work())
    assert [name for name, _ in seen] == ["soon", "late"]
    assert [when for _, when in seen] == pytest.approx([60, 7200])
