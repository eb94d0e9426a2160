"""Clients that send without a pause, whatever the server does, and know what was acknowledged."""

import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from gatewatch.core import codec
from gatewatch.core.clock import wall

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


@contextmanager
def sending(number: int, urls: list[str], secret: str) -> Iterator[list[Sender]]:
    """So many clients, which send until this is left."""
    senders = [Sender(each, urls, secret) for each in range(number)]
    try:
        yield senders
    finally:
        for each in senders:
            each.stop.set()
        for each in senders:
            each.thread.join()


def until(senders: list[Sender], more: int) -> None:
    """Let them send until so much more was acknowledged."""

    def now() -> int:
        return sum(len(names) for each in senders for names in each.acknowledged.values())

    wanted = now() + more
    while now() < wanted:
        assert all(each.thread.is_alive() for each in senders)
        time.sleep(0.001)  # the senders have the processor meanwhile
