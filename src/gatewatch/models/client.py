"""The client of OpenAI-compatible providers: one POST a call, made again when it is worth it."""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Mapping
from math import inf
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.clock import monotonic, now
from gatewatch.core.errors import ModelError
from gatewatch.core.http import header_flaw, retry_after_of, url_flaw
from gatewatch.core.spans import recorder, span
from gatewatch.core.traceparent import USER_AGENT, of_our_own
from gatewatch.models.cache import ReplyCache, reply_key, worth_keeping
from gatewatch.models.embeddings import (
    Batches,
    Embedding,
    EmbeddingReply,
    embedding_key,
    embeddings_of,
    packed,
    shared,
    unpacked,
)
from gatewatch.models.pace import HaltTooLong, Pace, Turn
from gatewatch.models.prices import CHARS_PER_TOKEN, Prices
from gatewatch.models.protocol import ChatReply, ChatRequest
from gatewatch.models.settings import ModelSettings
from gatewatch.models.untraced import untraced
from gatewatch.models.wire import Malformed, body_of, error_of, reply_of

if TYPE_CHECKING:
    import httpx

Answer = TypeVar("Answer", ChatReply, EmbeddingReply)

_FIRST_BACKOFF_S = 0.5
_LONGEST_BACKOFF_S = 30.0
_KEEP_ALIVE_S = 30.0
_GUESSED_OUTPUT_TOKENS = 256
_MASK = "***"
_OURS = {"model", "messages", "stream", "n", "tools", "response_format"}
_SHORTEST_SECRET = 4


def check(settings: ModelSettings, env: Mapping[str, str]) -> list[str]:
    """What is wrong with a model's settings, before anything is sent: one text for each problem."""
    problems = []
    if flaw := url_flaw(settings.base_url):
        problems.append(f"base_url {flaw}")
    elif "@" in urlsplit(settings.base_url).netloc:
        problems.append(
            "base_url holds a name or password: put the secret into the variable named by key_env or headers"
        )
    for name, value in settings.headers.items():
        if flaw := header_flaw(name, "" if value.startswith("$") else value):
            problems.append(f"headers: {flaw}")
    variables = [settings.key_env] if settings.key_env else []
    variables += [value[1:] for value in settings.headers.values() if value.startswith("$")]
    for variable in variables:
        value = env.get(variable, "").strip()
        if not value:
            problems.append(f"the variable {variable} is not set")
        elif not (value.isascii() and value.isprintable()):
            problems.append(f"the variable {variable} holds characters that cannot be sent in a header")
    for name in sorted(settings.parameters.keys() & _OURS):
        problems.append(f"parameters.{name} cannot be set here: it is part of every call")
    for field, least in (("rpm", 1), ("tpm", 1), ("concurrency", 1), ("retries", 0)):
        number = getattr(settings, field)
        if number is not None and number < least:
            problems.append(f"{field} must be at least {least}, got {number}")
    for field in ("timeout", "patience"):
        seconds = getattr(settings, field)
        if not 0 < seconds < inf:
            problems.append(f"{field} must be a number of seconds above 0, got {seconds:g}")
    return problems


class _Failed(Exception):  # noqa: N818 - never leaves this file
    """An attempt that may be made again."""

    def __init__(self, kind: str, message: str, retry_after: float = 0.0) -> None:
        self.kind = kind
        self.retry_after = retry_after
        super().__init__(message)


class _RateLimited(Exception):  # noqa: N818 - never leaves this file
    """An attempt that was refused for its rate; the pace knows, and says when the next may go."""


class _Course:
    """How one call went: what passed in all, and what the attempt that counts took of it."""

    def __init__(self) -> None:
        self.started = monotonic()
        self.attempt_s = 0.0
        self.limited_since: float | None = None
        self.retries = 0

    @property
    def waited_s(self) -> float:
        return max(0.0, monotonic() - self.started - self.attempt_s)


class OpenAIClient:
    """A configured model behind an OpenAI-compatible provider: `POST {base_url}/chat/completions`, or `/embeddings`.

    One client serves one event loop at a time. `pace` is shared by all calls; it shows how the provider is coping.
    """

    def __init__(
        self,
        name: str,
        settings: ModelSettings,
        *,
        pace: Pace,
        cache: ReplyCache | None = None,
        prices: Prices,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._name = name
        self.settings = settings
        self.pace = pace
        self._cache = cache if settings.cache else None
        self._prices = prices
        self._sleep = sleep
        self._base = settings.base_url.rstrip("/")
        self._embeddings = Batches(self._embed)
        self._http: httpx.AsyncClient | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def __repr__(self) -> str:
        return f"OpenAIClient({self._who})"

    @property
    def name(self) -> str:
        """The name it is configured under."""
        return self._name

    @property
    def identity(self) -> dict[str, Any]:
        """What decides its answers: the provider's name of the model, the base URL and the parameters; and that it is
        not held to a schema, where it is not."""
        found = {
            "model": self.settings.model,
            "base_url": self.settings.base_url,
            "parameters": self.settings.parameters,
        }
        return found if self.settings.json_schema else {**found, "json_schema": False}

    @property
    def _who(self) -> str:
        return f"{self._name} ({self.settings.model} at {urlsplit(self._base).hostname})"

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Make one chat completion, however many attempts it takes.

        The call becomes an `llm` span of the trace that is being recorded, if any, and its waiting is kept out of that
        trace's latency.

        Raises:
            ModelError: when no usable answer came; the message never holds a key.
        """
        parameters = {**self.settings.parameters, **request.parameters}
        current = recorder.get()
        course = _Course()
        with span(self._name, kind="llm", input=request.messages) as step:
            step.model = self.settings.model
            try:
                reply = await self._reply(request, parameters, course)
                step.output = reply.text or list(reply.tool_calls)
                step.usage, step.model = reply.usage, reply.model or self.settings.model
                step.cost = reply.cost.total
            finally:
                step.latency_s = course.attempt_s
                if current is not None:
                    current.waited_s += course.waited_s
        return reply

    async def embed(self, text: str) -> Embedding:
        """The embedding of a text (`POST {base_url}/embeddings`); texts asked for at the same time share a request.

        Raises:
            ModelError: when no usable answer came; the message never holds a key.
        """
        key = ""
        if self._cache is not None:
            key = embedding_key(self.settings.base_url, self.settings.model, self.settings.parameters, text)
            kept = self._cache.get(key)
            if kept is not None:
                return unpacked(kept)
        found = await self._embeddings.embed(text)
        if self._cache is not None:
            self._cache.set(key, packed(found))
        return found

    async def _embed(self, texts: list[str]) -> list[Embedding]:
        """The embeddings of some texts, in one request."""
        settings = self.settings
        body = codec.encode({**settings.parameters, "model": settings.model, "input": texts})
        reply = await self._persist(
            body, len(body) // CHARS_PER_TOKEN, _Course(), "/embeddings", lambda data: embeddings_of(data, len(texts))
        )
        return shared(reply, texts, self._prices.cost(settings.model, reply.usage, settings.base_url))

    async def close(self) -> None:
        """Let go of connections and of the reply cache; both come back when needed."""
        if self._http is not None and self._loop is asyncio.get_running_loop():
            await self._http.aclose()
        self._http = None
        if self._cache is not None:
            self._cache.close()

    async def _reply(self, request: ChatRequest, parameters: dict[str, Any], course: _Course) -> ChatReply:
        settings = self.settings
        key = ""
        if self._cache is not None:
            held = {} if settings.json_schema else {"json_schema": False}
            key = reply_key(settings.base_url, settings.model, {**parameters, **held}, request)
            kept = self._cache.get(key)
            if kept is not None:
                return kept
        asked = request if settings.json_schema else replace(request, schema=None)
        body = codec.encode(body_of(settings.model, parameters, asked))
        tokens = len(body) // CHARS_PER_TOKEN + _most_output(parameters)
        reply = await self._persist(body, tokens, course, "/chat/completions", reply_of)
        reply = replace(
            reply,
            cost=self._prices.cost(settings.model, reply.usage, settings.base_url),
            latency_s=course.attempt_s,
            waited_s=course.waited_s,
            retries=course.retries,
        )
        if self._cache is not None and worth_keeping(request, reply):
            self._cache.set(key, reply)
        return reply

    async def _persist(
        self, body: bytes, tokens: int, course: _Course, path: str, read: Callable[[bytes], Answer]
    ) -> Answer:
        """Make attempts until one is answered, or there is no sense in going on; `read` makes an answer of a body."""
        headers, secrets = self._headers()
        http = self._client()
        failures = 0
        while True:
            try:
                async with self.pace.turn(tokens, patience=self._patience(course)) as turn:
                    return await self._attempt(http, path, body, headers, secrets, turn, course, read)
            except _RateLimited as refusal:
                if self._patience(course) <= 0:
                    raise ModelError("rate_limited", f"{self._who} refuses calls for their rate: {refusal}") from None
            except HaltTooLong as halt:
                what = f"{self._who} asks for {halt.seconds:.0f} s without calls, more than is left of"
                raise ModelError("rate_limited", f"{what} patience = {self.settings.patience:g}") from None
            except _Failed as failure:
                failures += 1
                if failures > self.settings.retries or failure.retry_after > self.settings.patience:
                    attempts = f" ({failures} attempts)" if failures > 1 else ""
                    raise ModelError(failure.kind, f"{self._who}: {failure}{attempts}") from None
                backoff = min(_LONGEST_BACKOFF_S, _FIRST_BACKOFF_S * 2 ** (failures - 1))
                await self._sleep(failure.retry_after + random.random() * backoff)
            course.retries += 1
            self.pace.retries += 1

    def _patience(self, course: _Course) -> float:
        """Seconds that a call may still wait for its rate; they count from its first refusal."""
        since = course.limited_since
        return self.settings.patience - (0.0 if since is None else monotonic() - since)

    async def _attempt(
        self,
        http: "httpx.AsyncClient",
        path: str,
        body: bytes,
        headers: dict[str, str],
        secrets: list[str],
        turn: Turn,
        course: _Course,
        read: Callable[[bytes], Answer],
    ) -> Answer:
        import httpx

        course.attempt_s, began = 0.0, monotonic()
        try:
            async with asyncio.timeout(self.settings.timeout):
                status, answer, data = await self._post(http, path, body, headers)
        except TimeoutError:
            raise _Failed("timeout", f"no whole answer within {self.settings.timeout:g} s") from None
        except Malformed as error:
            raise _Failed("malformed", str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, ValueError, OSError) as error:
            what = str(error) or type(error).__name__
            raise _Failed("connection", _masked(f"no connection: {what}", secrets)) from None
        finally:
            course.attempt_s = monotonic() - began
        if 200 <= status < 300:
            try:
                reply = read(data)
            except Malformed as error:
                raise _Failed("malformed", _masked(str(error), secrets)) from None
            if reply.usage is not None:
                turn.used((reply.usage.input_tokens or 0) + (reply.usage.output_tokens or 0))
            return reply
        message, code = error_of(data)
        message = _masked(f"status {status}: {message}", secrets)
        if status == 429 and code != "insufficient_quota":  # that one is about money, and waiting does not help
            if course.limited_since is None:
                course.limited_since = monotonic()
            turn.refused(retry_after_of(answer, now()))
            raise _RateLimited(message)
        if status >= 500 or status in (408, 409):
            pause = (retry_after_of(answer, now()) or 0.0) if status == 503 else 0.0
            raise _Failed("server", message, pause)
        if status in (401, 403):
            held = f"the variable {self.settings.key_env} holds the key" if self.settings.key_env else "no key is sent"
            message += f" ({held})"
        if b'"response_format"' in body and ("response_format" in message or "json_schema" in message):
            message += f" (json_schema = false in [models.{self._name}] leaves response_format out)"
        raise ModelError("refused", f"{self._who}: {message}")

    async def _post(
        self, http: "httpx.AsyncClient", path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        with untraced():
            return await self._posted(http, path, body, {"traceparent": of_our_own(), **headers})

    async def _posted(
        self, http: "httpx.AsyncClient", path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, Mapping[str, str], bytes]:
        import httpx

        async with http.stream("POST", self._base + path, content=body, headers=headers) as response:
            try:
                data = await response.aread()
            except (httpx.RemoteProtocolError, httpx.ReadError, httpx.DecodingError) as error:
                if not response.is_success:
                    data = b""  # the status says enough
                else:
                    raise Malformed(f"the body was cut short: {error}") from None
        return response.status_code, response.headers, data

    def _client(self) -> "httpx.AsyncClient":
        loop = asyncio.get_running_loop()
        if self._http is None or self._loop is not loop:
            import anyio  # what httpx waits with
            import httpx

            # All that is slow the first time happens here, before the first turn: a stall between sending and hearing
            # of a refusal would spoil what the pace learns from it.
            anyio.current_time()
            self._prices.known(self.settings.model, self.settings.base_url)
            limits = httpx.Limits(
                max_connections=self.settings.concurrency,
                max_keepalive_connections=self.settings.concurrency,
                keepalive_expiry=_KEEP_ALIVE_S,
            )
            # Attempts have one deadline of their own: httpx's time-outs start anew with every read.
            self._http, self._loop = httpx.AsyncClient(limits=limits, timeout=None), loop  # noqa: S113
        return self._http

    def _headers(self) -> tuple[dict[str, str], list[str]]:
        """The headers of a request, and the values among them that must not be shown."""
        headers = {"content-type": "application/json", "accept": "application/json", "user-agent": USER_AGENT}
        secrets = []
        if self.settings.key_env:
            secrets.append(self._variable(self.settings.key_env))
            headers["authorization"] = f"Bearer {secrets[0]}"
        for header, value in self.settings.headers.items():
            secrets.append(self._variable(value[1:]) if value.startswith("$") else value)
            headers[header.lower()] = secrets[-1]
        return headers, secrets

    def _variable(self, name: str) -> str:
        value = os.environ.get(name, "").strip()
        if not value:
            raise ModelError("refused", f"{self._who}: the variable {name} is not set")
        return value


def _most_output(parameters: Mapping[str, Any]) -> int:
    for name in ("max_completion_tokens", "max_tokens"):
        if isinstance(most := parameters.get(name), int):
            return most
    return _GUESSED_OUTPUT_TOKENS


def _masked(text: str, secrets: list[str]) -> str:
    for secret in secrets:
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, _MASK)
    return text
