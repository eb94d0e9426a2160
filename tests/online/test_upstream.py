"""Upstream sampling: what was sent with a known probability stands for all that was not, in scores and in signals."""

from collections import Counter
from math import ceil
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.marks import bits
from gatewatch.core.rates import Epoch, Facts, Rule, probability, u_of
from gatewatch.core.trace import Fault, Trace
from gatewatch.online.ingest import Ways, arrival_of
from gatewatch.online.ledger import ledger
from gatewatch.online.otlp.receive import Rules, received
from gatewatch.online.sample import share_of_session
from gatewatch.online.settle import settle
from gatewatch.online.signals import signals_of
from gatewatch.online.trends import trend
from gatewatch.online.window import EXACT, Figure
from gatewatch.scorers.base import scorer
from gatewatch.scorers.session import turns
from gatewatch.stats.weighting import weighted_mean
from gatewatch.store.bins import bin_of, edges
from gatewatch.store.rows import Arrivals, Row, SignalCell
from online.living import FLOW, START, Living, monitor, request, thumb, watch

DOWN = Rule(1.0, marks=bits(["thumbs_down"]))
SEEDS = 100


@scorer
def good(output: str) -> bool:
    return output == "yes"


@pytest.fixture
def living(tmp_path: Path) -> Living:
    return Living(tmp_path)


def send(living: Living, *sent: tuple[Trace, float]) -> None:
    """Requests arrive, each sent with a probability."""
    kept = (replace(arrival_of(trace, Ways(), now=living.now), share=share) for trace, share in sent)
    living.store.take_in(Arrivals(tuple(kept)), living.now)


def pi_of(living: Living, number: int, name: str = "good") -> float:
    """The probability kept with a request's score by a scorer of the kind "rule", or with its task."""
    row = living.store.find(f"{number:032x}")
    assert row is not None
    return next(entry.pi for entry in ledger(living.store, row).entries if entry.scorer == name)


def total(living: Living, name: str, source: str = "rule") -> Figure:
    found = trend(living.store, FLOW, since=START - 60, until=START + 86_400, tier="day")
    (each,) = (each.total for each in found.scorers if (each.scorer, each.source) == (name, source))
    return each


def test_a_score_weighs_by_both_probabilities_and_u_decides_by_one(living: Living) -> None:
    send(living, *((request(n), 0.1 if n % 2 else 1.0) for n in range(200)))
    living.work(monitor(watch(good, Rule(0.3), DOWN)))
    scored = {n for n in range(200) if u_of("", f"{n:032x}") < 0.3}
    assert total(living, "good").estimate.n == len(scored)
    assert [pi_of(living, n) for n in range(1, 200, 2)] == pytest.approx([0.03] * 100)
    assert {pi_of(living, n) for n in range(0, 200, 2)} == {0.3}
    living.hear(*(thumb(n) for n in range(20)))  # afterwards it would have been scored for sure, if it was sent
    living.work(monitor(watch(good, Rule(0.3), DOWN)))
    assert [pi_of(living, n) for n in range(20)] == [1.0, 0.1] * 10
    row = living.store.find(f"{1:032x}")
    assert row is not None
    assert {kept.pi for kept in living.store.scores(row.seq)} == {0.1}  # the thumb's too


def test_a_session_is_known_of_where_any_of_its_turns_was_sent(living: Living) -> None:
    send(living, (request(1, session="one"), 0.1))
    send(living, (request(2, session="two"), 0.1), (request(3, session="two", started=START + 1), 0.2))
    send(living, (request(4, session="failed"), 0.1), (request(5, session="failed", error=Fault("x")), 1.0))
    living.now += 3600
    living.work(monitor(watch(turns(), Rule(1.0))))
    assert [pi_of(living, n, "turns") for n in (1, 2, 4)] == [0.1, pytest.approx(0.28), 1.0]
    by_themselves = [
        kept.pi
        for n in (1, 2, 4)
        if (row := living.store.find(f"{n:032x}")) is not None
        for kept in living.store.scores(row.seq)
        if kept.score.source == "signal" and kept.score.name == "turns"
    ]
    assert by_themselves == [0.1, pytest.approx(0.28), 1.0]


def test_the_share_of_a_session_of_many_hardly_sent_turns_is_exact() -> None:
    def rows(*shares: float) -> list[Row]:
        return [Row(n, f"{n}", START, START, FLOW, share=share) for n, share in enumerate(shares)]

    assert share_of_session(rows(0.3)) == 0.3
    assert share_of_session(rows(0.3, 1.0)) == 1.0
    assert share_of_session(rows(*[2.0**-60] * 8)) == pytest.approx(2.0**-57, rel=1e-12)


# Signals


def cells(stream: list[tuple[float, bool, float]]) -> list[SignalCell]:
    """What a store has of requests that were sent: (share, whether it failed, latency in seconds)."""
    found = []
    for share in sorted({share for share, _, _ in stream}):
        mine = [each for each in stream if each[0] == share]
        latency = Counter(bin_of(seconds) for _, _, seconds in mine)
        failed, cost = sum(failed for _, failed, _ in mine), 0.001 * len(mine)
        found.append(SignalCell(0.0, "", "", len(mine), failed, 0, cost, 0, 10 * len(mine), 0, latency, share=share))
    return found


def failures(random: Random) -> list[tuple[float, bool, float]]:
    """All requests that failed are sent, and a tenth of the others; what failed took longer."""
    every = [(random.random() < 0.06, random.lognormvariate(0, 1)) for _ in range(5000)]
    return [(1.0 if failed else 0.1, failed, seconds * (3 if failed else 1)) for failed, seconds in every]


def routes(random: Random) -> list[tuple[float, bool, float]]:
    """Two services, one of which sends a quarter of its requests and the other, which is slower, a fiftieth."""
    found = []
    for _ in range(5000):
        slow = random.random() < 0.6
        found.append((0.02 if slow else 0.25, random.random() < (0.3 if slow else 0.1), random.lognormvariate(slow, 1)))
    return found


@pytest.mark.parametrize("stream", [failures, routes])
def test_rates_totals_and_quantiles_of_a_head_sampled_stream_cover_the_truth(stream: object) -> None:
    assert callable(stream)
    covered: Counter[str] = Counter()
    off: dict[str, float] = {"errors": 0.0, "requests": 0.0, "cost": 0.0}
    for seed in range(SEEDS):
        random = Random(seed)
        every = stream(random)
        found = signals_of(cells([each for each in every if random.random() < each[0]]))
        truth = sum(failed for _, failed, _ in every) / len(every)
        rate, requests = found.errors, found.requests
        assert rate.mean is not None and rate.interval is not None and requests
        covered["errors"] += rate.interval.low <= truth <= rate.interval.high
        covered["requests"] += requests.interval.low <= len(every) <= requests.interval.high
        off["errors"] += (rate.mean - truth) / SEEDS
        off["requests"] += (requests.value / len(every) - 1) / SEEDS
        off["cost"] += (found.cost / (0.001 * len(every)) - 1) / SEEDS
        ordered = sorted(seconds for _, _, seconds in every)
        for name, q in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
            quantile, at = found.latency_s[name], ordered[ceil(q * len(ordered)) - 1]
            covered[name] += quantile.low <= at and (quantile.high is None or at <= quantile.high)
    assert min(covered[name] for name in ("errors", "requests")) >= 90, covered
    assert min(covered[name] for name in ("p50", "p95", "p99")) >= 85, covered  # these are 90 % bounds
    assert abs(off["errors"]) < 0.005 and abs(off["requests"]) < 0.02 and abs(off["cost"]) < 0.02, off


def test_the_rate_of_what_came_is_no_estimate_where_failures_are_sent_more_often() -> None:
    random = Random(1)
    sent = [each for each in failures(random) if random.random() < each[0]]
    assert sum(failed for _, failed, _ in sent) / len(sent) > 0.3
    assert signals_of(cells(sent)).errors.mean == pytest.approx(0.06, abs=0.01)


def test_requests_that_were_all_sent_with_one_share_have_the_rates_and_quantiles_of_what_came() -> None:
    random = Random(2)
    stream = [(1.0, random.random() < 0.1, random.lognormvariate(0, 1)) for _ in range(400)]
    whole, quarter = (signals_of(cells([(share, *rest) for _, *rest in stream])) for share in (1.0, 0.25))  # type: ignore[misc]
    assert (quarter.errors, quarter.latency_s) == (whole.errors, whole.latency_s)
    assert not whole.requests and quarter.requests
    assert (quarter.n, quarter.every, quarter.input_tokens) == (400, 1600, 4 * whole.input_tokens)
    assert quarter.requests.interval.low < 1600 < quarter.requests.interval.high


def test_weighted_quantiles_are_those_of_the_stream_written_out() -> None:
    fast, slow = [(0.5, False, n / 100) for n in range(1, 101)], [(1.0, False, 2 + n / 100) for n in range(50)]
    found = signals_of(cells([*fast, *slow])).latency_s
    every = sorted([seconds for _, _, seconds in fast] * 2 + [seconds for _, _, seconds in slow])
    for name, q in (("p50", 0.5), ("p95", 0.95)):
        low, high = edges(bin_of(every[ceil(q * len(every)) - 1]))
        assert low <= found[name].value <= high


# Scores


def test_means_of_scores_of_a_head_sampled_stream_cover_the_truth() -> None:
    """Thumbs down are always scored, late, of what was sent; a twentieth of the rest; failures are all sent."""
    covered, off, naive = 0, 0.0, 0.0
    rules = [Epoch(1, 1, (Rule(0.2), DOWN))]
    for seed in range(SEEDS):
        random = Random(seed)
        every = []
        for n in range(6000):
            failed = random.random() < 0.05
            value = float(not failed and random.random() < 0.85)
            down = random.random() < (0.02 if value else 0.3)
            every.append((1.0 if failed else 0.3, value, DOWN.marks if down else 0, u_of("", f"{seed}/{n}")))
        sent = [each for each in every if random.random() < each[0]]
        chances = [probability(Facts(marks=marks), rules) for _, _, marks, _ in sent]
        sample = [(each, chance) for each, chance in zip(sent, chances, strict=True) if each[3] < chance]
        found = weighted_mean([each[1] for each, _ in sample], [each[0] * chance for each, chance in sample])
        truth = sum(value for _, value, _, _ in every) / len(every)
        assert found.mean is not None and found.interval is not None
        covered += found.interval.low <= truth <= found.interval.high
        off += (found.mean - truth) / SEEDS
        by_one = weighted_mean([each[1] for each, _ in sample], [chance for _, chance in sample]).mean
        assert by_one is not None
        naive += (by_one - truth) / SEEDS
    assert covered >= 90, covered
    assert abs(off) < 0.005, off
    assert naive < -0.05, naive  # what the share left out would say


def test_what_workers_make_of_a_head_sampled_stream_is_what_the_rules_promise(living: Living) -> None:
    random, every, sent = Random(5), [], []
    for n in range(3000):
        failed = random.random() < 0.05
        value, share = not failed and random.random() < 0.8, 1.0 if failed else 0.25
        every.append(float(value))
        if random.random() < share:
            sent.append((n, value, share))
            error = Fault("no") if failed else None
            send(living, (request(n, output="yes" if value else "no", error=error, latency_s=1.0), share))
    living.hear(*(thumb(n) for n, value, _ in sent if not value and n % 3 == 0))
    living.work(monitor(watch(good, Rule(0.5), DOWN)))
    down = {n for n, value, _ in sent if not value and n % 3 == 0}
    chance = {n: 1.0 if n in down else 0.5 for n, _, _ in sent}
    sample = [each for each in sent if u_of("", f"{each[0]:032x}") < chance[each[0]]]
    direct = weighted_mean([float(v) for _, v, _ in sample], [share * chance[n] for n, _, share in sample])
    found = total(living, "good").estimate
    assert len(sample) <= EXACT and direct.interval is not None and found.interval is not None
    assert found.n == len(sample) and found.mean == pytest.approx(direct.mean)
    assert (found.interval.low, found.interval.high) == pytest.approx((direct.interval.low, direct.interval.high))
    assert found.interval.low <= sum(every) / len(every) <= found.interval.high
    signals = trend(living.store, FLOW, since=START - 60, until=START + 60, tier="hour").signals
    assert signals.requests
    assert signals.n == len(sent) and signals.every == pytest.approx(sum(1 / share for _, _, share in sent))
    assert signals.requests.interval.low <= 3000 <= signals.requests.interval.high


def test_a_tracestate_of_otlp_weighs_what_it_came_with(living: Living) -> None:
    """One in four of what went well was sent, and all that failed: each span says so itself."""

    def span(n: int) -> dict[str, object]:
        failed = n % 10 == 9
        attributes = [{"key": "gatewatch.flow", "value": {"stringValue": FLOW}}]
        return {
            "traceId": f"{n + 1:032x}",
            "spanId": f"{n + 1:016x}",
            "name": "chat",
            "traceState": "vendor=x,ot=th:0" if failed else "vendor=x,ot=th:c",
            "startTimeUnixNano": str(int(START * 1e9)),
            "endTimeUnixNano": str(int((START + 1) * 1e9)),
            "status": {"code": 2} if failed else {},
            "attributes": attributes,
        }

    body = codec.encode({"resourceSpans": [{"scopeSpans": [{"spans": [span(n) for n in range(100)]}]}]})
    living.store.stage(received(body, "application/json", "traces", Rules()).pieces, living.now)
    living.now += 60
    assert settle(living.store, Ways(), clock=living.clock).new == 100
    signals = trend(living.store, FLOW, since=START - 60, until=START + 86_400, tier="day").signals
    assert signals.requests and signals.errors.mean is not None
    assert (signals.n, signals.every) == (100, 370)
    assert signals.errors.mean * 370 == pytest.approx(10)
