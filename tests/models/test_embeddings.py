import asyncio
import json
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from gatewatch.checks.provider import FakeProvider, Reply
from gatewatch.core.errors import ModelError
from gatewatch.core.money import Cost
from gatewatch.core.trace import Usage
from gatewatch.models.cache import ReplyCache
from gatewatch.models.client import OpenAIClient
from gatewatch.models.embeddings import MOST_TEXTS, embeddings_of
from gatewatch.models.pace import Pace
from gatewatch.models.prices import PriceOverride, Prices
from gatewatch.models.settings import ModelSettings
from gatewatch.models.wire import Malformed

T = TypeVar("T")


def vectors(request: dict[str, Any]) -> dict[str, Any]:
    """Each text's length and first letter, in another order than they were asked for."""
    data = [
        {"index": place, "embedding": [float(len(text)), float(ord((text or "?")[0])), 0.5]}
        for place, text in enumerate(request["input"])
    ]
    return {"data": data[::-1], "model": "embed-2026", "usage": {"prompt_tokens": 10 * len(data), "total_tokens": 0}}


def client(provider: FakeProvider, *, cache: ReplyCache | None = None, **settings: Any) -> OpenAIClient:
    made = ModelSettings(model="embed", base_url=provider.base_url, key_env="", **settings)
    prices = Prices({"embed": PriceOverride(input=1.0, output=0.0)})

    async def at_once(_seconds: float) -> None:
        await asyncio.sleep(0)

    return OpenAIClient("embedder", made, pace=Pace(concurrency=8), cache=cache, prices=prices, sleep=at_once)


def closing(client: OpenAIClient, work: Coroutine[Any, Any, T]) -> T:
    async def both() -> T:
        try:
            return await work
        finally:
            await client.close()

    return asyncio.run(both())


async def embedded(client: OpenAIClient, texts: list[str]) -> list[Any]:
    return await asyncio.gather(*(client.embed(text) for text in texts))


def test_texts_asked_for_together_share_a_request() -> None:
    with FakeProvider(vectors) as provider:
        made = client(provider)
        found = closing(made, embedded(made, ["aa", "b", "aa", "cccc"]))
    assert [each.vector for each in found] == [(2.0, 97.0, 0.5), (1.0, 98.0, 0.5), (2.0, 97.0, 0.5), (4.0, 99.0, 0.5)]
    assert [request["input"] for request in provider.requests] == [["aa", "b", "cccc"]]
    assert {each.model for each in found} == {"embed-2026"}
    assert sum(each.usage.input_tokens for each in found if each.usage) == 30
    assert sum(each.cost.amount for each in found) == pytest.approx(30e-6)
    assert (found[2].cost, found[2].usage) == (Cost(), None)  # the same text is paid for once


def test_a_batch_that_is_full_leaves() -> None:
    texts = [f"text {number}" for number in range(2 * MOST_TEXTS + 5)]
    with FakeProvider(vectors) as provider:
        made = client(provider)
        found = closing(made, embedded(made, texts))
    assert len(found) == len(texts)
    assert sorted(len(request["input"]) for request in provider.requests) == [5, MOST_TEXTS, MOST_TEXTS]


def test_what_was_embedded_before_comes_from_the_cache(tmp_path: Path) -> None:
    with FakeProvider(vectors) as provider:
        first = client(provider, cache=ReplyCache(tmp_path / "cache.db"))
        (before,) = closing(first, embedded(first, ["hello"]))
        second = client(provider, cache=ReplyCache(tmp_path / "cache.db"))
        (after,) = closing(second, embedded(second, ["hello"]))
    assert provider.calls == 1
    assert (after.vector, after.model, after.cost) == (before.vector, before.model, Cost())


def test_one_client_serves_one_loop_after_another() -> None:
    with FakeProvider(vectors) as provider:
        made = client(provider)
        for _ in range(2):
            assert len(closing(made, embedded(made, ["a", "b"]))) == 2


def test_whoever_stops_waiting_does_not_take_the_others_along() -> None:
    async def work(made: OpenAIClient) -> Any:
        gone, kept = (asyncio.ensure_future(made.embed(text)) for text in ("a", "b"))
        await asyncio.sleep(0)
        gone.cancel()
        return await kept

    with FakeProvider(vectors) as provider:
        made = client(provider)
        assert closing(made, work(made)).vector[1] == 98.0


@pytest.mark.parametrize("bad", [Reply(status=500, text="out of order"), Reply(body=b"{}"), Reply(text="x", cut=True)])
def test_a_bad_answer_is_asked_for_again(bad: Reply) -> None:
    answers = [bad]
    with FakeProvider(lambda request: answers.pop() if answers else vectors(request)) as provider:
        made = client(provider)
        assert len(closing(made, embedded(made, ["a", "b"]))) == 2
    assert provider.calls == 2


def test_a_refusal_for_the_rate_is_waited_for() -> None:
    answers = [Reply(status=429, text="slow down", headers={"retry-after": "0"})]
    with FakeProvider(lambda request: answers.pop() if answers else vectors(request)) as provider:
        made = client(provider)
        assert len(closing(made, embedded(made, ["a"]))) == 1


def test_a_provider_that_gives_no_answer_fails_every_text_of_the_batch() -> None:
    async def work(made: OpenAIClient) -> list[Any]:
        return await asyncio.gather(*(made.embed(text) for text in "ab"), return_exceptions=True)

    with FakeProvider(lambda _request: Reply(status=401, text="who are you")) as provider:
        made = client(provider)
        found = closing(made, work(made))
    assert [type(each) for each in found] == [ModelError, ModelError]
    assert "status 401: who are you" in str(found[0])


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"<html>", "not a JSON object"),
        ({"error": {"message": "no such model"}}, "no embeddings: no such model"),
        ({"data": [{"embedding": [1.0]}]}, "1 embeddings came, and 2 were asked for"),
        ({"data": [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [2.0]}]}, "2 embeddings came"),
        ({"data": [{"embedding": [1.0]}, {"embedding": []}]}, "embedding 2 is no vector of numbers"),
        ({"data": [{"embedding": [1.0]}, {"embedding": ["x"]}]}, "embedding 2 is no vector of numbers"),
        ({"data": [{"embedding": "AAAA"}, {"embedding": [1.0]}]}, "embedding 1 is no vector of numbers"),
        ({"data": [{"embedding": [1.0]}, {"embedding": [1.0, 2.0]}]}, "of different lengths"),
        ({"data": [1, 2]}, "embedding 1 is no vector of numbers"),
    ],
)
def test_replies_that_are_not_what_was_asked_for(body: Any, said: str) -> None:
    with pytest.raises(Malformed, match=said):
        embeddings_of(body if isinstance(body, bytes) else json.dumps(body).encode(), 2)


def test_tokens_are_as_stated() -> None:
    body = {"data": [{"embedding": [1]}], "usage": {"prompt_tokens": 7}}
    assert embeddings_of(json.dumps(body).encode(), 1).usage == Usage(7, 0)
    assert embeddings_of(b'{"data": [{"embedding": [1]}]}', 1).usage is None
