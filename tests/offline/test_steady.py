from gatewatch.core.score import Score, models_named, same_models
from gatewatch.offline.steady import Steady


def by(model: str) -> Score:
    return Score(1.0, "pass", model=model)


def test_another_model_in_mid_run_is_an_error_of_the_scorer() -> None:
    steady = Steady({})
    assert steady.checked("good", by("m-1")) == by("m-1")
    assert steady.checked("other", by("m-2")) == by("m-2")
    lost = steady.checked("good", by("m-2"))
    assert (lost.value, lost.status, lost.label) == (None, "scorer_error", "")
    assert "m-1 answered before, m-2 now" in lost.explanation
    assert steady.checked("good", Score(1.0)) == Score(1.0)


def test_a_run_that_goes_on_knows_its_judges() -> None:
    assert Steady({"good": {"": "m-1"}}).checked("good", by("m-2")).status == "scorer_error"


def test_each_model_of_a_panel_is_known_by_its_name() -> None:
    steady = Steady({})
    assert steady.checked("good", by("cheap=m-1")).value == 1.0
    assert steady.checked("good", by("cheap=m-1, dear=m-9")).value == 1.0
    assert steady.checked("good", by("cheap=m-1, dear=m-8")).status == "scorer_error"


def test_which_models_a_score_names() -> None:
    assert models_named("m-1") == {"": "m-1"}
    assert models_named("a=m-1, b=m-2") == {"a": "m-1", "b": "m-2"}
    assert models_named("") == {}


def test_two_runs_by_the_same_models() -> None:
    assert same_models({"m-1"}, {"m-1"})
    assert not same_models({"m-1"}, {"m-2"})
    assert not same_models({"m-1", "m-2"}, {"m-1"})
    assert same_models({"a=m-1"}, {"a=m-1, b=m-2"})  # the dearer one was not needed
    assert not same_models({"a=m-1, b=m-2"}, {"a=m-1, b=m-3"})
    assert same_models(set(), {"m-1"})
