"""Every total agrees with a plain recount of the rows, whatever they are."""

from collections import Counter, defaultdict
from math import fsum
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.core.money import Cost
from gatewatch.core.run import Row, ScorerRef
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace, Usage
from gatewatch.offline.summary import Figure, Summary, Tally
from offline.making import header

SCORERS = {"exact": ScorerRef("a"), "judge": ScorerRef("b", "judge", pass_at=0.5)}
calm = settings(deadline=None, max_examples=150)  # this is no place to judge by the clock

values = st.floats(0, 1) | st.sampled_from([0.0, 0.5, 1.0])
costs = st.none() | st.builds(Cost, st.floats(0, 10), st.integers(0, 2))
tokens = st.none() | st.integers(0, 1000)
scores = (
    st.builds(Score, value=values, cost=costs, usage=st.none() | st.builds(Usage, tokens, tokens))
    | st.builds(Score, value=st.just(0.0), status=st.sampled_from(["task_error", "timeout"]))
    | st.builds(Score, status=st.sampled_from(["skipped", "scorer_error"]), cost=costs)
)
traces = st.builds(
    Trace,
    cost=costs,
    usage=st.none() | st.builds(Usage, tokens, tokens),
    latency_s=st.none() | st.floats(0, 100),
    error=st.none() | st.builds(Fault, st.sampled_from(["x", "y\nz"])),
)


@st.composite
def runs(draw: st.DrawFn) -> tuple[int, int, list[Row]]:
    """Trials, cases, and the rows that there are."""
    trials = draw(st.integers(1, 4))
    cases = draw(st.integers(1, 6))
    kept = draw(st.sets(st.tuples(st.integers(0, cases - 1), st.integers(0, trials - 1))))
    slices, clusters = st.sampled_from(["", "s", "t"]), st.sampled_from(["", "d", "e"])
    places = [(draw(slices), draw(clusters)) for _ in range(cases)]
    rows = []
    for case, trial in draw(st.permutations(sorted(kept))):
        made = draw(st.dictionaries(st.sampled_from(sorted(SCORERS)), scores))
        awaits = tuple(name for name in SCORERS if name not in made and draw(st.booleans()))
        where, cluster = places[case]
        row = Row(case=f"c{case}", trial=trial, trace=draw(traces), scores=made, awaits=awaits)
        rows.append(replace(row, slice=where, cluster=cluster))
    return trials, cases, rows


def tallied(trials: int, cases: int, rows: list[Row]) -> Summary:
    tally = Tally(header(SCORERS, cases=cases, trials=trials))
    for row in rows:
        tally.add(row)
    return tally.summary()


def recounted(rows: list[Row], name: str) -> tuple[float | None, int, dict[str, int]]:
    """The mean over cases of the mean over their trials, how many cases have one, and the states of all cells."""
    by_case: dict[str, list[float]] = defaultdict(list)
    states: Counter[str] = Counter()
    for row in rows:
        score = row.scores.get(name)
        if score is not None:
            states[score.status] += 1
            if score.value is not None:
                by_case[row.case].append(score.value)
        elif name in row.awaits:
            states["not_scored"] += 1
    means = [fmean(each) for each in by_case.values()]
    return (fmean(means) if means else None), len(means), dict(states)


def agree(figure: Figure, rows: list[Row], name: str) -> None:
    mean, n, states = recounted(rows, name)
    assert figure.mean == (None if mean is None else pytest.approx(mean, abs=1e-9))
    assert figure.n == n
    assert figure.states == states


@calm
@given(runs())
def test_totals_are_those_of_the_rows(given_run: tuple[int, int, list[Row]]) -> None:
    trials, cases, rows = given_run
    summary = tallied(*given_run)
    assert (summary.rows, summary.expected_rows) == (len(rows), cases * trials)
    states: Counter[str] = Counter()
    for name, found in summary.scorers.items():
        agree(found.figure, rows, name)
        states.update(recounted(rows, name)[2])
        sliced = {row.slice for row in rows if row.slice and name in row.scores}
        assert set(found.slices) == sliced
        for where in sliced:
            inside = [row for row in rows if row.slice == where and name in row.scores]
            agree(found.slices[where], inside, name)
    missing = (cases * trials - len(rows)) * len(SCORERS)
    assert summary.states == {**states, **({"not_run": missing} if missing else {})}
    assert summary.slices == Counter(where for where, _ in {(row.slice, row.case) for row in rows if row.slice})


@calm
@given(runs())
def test_money_and_tokens_are_those_of_the_rows(given_run: tuple[int, int, list[Row]]) -> None:
    _, _, rows = given_run
    summary = tallied(*given_run)
    traces = [row.trace for row in rows if row.trace is not None]
    known = [trace.cost for trace in traces if trace.cost is not None]
    assert summary.task_cost.amount == pytest.approx(fsum(cost.amount for cost in known))
    assert summary.task_cost.unknown == sum(cost.unknown for cost in known) + len(traces) - len(known)
    judged = [score.cost for row in rows for score in row.scores.values() if score.cost is not None]
    assert summary.judge_cost.amount == pytest.approx(fsum(cost.amount for cost in judged))
    assert summary.judge_cost.unknown == sum(cost.unknown for cost in judged)
    inputs = [t.usage.input_tokens for t in traces if t.usage is not None and t.usage.input_tokens is not None]
    assert summary.task_tokens.input_tokens == (sum(inputs) if inputs else None)
    assert summary.failed == sum(trace.error is not None for trace in traces)
    assert sum(summary.errors.values()) == summary.failed
    assert summary.timed == sum(trace.error is None and trace.latency_s is not None for trace in traces)


@calm
@given(runs())
def test_bounds_are_what_the_mean_would_be_if_the_lost_scores_were_all_wrong_or_all_right(
    given_run: tuple[int, int, list[Row]],
) -> None:
    rows = given_run[2]
    found = {name: each.figure for name, each in tallied(*given_run).scorers.items()}
    for name, figure in found.items():
        if figure.low is None or figure.high is None:
            assert figure.mean is None or not figure.states.get("scorer_error")
            continue
        assert 0.0 <= figure.low <= figure.high <= 1.0 + 1e-9
        for bound, value in ((figure.low, 0.0), (figure.high, 1.0)):
            assumed = [
                Row(case=row.case, trial=row.trial, trace=row.trace, scores={name: Score(value)})
                if name in row.scores and row.scores[name].status == "scorer_error"
                else row
                for row in rows
            ]
            assert bound == pytest.approx(recounted(assumed, name)[0], abs=1e-9)


@calm
@given(runs())
def test_the_order_of_rows_does_not_matter(given_run: tuple[int, int, list[Row]]) -> None:
    trials, cases, rows = given_run
    one, other = tallied(trials, cases, rows), tallied(trials, cases, rows[::-1])
    assert one.states == other.states
    for name, found in one.scorers.items():
        figure, again = found.figure, other.scorers[name].figure
        assert (figure.n, figure.states) == (again.n, again.states)
        assert figure.mean == (None if again.mean is None else pytest.approx(again.mean, abs=1e-9))
        assert found.pass_hat_k == pytest.approx(other.scorers[name].pass_hat_k)


@calm
@given(runs())
def test_states_and_intervals_are_sound(given_run: tuple[int, int, list[Row]]) -> None:
    trials, cases, rows = given_run
    summary = tallied(*given_run)
    whole = len(rows) == cases * trials and not any(row.missing for row in rows)
    assert (summary.state == "complete") == whole
    for found in summary.scorers.values():
        for figure in (found.figure, *found.slices.values(), *([found.passed] if found.passed else [])):
            if figure.interval is not None:
                assert figure.mean is not None
                low, high = figure.interval
                assert 0.0 <= low <= figure.mean + 1e-9
                assert figure.mean - 1e-9 <= high <= 1.0
        assert list(found.pass_hat_k) == sorted(found.pass_hat_k, reverse=True)
        assert list(found.pass_at_k) == sorted(found.pass_at_k)
        assert all(0.0 <= each <= 1.0 + 1e-9 for each in (*found.pass_hat_k, *found.pass_at_k))
