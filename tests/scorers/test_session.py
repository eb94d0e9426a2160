from typing import Any

import pytest

from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Span, Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.session import abandonment, escalation, retries, turns


def talk(*pairs: tuple[str, str], **last: Any) -> tuple[Trace, ...]:
    found = [Trace(input=asked, output=answered) for asked, answered in pairs]
    if last:
        found.append(Trace(**last))
    return tuple(found)


def scored(scorer: Scorer, session: tuple[Trace, ...]) -> Score:
    return apply_inline(scorer, session[-1], beside={"session": session})


FINE = talk(("When does the shop open?", "At nine."), ("And on Sundays?", "At ten."), ("Thanks!", "You are welcome."))
AGAIN = talk(
    ("When does my refund arrive?", "Refunds are possible."),
    ("When will my refund arrive please?", "We do refunds."),
    ("That's not what I asked", "Sorry."),
)


def test_turns() -> None:
    assert (scored(turns(most=3), FINE).value, scored(turns(most=2), FINE).value) == (1.0, 0.0)
    assert scored(turns(), FINE).label == "3 turns"
    with pytest.raises(ValueError, match="most must be 1 or more, got 0"):
        turns(most=0)


def test_retries() -> None:
    assert scored(retries(), FINE).value == 1.0
    score = scored(retries(), AGAIN)
    assert (score.value, score.label) == (0.0, "2 of 2 retried")
    assert scored(retries(), FINE[:1]).status == "skipped"


@pytest.mark.parametrize(
    ("before", "after", "again"),
    [
        ("Cancel my subscription now", "CANCEL MY SUBSCRIPTION, NOW!", True),
        ("Book a table for two at noon", "a table for two, at noon, book it", True),
        ("Where is my order 1182?", "So where is my order 1182", True),
        ("Where is my order 1182?", "Where is my order 1190?", False),
        ("Please cancel the order for the kettle", "Yes, cancel the order for the kettle", False),
        ("Book a table for two at noon", "No, I meant a room", True),
        ("Do it", "Do it", False),
        ("Can it wait until Monday?", "That is not a problem", False),
        ("Can it wait until Monday?", "That is not the question", True),
    ],
)
def test_what_a_retry_is(before: str, after: str, again: bool) -> None:
    assert scored(retries(), talk((before, "Well."), (after, "Well."))).value == float(not again)


@pytest.mark.parametrize(
    ("session", "label"),
    [
        (talk(("Where is it?", "There."), ("And the other?", "")), "no answer"),
        (talk(("Where is it?", "There."), ("Thanks, bye", "")), ""),
        (talk(("Where is it?", "There."), ("Thanks, but that's not what I asked", "Oh.")), "asked again"),
        (talk(("Delete my account, thank you", "I'm sorry, but I can't help with that.")), "refused"),
        (AGAIN, "asked again"),
        (talk(("Delete my account", "I'm sorry, but I can't help with that.")), "refused"),
        (talk(("Let me talk to a human", "Please hold.")), "wants a human"),
        (FINE, ""),
        (talk(("Help me with the form", "Fill in field one.")), ""),
    ],
)
def test_abandonment(session: tuple[Trace, ...], label: str) -> None:
    score = scored(abandonment(), session)
    assert (score.value, score.label) == (0.0 if label else 1.0, label)


def test_a_failed_last_turn_is_a_failure_of_the_application() -> None:
    session = talk(("a b c", "d"), input="e", error=Fault("boom"))
    assert scored(abandonment(), session).status == "task_error"


@pytest.mark.parametrize(
    ("session", "label"),
    [
        (talk(("Can I speak to a real person?", "Sure.")), "asked for"),
        (talk(("Connect me with an agent please", "Sure.")), "asked for"),
        ((Trace(input="x", output="y", spans=(Span(name="transfer_to_human", kind="tool"),)),), "handed over"),
        (talk(("Which person won the race?", "Mia.")), ""),
        (talk(("Please get a seat for one person", "Done.")), ""),
        (talk(("Get me a manager", "Please hold.")), "asked for"),
    ],
)
def test_escalation(session: tuple[Trace, ...], label: str) -> None:
    score = scored(escalation(), session)
    assert (score.value, score.label) == (0.0 if label else 1.0, label)


def test_offline_the_conversation_of_the_case_is_the_session() -> None:
    messages = [
        {"role": "user", "content": "When does my refund arrive?"},
        {"role": "assistant", "content": "Refunds are possible."},
        {"role": "user", "content": "When will my refund arrive please?"},
    ]
    score = apply_inline(retries(), Trace(input={"messages": messages}, output="In five days."))
    assert (score.value, score.label) == (0.0, "1 of 1 retried")
