"""The client over real HTTP: what a provider may do, and what becomes of it."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.core.errors import ModelError
from gatewatch.core.spans import Recorder, recorder
from gatewatch.core.trace import Usage
from gatewatch.models.cache import ReplyCache
from gatewatch.models.client import OpenAIClient, check
from gatewatch.models.pace import Pace
from gatewatch.models.prices import PriceOverride, Prices
from gatewatch.models.protocol import ChatReply, ChatRequest
from gatewatch.models.settings import ModelSettings

HELLO = ChatRequest(messages=({"role": "user", "content": "hello"},))
PRICES = Prices({"m": PriceOverride(input=1.0, output=2.0)})


async def at_once(_seconds: float) -> None:
    """Sleep without letting time pass."""
    await asyncio.sleep(0)


def client(provider: FakeProvider, cache: ReplyCache | None = None, **settings: Any) -> OpenAIClient:
    stated = ModelSettings(model="m", base_url=provider.base_url, **{"key_env": "", "retries": 1, **settings})
    return OpenAIClient("app", stated, pace=Pace(concurrency=8), cache=cache, prices=PRICES, sleep=at_once)


def ask(model: OpenAIClient, request: ChatRequest = HELLO) -> ChatReply:
    async def work() -> ChatReply:
        try:
            return await model.chat(request)
        finally:
            await model.close()

    return asyncio.run(work())


def in_turn(*replies: Reply) -> Callable[[dict[str, Any]], Reply]:
    """Each reply once, then the last for ever."""
    left = list(replies)
    return lambda _request: left.pop(0) if len(left) > 1 else left[0]


def test_a_good_reply() -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "prompt_tokens_details": {"cached_tokens": 4}}
    with FakeProvider(reply=lambda _request: Reply(text="hi", usage=usage, model="m-2026")) as provider:
        reply = ask(client(provider, parameters={"temperature": 0}))
        (sent,) = provider.requests
    assert (reply.text, reply.model, reply.retries, reply.cached) == ("hi", "m-2026", 0, False)
    assert reply.usage == Usage(input_tokens=10, output_tokens=5, cached_input_tokens=4)
    assert reply.cost.total == pytest.approx((10 * 1.0 + 5 * 2.0) / 1e6)
    assert (sent["model"], sent["temperature"]) == ("m", 0)


def test_a_schema_and_tools_are_sent_and_tool_calls_read() -> None:
    calls = ({"name": "find", "arguments": {"q": "x"}},)
    schema = {"type": "object"}
    tool = {"type": "function", "function": {"name": "find"}}
    with FakeProvider(reply=lambda _request: Reply(tool_calls=calls)) as provider:
        reply = ask(client(provider), ChatRequest(messages=HELLO.messages, schema=schema, tools=(tool,)))
        (sent,) = provider.requests
    assert reply.tool_calls == calls
    assert sent["tools"] == [tool]
    assert sent["response_format"]["json_schema"]["schema"] == schema


def test_a_provider_that_knows_no_schema(tmp_path: Path) -> None:
    schema = {"type": "object", "required": ["verdict"]}
    asked = ChatRequest(messages=HELLO.messages, schema=schema)

    def answer(request: dict[str, Any]) -> Reply:
        if "response_format" in request:
            return Reply(status=400, text="response_format json_schema is not supported")
        return Reply(text='```json\n{"verdict": "pass"}\n```')

    with FakeProvider(reply=answer) as provider:
        with pytest.raises(ModelError, match=r"supported \(json_schema = false in \[models.app\] leaves response_f"):
            ask(client(provider), asked)
        cache = ReplyCache(tmp_path / "cache.db")
        model = client(provider, cache, json_schema=False)
        assert ask(model, asked).text.startswith("```json")
        assert ask(model, asked).cached
        assert model.identity == {**client(provider).identity, "json_schema": False}
        assert provider.calls == 2


@pytest.mark.parametrize(
    "bad",
    [Reply(status=500, text="oops"), Reply(text="x", cut=True), Reply(body=b"<html>"), Reply(body=b'{"choices": []}')],
)
def test_what_may_pass_is_tried_again(bad: Reply) -> None:
    with FakeProvider(reply=in_turn(bad, Reply(text="fine"))) as provider:
        reply = ask(client(provider))
        assert provider.calls == 2
    assert (reply.text, reply.retries) == ("fine", 1)


@pytest.mark.parametrize(
    ("bad", "kind", "said"),
    [
        (Reply(status=500, text="oops"), "server", "status 500: oops"),
        (Reply(status=400, text="no such model"), "refused", "status 400: no such model"),
        (Reply(text="x", cut=True), "malformed", "the body was cut short"),
        (Reply(body=b"<html>"), "malformed", "not a JSON object: <html>"),
        (Reply(body=b'{"choices": []}'), "malformed", ""),
        (Reply(hang=True), "timeout", "no whole answer within 0.2 s"),
        (Reply(text="a" * 400, drip=True), "timeout", "no whole answer within 0.2 s"),
    ],
)
def test_what_does_not_pass_is_named(bad: Reply, kind: str, said: str) -> None:
    with FakeProvider(reply=lambda _request: bad) as provider, pytest.raises(ModelError) as failed:
        ask(client(provider, timeout=0.2))
    assert failed.value.kind == kind
    assert said in str(failed.value)
    assert str(failed.value).startswith("app (m at 127.0.0.1): ")


def test_nobody_there() -> None:
    with FakeProvider() as provider:
        model = client(provider)
    with pytest.raises(ModelError) as failed:
        ask(model)
    assert failed.value.kind == "connection"


def test_the_key_is_sent_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_KEY", "sk-secret-1234")
    echo = Reply(status=401, text="sk-secret-1234 is not known")
    with FakeProvider(reply=lambda _request: echo) as provider, pytest.raises(ModelError) as failed:
        model = client(provider, key_env="APP_KEY")
        try:
            ask(model)
        finally:
            assert provider.headers[0]["authorization"] == "Bearer sk-secret-1234"
            assert "sk-secret" not in repr(model)
    assert "sk-secret" not in str(failed.value)
    assert "the variable APP_KEY holds the key" in str(failed.value)


def test_missing_usage_is_unknown_and_costs_unknown() -> None:
    with FakeProvider(reply=lambda _request: Reply(text="x", usage=None)) as provider:
        reply = ask(client(provider))
    assert reply.usage is None
    assert reply.cost.total is None


def test_a_storm_of_refusals_loses_nothing() -> None:
    with FakeProvider(rate=50, burst=5, retry_after=0.2) as provider:
        model = client(provider)

        async def work() -> list[ChatReply]:
            try:
                return await asyncio.gather(
                    *(model.chat(ChatRequest(messages=({"role": "user", "content": f"{n}"},))) for n in range(40))
                )
            finally:
                await model.close()

        replies = asyncio.run(work())
        assert provider.refusals <= 40
    assert len(replies) == 40
    assert model.pace.refusals == provider.refusals


def test_waiting_longer_than_patience_is_an_error() -> None:
    refusal = Reply(status=429, text="slow down", headers={"retry-after": "3600"})
    with FakeProvider(reply=lambda _request: refusal) as provider, pytest.raises(ModelError) as failed:
        ask(client(provider, patience=5.0))
    assert failed.value.kind == "rate_limited"


def test_the_call_is_a_span_and_its_waiting_is_kept_apart() -> None:
    with FakeProvider(reply=in_turn(Reply(status=500), Reply(text="fine"))) as provider:
        model, current = client(provider), Recorder("t")

        async def work() -> None:
            recorder.set(current)
            await model.chat(HELLO)
            await model.close()

        asyncio.run(work())
    (span,) = current.spans
    assert (span.name, span.kind, span.output, span.model) == ("app", "llm", "fine", "m")
    assert span.cost is not None
    assert current.waited_s > 0.0


def test_cached_replies_cost_nothing_and_each_trial_has_its_own(tmp_path: Any) -> None:
    with FakeProvider(reply=lambda _request: "hi") as provider:
        for _ in range(2):
            cache = ReplyCache(tmp_path / "cache.db")
            first = ask(client(provider, cache))
        again = ask(client(provider, cache, parameters={"temperature": 1}))
        other = ask(client(provider, cache), ChatRequest(messages=HELLO.messages, trial=1))
        assert provider.calls == 3
    assert (first.cached, first.cost.total, first.waited_s, first.text) == (True, 0.0, 0.0, "hi")
    assert not again.cached
    assert not other.cached


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"base_url": "ftp://x"}, ["base_url must begin with http:// or https:// and name a host, got 'ftp://x'"]),
        ({"key_env": "NO_KEY"}, ["the variable NO_KEY is not set"]),
        (
            {"rpm": 0, "timeout": 0.0},
            ["rpm must be at least 1, got 0", "timeout must be a number of seconds above 0, got 0"],
        ),
        ({}, []),
        ({"base_url": "http://[::1:80/v1"}, ["base_url is no URL: Invalid IPv6 URL"]),
        ({"base_url": "http://a:70000/v1"}, ["base_url is no URL: Port out of range 0-65535"]),
        (
            {"headers": {"a\r\nb": "c", "x": "s3cret\r\ny: z", "t": "as it is"}},
            [
                "headers: 'a\\r\\nb' is no name that a header can have",
                "headers: the value of 'x' holds characters that cannot be sent in a header",
            ],
        ),
    ],
)
def test_settings_are_checked_before_anything_is_sent(settings: dict[str, Any], said: list[str]) -> None:
    stated = ModelSettings(**{"model": "m", "base_url": "http://localhost/v1", "key_env": "", **settings})
    assert check(stated, {}) == said
