"""Sampling as a pure function: uniform, the same for a session, nested, and final facts decide the probability."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gatewatch.core import codec
from gatewatch.core.marks import bits
from gatewatch.core.rates import Epoch, Facts, Rule, probability, rate, u_of

DOWN = bits(["thumbs_down"])
shares = st.floats(0, 1)
rules = st.lists(
    st.builds(
        Rule,
        rate=shares,
        slice=st.sampled_from(["", "a", "b"]),
        tag=st.sampled_from(["", "t"]),
        marks=st.sampled_from([0, 1, 2, 3]),
        cost_over=st.sampled_from([None, 0.5]),
    ),
    max_size=5,
).map(tuple)
facts = st.builds(
    Facts,
    slice=st.sampled_from(["a", "b"]),
    tags=st.sampled_from([(), ("t",)]),
    marks=st.integers(0, 3),
    late=st.integers(0, 3),
    cost=st.sampled_from([None, 0.1, 1.0]),
)


def test_u_is_uniform_and_one_for_a_session() -> None:
    many = [u_of("", f"{n:032x}") for n in range(20_000)]
    assert all(0 <= u < 1 for u in many)
    for edge in (0.05, 0.5, 0.95):
        share = sum(u < edge for u in many) / len(many)
        assert abs(share - edge) < 4 * (edge * (1 - edge) / len(many)) ** 0.5
    assert u_of("s1", "a") == u_of("s1", "b") != u_of("s2", "a")
    assert u_of("x", "") != u_of("", "x")
    assert u_of("", "0" * 32) == 0.5287708742296365  # kept for good: other machines and other days decide alike


def test_half_a_surrogate_pair_has_a_number_too() -> None:
    assert 0 <= u_of("\ud800", "") < 1


@given(rules, facts)
def test_the_largest_matching_rate_counts(found: tuple[Rule, ...], of: Facts) -> None:
    matching = [each.rate for each in found if each.matches(of, of.marks)]
    assert rate(found, of, of.marks) == max(matching, default=0.0)


@given(rules, facts, shares, shares, shares)
def test_a_raised_multiplier_keeps_a_superset_and_late_marks_never_lower(
    found: tuple[Rule, ...], of: Facts, one: float, other: float, kept: float
) -> None:
    low, high = sorted((one, other))
    assert probability(of, [Epoch(1, 9, found, low)]) <= probability(of, [Epoch(1, 9, found, high)])
    before = Facts(of.slice, of.variant, of.tags, of.marks, 0, of.cost)
    epochs = [Epoch(1, 9, found)]
    assert probability(before, epochs, kept=kept) <= probability(of, epochs, kept=kept) <= probability(of, epochs)


def test_a_thumb_down_in_time_is_always_kept_and_a_late_one_as_often_as_its_payload() -> None:
    epochs = [Epoch(1, 9, (Rule(0.05), Rule(1.0, marks=DOWN)))]
    assert probability(Facts(), epochs) == 0.05
    assert probability(Facts(marks=DOWN), epochs, kept=0.2) == 1.0
    assert probability(Facts(late=DOWN), epochs, kept=0.2) == 0.2
    assert probability(Facts(late=DOWN), epochs, kept=0.01) == 0.05


stored_rules = rules.map(lambda found: tuple(structs.replace(rule, stored=True) for rule in found))
epochs_of = st.lists(st.builds(Epoch, st.just(1), st.just(9), st.one_of(rules, stored_rules)), max_size=4)


@given(shares, facts, epochs_of, st.one_of(st.none(), shares))
def test_a_request_is_scored_if_and_only_if_its_u_is_below_the_probability(
    u: float, of: Facts, epochs: list[Epoch], kept: float | None
) -> None:
    """Whatever is known of it, whichever rules came while its payload was held and whichever afterwards."""
    there = kept is None or u < kept  # in the end
    scored = False
    for epoch in epochs:
        for rule in epoch.rules:
            in_time, late = rule.matches(of, of.marks), rule.matches(of, of.marks | of.late)
            reached = (in_time and (there or not rule.stored)) or (late and there)
            scored = scored or (reached and u < rule.rate)
    assert scored == (u < probability(of, epochs, kept=kept))


def test_rules_of_before_have_the_hash_that_they_had() -> None:
    assert codec.encode((Rule(0.5), Rule(1.0, marks=DOWN))) == b'[{"rate":0.5},{"rate":1.0,"marks":2}]'
    assert codec.encode(Rule(0.5, stored=True)) == b'{"rate":0.5,"stored":true}'


def test_a_budget_lowers_rules_that_say_always() -> None:
    assert probability(Facts(marks=DOWN), [Epoch(1, 9, (Rule(1.0, marks=DOWN),), 0.25)]) == 0.25


def test_a_rule_on_cost_does_not_match_an_unknown_one() -> None:
    rule = (Rule(1.0, cost_over=0.5),)
    assert [rate(rule, Facts(cost=cost), 0) for cost in (None, 0.5, 0.6)] == [0, 0, 1]
