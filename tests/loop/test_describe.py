"""The share of the traffic that a failure stands for, and its interval."""

from random import Random

from msgspec.structs import replace

from gatewatch.core.failure import Failure
from gatewatch.core.watch import Marker
from gatewatch.loop.describe import came_back, share_of, unfound
from gatewatch.loop.gather import Found, Gathered
from gatewatch.loop.signs import Sign
from gatewatch.store.rows import Row

ROW = Row(seq=1, id="a", at=0.0, received=0.0, flow="support")
FAILURE = Failure(flow="support", sign="error", name="x", first=0.0, last=0.0, opened=0.0, updated=0.0)


def found(
    name: str, pi: float, sign: str = "score:helpful", *, unit: str = "", at: float = 0.0, version: str = ""
) -> Found:
    scorer = sign.partition(":")[2]
    row = replace(ROW, id=name, at=at, version=version)
    return Found(1, name, unit or name, at, (Sign(sign, 0.5, pi, scorer),), row, read=True)


def gathered(units: int, looked: int, traffic: float | None = None) -> Gathered:
    return Gathered(units, float(units) if traffic is None else traffic, {"helpful": looked}, (), ())


def test_each_counts_one_over_pi_out_of_all_traffic() -> None:
    estimate = share_of([found("a", 0.1), found("b", 0.5)], "score:helpful", gathered(1000, 100))
    assert estimate.mean is not None and abs(estimate.mean - 12 / 1000) < 1e-12
    assert estimate.interval is not None and estimate.interval.low < 0.012 < estimate.interval.high


def test_a_conversation_counts_once_by_the_largest_chance() -> None:
    turns = [found("a", 0.1, unit="s"), found("b", 0.5, unit="s")]
    assert share_of(turns, "score:helpful", gathered(100, 20)).mean == 0.02


def test_of_a_scorer_on_a_part_of_the_traffic_the_share_is_of_all() -> None:
    some = [found(f"{n}", 1.0) for n in range(50)]
    estimate = share_of(some, "score:helpful", gathered(1000, 100))
    assert estimate.mean is not None and abs(estimate.mean - 0.05) < 1e-12


def test_what_an_alert_rests_on_has_no_share() -> None:
    estimate = share_of([found("a", 1.0, "alert:cost")], "alert:cost", gathered(10, 10))
    assert (estimate.mean, estimate.interval) == (None, None)


def test_a_failure_that_was_not_found_has_a_share_of_nothing_with_its_interval() -> None:
    kept = unfound(replace(FAILURE, n=7), gathered(100, 100))
    assert (kept.n, kept.share, kept.low) == (0, 0.0, 0.0) and kept.high is not None and 0 < kept.high < 0.1
    assert unfound(FAILURE, gathered(0, 0)).share is None


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    """A scorer on a tenth of 3,000 conversations, on all of those of a special kind; 4 % fail in one way."""
    random, held = Random(1), 0
    for _ in range(200):
        some, looked, truth = [], 0, 0
        for number in range(3000):
            pi = 1.0 if random.random() < 0.05 else 0.1
            bad = random.random() < (0.3 if pi == 1.0 else 0.026)
            truth += bad
            if random.random() < pi:
                looked += 1
                if bad:
                    some.append(found(f"{number}", pi))
        estimate = share_of(some, "score:helpful", gathered(3000, looked))
        assert estimate.interval is not None
        held += estimate.interval.low <= truth / 3000 <= estimate.interval.high
    assert held >= 186  # 95 %, less twice what chance does


def test_what_came_back() -> None:
    fixed = replace(FAILURE, state="fixed", fixed=100.0, versions={"prompt=1": 3, "": 1})
    some = [
        found("old", 1.0, at=150.0, version="prompt=1"),
        found("before", 1.0, at=90.0, version="prompt=3"),
        found("not out yet", 1.0, at=150.0, version="prompt=3"),
        found("new", 1.0, at=150.0, version="prompt=2"),
        found("unknown", 1.0, at=150.0),
    ]
    assert [each.trace for each in came_back(fixed, some, [])] == ["new", "unknown"]
    told = [Marker(120.0, "support", "prompt=2", seen=True), Marker(160.0, "support", "deploy", who="mia")]
    assert [each.trace for each in came_back(fixed, some, told)] == ["new"]
    assert came_back(replace(fixed, state="promoted"), some, []) == [] == came_back(None, some, [])
