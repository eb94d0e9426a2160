"""Drawing for calibration: known probabilities, whatever was sampled, thinned and marked before."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from gatewatch.core.rates import u_of
from gatewatch.loop.draw import Scored, draw, reach
from gatewatch.store.rows import Row


def scored(number: int, value: float, *, pi: float = 1.0, kept: float | None = None, share: float = 1.0) -> Scored:
    """A request that was scored."""
    payload = "held" if kept is None else "kept"
    return Scored(Row(number, f"{number:032x}", 0.0, 0.0, "f", kept=kept, share=share, payload=payload), value, pi)  # type: ignore[arg-type]


pools = st.lists(st.tuples(st.sampled_from([0.0, 0.3, 0.5, 1.0]), st.floats(0.01, 1)), max_size=60).map(
    lambda rows: [scored(number, value, pi=pi) for number, (value, pi) in enumerate(rows)]
)


@given(pools, st.integers(2, 40), st.integers(0, 5))
def test_half_of_each_verdict_where_there_are_as_many(pool: list[Scored], most: int, seed: int) -> None:
    drawn = draw(pool, most, scorer="s", seed=seed)
    assert len(drawn) == min(most, len(pool)) == len({each.scored.row.id for each in drawn})
    sides = [each.scored.value >= 0.5 for each in drawn]
    every = [each.value >= 0.5 for each in pool]
    for side in (True, False):
        assert sides.count(side) >= min(every.count(side), most // 2)
    for each in drawn:
        side = each.scored.value >= 0.5
        assert abs(each.pi - each.scored.pi * sides.count(side) / every.count(side)) < 1e-12


@given(pools, st.integers(2, 40), st.integers(0, 20))
def test_a_larger_draw_has_the_smaller_in_it(pool: list[Scored], most: int, more: int) -> None:
    small = {each.scored.row.id: each.pi for each in draw(pool, most, scorer="s")}
    large = {each.scored.row.id: each.pi for each in draw(pool, most + more, scorer="s")}
    failed = sum(each.value < 0.5 for each in pool)
    if failed >= most + more and len(pool) - failed >= most + more:  # neither side makes up for the other
        assert small.keys() <= large.keys()
        assert all(large[name] >= pi for name, pi in small.items())


def test_a_seed_draws_the_same_whatever_the_order_and_another_draws_others() -> None:
    pool = [scored(number, number % 2) for number in range(200)]
    names = [each.scored.row.id for each in draw(pool, 20, scorer="s", seed=3)]
    assert names == [each.scored.row.id for each in draw(pool[::-1], 20, scorer="s", seed=3)]
    assert names != [each.scored.row.id for each in draw(pool, 20, scorer="s", seed=4)]
    assert names != [each.scored.row.id for each in draw(pool, 20, scorer="other", seed=3)]


def test_the_order_does_not_tell_what_the_judge_said() -> None:
    drawn = draw([scored(number, number % 2) for number in range(400)], 100, scorer="s")
    first = [each.scored.value for each in drawn[:50]]
    assert 10 < sum(first) < 40


def test_a_pass_mark_parts_passed_from_failed() -> None:
    pool = [scored(number, 0.6 if number < 10 else 0.9) for number in range(100)]
    drawn = draw(pool, 10, scorer="s", mark=0.8)
    assert sum(each.scored.value < 0.8 for each in drawn) == 5


def test_the_payload_is_part_of_the_probability() -> None:
    assert reach(scored(1, 1.0, pi=0.3)) == 0.3
    assert reach(scored(1, 1.0, pi=0.3, kept=0.1)) == 0.1  # u below 0.1 is below 0.3
    assert reach(scored(1, 1.0, pi=0.05, kept=0.1)) == 0.05
    assert reach(scored(1, 1.0, pi=0.3 * 0.2, kept=0.1, share=0.2)) == 0.1 * 0.2  # sent, and then kept


def test_what_is_drawn_stands_for_all_traffic() -> None:
    """A service of which thumbs-down are always scored and kept, of the rest 40 % scored and 25 % kept: the estimates
    over many services are right in the mean, and those that take no probability into account are not."""
    random, number = Random(8), 0
    errors: list[float] = []
    naive: list[float] = []
    truths: list[float] = []
    for _ in range(150):
        good, pool = [], []
        truth: dict[str, bool] = {}
        for _ in range(600):
            number += 1
            thumbed = random.random() < 0.15
            right = random.random() < (0.3 if thumbed else 0.9)
            said = right if random.random() < 0.8 else not right
            scoring, keeping = (1.0, 1.0) if thumbed else (0.4, 0.25)
            good.append(right)
            u = u_of("", f"{number:032x}")
            if u < min(scoring, keeping):
                pool.append(scored(number, float(said), pi=scoring, kept=keeping))
                truth[pool[-1].row.id] = right
        drawn = draw(pool, 40, scorer="s")
        weights = [1 / each.pi for each in drawn]
        rights = [truth[each.scored.row.id] for each in drawn]
        estimate = sum(weight for weight, right in zip(weights, rights, strict=True) if right) / sum(weights)
        truths.append(sum(good) / len(good))
        errors.append(estimate - truths[-1])
        naive.append(sum(rights) / len(rights) - truths[-1])
    spread = (sum(each**2 for each in errors) / len(errors)) ** 0.5 / len(errors) ** 0.5
    assert abs(sum(errors) / len(errors)) < 3 * spread < 0.03
    assert sum(naive) / len(naive) < -0.15
