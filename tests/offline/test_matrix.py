import pytest

from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, ScorerRef
from gatewatch.offline.matrix import Cell, Matrix, as_text, matrix
from gatewatch.stats.intervals import cluster_t, wilson
from gatewatch.stats.paired import tango
from offline.pairs import LOST, baseline, numbered, side, with_last


def three() -> Matrix:
    first = side(numbered(40), name="first", more={"kind": numbered(40, 0.5)})
    second = side(with_last(numbered(40), 4, 0.0), name="second", more={"kind": numbered(40, 0.5)})
    second.costs.append(0.5)
    second.judge_cost = Cost(0.25)
    other = side(numbered(40), name="third", refs={"exact": ScorerRef("e" * 12, parts={"source": "2"})})
    other.unpriced = 3
    return matrix([first, second, other])


def test_every_scorer_over_every_run_beside_the_first() -> None:
    found = three()
    assert (found.kind, found.version) == ("gatewatch.matrix", 1)
    assert (found.runs, found.labels, found.paired) == (("first", "second", "third"),) * 2 + ((40, 40, 40),)
    assert found.cost == (0.0, 0.75, None)
    one, two, three_ = found.scorers["exact"]
    all_right, most, moved = wilson(40, 40), wilson(36, 40), tango(0, 4, 40)
    assert one == Cell(mean=1.0, interval=(all_right.low, all_right.high), n=40)
    assert two.delta_interval is not None
    assert (two.mean, two.interval) == (0.9, (most.low, most.high))
    assert two.delta == pytest.approx(-0.1)
    assert (two.delta_interval, two.wins, two.losses) == ((moved.low, moved.high), 0, 4)
    assert (three_.mean, three_.delta) == (1.0, None)
    assert three_.why == f"another ruler: source changed ({'f' * 12} → {'e' * 12})"


def test_a_scorer_that_a_run_does_not_have() -> None:
    nothing = Cell(mean=None, interval=None, n=0)
    assert three().scorers["kind"][2] == nothing
    new = matrix([side(numbered(3)), side(numbered(3), more={"new": numbered(3)})])
    assert new.scorers["new"][0] == nothing
    assert new.scorers["new"][1].why == "the baseline has no such scorer"
    lost = matrix([side(numbered(3)), side(numbered(3, LOST))])
    assert lost.scorers["exact"][1] == nothing


def test_runs_over_other_cases_are_not_compared() -> None:
    other = side(numbered(10, start=20), dataset=DatasetRef("d", "1" * 12, 10))
    found = matrix([baseline(numbered(10)), other])
    assert found.paired == (10, 0)
    assert found.scorers["exact"][1].why == (
        "another dataset: only 0 cases are the same on both sides, of 10 in the baseline and 10 in the candidate (at "
        "least 80% must be)"
    )


def test_cases_of_one_origin_are_not_counted_as_independent() -> None:
    values = {f"c{n}": float(n % 3 != 0) for n in range(12)}
    clusters = {case: f"doc{n // 3}" for n, case in enumerate(values)}
    clusters["c11"] = "doc0"
    cell = matrix([side(values, clusters=clusters)]).scorers["exact"][0]
    expected = cluster_t(list(values.values()), [clusters[case] for case in values], bounds=(0, 1))
    assert cell.interval == pytest.approx((expected.low, expected.high))


def test_the_table() -> None:
    assert [line.rstrip() for line in as_text(three(), width=100).splitlines()] == [
        "exact     mean    95 % interval           change   95 % interval   down   up",
        "─" * 76,
        "first    1.000   [0.912, 1.000]                —",
        "second   0.900   [0.769, 0.960]         −10.0 pp   [−23.1, −0.4]      4    0",
        "third    1.000   [0.912, 1.000]   not comparable",
        f"! third: another ruler: source changed ({'f' * 12} → {'e' * 12})",
        "",
        "kind      mean    95 % interval    change   95 % interval   down   up",
        "─" * 69,
        "first    0.500   [0.352, 0.648]         —",
        "second   0.500   [0.352, 0.648]   +0.0 pp    [−8.8, +8.8]      0    0",
        "third        —                —         —",
        "",
        "first: 40 paired, cost $0.00 · second: 40 paired, cost $0.750 · third: 40 paired, cost unknown",
    ]


def test_names_cannot_steer_the_terminal() -> None:
    hostile = "[red]x[/red]\x1b[31m\u202e\nnext"
    run = side({"a": 1.0}, name=hostile, scorer=hostile)
    text = as_text(matrix([run, side({"a": 1.0}, name="two", scorer=hostile)]), width=200)
    assert "[red]x[/red]" in text
    assert not set(text) & {"\x1b", "\u202e"}
    assert text.count("next") == 3
