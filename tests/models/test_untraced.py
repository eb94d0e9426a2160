"""Calls of our own are marked, and not recorded by whoever traces the process."""

import asyncio
import sys

import pytest

from gatewatch.checks.provider import FakeProvider
from gatewatch.core.traceparent import is_ours
from gatewatch.models.client import OpenAIClient
from gatewatch.models.pace import Pace
from gatewatch.models.prices import Prices
from gatewatch.models.protocol import ChatRequest
from gatewatch.models.settings import ModelSettings
from gatewatch.models.untraced import untraced


def test_each_call_says_whose_it_is() -> None:
    with FakeProvider() as provider:
        settings = ModelSettings(model="m", base_url=provider.base_url, key_env="", cache=False)

        async def ask() -> None:
            client = OpenAIClient("judge", settings, pace=Pace(concurrency=2), prices=Prices())
            for _ in range(2):
                await client.chat(ChatRequest(messages=({"role": "user", "content": "Hi"},)))
            await client.close()

        asyncio.run(ask())
        parents = [each["traceparent"] for each in provider.headers]
        assert len(set(parents)) == 2 and all(is_ours(each.split("-")[1]) for each in parents)
        assert all(each.endswith("-00") for each in parents), "not to be recorded"
        assert all(each["user-agent"].startswith("gatewatch/") for each in provider.headers)


def test_instrumentations_are_told_to_keep_still_meanwhile() -> None:
    context = pytest.importorskip("opentelemetry.context")
    keys = (context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")
    with untraced():
        assert [context.get_value(each) for each in keys] == [True, True]
    assert [context.get_value(each) for each in keys] == [None, None]


def test_opentelemetry_is_not_loaded_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "opentelemetry.context", raising=False)
    with untraced():
        pass
    assert "opentelemetry.context" not in sys.modules
