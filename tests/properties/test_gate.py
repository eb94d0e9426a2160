"""What the gate says holds together, whatever the two runs are."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gatewatch.offline.baseline import make_baseline, read_baseline, write_baseline
from gatewatch.offline.cells import concluded, refused
from gatewatch.offline.compare import Comparison
from gatewatch.offline.figures import figures
from gatewatch.offline.gate import decide
from gatewatch.offline.outcomes import CaseOutcome, Outcomes
from gatewatch.offline.rule import Rule
from gatewatch.offline.verdict import Verdict
from offline.pairs import FAILED, LOST, SKIPPED, One, Retries, Values, baseline, side

calm = settings(deadline=None, max_examples=60)  # this is no place to judge by the clock
right = st.sampled_from([0.0, 1.0, 1.0])
graded = st.sampled_from([0.0, 0.25, 1 / 3, 0.5, 0.7 + 0.1, 1.0]) | st.floats(0, 1)
unknown = st.sampled_from([LOST, SKIPPED, FAILED])
texts = st.text(st.characters(exclude_categories=()), max_size=6)
RULES = st.builds(
    Rule,
    alpha=st.sampled_from([0.01, 0.05, 0.2]),
    max_drop=st.sampled_from([0.0, 0.05, 0.2]),
    min_effect=st.sampled_from([0.0, 0.02]),
    primary=st.sampled_from([(), ("exact",)]),
)


@st.composite
def values(draw: st.DrawFn, *, single: bool = False) -> Mapping[str, tuple[Values, Values]]:
    """Cases and what they were given on both sides."""
    kind = draw(st.sampled_from([right, graded]))
    trial: st.SearchStrategy[One] = kind | unknown if draw(st.booleans()) else kind
    of_one: st.SearchStrategy[Values] = (
        trial if single or draw(st.booleans()) else st.lists(trial, min_size=1, max_size=3)
    )
    names = st.integers(0, 999).map(lambda number: f"c{number}")
    return draw(st.dictionaries(names, st.tuples(of_one, of_one), min_size=1, max_size=40))


@st.composite
def sides(draw: st.DrawFn, *, single: bool = False) -> tuple[Outcomes, Outcomes]:
    """A baseline and a candidate, with slices, clusters, cases that must pass and a second scorer."""
    cases = draw(values(single=single))
    pick = st.sets(st.sampled_from(sorted(cases)))
    slices = {case: draw(st.sampled_from(["", "s1", "s2"])) for case in cases} if draw(st.booleans()) else {}
    clusters = {case: draw(st.sampled_from(["", "d1", "d2", "d3"])) for case in cases} if draw(st.booleans()) else {}
    more = {"kind": {case: float(draw(st.booleans())) for case in draw(pick)}} if draw(st.booleans()) else {}
    history = draw(st.sampled_from([0, 5, 10]))
    before = baseline({case: each[0] for case, each in cases.items()}, more=more, history=history)
    after = side(
        {case: each[1] for case, each in cases.items()},
        more=more,
        slices=slices,
        clusters=clusters,
        must_pass=draw(pick) if draw(st.booleans()) else (),
    )
    return before, after


def gate(before: Outcomes, after: Outcomes, rule: Rule, *, again: bool = False) -> Verdict:
    return decide(
        Comparison(before, after), rule, again=Retries(0.0) if again else None, why_not_again="" if again else "stored"
    )


@calm
@given(sides(), RULES, st.booleans())
def test_a_pass_rules_the_drop_out(both: tuple[Outcomes, Outcomes], rule: Rule, again: bool) -> None:
    verdict = gate(*both, rule, again=again)
    gating = [each for each in verdict.scorers.values() if each.gating]
    if verdict.verdict == "PASS":
        assert gating
        for each in gating:
            assert each.lower is not None
            assert each.lower > -rule.max_drop
            assert each.lost_share <= 0.05
    assert verdict.reasons
    assert (verdict.exit_code == 1) is (verdict.verdict == "REGRESSED")


@calm
@given(sides(), RULES)
def test_a_regression_has_a_layer_that_says_so(both: tuple[Outcomes, Outcomes], rule: Rule) -> None:
    verdict = gate(*both, rule, again=True)
    if verdict.verdict == "REGRESSED":
        assert any(each.blocks for each in verdict.layers) or any(
            each.verdict == "REGRESSED" for part in verdict.slices.values() for each in part.values()
        )
    else:
        assert not any(each.blocks for each in verdict.layers)
        assert not any(row.why for row in verdict.rows)


@calm
@given(sides(single=True))
def test_turned_round_wins_are_losses(both: tuple[Outcomes, Outcomes]) -> None:
    ways = Comparison(*both), Comparison(both[1], both[0])
    there, back = (figures(way, way.pairs("exact"), alpha=0.05, max_drop=0.05) for way in ways)
    assert (there.n, there.wins, there.losses, there.ties) == (back.n, back.losses, back.wins, back.ties)
    assert (there.errors, there.skipped) == (back.errors, back.skipped)
    if there.delta is None or back.delta is None:
        assert there.n == back.n == 0
        return
    assert there.delta == pytest.approx(-back.delta, abs=1e-12)
    assert (there.baseline, there.candidate) == (back.candidate, back.baseline)
    assert (there.fixed, there.broke) == (back.broke, back.fixed)


@calm
@given(sides(), RULES)
def test_the_rows_are_the_pairs_that_moved(both: tuple[Outcomes, Outcomes], rule: Rule) -> None:
    verdict = gate(*both, rule)
    assume(not verdict.broken)
    comparison = Comparison(*both)
    moved = {
        (comparison.paired[place], name)
        for name in comparison.scorers
        for pairs in [comparison.pairs(name)]
        for place, difference in zip(pairs.places, pairs.differences, strict=True)
        if difference
    }
    rows = {(row.id, row.scorer) for row in verdict.rows if row.effect in ("win", "loss")}
    assert rows == moved
    assert len(verdict.rows) == len({(row.id, row.scorer) for row in verdict.rows})
    standing = [row for row in verdict.rows if row.effect in ("tie", "new")]
    assert all(row.why == "A" and row.must_pass for row in standing)
    for name, each in verdict.scorers.items():
        mine = [row.effect for row in verdict.rows if row.scorer == name]
        assert (mine.count("win"), mine.count("loss")) == (each.wins, each.losses)


@calm
@given(sides(), RULES)
def test_adjusted_for_the_others_no_cell_is_more_sure(both: tuple[Outcomes, Outcomes], rule: Rule) -> None:
    comparison = Comparison(*both)
    pairs = {name: comparison.pairs(name) for name in comparison.scorers}
    for each in concluded(comparison, pairs, rule, ["exact"], {}, None).values():
        if refused(each):
            assert (each.verdict, each.p_adjusted) == ("UNDECIDED", None)
            continue
        assert each.p is not None
        assert each.p_adjusted is not None
        assert each.p <= each.p_adjusted <= 1.0
        assert (each.verdict == "REGRESSED") is (each.p_adjusted <= rule.alpha)


def reordered(outcomes: Outcomes, order: Sequence[str]) -> Outcomes:
    cases: Mapping[str, CaseOutcome] = outcomes.cases
    outcomes.cases = {case: cases[case] for case in order}
    return outcomes


def test_the_order_of_cases_changes_nothing_where_flips_are_drawn() -> None:
    cases: dict[str, Values] = {f"c{n:02}": (n * n % 41) / 41 for n in range(40)}
    before = baseline(dict.fromkeys(cases, 0.5))
    there = gate(before, side(cases), Rule())
    assert gate(before, reordered(side(cases), sorted(cases, reverse=True)), Rule()) == there


@calm
@given(sides(), RULES, st.randoms())
def test_the_order_of_cases_changes_nothing(both: tuple[Outcomes, Outcomes], rule: Rule, random: Any) -> None:
    before, after = both
    there = gate(before, after, rule, again=True)
    for each in both:
        for outcome in each.cases.values():
            outcome.tries = []  # what the first gate tried again is no part of the second
        order = list(each.cases)
        random.shuffle(order)
        reordered(each, order)
    assert close(gate(before, after, rule, again=True), there)


def close(one: Verdict, other: Verdict) -> bool:
    """Whether two verdicts are the same but for the arithmetic's rounding."""
    from msgspec import to_builtins

    return bool(_close(to_builtins(one), to_builtins(other)))


def _close(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_close(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_close, one, other))
    if isinstance(one, float):
        return one == pytest.approx(other, abs=1e-9)
    return bool(one == other)


@calm
@given(values(single=True), st.integers(1, 60), RULES)
def test_more_cases_that_did_not_move_make_no_regression(
    cases: Mapping[str, tuple[Values, Values]], ties: int, rule: Rule
) -> None:
    same: dict[str, Values] = {f"tie{number}": 1.0 for number in range(ties)}
    before, after = ({case: each[which] for case, each in cases.items()} for which in (0, 1))
    there = gate(baseline(before), side(after), rule)
    assume(there.verdict != "REGRESSED" and not there.refused)
    assert gate(baseline({**before, **same}), side({**after, **same}), rule).verdict != "REGRESSED"


@calm
@given(values(single=True), RULES)
def test_a_run_beside_itself_is_identical(cases: Mapping[str, tuple[Values, Values]], rule: Rule) -> None:
    same = {case: each[0] for case, each in cases.items()}
    verdict = gate(baseline(same, outputs="x"), side(same, outputs="x"), rule)
    assert verdict.rows == ()
    assert verdict.verdict == "PASS" or verdict.refused or verdict.broken
    assert verdict.identical or verdict.broken


@calm
@given(
    st.dictionaries(texts, st.lists(st.floats(0, 1) | unknown, min_size=1, max_size=4), min_size=1, max_size=8),
    texts,
    texts,
)
def test_a_baseline_is_read_back_as_it_was_written(cases: dict[str, list[Any]], part: str, cluster: str) -> None:
    run = side(
        cases, slices=dict.fromkeys(cases, part), clusters=dict.fromkeys(cases, cluster), must_pass=list(cases)[:1]
    )
    with TemporaryDirectory() as folder:
        path = Path(folder) / "b.jsonl"
        write_baseline(path, *make_baseline(run))
        found = read_baseline(path)
        head, lines = make_baseline(found)
        write_baseline(Path(folder) / "again.jsonl", head, lines)
        assert read_baseline(Path(folder) / "again.jsonl").cases == found.cases, "and once more"
    assert set(found.cases) == set(cases)
    for case, outcome in run.cases.items():
        back = found.cases[case]
        assert (back.hash, back.slice, back.cluster, back.must_pass) == (outcome.hash, part, cluster, outcome.must_pass)
        assert [trial.digest for trial in back.trials] == [trial.digest for trial in outcome.trials]
        marks, others = ([trial.scores["exact"] for trial in each.trials] for each in (outcome, back))
        assert [mark.status for mark in others] == [mark.status for mark in marks]
        assert [mark.value for mark in others] == [
            None if mark.value is None else pytest.approx(mark.value, rel=1e-11) for mark in marks
        ]
        assert list(back.history["exact"]) == pytest.approx(outcome.values("exact"), rel=1e-11)
    assert (found.dataset, found.scorers, found.components) == (run.dataset, run.scorers, run.components)
