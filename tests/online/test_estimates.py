"""What sampling promises, on recorded traffic: intervals that cover the truth, and no bias from late feedback."""

from random import Random

import pytest

from gatewatch.core import marks
from gatewatch.core.rates import Epoch, Facts, Rule, probability, u_of
from gatewatch.stats.weighting import weighted_mean
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
