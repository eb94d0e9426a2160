"""Scorers of a whole conversation, without a model: how long it took, how often people had to ask again, how it ended.

They bind `session`, the traces of one conversation in order: live those that share a session id, offline the turns of
the case's conversation. They are signals of frustration, by English words and by likeness, and miss what is said
politely.
"""

import re
from collections.abc import Sequence
from typing import Any

from gatewatch.core.codec import text_of
from gatewatch.core.compose import composed
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.base import Scorer, built_in
from gatewatch.scorers.guards import refusal_sign
from gatewatch.scorers.signs import ASKED_AGAIN, SATISFIED, WANTS_A_HUMAN

_MOST_COMPARED = 500
_ALIKE = 70.0  # rapidfuzz's token_sort_ratio, in 0..100
_FEWEST_WORDS = 3
_BEGINNING = 15  # characters
_AGAIN, _HUMAN, _SATISFIED = (re.compile(each, re.IGNORECASE) for each in (ASKED_AGAIN, WANTS_A_HUMAN, SATISFIED))
_AGREES = re.compile(r"(?:yes|yeah|yep|sure|okay|ok|correct|exactly)\b", re.IGNORECASE)
_NUMBERED = re.compile(r"\d\w*")

Session = Sequence[Trace]


def turns(*, name: str = "turns", most: int = 10) -> Scorer:
    """Make a scorer that gives 1 when a conversation took no more turns than a limit, else 0; the label counts them.

    A turn is one message of the user and its answer.

    Args:
        name: the scorer's name.
        most: the limit.

    Raises:
        ValueError: for a limit below 1.
    """
    if most < 1:
        raise ValueError(f"most must be 1 or more, got {most}")

    def score(session: Session) -> Score:
        return Score(float(len(session) <= most), f"{len(session)} turn{'s' if len(session) != 1 else ''}")

    return built_in(name, score, version="turns 1", parameters={"most": most}, binary=True)


def retries(*, name: str = "retries") -> Scorer:
    """Make a scorer of how rarely the user had to ask again: 1 minus the share of turns that repeat an earlier request.

    A turn is a retry when it says so ("that's not what I asked", "I meant", "try again"), or when its words are nearly
    those of one of the three turns before, in whatever order and case (three words or more; rapidfuzz's token sort
    ratio of 70 or more). Not so when it begins by agreeing ("yes, cancel it"), or has a number that the other has not:
    that is another order, not the same asked again. What differs from an earlier request by one word that matters
    ("open invoices for April" after March's) looks like a retry. A conversation of one turn is skipped.
    """

    def score(session: Session) -> Score | None:
        asked = [said(trace.input) for trace in session]
        if len(asked) < 2:
            return None
        again = [place for place in range(1, len(asked)) if is_retry(asked, place)]
        shown = f"turn {again[0] + 1}: {asked[again[0]][:120]!r}" if again else ""
        return Score(1 - len(again) / (len(asked) - 1), f"{len(again)} of {len(asked) - 1} retried", shown)

    return built_in(name, score, version="retries 1")


def is_retry(asked: Sequence[str], place: int) -> bool:
    """Whether a message repeats an earlier one of a conversation, or says that it was not understood."""
    from rapidfuzz.fuzz import token_sort_ratio
    from rapidfuzz.utils import default_process

    here = asked[place]
    if _AGAIN.search(here):
        return True
    if len(here.split()) < _FEWEST_WORDS or _AGREES.match(here):
        return False
    numbers = _numbers(here)
    before = (each for each in asked[max(0, place - 3) : place] if len(each.split()) >= _FEWEST_WORDS)
    alike = (each for each in before if token_sort_ratio(here, each, processor=default_process) >= _ALIKE)
    return any(numbers <= _numbers(each) for each in alike)


def _numbers(text: str) -> set[str]:
    return {number.casefold() for number in _NUMBERED.findall(text)}


def abandonment(*, name: str = "abandonment") -> Scorer:
    """Make a detector of conversations that the user gave up: 1 when there is no sign of it, else 0.

    The signs, of which the label names the first: the last turn failed; the last message repeats an earlier one or says
    that it was not understood; it was answered by nothing, or by a refusal; it asks for a human. A last message that
    begins with thanks or praise, and neither asks nor complains, is no sign of it, whatever the answer. Whoever leaves
    annoyed without a word looks the same as whoever leaves content: of that it knows nothing, and it gives 1.
    """

    def score(session: Session) -> bool | Score:
        last, asked = session[-1], [said(trace.input) for trace in session]
        if last.error is not None:
            return Score(0.0, "failed", last.error.message[:200])
        if _is_satisfied(asked[-1]):
            return True
        if len(asked) > 1 and is_retry(asked, len(asked) - 1):
            return Score(0.0, "asked again", repr(asked[-1][:120]))
        answer = text_of(last.output)
        if not answer.strip():
            return Score(0.0, "no answer")
        if refusal_sign(answer) is not None:
            return Score(0.0, "refused", repr(answer[:120]))
        return Score(0.0, "wants a human", repr(asked[-1][:120])) if _HUMAN.search(asked[-1]) else True

    return built_in(name, score, version="abandonment 1", binary=True)


def _is_satisfied(text: str) -> bool:
    """Whether a message takes leave content: it begins so. A request often ends in thanks."""
    return "?" not in text and not _AGAIN.search(text) and _SATISFIED.search(text, 0, _BEGINNING) is not None


def escalation(*, name: str = "escalation") -> Scorer:
    """Make a detector of conversations that were handed to a human, or in which one was asked for: 1 when not, else 0.

    It looks for such words in what the user asked, and for tools whose name says so (transfer, escalate, handoff,
    human).
    """

    def score(session: Session) -> bool | Score:
        for place, trace in enumerate(session, 1):
            asked = said(trace.input)
            if match := _HUMAN.search(asked):
                return Score(0.0, "asked for", f"turn {place}: {match[0]!r}")
            for span in trace.spans:
                if span.kind == "tool" and _TRANSFER.search(span.name):
                    return Score(0.0, "handed over", f"turn {place}: {span.name}")
        return True

    return built_in(name, score, version="escalation 1", binary=True)


_TRANSFER = re.compile(r"transfer|escalat|hand_?-?off|human_agent|live_agent", re.IGNORECASE)


def said(value: Any) -> str:
    """What the user said in a turn, made alike and bounded."""
    if isinstance(value, dict) and isinstance(value.get("messages"), list | tuple):
        users = [
            each.get("content") for each in value["messages"] if isinstance(each, dict) and each.get("role") == "user"
        ]
        value = users[-1] if users else ""
    return " ".join(composed(text_of(value)[: 4 * _MOST_COMPARED], "NFKC").split())[:_MOST_COMPARED]
