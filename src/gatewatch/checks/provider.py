"""A real HTTP server on this machine that answers like an LLM provider, or misbehaves like one.

with FakeProvider(reply=lambda request: '{"score": 1}', rate=40) as provider:
    ...  # base_url = provider.base_url
assert provider.refusals == 0
"""

import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import SHUT_RDWR, socket
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any

from msgspec import Struct

from gatewatch.core import codec
from gatewatch.core.trace import Usage

_CHARS_PER_TOKEN = 4
_CHAT = "/chat/completions"
_DRIP_S = 0.02


class Reply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One answer of a fake provider, good or bad.

    Attributes:
        text: the completion's text; on other paths than chat completions, the body.
        tool_calls: objects with `name` and `arguments`.
        usage: the usage object sent; empty: counted at four characters a token; None: none is sent.
        model: the model named in the reply; empty: the one asked for.
        finish: the reason given for having stopped.
        status: the HTTP status; from 400 up the body is an error object with `text` as its message.
        headers: further headers.
        body: raw bytes, or an object to be sent as JSON, in place of all that.
        delay: seconds before answering.
        cut: announce a longer body than is sent, and close.
        hang: never answer, until the server closes.
        drip: send the body one byte at a time, 20 ms apart.
    """

    text: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    usage: dict[str, Any] | None = {}
    model: str = ""
    finish: str = "stop"
    status: int = 200
    headers: dict[str, str] = {}
    body: bytes | dict[str, Any] | None = None
    delay: float = 0.0
    cut: bool = False
    hang: bool = False
    drip: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.body, bytes | dict | None):
            raise TypeError(f"body must be bytes, or an object to be sent as JSON, got {type(self.body).__name__}")


class FakeProvider:
    """A real HTTP server on the loopback interface that speaks `/v1/chat/completions`.

    Any other path that is posted to answers too, with the reply's text (or, for a dict, JSON) as the body, so
    that HTTP tasks can be tried on it. It counts what it is asked; the counts may be read at any time, from any thread.

    Args:
        reply: from a request's JSON to the answer: the text, a dict that is sent as the whole JSON body, or a `Reply`.
            It is called on the server's threads, several at once. What it raises is answered as status 500.
        rate: requests a second that are let through (a token bucket), the others being refused with 429; None: all.
        burst: the bucket's size.
        retry_after: seconds stated in `Retry-After` when a request is refused; None: not stated.
        concurrency: requests that may be in work at once, further ones being refused with 429; None: any number.
        latency: seconds that every answer takes, refusals not counted.

    Attributes:
        calls: requests that arrived.
        accepted: requests that were not refused for their rate or number.
        refusals: requests that were.
        requests: the JSON of every request that was accepted, in order of arrival.
        headers: their headers, names in lower case.
        by_message: how often each last user message was accepted.
        billed: the usage of all accepted requests, whether or not their answer arrived whole.
    """

    def __init__(
        self,
        reply: Callable[[dict[str, Any]], str | dict[str, Any] | Reply] = lambda _request: "ok",
        *,
        rate: float | None = None,
        burst: int = 10,
        retry_after: float | None = 1.0,
        concurrency: int | None = None,
        latency: float = 0.0,
    ) -> None:
        self._reply = reply
        self._rate, self._burst = rate, burst
        self._retry_after = retry_after
        self._concurrency = concurrency
        self._latency = latency
        self._lock = Lock()
        self._tokens, self._filled_at = float(burst), time.monotonic()
        self._in_work = 0
        self.calls = self.accepted = self.refusals = 0
        self.requests: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.by_message: Counter[str] = Counter()
        self.billed = Usage(input_tokens=0, output_tokens=0)
        self._closing = Event()
        self._server = _Server(self)
        self._thread = Thread(target=self._server.serve_forever, args=(0.02,), daemon=True, name="fake-provider")

    @property
    def url(self) -> str:
        """The server's address, without a path."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def base_url(self) -> str:
        """What a model's `base_url` is set to."""
        return f"{self.url}/v1"

    def __enter__(self) -> "FakeProvider":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving; answers that hang are given up."""
        self._closing.set()
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
        self._server.hang_up()

    def _admit(self, request: dict[str, Any], headers: dict[str, str]) -> bool:
        """Count a request, and say whether it is let through."""
        with self._lock:
            self.calls += 1
            if not self._has_place() or not self._has_token():
                self.refusals += 1
                return False
            self._in_work += 1
            self.accepted += 1
            self.requests.append(request)
            self.headers.append(headers)
            self.by_message[_last_user_message(request)] += 1
            return True

    def _has_place(self) -> bool:
        return self._concurrency is None or self._in_work < self._concurrency

    def _has_token(self) -> bool:
        if self._rate is None:
            return True
        now = time.monotonic()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True

    def _answer(self, request: dict[str, Any], path: str) -> tuple[Reply, bytes]:
        """The reply to a request that was let through, and its body; it is billed here."""
        try:
            given = self._reply(request)
        except Exception as error:
            given = Reply(status=500, text=f"{type(error).__name__}: {error}")
        reply = given if isinstance(given, Reply) else Reply(text=given) if isinstance(given, str) else None
        if reply is None:
            assert isinstance(given, dict)
            body, reply = json.dumps(given).encode(), Reply(headers={"content-type": "application/json"})
            usage = given.get("usage")
        elif reply.status >= 400:
            body, usage = codec.encode({"error": {"message": reply.text, "type": "error", "code": None}}), None
        elif path.endswith(_CHAT):
            usage = _usage(request, reply)
            body = codec.encode(_completion(request, reply, usage))
        else:
            body, usage = reply.text.encode(errors="surrogatepass"), None
        if isinstance(usage, dict):
            counts = (usage.get("prompt_tokens"), usage.get("completion_tokens"))
            with self._lock:
                asked, answered = (count if isinstance(count, int) else 0 for count in counts)
                self.billed += Usage(asked, answered)
        if reply.body is None:
            return reply, body
        return reply, reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()

    def _done(self) -> None:
        with self._lock:
            self._in_work -= 1


def _last_user_message(request: Mapping[str, Any]) -> str:
    messages = request.get("messages")
    for message in reversed(messages if isinstance(messages, list) else []):
        if isinstance(message, dict) and message.get("role") == "user":
            return codec.text_of(message.get("content"))
    return ""


def _usage(request: dict[str, Any], reply: Reply) -> dict[str, Any] | None:
    if reply.usage != {}:
        return reply.usage
    read = len(codec.encode(request.get("messages"))) // _CHARS_PER_TOKEN
    written = (len(reply.text) + len(codec.encode(reply.tool_calls))) // _CHARS_PER_TOKEN
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}


def _completion(request: dict[str, Any], reply: Reply, usage: dict[str, Any] | None) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": reply.text or None if reply.tool_calls else reply.text}
    if reply.tool_calls:
        message["tool_calls"] = [
            {
                "id": f"call_{place}",
                "type": "function",
                "function": {"name": call["name"], "arguments": codec.encode(call["arguments"]).decode()},
            }
            for place, call in enumerate(reply.tool_calls)
        ]
    body = {
        "id": "chatcmpl-fake",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": reply.model or request.get("model") or "fake",
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish}],
    }
    return body if usage is None else {**body, "usage": usage}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 512

    def __init__(self, provider: FakeProvider) -> None:
        self.provider = provider
        self._open: set[socket] = set()
        self._open_lock = Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._open_lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._open_lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        """End idle keep-alive connections, whose threads would wait for another request."""
        with self._open_lock:
            for each in self._open:
                try:
                    each.shutdown(SHUT_RDWR)
                except OSError:  # the other side was quicker
                    continue

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up in mid-answer are what this server is for."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
        """Keep quiet."""

    def do_POST(self) -> None:
        provider = self.server.provider
        announced = int(self.headers.get("content-length") or 0)
        data = self.rfile.read(announced)
        if len(data) < announced:  # the caller died in the middle of asking: nothing was asked
            self.close_connection = True
            return
        try:
            request = json.loads(data)
        except ValueError:
            request = {}
        if not isinstance(request, dict):
            request = {"body": request}
        if not provider._admit(request, {name.lower(): value for name, value in self.headers.items()}):
            self._refuse(provider._retry_after)
            return
        try:
            self._serve(provider, *provider._answer(request, self.path))
        finally:
            provider._done()

    def _refuse(self, retry_after: float | None) -> None:
        headers = {} if retry_after is None else {"retry-after": f"{retry_after:g}"}
        error = {"message": "rate limit reached", "type": "requests", "code": "rate_limit_exceeded"}
        self._send(429, headers, codec.encode({"error": error}))

    def _serve(self, provider: FakeProvider, reply: Reply, body: bytes) -> None:
        if reply.hang:
            provider._closing.wait()
            self.close_connection = True
            return
        pause = provider._latency + reply.delay
        if pause and provider._closing.wait(pause):
            self.close_connection = True
            return
        if not (reply.cut or reply.drip):
            self._send(reply.status, reply.headers, body)
            return
        self._send(reply.status, reply.headers, b"", length=len(body) + (1 if reply.cut else 0))
        for place in range(len(body)):
            if reply.drip and provider._closing.wait(_DRIP_S):
                break
            self.wfile.write(body[place : place + 1])
        self.close_connection = self.close_connection or reply.cut

    def _send(self, status: int, headers: Mapping[str, str], body: bytes, *, length: int | None = None) -> None:
        self.send_response(status)
        stated = {name.lower(): value for name, value in headers.items()}
        stated.setdefault(
            "content-type", "application/json" if body[:1] in (b"{", b"[") else "text/plain; charset=utf-8"
        )
        for name, value in stated.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body) if length is None else length))
        # Head and body in one write, so that they travel in one packet.
        head: list[bytes] = self._headers_buffer  # type: ignore[attr-defined]
        head += [b"\r\n", body]
        self.flush_headers()
