"""The server in real processes: killed at any moment, several on one store, ended while it is busy."""

import random
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from gatewatch.core import codec
from gatewatch.core.clock import wall
from gatewatch.online.ingest import Ways
from gatewatch.online.settle import settle
from gatewatch.store.open import open_store
from live.serving import Process, process, token

SPANS = 20
"""Spans of a batch: two of each of ten traces."""


class Sender:
    """A client that sends batches, of one kind or the other, until it is told to stop; `acknowledged` has their ids."""

    def __init__(self, name: int, urls: list[str], secret: str) -> None:
        self.name, self.urls = name, urls
        self.acknowledged: dict[str, set[str]] = {"otlp": set(), "captured": set()}
        self.stop = threading.Event()
        self._secret = secret
        self._chance = random.Random(name)
        self._offset = 0
        self.thread = threading.Thread(target=self._work)
        self.thread.start()

    def _work(self) -> None:
        headers = {"authorization": f"Bearer {self._secret}"}
        number = 0
        with httpx.Client(headers=headers, timeout=20) as client:
            while not self.stop.is_set():
                number += 1
                names = [f"{self.name:08x}{number:012x}{each:012x}" for each in range(SPANS // 2)]
                kind, request = ("otlp", _otlp(names)) if number % 2 else ("captured", self._stretch(names))
                while not self.stop.is_set():
                    try:
                        said = client.post(f"{self._chance.choice(self.urls)}{request.pop('path')}", **request)
                    except httpx.TransportError:
                        self.stop.wait(0.002)
                        request = _otlp(names) if kind == "otlp" else self._stretch(names)
                        continue
                    if said.status_code == 503:
                        assert "retry-after" in said.headers
                        request = _otlp(names) if kind == "otlp" else self._stretch(names)
                        continue
                    assert said.status_code == 200, said.text
                    self.acknowledged[kind] |= set(names)
                    if kind == "captured":
                        self._offset = said.json()["taken"]
                    break

    def _stretch(self, names: list[str]) -> dict[str, Any]:
        records = [{"id": name, "span_id": name[-16:], "flow": "captured", "input": "q" * 300} for name in names]
        body = b"".join(codec.frame("trace", codec.encode(each)) for each in records)
        headers = {
            "content-type": "application/x-ndjson",
            "x-gatewatch-segment": f"sender/{self.name}-a-0.seg",
            "x-gatewatch-stretch": f"{self._offset}-{self._offset + len(body)}",
        }
        return {"path": "/v1/segments", "content": body, "headers": headers}


def _otlp(names: list[str]) -> dict[str, Any]:
    spans: list[dict[str, Any]] = []
    said = [
        {"key": "openinference.span.kind", "value": {"stringValue": "CHAIN"}},
        {"key": "input.value", "value": {"stringValue": "how long?"}},
    ]
    for name in names:
        root = name[-16:]
        began = f"{wall() * 1e9:.0f}"
        spans.append({"traceId": name, "spanId": root, "name": "request", "startTimeUnixNano": began})
        step = {"traceId": name, "spanId": root[::-1], "parentSpanId": root, "name": "step", "attributes": said}
        spans.append(step | {"startTimeUnixNano": began})
    return {"path": "/v1/traces", "json": {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}}


def everything(folder: Path) -> dict[str, int]:
    """Every request there is once all spans are settled, by its id: how many spans it has (0: it was captured)."""
    store = open_store(folder / ".gatewatch" / "gatewatch.db", project="bot")
    try:
        while settle(store, Ways(), clock=lambda: wall() + 1000).more:
            pass
        found = {}
        for row in store.latest(most=1_000_000):
            payload = store.payload(row.seq)
            steps = codec.parse(payload).get("spans", []) if payload and row.flow != "captured" else []
            found[row.id] = len(steps)
        return found
    finally:
        store.close()


def agrees(folder: Path, senders: list[Sender]) -> int:
    """Whether all that was acknowledged is there, whole; how much that was."""
    found = everything(folder)
    otlp = {name for sender in senders for name in sender.acknowledged["otlp"]}
    captured = {name for sender in senders for name in sender.acknowledged["captured"]}
    assert captured <= found.keys() and otlp <= found.keys()
    assert {found[name] for name in otlp} == {2}  # whole
    assert all(len(name) == 32 for name in found)  # none is there twice, under a longer name
    return len(otlp) + len(captured)


@pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_what_was_acknowledged_is_there_once_however_often_the_server_is_killed(tmp_path: Path, kills: int) -> None:
    chance = random.Random(kills)
    with process(tmp_path) as server:
        secret = token(tmp_path)
        senders = [Sender(number, [server.url], secret) for number in range(4)]
        try:
            for _ in range(kills):
                _until(senders, chance.randint(1, 200))
                server.kill()
                server.start()
            _until(senders, 100)
        finally:
            for each in senders:
                each.stop.set()
            for each in senders:
                each.thread.join()
        assert server.end() == 143
    assert agrees(tmp_path, senders) > 100 * kills


def _until(senders: list[Sender], more: int) -> None:
    """Let them send until so much more was acknowledged."""

    def now() -> int:
        return sum(len(names) for each in senders for names in each.acknowledged.values())

    wanted = now() + more
    while now() < wanted:
        assert all(each.thread.is_alive() for each in senders)
        time.sleep(0.001)  # the senders have the processor meanwhile


def test_two_servers_on_one_store_keep_all_of_it_once(tmp_path: Path) -> None:
    with ExitStack() as stack:
        servers: list[Process] = [stack.enter_context(process(tmp_path)) for _ in range(2)]
        secret = token(tmp_path)
        senders = [Sender(number, [each.url for each in servers], secret) for number in range(4)]
        try:
            _until(senders, 1000)
        finally:
            for each in senders:
                each.stop.set()
            for each in senders:
                each.thread.join()
        assert [each.end() for each in servers] == [143, 143]
    assert agrees(tmp_path, senders) >= 1000


def test_a_server_that_is_told_to_end_keeps_what_it_received(tmp_path: Path) -> None:
    with process(tmp_path) as server:
        secret = token(tmp_path)
        senders = [Sender(number, [server.url], secret) for number in range(4)]
        try:
            _until(senders, 200)
            assert server.end() == 143
        finally:
            for each in senders:
                each.stop.set()
            for each in senders:
                each.thread.join()
    assert agrees(tmp_path, senders) >= 200
