"""A task that is a prompt template and a model."""

from collections.abc import Mapping, Sequence
from typing import Any

from gatewatch.core import codec
from gatewatch.core.case import Case
from gatewatch.core.trace import Trace
from gatewatch.models.protocol import ChatRequest, Model
from gatewatch.offline.template import fill_text, names_in, unknown_name, values_of


class PromptTask:
    """A prompt, filled from the case (see `offline.template`) and sent to a model as a user's message.

    For a conversation, the prompt is the system message before it. The output is the reply's text; when the model
    calls tools, it is `{"content", "tool_calls"}`.
    """

    timed = True
    own_deadline = True  # the model's client has a deadline for each attempt, and its waiting is not the prompt's fault
    abandoned = 0

    def __init__(
        self,
        prompt: str,
        model: Model,
        *,
        spec: str,
        system: str = "",
        parameters: Mapping[str, Any] | None = None,
        tools: Sequence[dict[str, Any]] = (),
    ) -> None:
        self.spec = spec
        self._prompt = prompt
        self._system = system
        self._model = model
        self._parameters = dict(parameters or {})
        self._tools = tuple(tools)
        self._names = names_in(prompt) | names_in(system)
        self.versions = {
            "prompt": codec.digest((system, prompt), 12),
            "model": str(model.identity.get("model", model.name)),
            "parameters": codec.text_of({**model.identity.get("parameters", {}), **self._parameters}),
        }
        if tools:
            self.versions["tools"] = codec.digest(self._tools, 12)

    @property
    def model_name(self) -> str:
        """The name that the model is configured under."""
        return self._model.name

    def flaw(self, case: Case, trials: int) -> str:
        """Which name in the template the case has no value for, or nothing."""
        return unknown_name(self._names, values_of(case, 0))

    def messages(self, case: Case, trial: int = 0) -> tuple[dict[str, Any], ...]:
        """What is sent for a case."""
        values = values_of(case, trial)
        system = fill_text(self._system, values)
        found = [{"role": "system", "content": system}] if system else []
        prompt = fill_text(self._prompt, values)
        if isinstance(case.input, dict) and "messages" in case.input:
            before = [{"role": "system", "content": prompt}] if prompt.strip() else []
            return (*found, *before, *case.input["messages"])
        return (*found, {"role": "user", "content": prompt})

    async def answer(self, case: Case, trial: int) -> Trace:
        """Ask the model.

        Raises:
            ModelError: when no usable answer came.
        """
        reply = await self._model.chat(
            ChatRequest(
                messages=self.messages(case, trial), parameters=self._parameters, tools=self._tools, trial=trial
            )
        )
        output: Any = reply.text
        if reply.tool_calls:
            output = codec.plain({"content": reply.text, "tool_calls": list(reply.tool_calls)})
        return Trace(
            output=output,
            usage=reply.usage,
            cost=reply.cost,
            latency_s=reply.latency_s,
            waited_s=reply.waited_s,
            versions={"model": reply.model} if reply.model else {},
        )

    async def close(self) -> None:
        """The model is closed by whoever opened it."""
