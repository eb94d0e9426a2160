"""What a gate can see, and how often it blocks what changed nothing: from what is stored."""

from pathlib import Path

import pytest

from config.building import one, opened, suite, write
from gatewatch.config.baselines import pin
from gatewatch.config.foresight import gate_reach, gate_selftest
from gatewatch.core.errors import NoVerdict
from gatewatch.offline.reach import in_words

CASES = "".join(f'{{"id": "c{n}", "input": "q{n}", "expected": "Q{n}"}}\n' for n in range(40))
COSTLY = """
import random
from gatewatch import note

def answer(question):
    note(cost=0.01)
    return question.upper() if random.random() < 0.9 else "wrong"
"""


def test_a_newcomer_learns_what_forty_cases_can_tell(tmp_path: Path) -> None:
    found = gate_reach(opened(write(tmp_path, suite(), cases_jsonl=CASES)), "main")
    assert [step.cases * step.trials for step in found.steps] == [40, 120, 200, 120, 400]
    assert in_words(found) == [
        "40 cases x 1 trial: a fall of 14.2 pp",
        "40 cases x 3 trials: a fall of 8.2 pp",
        "40 cases x 5 trials: a fall of 6.3 pp",
        "120 cases x 1 trial: a fall of 8.2 pp",
        "400 cases x 1 trial: a fall of 4.5 pp",
        "to rule out a fall of 5 pp when nothing changed: 322 cases x 1 trial",
        "flip layer: off until the baseline has 5 outcomes of a case (gatewatch baseline pin RUN --trials 5)",
        "(80 % power; the noise is assumed: a noisy pass-or-fail suite, no case was run twice yet)",
    ]


def test_with_a_history_it_is_known_and_has_a_price(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), app_py=COSTLY, cases_jsonl=CASES)
    pin(opened(folder), one(folder).id, trials=6)
    lines = in_words(gate_reach(opened(folder), "main"))
    assert lines[1].endswith(", +$0.800 a change")
    assert lines[3].endswith(", +$0.800 a change")
    assert any(line.startswith("flip layer: blocks at ") for line in lines)
    assert lines[-1] == "(80 % power; the noise is from 6 stored outcomes of each case)"


def test_the_self_test_deals_stored_trials(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), app_py=COSTLY, cases_jsonl=CASES)
    pin(opened(folder), one(folder).id, trials=8)
    found = gate_selftest(opened(folder), "main")
    assert (found.deals, found.cases, found.trials) == (500, 40, (8, 8))
    assert found.blocked + found.undecided + found.passed == found.deals
    # Of the answers above 0.05 are blocked on the mean, and of one set of 320 answers 0.02 to 0.08.
    assert found.blocked / found.deals <= 0.15
    assert found.interval.low <= found.blocked / found.deals <= found.interval.high


def test_one_trial_of_each_case_is_too_little_to_test_with(tmp_path: Path) -> None:
    folder = write(tmp_path, suite(), cases_jsonl=CASES)
    result = one(folder)
    with pytest.raises(NoVerdict, match=rf"no case has 3 trials .*baseline pin {result.id} --trials 8"):
        gate_selftest(opened(folder), "main")
