"""Models as a worker asks them: it learns when one does not answer, and stops asking it until it does."""

import logging
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from gatewatch.core.errors import ModelError

if TYPE_CHECKING:
    from gatewatch.models.embeddings import Embedder
    from gatewatch.models.protocol import ChatReply, ChatRequest, Model
    from gatewatch.scorers.base import Models

_log = logging.getLogger("gatewatch")

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 300.0
_IN_A_ROW = 5


class Breaker:
    """Whether a model is to be asked: not for a while, longer each time, when one score after another failed by them.

    After the pause one score is tried; when it succeeds, all goes on.
    """

    def __init__(self, name: str, clock: Callable[[], float]) -> None:
        self._name = name
        self._clock = clock
        self._failed = 0
        self._pause = 0.0
        self.until = 0.0
        self.reason = ""

    @property
    def open(self) -> bool:
        """Whether nothing is to be asked now."""
        return self._clock() < self.until

    @property
    def trying(self) -> bool:
        """Whether one is to be tried, and no more."""
        return self._pause > 0.0 and not self.open

    def succeeded(self) -> None:
        """A model answered."""
        if self._pause:
            _log.warning("%s answers again", self._name)
        self._failed, self._pause, self.until, self.reason = 0, 0.0, 0.0, ""

    def failed(self, reason: str) -> bool:
        """A score failed by its model; says whether that is taken for an outage rather than for the score's own."""
        if self.open:  # one that was under way when the pause began
            return True
        self._failed += 1
        if self._failed < _IN_A_ROW and not self._pause:
            return False
        self._pause = min(self._pause * 2 or _FIRST_PAUSE_S, _LONGEST_PAUSE_S)
        self.until, self.reason = self._clock() + self._pause, reason
        _log.warning("%s is not asked for %.0f s: %s", self._name, self._pause, reason)
        return True


class Trouble(Struct, frozen=True):
    """A call that a model did not answer; `billed` is whether it may have cost something all the same."""

    model: str
    reason: str
    billed: bool = False


troubles: ContextVar[list[Trouble] | None] = ContextVar("gatewatch_troubles", default=None)
"""Where calls made for one score note that they failed: a judge makes a score of that, and does not raise it."""


class WatchedModel:
    """A model whose failures are noted, and whose answers close its breaker."""

    def __init__(self, model: "Model", breaker: Breaker) -> None:
        self._model = model
        self._breaker = breaker

    @property
    def name(self) -> str:
        """The name it is configured under."""
        return self._model.name

    @property
    def identity(self) -> dict[str, Any]:
        """What decides its answers."""
        return self._model.identity

    async def chat(self, request: "ChatRequest") -> "ChatReply":
        """As the model's own."""
        try:
            reply = await self._model.chat(request)
        except ModelError as error:
            noted = troubles.get()
            if noted is not None and error.kind != "malformed":
                noted.append(Trouble(self.name, f"{error.kind}: {error}", error.kind == "timeout"))
            raise
        if not reply.cached:
            self._breaker.succeeded()
        return reply

    async def close(self) -> None:
        """As the model's own."""
        await self._model.close()


class WatchedModels:
    """A project's models, each watched, with a breaker of its own; `clock` gives the time in seconds."""

    def __init__(self, models: "Models", clock: Callable[[], float]) -> None:
        self._models = models
        self._clock = clock
        self.breakers: dict[str, Breaker] = {}

    def model(self, name: str) -> "Model":
        """The model that chats."""
        breaker = self.breakers.setdefault(name, Breaker(name, self._clock))
        return WatchedModel(self._models.model(name), breaker)

    def embedder(self, name: str) -> "Embedder":
        """The model that embeds; its failures are the score's."""
        return self._models.embedder(name)
