from typing import Any

import pytest

from gatewatch.core.score import Score
from gatewatch.core.trace import Redaction, Trace
from gatewatch.scorers.apply import apply_inline
from gatewatch.scorers.safety import pii, secrets

SECRETS = ("jane@x.com", "joe@y.org", "4111111111111111")


def score(output: Any) -> Score:
    return apply_inline(pii(), Trace(output=output))


@pytest.mark.parametrize("output", ["All is well.", "", None, {"a": ["b", 5]}])
def test_a_clean_output_scores_1(output: Any) -> None:
    assert (score(output).value, score(output).label) == (1.0, "")


@pytest.mark.parametrize("output", [f"Write to {', '.join(SECRETS)}.", {"to": list(SECRETS)}, "\n".join(SECRETS)])
def test_the_label_names_types_and_counts_and_never_a_value(output: Any) -> None:
    found = score(output)
    assert (found.value, found.label) == (0.0, "1 card, 2 email")
    assert not any(secret in found.label + found.explanation for secret in SECRETS)


def test_it_needs_no_reference_and_runs_inline() -> None:
    assert not pii().reference_based
    assert pii().inline


def test_looking_for_telephone_numbers_takes_long_and_runs_on_a_thread() -> None:
    assert not pii(phone="US").inline
    assert apply_inline(pii(phone="US"), Trace(output="call +49 30 901820 now")).label == "1 phone"
    assert pii().binary


def test_what_redaction_took_out_of_a_live_output_still_counts() -> None:
    taken = (Redaction("email", "output", 2), Redaction("aws_key", "output"), Redaction("email", "input"))
    trace = Trace(output="write to [email] or [email] with [aws_key]", redacted=taken)
    assert apply_inline(pii(), trace).label == "2 email"
    assert apply_inline(secrets(), trace).label == "1 aws_key"
    assert apply_inline(pii(), Trace(output="a@b.example [email]", redacted=taken[:1])).label == "3 email"
    assert apply_inline(pii(), Trace(output="fine", redacted=taken[2:])).value == 1.0
