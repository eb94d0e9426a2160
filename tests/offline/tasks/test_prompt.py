import asyncio
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.errors import ModelError
from gatewatch.core.money import Cost
from gatewatch.core.trace import Trace, Usage
from gatewatch.models.protocol import ChatReply, ChatRequest
from gatewatch.offline.tasks.prompt import PromptTask


class FakeModel:
    """A model that answers with what it is told to, and remembers what it was asked."""

    def __init__(self, reply: ChatReply | Exception | None = None) -> None:
        self.reply = reply or ChatReply(text="hi", model="m-2026", cost=Cost(0.5))
        self.requests: list[ChatRequest] = []

    @property
    def name(self) -> str:
        return "app"

    @property
    def identity(self) -> dict[str, Any]:
        return {"model": "m", "parameters": {"temperature": 0.5}}

    async def chat(self, request: ChatRequest) -> ChatReply:
        self.requests.append(request)
        if isinstance(self.reply, Exception):
            raise self.reply
        return self.reply

    async def close(self) -> None:
        raise AssertionError("whoever opened it closes it")


def made(prompt: str, model: FakeModel | None = None, **more: Any) -> PromptTask:
    return PromptTask(prompt, model or FakeModel(), spec="answer", **more)


def answered(task: PromptTask, case: Case, trial: int = 0) -> Trace:
    async def ask() -> Trace:
        trace = await task.answer(case, trial)
        await task.close()
        return trace

    return asyncio.run(ask())


CASE = Case(id="c1", input={"question": "why {x}?"}, context=("p1", "p2"))
MESSAGES = [{"role": "system", "content": "s"}, {"role": "user", "content": "{question}"}]


def test_the_prompt_is_filled_from_the_case_and_sent_as_the_users_message() -> None:
    model = FakeModel()
    task = made("Q: {question}\nAs {{json}}", model, parameters={"max_tokens": 5}, tools=({"name": "f"},))
    answered(task, CASE, 2)
    assert model.requests == [
        ChatRequest(
            messages=({"role": "user", "content": "Q: why {x}?\nAs {json}"},),
            parameters={"max_tokens": 5},
            tools=({"name": "f"},),
            trial=2,
        )
    ]


def test_a_system_prompt_comes_before() -> None:
    assert made("{question}", system="Use: {context}").messages(CASE) == (
        {"role": "system", "content": "Use: p1\n\np2"},
        {"role": "user", "content": "why {x}?"},
    )


def test_before_a_conversation_the_prompt_is_the_system_message() -> None:
    case = Case(id="c1", input={"messages": MESSAGES, "lang": "de"})
    assert made("Answer in {lang}").messages(case) == ({"role": "system", "content": "Answer in de"}, *MESSAGES)
    assert made(" \n").messages(case) == tuple(MESSAGES)
    assert made("P", system="S").messages(case)[:2] == (
        {"role": "system", "content": "S"},
        {"role": "system", "content": "P"},
    )


def test_the_reply_becomes_the_trace() -> None:
    reply = ChatReply(
        text="hi", model="m-2026", usage=Usage(3, 4), cost=Cost(unknown=1), latency_s=0.5, waited_s=2.0, retries=1
    )
    assert answered(made("{question}", FakeModel(reply)), CASE) == Trace(
        output="hi",
        usage=Usage(3, 4),
        cost=Cost(unknown=1),
        latency_s=0.5,
        waited_s=2.0,
        versions={"model": "m-2026"},
    )


def test_tool_calls_are_part_of_the_output() -> None:
    calls = ({"name": "f", "arguments": {"a": 1}}, {"name": "g", "arguments": "not JSON"})
    trace = answered(made("{question}", FakeModel(ChatReply(text="", tool_calls=calls))), CASE)
    assert trace.output == {"content": "", "tool_calls": list(calls)}


def test_tool_calls_nested_without_end_are_an_error_of_the_answer() -> None:
    deep: Any = []
    for _ in range(500):
        deep = [deep]
    reply = ChatReply(tool_calls=({"name": "f", "arguments": {"a": deep}},))
    with pytest.raises(ValueError, match="nested more than 100 deep"):
        answered(made("{question}", FakeModel(reply)), CASE)


def test_no_usable_answer_goes_through() -> None:
    with pytest.raises(ModelError, match="HTTP 500"):
        answered(made("{question}", FakeModel(ModelError("server", "HTTP 500"))), CASE)


def test_a_name_that_the_case_does_not_have_is_a_flaw() -> None:
    task = made("{question}", system="{persona}")
    assert task.flaw(CASE, 1) == (
        "the template names {persona}, which the case does not have (known: context, id, input, question, trial)"
    )
    assert made("{question}").flaw(CASE, 1) == ""


def test_the_versions_change_with_what_they_name() -> None:
    versions = made("a", system="s", parameters={"temperature": 1}, tools=({"name": "f"},)).versions
    assert (versions["model"], versions["parameters"]) == ("m", '{"temperature":1}')
    assert made("a").versions["parameters"] == '{"temperature":0.5}'
    assert "tools" not in made("a").versions
    others = [
        made("b", system="s", tools=({"name": "f"},)),
        made("a", system="t", tools=({"name": "f"},)),
        made("as", system="", tools=({"name": "f"},)),
    ]
    assert len({versions["prompt"], *(each.versions["prompt"] for each in others)}) == 4
    assert versions["tools"] != made("a", tools=({"name": "g"},)).versions["tools"]
    assert made("a").model_name == "app"
