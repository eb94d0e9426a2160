"""A server's outbox as one that pulls sees it; with a real server: tests/web/test_changes.py."""

from typing import Any

import httpx
import pytest

from gatewatch.loop.served import NotAnswered, Served, ServerRefused


def outbox(status: int, **reply: Any) -> Served:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, **reply))
    return Served(httpx.Client(base_url="http://gw", transport=transport))


@pytest.mark.parametrize("status", [408, 429, 500, 503])
def test_what_may_do_another_time(status: int) -> None:
    with pytest.raises(NotAnswered, match=f"could not answer .status {status}.: pull again later"):
        outbox(status).changes()


@pytest.mark.parametrize("reply", [{"text": "<html>"}, {"json": []}, {"json": {"changes": 7}}])
def test_what_no_server_of_ours_says(reply: dict[str, Any]) -> None:
    with pytest.raises(ServerRefused, match="answers as no Gatewatch server does"):
        outbox(200, **reply).changes()


def test_a_refusal_says_what_to_do() -> None:
    with pytest.raises(ServerRefused, match=r"refuses: status 403 not yours .it takes a token of role review"):
        outbox(403, json={"error": "not yours"}).turn_change(1, "pulled", 0.0)
    with pytest.raises(ServerRefused, match=r"refuses: status 404 .is a Gatewatch server at this address"):
        outbox(404, text="x").changes()
