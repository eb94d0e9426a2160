"""The fake provider and the frozen clock: what users try their own tasks and scorers with."""

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from gatewatch.checks import FakeProvider, FrozenClock, Reply
from gatewatch.core.trace import Usage

QUESTION = {"model": "m", "messages": [{"role": "user", "content": "why?"}]}
CHAT = "/v1/chat/completions"


@pytest.fixture
def http() -> Iterator[httpx.Client]:
    with httpx.Client(timeout=10.0) as client:
        yield client


def test_it_answers_as_a_provider_does_and_counts(http: httpx.Client) -> None:
    with FakeProvider(reply=lambda request: str(request["messages"][0]["content"]).upper()) as provider:
        assert provider.base_url == f"{provider.url}/v1"
        body = http.post(f"{provider.base_url}/chat/completions", json=QUESTION).json()
        http.post(provider.url + CHAT, json=QUESTION)
        assert (provider.calls, provider.accepted, provider.refusals) == (2, 2, 0)
        assert provider.by_message == {"why?": 2}
        assert provider.requests == [QUESTION, QUESTION]
        used = body["usage"]
        assert provider.billed == Usage(2 * used["prompt_tokens"], 2 * used["completion_tokens"])
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "WHY?"}
    assert body["model"] == "m"


def test_other_paths_answer_with_the_text_or_the_object_itself(http: httpx.Client) -> None:
    with FakeProvider(reply=lambda request: request if "echo" in request else "plain") as provider:
        assert http.post(f"{provider.url}/ask", json={"q": 1}).text == "plain"
        assert http.post(f"{provider.url}/ask", json={"echo": 1}).json() == {"echo": 1}
        assert http.post(f"{provider.url}/ask", content=b"not JSON").text == "plain"


def test_a_reply_function_that_raises_is_a_server_error(http: httpx.Client) -> None:
    with FakeProvider(reply=lambda request: request["absent"]) as provider:
        answer = http.post(provider.url + CHAT, json=QUESTION)
    assert answer.status_code == 500
    assert answer.json()["error"]["message"] == "KeyError: 'absent'"


def test_it_refuses_what_is_over_its_rate(http: httpx.Client) -> None:
    with FakeProvider(rate=0.001, burst=2, retry_after=1.5) as provider:
        answers = [http.post(provider.url + CHAT, json=QUESTION) for _ in range(3)]
        assert (provider.accepted, provider.refusals) == (2, 1)
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["retry-after"] == "1.5"


def test_it_refuses_what_is_over_its_places(http: httpx.Client) -> None:
    with FakeProvider(concurrency=1, latency=5.0, retry_after=None) as provider, ThreadPoolExecutor(1) as pool:
        pool.submit(httpx.post, provider.url + CHAT, json=QUESTION, timeout=10.0)
        while not provider.accepted:
            time.sleep(0.001)
        answer = http.post(provider.url + CHAT, json=QUESTION)
        provider.close()
    assert answer.status_code == 429
    assert "retry-after" not in answer.headers


@pytest.mark.parametrize("reply", [Reply(hang=True), Reply(text="slow", delay=60.0), Reply(text="x" * 9999, drip=True)])
def test_answers_that_do_not_end_do_not_hold_up_the_close(http: httpx.Client, reply: Reply) -> None:
    with FakeProvider(reply=lambda _request: reply) as provider, pytest.raises(httpx.ReadTimeout):
        http.post(provider.url + CHAT, json=QUESTION, timeout=0.05)


def test_a_body_that_is_cut(http: httpx.Client) -> None:
    with FakeProvider(reply=lambda _request: Reply(text="x", cut=True)) as provider:
        with pytest.raises(httpx.RemoteProtocolError):
            http.post(provider.url + CHAT, json=QUESTION)
        assert provider.billed != Usage(0, 0)


def test_a_frozen_clock_runs_hours_at_once_and_in_order() -> None:
    clock = FrozenClock(start=100.0)
    seen: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        seen.append((name, clock()))

    async def work() -> str:
        await asyncio.gather(wait("late", 7200.0), wait("early", 1.0))
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60.0):
                await asyncio.Event().wait()
        return "done"

    assert clock.run(work()) == "done"
    assert [name for name, _ in seen] == ["early", "late"]
    assert clock() == pytest.approx(100.0 + 7260.0)
    clock.advance(1.0)
    assert clock() == pytest.approx(7361.0)
