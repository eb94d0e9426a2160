import random
from collections import Counter
from functools import cache
from statistics import median
from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.scorers.bias import of_position
from gatewatch.scorers.calibrate import Calibration, Figure, calibrate
from gatewatch.scorers.labels import Label, majority
from shared import known_answers, rows


def width(figure: Figure | None) -> float:
    assert figure is not None
    return figure.high - figure.low


def label(good: bool, verdict: bool | None, place: int = 0, **more: Any) -> Label:
    return Label(id=f"{place}", people=(good,), verdict=verdict, **more)


def binary(counts: tuple[int, int, int, int], **more: Any) -> list[Label]:
    """So many good ones passed and failed, and bad ones passed and failed."""
    kinds = [(True, True), (True, False), (False, True), (False, False)]
    pairs = [kind for kind, count in zip(kinds, counts, strict=True) for _ in range(count)]
    return [label(good, verdict, place, **more) for place, (good, verdict) in enumerate(pairs)]


def test_the_word() -> None:
    assert calibrate(binary((45, 5, 5, 45))).word == "USABLE"
    assert calibrate(binary((30, 20, 25, 25))).word == "NOT USABLE"
    few = calibrate(binary((20, 2, 2, 20)))
    assert (few.word, few.more, few.why) == (
        "TOO FEW LABELS",
        6,
        "labelled outputs with a verdict: 44, and it takes 50",
    )
    open_ = calibrate(binary((22, 8, 8, 22)))
    assert open_.word == "TOO FEW LABELS"
    assert open_.more is not None
    assert open_.more > 50
    assert "0.4 lies within" in open_.why


def test_as_many_more_labels_as_it_says_decide() -> None:
    found = calibrate(binary((40, 10, 12, 38)))
    assert found.word == "TOO FEW LABELS"
    assert found.more is not None
    by = 1 + found.more / 100
    assert calibrate(binary((round(40 * by), round(10 * by), round(12 * by), round(38 * by)))).word == "USABLE"


def test_all_of_one_kind_decides_nothing() -> None:
    found = calibrate(binary((60, 0, 0, 0)))
    assert (found.word, found.youden) == ("TOO FEW LABELS", None)
    assert "label some of the other kind" in found.why


def test_what_has_no_verdict_is_missing_and_no_loss() -> None:
    rows_ = [*binary((40, 10, 5, 45)), *(label(True, None, 100 + n) for n in range(7))]
    found = calibrate(rows_)
    assert (found.labels, found.missing, found.agreed) == (107, 7, 85)
    assert found.agreement is not None
    assert found.agreement.value == pytest.approx(0.85)
    assert found.rate == pytest.approx(0.45)
    assert found.corrected is not None
    assert found.corrected.value == pytest.approx(57 / 107)


def test_labels_drawn_by_verdict_need_their_weights() -> None:
    # Of 1,000, 900 are passed; 50 of each verdict are labelled. People's rate is .9 * .96 + .1 * .3.
    drawn = [
        *(Label(id=f"p{n}", people=(n < 48,), verdict=True, weight=18.0) for n in range(50)),
        *(Label(id=f"f{n}", people=(n < 15,), verdict=False, weight=2.0) for n in range(50)),
    ]
    found = calibrate(drawn, population={True: 900, False: 100})
    assert found.corrected is not None
    assert found.corrected.value == pytest.approx(0.894)
    assert found.sensitivity is not None
    assert found.sensitivity.value == pytest.approx(48 * 18 / (48 * 18 + 15 * 2))
    assert found.labelled_rate is not None
    assert found.labelled_rate.value == pytest.approx(0.894)


def test_labels_drawn_by_verdict_speak_for_what_they_were_drawn_from() -> None:
    # As above, but the scorer was asked of nothing else.
    drawn = [
        *(Label(id=f"p{n}", people=(n < 48,), verdict=True, weight=18.0) for n in range(50)),
        *(Label(id=f"f{n}", people=(n < 15,), verdict=False, weight=2.0) for n in range(50)),
    ]
    found = calibrate(drawn)
    assert found.corrected is not None
    assert found.corrected.value == pytest.approx(0.894)
    assert found.rate == pytest.approx(0.9)
    assert found.population == 100


def test_grades_need_a_pass_mark() -> None:
    graded = [Label(id=str(n), people=(n % 5 / 4,), verdict=(n * 3 % 5) / 4) for n in range(60)]
    with pytest.raises(ValueError, match="give pass_at"):
        calibrate(graded)
    found = calibrate(graded, pass_at=0.75)
    assert found.weighted_kappa is not None
    assert found.agreement is not None


def test_peoples_mean_grade_over_everything() -> None:
    graded = [Label(id=str(n), people=(n % 5 / 4,), verdict=min(1.0, n % 5 / 4 + 0.25)) for n in range(60)]
    population = Counter({0.25: 200, 0.5: 200, 0.75: 200, 1.0: 400})
    found = calibrate(graded, population=population, pass_at=0.75)
    assert found.mean is not None
    assert found.mean.low < 0.5 < found.mean.high  # the scorer's own mean is 0.7
    assert calibrate(graded, pass_at=0.75).mean is None  # all of it is labelled


def test_a_score_in_all_shades_is_known_by_its_side_of_the_pass_mark() -> None:
    draw = random.Random(5)
    people = [draw.random() < 0.6 for _ in range(1000)]
    every = [
        Label(id=str(n), people=(good,), verdict=draw.betavariate(5, 2) if good else draw.betavariate(2, 5))
        for n, good in enumerate(people)
    ]
    population = Counter(each.verdict for each in every)
    by_mark = calibrate(every[:100], population=population, pass_at=0.5)
    by_rank = calibrate(every[:100], population=population)
    for found in (by_mark, by_rank):
        assert found.corrected is not None
        assert found.labelled_rate is not None
        assert found.corrected.low < sum(people) / 1000 < found.corrected.high
        assert width(found.corrected) < 0.8 * width(found.labelled_rate)
    assert by_mark.weighted_kappa is None  # people give no grades
    assert (by_rank.sensitivity, by_rank.auc is None) == (None, False)


def test_a_ranking_too_says_how_many_more() -> None:
    draw = random.Random(4)
    some = [label(n % 2 == 0, None, n) for n in range(60)]
    some = [replace(each, verdict=draw.gauss(0.5 + 0.07 * bool(each.people[0]), 0.1) % 1.0) for each in some]
    found = calibrate(some)
    assert found.word == "TOO FEW LABELS"
    assert found.more is not None
    assert f"about {found.more:,} more would tell" in found.why


def test_what_shares_an_origin_tells_less() -> None:
    alone = binary((40, 10, 5, 45))
    together = [replace(each, cluster=str(int(each.id) // 5)) for each in alone]
    plain, clustered = calibrate(alone), calibrate(together)
    for name in ("agreement", "kappa", "sensitivity", "youden", "labelled_rate", "corrected"):
        one, other = getattr(plain, name), getattr(clustered, name)
        assert one.value == other.value
        assert width(other) > 1.2 * width(one), name
    assert (plain.effective, plain.counts) == (100.0, (50, 50))
    assert clustered.effective < 60


def test_what_cannot_be_held_against_each_other() -> None:
    with pytest.raises(ValueError, match="must be choices, or not be, all of them: there are 'a', True"):
        calibrate([Label(id="1", people=("a",), verdict=True)], good="a")


def test_choices_need_to_be_told_which_is_good() -> None:
    some = [Label(id="1", people=("a",), verdict="b")]
    with pytest.raises(ValueError, match="which choice is good is not said: name one of a"):
        calibrate(some)
    with pytest.raises(ValueError, match="'c' is none of the choices: name one of a"):
        calibrate(some, good="c")
    with pytest.raises(ValueError, match="no labels"):
        calibrate([])


def test_slices_and_suspects() -> None:
    found = calibrate(
        [*binary((30, 10, 4, 26), slice="de"), *(label(True, True, 90 + n, slice="en") for n in range(5))]
    )
    assert list(found.slices) == ["de", "en"]
    assert found.slices["de"].labels == 70
    assert found.slices["en"].youden is None
    assert len(found.suspects) == 14
    split = calibrate([*binary((30, 0, 0, 30)), Label(id="torn", people=(True, False), verdict=True)])
    assert (split.split, split.suspects[0].id, split.suspects[0].why) == (1, "torn", "people are split")


def test_a_majority() -> None:
    assert majority(("a", "a", "b")) == "a"
    assert majority(("a", "b", "tie")) is None


def test_length_is_held_against_a_judge_that_goes_by_it() -> None:
    even = [label(n % 2 == 0, n % 2 == 0 or n > 60, n, length=n * 10) for n in range(100)]
    (bias,) = calibrate(even).biases
    assert (bias.kind, bias.warns) == ("length", True)


def test_its_own_models_outputs() -> None:
    fond = [label(n % 2 == 0, True, n, own=True) for n in range(60)]
    assert [(bias.kind, bias.warns) for bias in calibrate(fond).biases] == [("self", True)]


def test_position() -> None:
    always_first: list[tuple[str | None, str | None]] = [("a", "b")] * 20
    position, swap = of_position(always_first)
    assert (position.value, position.warns, swap.value) == (1.0, True, 0.0)
    assert of_position([("a", "a")] * 20)[0].value == 0.5
    assert of_position([("tie", "tie")] * 20) == []


# Recorded judges and people.


def _pandalm(pair: dict[str, Any], judge: str, *, votes: bool = False) -> Label:
    verdict = pair["judges"][judge]["verdict"]
    return Label(
        id=str(pair["pair_id"]),
        people=tuple(pair["human_votes"]) if votes else (pair["human_majority"],),
        verdict=None if verdict == "invalid" else verdict,
        length=(len(pair["output_a"]), len(pair["output_b"])),
    )


@cache
def pandalm() -> list[dict[str, Any]]:
    return list(rows("judge_pandalm", "pairs.jsonl.gz"))


def value(figure: Figure | None) -> float:
    assert figure is not None
    return round(figure.value, 4)


@pytest.mark.parametrize("judge", ["gpt-3.5-turbo", "pandalm-7b"])
def test_a_recorded_judge_of_pairs(judge: str) -> None:
    known = known_answers("judge_pandalm")
    found = calibrate([_pandalm(pair, judge) for pair in pandalm()], good="b")
    assert (found.agreed, found.labels, found.missing) == (
        known[judge]["agree"],
        known[judge]["n"],
        known[judge]["invalid"],
    )
    assert value(found.kappa) == known[judge]["kappa_3class(valid only)"]
    assert value(found.corrected) == known["true share of 'b wins' (humans)"]
    by_vote = calibrate([_pandalm(pair, judge, votes=True) for pair in pandalm()], good="b")
    assert by_vote.ceiling is not None
    assert round(by_vote.ceiling, 4) == known["mean pairwise human agreement"]
    assert by_vote.alpha == pytest.approx(by_vote.fleiss, abs=0.001)


def test_a_hundred_labels_and_a_judge_tell_more_than_the_labels_alone() -> None:
    known = known_answers("judge_pandalm")["true share of 'b wins' (humans)"]
    every = [_pandalm(pair, "gpt-3.5-turbo") for pair in pandalm()]
    population = Counter(each.verdict for each in every)
    covered, widths, alone = 0, [], []
    for seed in range(100):
        found = calibrate(random.Random(seed).sample(every, 100), population=population, good="b")
        assert found.corrected is not None
        assert found.labelled_rate is not None
        covered += found.corrected.low <= known <= found.corrected.high
        widths.append(found.corrected.high - found.corrected.low)
        alone.append(found.labelled_rate.high - found.labelled_rate.low)
    assert covered >= 93
    assert median(widths) < median(alone)


@cache
def llmbar(judge: str, protocol: str) -> list[Label]:
    return [
        Label(
            id=vote["source_id"],
            people=(vote["gold"],),
            verdict=vote["ab"]["winner"],
            orders=(vote["ab"]["winner"], vote["ba"]["winner"]),
        )
        for vote in rows("judge_llmbar", "votes.jsonl.gz")
        if (vote["judge"], vote["protocol"], vote["rep"]) == (judge, protocol, 0)
    ]


def test_accuracy_and_position_of_recorded_judges() -> None:
    known = known_answers("judge_llmbar")
    assert len(known) == 12
    for name, right in known.items():
        labels = llmbar(*name.split("/"))
        found = calibrate(labels, good="a")
        turned = [Label(id=each.id, people=each.people, verdict=(each.orders or (None, None))[1]) for each in labels]
        assert (found.labels, round(found.agreed / found.labels, 4)) == (right["n"], right["acc_order_ab"]), name
        assert round(calibrate(turned, good="a").agreed / len(turned), 4) == right["acc_order_ba"], name
        leans = {bias.kind: bias for bias in found.biases}
        assert round(leans["swap"].value, 4) == right["same_verdict_after_swap"], name
        assert round(leans["position"].value, 4) == right["share_choosing_first_shown"], name
        assert leans["position"].warns == (right["share_choosing_first_shown"] > 0.6), name


def _until_decided(labels: list[Label], seed: int) -> Calibration:
    drawn = random.Random(seed).sample(labels, 150)
    found = calibrate(drawn[:50], good="a")
    for more in range(60, 151, 10):
        if found.word != "TOO FEW LABELS":
            break
        found = calibrate(drawn[:more], good="a")
    return found


@pytest.mark.parametrize(
    ("judge", "word"),
    [
        ("GPT-4/Vanilla", "USABLE"),
        ("ChatGPT/Vanilla", "NOT USABLE"),
        ("Falcon/Vanilla", "NOT USABLE"),
        ("Falcon/CoT", "NOT USABLE"),
    ],
)
def test_50_to_150_labels_tell_which_judge_is_usable(judge: str, word: str) -> None:
    words = Counter(_until_decided(llmbar(*judge.split("/")), seed).word for seed in range(100))
    assert words[word] >= 90  # type: ignore[index]


def test_replies_of_a_judge_that_cannot_be_read() -> None:
    def verdict(text: str) -> bool | None:
        return {"1_full_compliance": True, "2_full_refusal": False, "3_partial_refusal": True}.get(text)

    every = [
        Label(id=str(place), people=(verdict(row["human"]) is not False,), verdict=verdict(row["judge_gpt4"]))
        for place, row in enumerate(rows("guard_refusal", "completions.jsonl.gz"))
    ]
    known = known_answers("guard_refusal")["judge_gpt4"]
    found = calibrate(every)
    assert found.missing == known["unparseable verdicts"]
    assert value(found.agreement) == known["accuracy 2-class (valid only)"]
    assert value(found.kappa) == known["kappa"]


def test_a_scorer_that_sees_nothing_is_called_unusable() -> None:
    documents = {row["source_id"]: set(row["doc"].lower().split()) for row in rows("summedits", "docs.jsonl.gz")}

    def share(row: dict[str, Any]) -> float:
        words = row["summary"].lower().split()
        return sum(word in documents[row["source_id"]] for word in words) / len(words)

    every = [
        Label(
            id=row["id"],
            people=(bool(row["human_consistent"]),),
            verdict=share(row),
            cluster=row["source_id"],
            slice=row["domain"],
        )
        for row in rows("summedits", "summaries.jsonl.gz")
    ]
    words = Counter(calibrate(random.Random(seed).sample(every, 100)).word for seed in range(20))
    assert words["USABLE"] == 0
    assert words["NOT USABLE"] >= 18
    whole = calibrate(every)
    alone = calibrate([Label(id=str(n), people=e.people, verdict=e.verdict) for n, e in enumerate(every)])
    assert whole.word == "NOT USABLE"
    assert width(whole.auc) > width(alone.auc)
    assert width(whole.labelled_rate) > width(alone.labelled_rate)
    known = known_answers("summedits")
    assert value(whole.labelled_rate) == round(1 - known["inconsistent"] / known["summaries"], 4)
    assert len(whole.slices) == len({row["domain"] for row in rows("summedits", "summaries.jsonl.gz")})
    assert all(part.auc is not None and part.agreement is None for part in whole.slices.values())
    assert sum(part.good for part in whole.slices.values()) == known["summaries"] - known["inconsistent"]
