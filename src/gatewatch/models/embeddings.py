"""Embeddings: texts as vectors. The wire format, batches of texts asked for at the same time, and how one is kept."""

import asyncio
import base64
from array import array
from collections.abc import Awaitable, Callable, Mapping
from math import isfinite
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.money import Cost
from gatewatch.core.trace import Usage
from gatewatch.models.protocol import ChatReply
from gatewatch.models.wire import Malformed, said, usage_of

MOST_TEXTS = 64
"""How many texts one request asks for."""

_ROUNDS = 3  # turns of the event loop in which further texts may join a batch


class Embedding(Struct, frozen=True, kw_only=True):
    """A text's vector, the model as the provider names it, and this text's part of what the request used and cost."""

    vector: tuple[float, ...]
    model: str = ""
    usage: Usage | None = None
    cost: Cost = Cost()


class EmbeddingReply(Struct, frozen=True, kw_only=True):
    """What a provider answered: a vector for each text, in the order in which they were asked."""

    vectors: tuple[tuple[float, ...], ...]
    model: str = ""
    usage: Usage | None = None


class Embedder(Protocol):
    """A configured model that embeds texts."""

    @property
    def name(self) -> str:
        """The name it is configured under."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """What decides its answers, for fingerprints."""
        ...

    async def embed(self, text: str) -> Embedding:
        """The embedding of a text.

        Raises:
            ModelError: when no usable answer came.
        """
        ...


def embeddings_of(data: bytes, count: int) -> EmbeddingReply:
    """Read the body of a successful response that was asked for so many embeddings.

    Raises:
        Malformed: when it is not JSON, or does not hold that many vectors of one length, each once.
    """
    try:
        body = codec.decode(data, dict[str, Any])
    except (ValueError, RecursionError):
        raise Malformed("not a JSON object") from None
    found: dict[int, tuple[float, ...]] = {}
    entries = body.get("data")
    if not isinstance(entries, list):
        raise Malformed(f"no embeddings: {said(data)}")
    for place, entry in enumerate(entries):
        index = entry.get("index", place) if isinstance(entry, dict) else None
        vector = entry.get("embedding") if isinstance(entry, dict) else None
        if not isinstance(index, int) or not isinstance(vector, list) or not vector or not all(map(_is_number, vector)):
            raise Malformed(f"embedding {place + 1} is no vector of numbers")
        found[index] = tuple(map(float, vector))
    if sorted(found) != list(range(count)):
        raise Malformed(f"{len(entries)} embeddings came, and {count} were asked for")
    if len({len(vector) for vector in found.values()}) > 1:
        raise Malformed("the embeddings are of different lengths")
    usage = usage_of(body.get("usage"))
    if usage is not None:  # nothing is written: providers leave the number out
        usage = replace(usage, output_tokens=0)
    vectors = tuple(found[index] for index in range(count))
    return EmbeddingReply(vectors=vectors, model=str(body.get("model") or ""), usage=usage)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def shared(reply: EmbeddingReply, texts: list[str], cost: Cost) -> list[Embedding]:
    """A reply as one embedding for each text, with its share, by length, of what the request used and cost."""
    total = sum(len(text) + 1 for text in texts)
    left = None if reply.usage is None else reply.usage.input_tokens
    found = []
    for place, (text, vector) in enumerate(zip(texts, reply.vectors, strict=True)):
        share = (len(text) + 1) / total
        usage = None
        if reply.usage is not None and reply.usage.input_tokens is not None and left is not None:
            last = place == len(texts) - 1
            tokens = left if last else round(reply.usage.input_tokens * share)
            tokens = min(tokens, left)
            left -= tokens
            usage = Usage(input_tokens=tokens, output_tokens=0)
        paid = Cost(cost.amount * share, cost.unknown)
        found.append(Embedding(vector=vector, model=reply.model, usage=usage, cost=paid))
    return found


class Batches:
    """Puts texts that are asked for at about the same time into one request, and the same text only once.

    A batch leaves when it is full, or after a few turns of the event loop. Whoever stops waiting does not take the
    batch along.
    """

    def __init__(self, send: Callable[[list[str]], Awaitable[list[Embedding]]]) -> None:
        self._send = send
        self._waiting: dict[str, asyncio.Future[Embedding]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None

    async def embed(self, text: str) -> Embedding:
        """The embedding of a text; a second asking of the same batch is told that it cost nothing more."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # what an earlier loop left behind is nobody's any more
            self._waiting, self._loop = {}, loop
        future = self._waiting.get(text)
        if future is not None:
            found = await asyncio.shield(future)
            return replace(found, cost=Cost(), usage=None)
        future = self._waiting[text] = loop.create_future()
        if len(self._waiting) >= MOST_TEXTS:
            self._leave()
        elif len(self._waiting) == 1:
            self._start(self._linger())
        return await asyncio.shield(future)

    async def _linger(self) -> None:
        for _ in range(_ROUNDS):
            await asyncio.sleep(0)
        self._leave()

    def _leave(self) -> None:
        batch, self._waiting = self._waiting, {}
        if batch:
            self._start(self._work(batch))

    def _start(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, batch: dict[str, asyncio.Future[Embedding]]) -> None:
        try:
            found = await self._send(list(batch))
        except BaseException as error:
            for future in batch.values():
                if not future.done():
                    future.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
                    future.exception()  # looked at: whoever asked may have gone
            if not isinstance(error, Exception):
                raise
            return
        for future, embedding in zip(batch.values(), found, strict=True):
            if not future.done():
                future.set_result(embedding)


# Kept in the reply cache, as a reply whose text is the vector


def embedding_key(base_url: str, model: str, parameters: Mapping[str, Any], text: str) -> str:
    """The key of an embedding in the reply cache."""
    return codec.digest(("embedding", 1, base_url, model, parameters, text))


def packed(found: Embedding) -> ChatReply:
    """An embedding as the reply cache keeps it: in single precision, as providers compute it."""
    return ChatReply(text=base64.b64encode(array("f", found.vector).tobytes()).decode(), model=found.model)


def unpacked(kept: ChatReply) -> Embedding:
    """An embedding from the reply cache; it cost nothing."""
    vector = array("f")
    vector.frombytes(base64.b64decode(kept.text))
    return Embedding(vector=tuple(vector), model=kept.model)
