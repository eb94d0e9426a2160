import pickle

import pytest

from gatewatch.core.errors import (
    SHOWN_PROBLEMS,
    ConfigError,
    DatasetError,
    GatewatchError,
    InputError,
    ModelError,
    Problem,
    RubricError,
    RunBroken,
    did_you_mean,
)


def test_a_problem_says_where_what_and_what_to_do() -> None:
    assert str(Problem("data.jsonl:12", "no input")) == "data.jsonl:12: no input"
    assert str(Problem("data.jsonl:12", "no input", "add one")) == "data.jsonl:12: no input (add one)"


def test_every_problem_is_carried_and_some_are_shown() -> None:
    problems = [Problem(f"f:{n}", "wrong") for n in range(SHOWN_PROBLEMS + 7)]
    error = DatasetError(iter(problems))
    assert error.problems == tuple(problems)
    lines = str(error).splitlines()
    assert len(lines) == SHOWN_PROBLEMS + 1
    assert lines[-1] == "... and 7 more"
    assert str(InputError(problems[0])) == "f:0: wrong"
    assert len(str(InputError(problems[:SHOWN_PROBLEMS])).splitlines()) == SHOWN_PROBLEMS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (GatewatchError("x"), 4),
        (RunBroken("x"), 4),
        (ModelError("server", "x"), 4),
        (InputError(()), 2),
        (ConfigError(()), 2),
        (DatasetError(()), 2),
        (RubricError(()), 2),
    ],
)
def test_exit_codes(error: GatewatchError, code: int) -> None:
    assert error.exit_code == code
    assert isinstance(error, GatewatchError)


def test_errors_can_be_sent_to_another_process() -> None:
    error = pickle.loads(pickle.dumps(ConfigError(Problem("a", "b", "c"))))
    assert str(error) == "a: b (c)"


def test_a_model_error_has_a_kind() -> None:
    error = ModelError("timeout", "no answer within 60 s")
    assert (error.kind, str(error)) == ("timeout", "no answer within 60 s")


def test_did_you_mean() -> None:
    assert did_you_mean("exakt", ["exact", "regex"]) == 'did you mean "exact"?'
    assert did_you_mean("zzz", ["regex", "exact", "exact"]) == "known: exact, regex"
    assert did_you_mean("zzz", []) == "none is defined"
