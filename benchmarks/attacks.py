"""Attacks on a server: each a function of its address, a token, and how hard it is to be. Each says how it was met."""

import gzip
import random
import select
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import httpx

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
Met = Counter[int]
"""How often each status was the answer; 0 stands for a connection that was closed."""


class Target:
    """A server, and a token of it."""

    def __init__(self, port: int, token: str) -> None:
        self.port, self.token = port, token
        self.url = f"http://127.0.0.1:{port}"

    def post(self, bodies: list[bytes], headers: dict[str, str], *, token: str = "", threads: int = 8) -> Met:
        """Post bodies, several at once."""
        bearer = {"authorization": f"Bearer {token or self.token}"}
        with httpx.Client(base_url=self.url, headers=bearer | headers, timeout=60) as client:

            def send(body: bytes) -> int:
                try:
                    said = client.post("/v1/traces", content=body)
                except httpx.TransportError:
                    return 0
                assert said.status_code != 503 or "retry-after" in said.headers
                return said.status_code

            with ThreadPoolExecutor(threads) as pool:
                return Counter(pool.map(send, bodies))

    def head(self, more: str) -> bytes:
        """The head of a request, with some more headers."""
        told = f"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {self.token}\r\n"
        return f"{told}content-type: application/json\r\n{more}\r\n".encode()


def bombs(target: Target, hard: int) -> Met:
    """204 KB that unpack to 200 MB."""
    return target.post([a_bomb()] * hard, PROTOBUF | {"content-encoding": "gzip"})


@cache
def a_bomb() -> bytes:
    """One of them, which takes longer to make than to unpack."""
    return gzip.compress(bytes(200_000_000), 9)


def swollen(target: Target, hard: int) -> Met:
    """Some 15 KB that unpack to 8 MB, and say millions of empty spans, attributes, events or values."""
    met: Met = Counter()
    for body, headers in the_swollen():
        met += target.post([body] * hard, headers | {"content-encoding": "gzip"}, threads=2)
    return met


@cache
def the_swollen() -> list[tuple[bytes, dict[str, str]]]:
    """One of each."""

    def told(number: int, data: bytes) -> bytes:
        size, left = bytearray(), len(data)
        while left > 0x7F:
            size.append(left & 0x7F | 0x80)
            left >>= 7
        return bytes([number << 3 | 2, *size, left]) + data

    many = 4_000_000
    spans = told(1, told(2, b"\x12\x00" * many))
    found = [spans, *(told(1, told(2, told(2, bytes([tag, 0]) * many))) for tag in (0x4A, 0x5A))]
    bodies = [(gzip.compress(body, 9), PROTOBUF) for body in found]
    empty = b"{}," * (many // 2) + b"{}"
    of_json = b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}'
    values = b'{"attributes":[{"value":{"arrayValue":{"values":[%s]}}}]}' % empty
    for told_ in (empty, b'{"attributes":[%s]}' % empty, values):
        bodies.append((gzip.compress(of_json % told_, 9), JSON))
    return bodies


def huge(target: Target, hard: int) -> Met:
    """100 MB that say how long they are, and as many that do not; every other two look for no reply before the end."""
    met: Met = Counter()
    part = b" " * 1_000_000
    for number in range(hard):
        chunked, deaf = number % 2, number % 4 > 1
        with socket.create_connection(("127.0.0.1", target.port), timeout=60) as raw:
            length = "transfer-encoding: chunked\r\n" if chunked else "content-length: 100000000\r\n"
            try:
                raw.sendall(target.head(length))
                for _ in range(100):
                    if not deaf and select.select([raw], [], [], 0)[0]:
                        break
                    raw.sendall(b"%x\r\n%s\r\n" % (len(part), part) if chunked else part)
                met[int(raw.recv(100).split()[1] or b"0")] += 1
            except (OSError, IndexError):
                met[0] += 1
    return met


def deep(target: Target, hard: int) -> Met:
    """JSON that is nested 100,000 deep, wherever values may be."""
    bodies = [b"[" * 100_000, b'{"resourceSpans":' * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000]
    values = b'{"arrayValue":{"values":[' * 50_000
    bodies.append(
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"%s","spanId":"%s","attributes":[{"key":"a","value":%s'
        % (b"a" * 32, b"b" * 16, values)
    )
    return target.post(bodies * hard, JSON)


def mutated(target: Target, hard: int, bodies: list[bytes]) -> Met:
    """Protobuf with some bytes changed, left out or doubled."""
    chance = random.Random(hard)
    found = []
    for _ in range(hard * 20):
        body = bytearray(chance.choice(bodies))
        for _ in range(chance.randint(1, 20)):
            place = chance.randrange(len(body))
            what = chance.randrange(3)
            if what == 0:
                body[place] = chance.randrange(256)
            elif what == 1:
                del body[place : place + chance.randint(1, 100)]
            else:
                body[place:place] = body[place : place + chance.randint(1, 100)]
        found.append(bytes(body))
    return target.post(found, PROTOBUF)


def strangers(target: Target, hard: int) -> Met:
    """Tokens that are none, by the hundred."""
    met: Met = Counter()
    for number in range(hard * 5):
        met += target.post([b"{}"] * 4, JSON, token=f"gw_i_{number:010x}_{number:064x}")
    return met


class Slow:
    """Senders that send a byte of a head or of a body now and then, until this is left."""

    def __init__(self, target: Target, number: int) -> None:
        self._stop = threading.Event()
        self._held: list[socket.socket] = []
        for place in range(number):
            raw = socket.create_connection(("127.0.0.1", target.port), timeout=60)
            started = target.head("content-length: 10000000\r\n") + b" " * 60_000
            raw.sendall(started if place % 2 else started[:100])
            self._held.append(raw)
        self._thread = threading.Thread(target=self._drip)

    def _drip(self) -> None:
        while not self._stop.wait(0.05):
            for raw in self._held:
                try:
                    raw.send(b" ")
                except OSError:
                    continue

    def __enter__(self) -> "Slow":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for raw in self._held:
            raw.close()


def an_honest_body(number: int) -> bytes:
    """A batch of 20 spans, each of a trace of its own."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add()
    for place in range(20):
        spans.spans.add(trace_id=b"%08d%08d" % (number, place), span_id=b"%08d" % (place + 1), name="step")
    return bytes(request.SerializeToString())


def honest(target: Target, stop: threading.Event, most: int = 10**9) -> list[float]:
    """Post like any client until told to stop: how long each took until it was taken, in seconds."""
    took: list[float] = []
    headers = {"authorization": f"Bearer {target.token}"} | PROTOBUF
    with httpx.Client(base_url=target.url, headers=headers, timeout=60) as client:
        while not stop.is_set() and len(took) < most:
            began = time.perf_counter()
            while (said := client.post("/v1/traces", content=an_honest_body(len(took)))).status_code == 503:
                assert "retry-after" in said.headers
                stop.wait(0.05)
            assert said.status_code == 200, said.text
            took.append(time.perf_counter() - began)
            stop.wait(0.005)
    return took


def memory(pid: int, what: str = "VmHWM") -> int:
    """Bytes of memory that a process has (VmRSS), or had at the most (VmHWM)."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith(f"{what}:"))
    return int(line.split()[1]) * 1024
