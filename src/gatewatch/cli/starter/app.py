"""A tiny application, so that there is something to run: the help desk of a town library. Put yours in its place.

`gatewatch run` calls `answer` with the input of each case: text as the first argument, the fields of an object by
their names (a conversation comes as `messages`). It may be async. What it returns is the output; what it raises is kept
as an error and counts as a failure.
"""

import re

from gatewatch import note, span

DOCUMENTS = {
    "opening-hours": "The library is open from 9 to 19 on weekdays and from 10 to 14 on Saturdays.",
    "loans": "Books are lent for 4 weeks, films for 1 week. A loan can be extended twice.",
    "late-fees": "A late book costs 20 cents a day, 10 euros at most.",
    "library-cards": "A library card costs 12 euros a year. It is free for everybody under 18.",
    "reading-rooms": "Reading rooms can be booked for up to 3 hours a day with a library card.",
}
LOANS = {"LC-204": "The Wind Harbour, due on 3 March", "LC-377": "nothing on loan"}


def answer(question="", messages=()):
    """Answer a question, or the last one of a conversation."""
    if messages:
        question = " ".join(turn["content"] for turn in messages if turn["role"] == "user")
    card = re.search(r"\bLC-\d{3}\b", question)
    if card:
        return f"{card[0]}: {loans_on(card[0])}."
    with span("search", kind="retrieval", input=question) as step:
        best = max(DOCUMENTS, key=lambda name: len(words(question) & words(f"{name} {DOCUMENTS[name]}")))
        found = [best] if words(question) & words(f"{best} {DOCUMENTS[best]}") else []
        step.output = [{"id": name} for name in found]
    note(context=[DOCUMENTS[name] for name in found], versions={"documents": "1"})
    return DOCUMENTS[found[0]] if found else "I do not know that. Please ask at the desk."


def loans_on(card):
    """A tool: what is on loan on a library card."""
    with span("loans_on", kind="tool", input={"card": card}) as step:
        step.output = LOANS.get(card, "no such card")
        return step.output


def words(text):
    """The longer words of a text, without their plural."""
    return {word.rstrip("s") for word in re.findall(r"[a-z]{4,}", text.lower())} - {
        "what",
        "when",
        "does",
        "from",
        "much",
    }
