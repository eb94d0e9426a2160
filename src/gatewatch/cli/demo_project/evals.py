"""The project's own scorers: what "good" means for this bot, in Python."""

from gatewatch import scorer


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
