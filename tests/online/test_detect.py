"""Streams folded: what is learnt, what falls and comes back, and that it is no matter where a fold is cut."""

import random
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.core.watch import AlertRule
from gatewatch.online.detect import Fold, State, state_of
from gatewatch.online.probe import Plan, score_probes, signal_probes
from online.watching import DAY_S, folded, heard, plan, plan_of_signals, scored


def uniform(n: int, mean: float, seed: int = 0, part: str = "") -> list[tuple[str, float]]:
    random_ = random.Random(seed)
    return [(part, float(random_.random() < mean)) for _ in range(n)]


def test_it_learns_and_then_tells_a_fall() -> None:
    values = uniform(1000, 0.9) + uniform(1000, 0.9, 1) + uniform(300, 0.6, 2)
    found, state = folded(scored(values), plan())
    assert [each.what for each in found[:2]] == ["learnt", "fell"]
    assert found[0].number == 1000
    assert 2000 < found[1].number < 2100
    assert 0.2 < state.fallen["helpful"].drop < 0.5
    assert abs(found[1].began - 2000 * 86.4) < 0.02 * DAY_S
    assert state.learnt == 1000


def test_it_tells_when_it_is_back() -> None:
    values = uniform(1000, 0.9) + uniform(300, 0.5, 1) + uniform(500, 0.9, 2)
    found, state = folded(scored(values), plan())
    said = [each.what for each in found]
    assert said[0] == "learnt"
    assert said[-1] == "back"
    assert set(said[1:-1]) == {"fell"}
    assert found[-1].number > 1300
    assert not state.fallen


def test_nothing_is_held_against_what_is_not_learnt_but_limits() -> None:
    rule = AlertRule(name="helpful", below=0.8)
    how = Plan(score_probes("helpful", rule), 0.0, 1000, 90.0, 2)
    found, _ = folded(scored(uniform(500, 0.4)), how)
    assert {(each.what, each.probe.limit if each.probe else None) for each in found} == {("fell", 0.8)}


def test_days_are_waited_for_but_not_for_good() -> None:
    found, _ = folded(scored(uniform(3000, 0.9), per_day=300), plan(learn_n=1000, learn_days=7))
    assert found[0].number == 7 * 300 + 1
    found, _ = folded(scored(uniform(400, 0.9), per_day=10), plan(learn_n=1000, learn_days=7))
    assert found[0].number == 28 * 10 + 1


def test_what_chance_did_not_choose_is_left_out() -> None:
    entries = [each._replace(sampled=False) for each in scored(uniform(100, 0.1))]
    found, state = folded(entries, plan(learn_n=10))
    assert (found, state.n) == ([], 0)


def test_another_mix_of_slices_is_no_fall() -> None:
    easy, hard = uniform(2000, 0.95, 1, "easy"), uniform(2000, 0.5, 2, "hard")
    reference = [pair for both in zip(easy[:1000], hard[:100] * 10, strict=True) for pair in both][:1100]
    found, _ = folded(scored(reference + easy[1000:1200] + hard[100:1900]), plan(learn_n=1100))
    assert [each.what for each in found] == ["learnt"]


def test_times_costs_and_lengths_that_rise() -> None:
    random_ = random.Random(3)

    def one(slow: float, cost: float, tokens: float) -> dict[str, float]:
        spread = random_.lognormvariate(0, 0.4)
        return {"latency_s": slow * spread, "cost": cost * spread, "output_tokens": tokens * spread}

    before = [one(1.0, 0.01, 200) for _ in range(2000)]
    for name, after in (
        ("latency_s", [one(2.5, 0.01, 200) for _ in range(500)]),
        ("cost", [one(1.0, 0.03, 200) for _ in range(500)]),
        ("output_tokens", [one(1.0, 0.01, 60) for _ in range(500)]),
    ):
        found, _ = folded(heard(before + after), plan_of_signals(learn_n=1000))
        fell = [each for each in found if each.what == "fell"]
        assert {each.name for each in fell} == {name}, name
        assert 2000 < fell[0].number < 2200


def test_marks_that_become_more() -> None:
    random_ = random.Random(4)
    before = [{"thumbs_down": float(random_.random() < 0.02)} for _ in range(3000)]
    after = [{"thumbs_down": float(random_.random() < 0.15)} for _ in range(300)]
    found, _ = folded(heard(before + after), plan_of_signals())
    fell = [each for each in found if each.what == "fell"]
    assert {each.name for each in fell} == {"thumbs_down"}
    assert 3000 < fell[0].number < 3150


def test_a_ceiling_holds_before_anything_is_learnt() -> None:
    rules = {"latency_s": AlertRule(name="latency_s", above=5.0), "cost": AlertRule(name="cost", above=0.02)}
    probes = signal_probes(rules)
    how = Plan(probes, 7 * DAY_S, 1000, 90.0, len(probes), of_signals=True)
    found, _ = folded(heard([{"latency_s": 7.0, "cost": 0.01}] * 50), how)
    assert [(each.what, each.name) for each in found][:1] == [("fell", "latency_s")]
    assert {each.name for each in found} == {"latency_s"}


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(
        st.tuples(st.sampled_from(["a", "b", "c"]), st.sampled_from([0.0, 0.25, 0.5, 1.0])), min_size=1, max_size=120
    ),
    cuts=st.lists(st.integers(0, 120), max_size=5),
)
def test_where_it_is_cut_is_no_matter(values: list[tuple[str, float]], cuts: list[int]) -> None:
    """A state that was saved, and loaded by another process, goes on bitwise as if it had not been."""
    how, entries = plan(learn_n=20, days=0.01), scored(values, per_day=25)
    whole, end = folded(entries, how)
    ends = [0, *sorted(min(cut, len(entries)) for cut in cuts), len(entries)]
    state, found = State(), []
    for first, last in pairwise(ends):
        fold = Fold(how, state_of(state.encoded()) if state.n else state)
        for entry in entries[first:last]:
            found += fold.take(entry)
        state = fold.state
    assert found == whole
    assert state_of(state.encoded()) == state_of(end.encoded())
