"""A provider that lets 40 requests a second through is asked for 400 at once: none is lost, and few are refused."""

import asyncio

import pytest

from gatewatch.checks.provider import FakeProvider
from gatewatch.models.client import OpenAIClient
from gatewatch.models.pace import Pace
from gatewatch.models.prices import Prices
from gatewatch.models.protocol import ChatRequest
from gatewatch.models.settings import ModelSettings


@pytest.mark.slow
def test_a_storm_of_refusals() -> None:
    with FakeProvider(rate=40, burst=10, retry_after=1.0) as provider:
        settings = ModelSettings(model="m", base_url=provider.base_url, key_env="", concurrency=64)
        client = OpenAIClient("app", settings, pace=Pace(concurrency=64), prices=Prices())

        async def ask(number: int) -> str:
            message = {"role": "user", "content": f"call {number}"}
            return (await client.chat(ChatRequest(messages=(message,)))).text

        async def work() -> list[str]:
            try:
                return await asyncio.gather(*(ask(number) for number in range(400)))
            finally:
                await client.close()

        answers = asyncio.run(work())
        assert answers == ["ok"] * 400
        assert provider.accepted == 400
        assert provider.refusals < 450
    assert client.pace.state()["rate"] is not None
