"""The project's own scorers: what "good" means for this bot, in Python."""

import os
import re

from gatewatch import judge, scorer

# What a question is about, by the first line that has one of its words.
ABOUT = {
    "gift_cards": "gift voucher gc",
    "orders": "qm order number",
    "returns": "return refund refnd reimburs swap exchange size",
    "account": "account password pasword logging locked signing data invoices newsletter mail",
    "warranty": "warrant waranty guarantee recall repair ember stove rucksack broke zip hire",
    "payment": "pay card instal bill charge cheque bank reminder discount",
    "shipping": "ship deliver courier parcel package box express island surcharge wrapping customs arrive collect",
}


def slice_of(input):
    """The slice of a request that states none."""
    asked = str(input).lower()
    found = (name for name, words in ABOUT.items() if any(word in asked for word in words.split()))
    return next(found, "off_topic")


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
