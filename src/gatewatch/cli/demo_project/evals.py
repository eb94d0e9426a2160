"""The project's own scorers: what "good" means for this bot, in Python."""

import os
import re

from gatewatch import judge, scorer


@scorer
def states_answer(output: str, expected: str) -> bool:
    """Whether the fact that the case expects is in the answer, whatever stands around it."""
    return expected.lower() in output.lower()


@scorer
def finds_article(trace, expected):
    """The share of the articles needed that the search found; nothing to say where the case names none."""
    relevant = getattr(expected, "relevant", None)
    if not relevant:
        return None
    found = {each["id"] for span in trace.spans if span.kind == "retrieval" for each in span.output or []}
    return len(found.intersection(relevant)) / len(relevant)


if os.environ.get("OPENAI_API_KEY") and os.environ.get("OPENAI_BASE_URL"):
    on_topic = judge("rubrics/on_topic.md", model="judge", name="on_topic")
else:  # a judge without a model, for who has no key: it knows no meanings, but numbers

    @scorer
    def on_topic(input: str, output: str) -> bool:
        """Whether the answer is about what was asked: the order or gift card that the customer named is in it."""
        named = re.findall(r"\b(?:QM|GC)[- ]?(\d{4,})\b", input, re.IGNORECASE)
        return all(number in output for number in named)
