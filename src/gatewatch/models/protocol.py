"""What talking to an LLM looks like to the rest of the house: a request, a reply, one method."""

from typing import Any, Protocol

from msgspec import Struct

from gatewatch.core.money import Cost
from gatewatch.core.trace import Usage


class ChatRequest(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One chat completion to be made.

    `messages` are OpenAI-style objects (`role`, `content`, ...). `parameters` (temperature, max_tokens, seed ...) win
    over the model's configured ones. `schema` asks for a reply that follows a JSON schema. `trial` numbers repeated
    askings of the same thing, so that each has its own place in the reply cache.
    """

    messages: tuple[dict[str, Any], ...]
    parameters: dict[str, Any] = {}
    tools: tuple[dict[str, Any], ...] = ()
    schema: dict[str, Any] | None = None
    trial: int = 0


class ChatReply(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a provider answered.

    `model` is the name the provider gave in its reply. `tool_calls` are objects with `name` and `arguments` (decoded;
    text when it was not JSON). `latency_s` is the last attempt's time on the wire; `waited_s` is our own waiting
    before it (places, rate limits, retries). `cost` has an unknown part when no price is known; it is nothing when
    the reply was `cached`.
    """

    text: str = ""
    tool_calls: tuple[dict[str, Any], ...] = ()
    model: str = ""
    finish: str = ""
    usage: Usage | None = None
    cost: Cost = Cost()
    latency_s: float = 0.0
    waited_s: float = 0.0
    retries: int = 0
    cached: bool = False


class Model(Protocol):
    """A configured LLM."""

    @property
    def name(self) -> str:
        """The name it is configured under."""
        ...

    @property
    def identity(self) -> dict[str, Any]:
        """What decides its answers (provider's model name, base URL, parameters), for fingerprints and components."""
        ...

    async def chat(self, request: ChatRequest) -> ChatReply:
        """Make one chat completion, however many attempts it takes.

        Raises:
            ModelError: when no usable answer came.
        """
        ...

    async def close(self) -> None:
        """Let go of connections."""
        ...
