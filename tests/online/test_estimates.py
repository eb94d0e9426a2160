"""What sampling promises, on recorded traffic: intervals that cover the truth, and no bias from late feedback.

Over many seeds this is said of the rules themselves; for one seed all of it goes through workers and a store.
"""

from pathlib import Path
from random import Random

import pytest

from gatewatch.core import marks
from gatewatch.core.rates import Epoch, Facts, Rule, probability, u_of
from gatewatch.online.trends import trend
from gatewatch.online.window import EXACT
from gatewatch.scorers.base import scorer
from gatewatch.stats.weighting import weighted_mean
from online.living import FLOW, START, Living, monitor, request, thumb, watch
from shared import known_answers, rows

DOWN = marks.bits(["thumbs_down"])
RULES = (Rule(0.05), Rule(1.0, marks=DOWN))
SEEDS = 100


def traffic() -> list[float]:
    """1 where people found no hallucination."""
    return [1.0 - row["human_hallucination"] for row in rows("halueval_general", "general.jsonl.gz")]


@pytest.mark.slow
def test_five_percent_of_recorded_traffic_covers_the_truth_however_it_is_sampled() -> None:
    values = traffic()
    known = known_answers("halueval_general")
    truth = 1 - known["hallucination"] / known["n"]
    covered = {"plain": 0, "with thumbs": 0, "frozen": 0}
    errors: dict[str, list[float]] = {"plain": [], "with thumbs": [], "frozen": [], "naive": []}
    for seed in range(SEEDS):
        random = Random(seed)
        # Users put a thumb down on 40 % of what is wrong and on 2 % of the rest, some time after the request.
        down = [random.random() < (0.02 if good else 0.4) for good in values]
        u = [u_of("", f"{seed}/{number}") for number in range(len(values))]
        final = [probability(Facts(marks=DOWN if each else 0), [Epoch(1, 1, RULES)]) for each in down]
        found = {
            "plain": [(x, 0.05) for x, each in zip(values, u, strict=True) if each < 0.05],
            "with thumbs": [(x, pi) for x, each, pi in zip(values, u, final, strict=True) if each < pi],
            # What was sampled before its thumb came keeps the probability of that day.
            "frozen": [
                (x, 0.05 if each < 0.05 else pi) for x, each, pi in zip(values, u, final, strict=True) if each < pi
            ],
        }
        for name, sample in found.items():
            each = weighted_mean([x for x, _ in sample], [pi for _, pi in sample])
            assert each.mean is not None and each.interval is not None
            covered[name] += each.interval.low <= truth <= each.interval.high
            errors[name].append(each.mean - truth)
        naive = [x for x, _ in found["with thumbs"]]
        errors["naive"].append(sum(naive) / len(naive) - truth)
    bias = {name: sum(each) / SEEDS for name, each in errors.items()}
    assert covered["plain"] >= 90, covered
    assert covered["with thumbs"] >= 90, covered
    assert abs(bias["with thumbs"]) < 0.005, bias
    assert bias["naive"] < -0.10, bias
    assert bias["frozen"] < -0.01, bias


@scorer
def good(output: str) -> bool:
    return output == "yes"


def test_what_workers_make_of_late_thumbs_is_what_the_rules_promise(tmp_path: Path) -> None:
    """Thumbs come between one worker's decision and another's score, and after it, hours and days late."""
    values, random, living = traffic(), Random(7), Living(tmp_path)
    truth = sum(values) / len(values)
    watched = monitor(watch(good, *RULES), always=RULES[1:], hold_s=10 * 86_400.0)
    down = [n for n, value in enumerate(values) if random.random() < (0.02 if value else 0.4)]
    delays = {n: random.choice([0, 0, 1, 2, 3]) for n in down}  # in steps; the last come when all is scored
    steps = [range(start, min(start + 1200, len(values))) for start in range(0, len(values), 1200)]
    for step in range(len(steps) + 3):
        if step < len(steps):
            living.arrive(*(request(n, output="yes" if values[n] else "no", started=living.now) for n in steps[step]))
        living.worker(watched, owner="a")._plan(living.now)
        living.hear(*(thumb(n, at=living.now) for n in down if n // 1200 + delays[n] == step))
        living.work(watched, owner="b")
        living.now += 6 * 3600
    (found,) = (
        each.total
        for each in trend(living.store, FLOW, since=START, until=living.now, tier="day").scorers
        if each.scorer == "good"
    )
    chance = {n: 1.0 if n in delays else 0.05 for n in range(len(values))}
    sample = [n for n in chance if u_of("", f"{n:032x}") < chance[n]]
    direct = weighted_mean([values[n] for n in sample], [chance[n] for n in sample])
    living.store.close()
    assert len(sample) <= EXACT
    assert (found.estimate.n, found.incomplete, found.waiting) == (len(sample), "", 0)
    ends, expected = found.estimate.interval, direct.interval
    assert ends is not None and expected is not None
    assert (found.estimate.mean, ends.low, ends.high) == pytest.approx((direct.mean, expected.low, expected.high))
    assert ends.low <= truth <= ends.high
    assert abs(sum(values[n] for n in sample) / len(sample) - truth) > ends.high - ends.low  # what no weights would say
