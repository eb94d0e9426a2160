"""Asking a model for a verdict, once: what comes of it is a score, whatever the model or its provider does."""

from typing import Any

from msgspec.structs import replace

from gatewatch.core.errors import ModelError
from gatewatch.core.money import Cost
from gatewatch.core.score import Score
from gatewatch.core.trace import Usage, total_usage
from gatewatch.models.protocol import ChatReply, ChatRequest, Model
from gatewatch.scorers.prompt import SHOWN_OF_REASON, Messages, again
from gatewatch.scorers.reply import Form
from gatewatch.scorers.votes import UNREADABLE

_SHOWN_OF_BAD_REPLY = 200


async def ask(model: Model, messages: Messages, form: Form, parameters: dict[str, Any], trial: int = 0) -> Score:
    """Ask for a verdict, and once more when the reply cannot be read; what was paid is told whatever comes of it.

    `trial` numbers repeated askings of the same thing, so that the reply cache does not make one of them.
    """
    cost: Cost | None = None
    usage: Usage | None = None
    named = why = ""
    for _ in range(2):
        request = ChatRequest(messages=messages, parameters=parameters, schema=form.schema, trial=trial)
        try:
            reply: ChatReply = await model.chat(request)
        except ModelError as error:
            why = str(error)
            cost = (cost or Cost()) + Cost(unknown=1)  # what a failed call cost, nobody says
            break
        cost = reply.cost if cost is None else cost + reply.cost
        usage, named, text = total_usage((usage, reply.usage)), reply.model, reply.text.strip()
        try:
            value, label, explanation, parts = form.read(text)
        except ValueError as error:
            cut = "it was cut off at the limit of output tokens"
            reason = cut if reply.finish == "length" else str(error)[:SHOWN_OF_REASON]
            shown = f": {text[:_SHOWN_OF_BAD_REPLY]}" if text else ""
            why = f"{UNREADABLE}: {reason}{shown}"
            messages = again(messages, text, reason, form)
        else:
            score = Score(
                value, label, explanation, source="judge", cost=cost, usage=usage, model=named, parts=dict(parts)
            )
            return score if value is not None else replace(score, status="skipped")
    return Score(status="scorer_error", explanation=why, source="judge", cost=cost, usage=usage, model=named)
