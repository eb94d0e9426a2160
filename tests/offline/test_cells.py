from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gatewatch.offline.cells import Cells, concluded, explore, refused
from gatewatch.offline.compare import Comparison
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import Look, Said
from gatewatch.offline.verdict import Figures, Flips
from gatewatch.stats.multiple import benjamini_hochberg
from gatewatch.stats.paired import mid_p
from offline.pairs import LOST, Values, baseline, numbered, side, with_last

PASSED = numbered(200)
LAST = Look(information=(0.2, 0.4, 0.6, 0.8, 1.0), number=4)


def said(look: Look, **words: Said) -> Look:
    return Look(information=look.information, number=look.number, said=words)


def cells(
    scorers: Mapping[str, Mapping[str, Values]],
    *,
    before: Mapping[str, Mapping[str, Values]] | None = None,
    gating: Sequence[str] = ("exact",),
    flip: Mapping[str, Flips] | None = None,
    look: Look | None = None,
    parts: Mapping[str, str] | None = None,
    clusters: Mapping[str, str] | None = None,
    outputs: str = "",
    **rule: Any,
) -> Cells:
    """What is concluded of scorers whose baseline is all right, unless it is given."""
    old = before or {name: dict.fromkeys(given, 1.0) for name, given in scorers.items()}
    comparison = Comparison(
        baseline({}, more=old, outputs=outputs),
        side({}, more=scorers, slices=parts, clusters=clusters, outputs=outputs),
    )
    pairs = {name: comparison.pairs(name) for name in scorers}
    return concluded(comparison, pairs, Rule(**rule), gating, flip or {}, look)


def one(after: Mapping[str, Values], **about: Any) -> Figures:
    return cells({"exact": after}, **about)["exact", ""]


class TestOneScorer:
    def test_a_fall_that_chance_does_not_make(self) -> None:
        each = one(with_last(numbered(40), 4, 0.0))
        assert (each.verdict, each.p_adjusted) == ("REGRESSED", each.p)
        assert each.p == pytest.approx(mid_p(0, 4))
        assert each.reasons == ("exact: the mean fell by 10.0 pp (4 down, 0 up; p = 0.031)",)

    def test_a_fall_that_it_may_make(self) -> None:
        each = one(with_last(numbered(40), 3, 0.0))
        assert each.verdict == "UNDECIDED"
        assert each.reasons == ("exact: a fall of 5 pp cannot be ruled out",)

    def test_a_fall_that_is_ruled_out(self) -> None:
        each = one(PASSED)
        assert (each.verdict, each.reasons) == ("PASS", ())
        assert each.lower is not None
        assert each.lower > -0.05
        assert one(PASSED, max_drop=0.01).verdict == "UNDECIDED"
        assert one(PASSED, max_drop=0.01).reasons == ("exact: a fall of 1 pp cannot be ruled out",)

    def test_the_level_is_the_rules(self) -> None:
        after = with_last(numbered(40), 4, 0.0)
        assert one(after, alpha=0.03).verdict == "UNDECIDED"
        assert one(with_last(numbered(40), 3, 0.0), alpha=0.07).verdict == "REGRESSED"

    def test_a_fall_that_is_too_small_to_matter_does_not_block_however_sure(self) -> None:
        after = with_last(numbered(400), 6, 0.0)
        assert one(after).verdict == "REGRESSED"
        assert one(after, min_effect=0.015).verdict == "REGRESSED", "a fall of that size matters"
        small = one(after, min_effect=0.02)
        assert (small.verdict, small.p_adjusted) == ("PASS", 1.0)
        assert small.p == pytest.approx(mid_p(0, 6)), "the p-value stays what it is"

    def test_a_rise_is_no_fall(self) -> None:
        each = one(numbered(40), before={"exact": with_last(numbered(40), 6, 0.0)})
        assert (each.verdict, each.p_adjusted) == ("PASS", 1.0)

    def test_the_same_outputs_are_no_fall_however_few(self) -> None:
        assert one(numbered(2), outputs="x").verdict == "PASS"
        assert one(numbered(2)).verdict == "UNDECIDED"

    def test_no_pairs(self) -> None:
        each = cells({"exact": {"a": 1.0}, "none": {}}, before={"exact": {"a": 1.0}, "none": {}}, gating=("none",))
        assert each["none", ""].reasons == ("none: no pairs",)
        assert each["none", ""].verdict == "UNDECIDED"

    def test_cases_of_one_origin_alone_rule_nothing_out(self) -> None:
        each = one(PASSED, clusters=dict.fromkeys(PASSED, "doc"))
        assert (each.verdict, each.lower) == ("UNDECIDED", None)


class TestLost:
    def test_above_five_in_a_hundred_there_is_no_verdict(self) -> None:
        after = with_last(numbered(200, 1.0), 11, LOST)
        each = one(after)
        assert (each.n, each.errors, each.verdict) == (189, 11, "UNDECIDED")
        assert each.reasons == ("exact: 11 of 200 pairs were lost to scorer errors (5.5%)",)
        assert refused(each)
        assert one(with_last(numbered(200), 10, LOST)).verdict == "PASS"

    def test_not_even_that_it_fell(self) -> None:
        after = {**with_last(numbered(40), 10, 0.0), **numbered(5, LOST)}
        assert one(after).verdict == "UNDECIDED"

    def test_all(self) -> None:
        each = one(numbered(3, LOST))
        assert each.reasons == ("exact: 3 of 3 pairs were lost to scorer errors (100.0%)",)
        assert refused(each)
        assert refused(Figures(verdict="UNDECIDED")), "of no pairs nothing can be said"

    def test_trials_are_lost_by_their_share(self) -> None:
        each = one(with_last(numbered(200, [1.0, 1.0, 1.0, 1.0]), 20, [1.0, LOST, 1.0, LOST]))
        assert (each.n, each.errors, each.lost_share, each.verdict) == (200, 10, 0.05, "PASS")
        assert one(with_last(numbered(200, [1.0, 1.0]), 21, [1.0, LOST])).verdict == "UNDECIDED"

    def test_a_slice_is_not_charged_with_what_was_lost_elsewhere(self) -> None:
        slices = {**dict.fromkeys(numbered(180), "big"), **dict.fromkeys(numbered(20, start=180), "small")}
        found = cells({"exact": {**PASSED, "c000": LOST, "c001": LOST}}, parts=slices)
        assert found["exact", "small"].errors == 0

    def test_a_gating_slice_that_is_lost_whole_is_no_pass(self) -> None:
        slices = {**dict.fromkeys(numbered(195), "big"), **dict.fromkeys(numbered(5, start=195), "small")}
        found = cells({"exact": with_last(PASSED, 5, LOST)}, parts=slices, slices=("small",))
        assert ("exact", "small") in found
        assert found["exact", "small"].verdict == "UNDECIDED"


class TestSeveral:
    def test_scorers_that_gate_share_the_level(self) -> None:
        fallen, fine = with_last(numbered(40), 4, 0.0), numbered(40)
        found = cells({"exact": fallen, "kind": fine}, gating=("exact", "kind"))
        assert found["exact", ""].p_adjusted == pytest.approx(2 * mid_p(0, 4))
        assert found["exact", ""].verdict == "UNDECIDED"
        worse = with_last(numbered(40), 5, 0.0)
        found = cells({"exact": worse, "kind": fallen}, gating=("exact", "kind"))
        assert [found[name, ""].p_adjusted for name in ("exact", "kind")] == pytest.approx(
            [2 * mid_p(0, 5), mid_p(0, 4)]
        )
        assert [found[name, ""].verdict for name in ("exact", "kind")] == ["REGRESSED", "REGRESSED"]

    def test_those_that_only_warn_share_a_level_of_their_own(self) -> None:
        fallen = with_last(numbered(40), 4, 0.0)
        found = cells({"exact": fallen, "kind": fallen, "brief": numbered(40)})
        assert found["exact", ""].p_adjusted == pytest.approx(mid_p(0, 4))
        assert found["kind", ""].p_adjusted == pytest.approx(2 * mid_p(0, 4))
        assert [each.gating for each in found.values()] == [True, False, False]

    def test_slices_warn_unless_they_are_declared(self) -> None:
        slices = {case: "ab"[n % 2] for n, case in enumerate(numbered(80))}
        after: dict[str, Values] = {case: float(slices[case] == "b" or n > 14) for n, case in enumerate(numbered(80))}
        found = cells({"exact": after}, parts=slices, slices=())
        assert {part: each.gating for (_, part), each in found.items()} == {"": True, "a": False, "b": False}
        assert found["exact", "a"].p_adjusted == pytest.approx(2 * mid_p(0, 8))
        assert found["exact", "a"].reasons == ("exact in a: the mean fell by 20.0 pp (8 down, 0 up; p = 0.002)",)
        declared = cells({"exact": after}, parts=slices, slices=("a",))
        assert {part: each.gating for (_, part), each in declared.items()} == {"": True, "a": True, "b": False}
        assert declared["exact", "a"].p_adjusted == pytest.approx(2 * mid_p(0, 8))
        assert declared["exact", ""].n == 80
        assert (declared["exact", "b"].n, declared["exact", "b"].verdict) == (40, "UNDECIDED")

    def test_what_is_worth_a_look_and_no_more(self) -> None:
        names = {f"c{n:03}": f"s{n // 40}" for n in range(240)}
        after: dict[str, Values] = {
            case: float(not (n // 40 < 3 and n % 40 < 5)) for n, case in enumerate(numbered(240))
        }
        found = cells({"exact": after}, parts=names)
        warned = [part for (_, part), each in found.items() if part and each.verdict == "REGRESSED"]
        assert warned == [], "by Holm over six of them 0.0156 is not enough"
        rates = benjamini_hochberg([mid_p(0, 5)] * 3 + [0.5] * 3)
        assert [each[:2] for each in explore(found)] == [("exact", "s0"), ("exact", "s1"), ("exact", "s2")]
        assert [each[2] for each in explore(found)] == pytest.approx(rates[:3])


class TestFlips:
    def test_either_layer_blocks_at_half_the_level(self) -> None:
        quiet, loud = Flips(eligible=40), Flips(eligible=40, flipped=3, confirmed=3, p=0.001, fewest=2)
        fell = one(with_last(numbered(40), 4, 0.0), flip={"exact": quiet})
        assert fell.verdict == "UNDECIDED"
        assert fell.p_adjusted == pytest.approx(2 * mid_p(0, 4))
        by_mean = one(with_last(numbered(40), 5, 0.0), flip={"exact": quiet})
        assert by_mean.reasons == ("exact: the mean fell by 12.5 pp (5 down, 0 up; p = 0.016)",)
        by_flips = one(with_last(numbered(40), 3, 0.0), flip={"exact": loud})
        assert (by_flips.verdict, by_flips.p_adjusted) == ("REGRESSED", 0.002)
        assert by_flips.reasons == (
            "exact: 3 cases that always passed have now failed three times of three (p = 0.001)",
        )
        both = one(with_last(numbered(40), 5, 0.0), flip={"exact": loud})
        assert len(both.reasons) == 2
        single = Flips(eligible=40, flipped=1, confirmed=1, p=0.004, fewest=1)
        assert one(with_last(numbered(40), 1, 0.0), flip={"exact": single}).reasons == (
            "exact: 1 case that always passed has now failed three times of three (p = 0.004)",
        )

    def test_the_smallest_fall_that_can_be_seen_is_by_the_layers_level(self) -> None:
        after = with_last(numbered(40), 2, 0.0)
        alone, beside = one(after), one(after, flip={"exact": Flips(eligible=40)})
        assert alone.mde is not None
        assert beside.mde is not None
        assert beside.mde > alone.mde

    def test_they_are_of_all_cases_not_of_a_slice(self) -> None:
        slices = {case: "ab"[n % 2] for n, case in enumerate(PASSED)}
        found = cells({"exact": PASSED}, parts=slices, flip={"exact": Flips(eligible=40)})
        assert {part: each.flips is not None for (_, part), each in found.items()} == {
            "": True,
            "a": False,
            "b": False,
        }


class TestLooks:
    def test_at_the_last_of_five_looks_a_part_of_the_level_is_left(self) -> None:
        after = with_last(numbered(40), 4, 0.0)
        each = one(after, look=LAST)
        assert LAST.level(0.05) == pytest.approx(0.041, abs=0.001)
        assert each.p_adjusted == pytest.approx(mid_p(0, 4) * 0.05 / LAST.level(0.05))
        assert each.verdict == "REGRESSED"
        early = Look(information=LAST.information, number=2)
        assert one(after, look=early).verdict == "UNDECIDED"
        assert one(numbered(40), look=early).p_adjusted == 1.0

    def test_the_part_is_of_the_level_that_the_layer_has(self) -> None:
        quiet = {"exact": Flips(eligible=40)}
        each = one(with_last(numbered(40), 5, 0.0), look=LAST, flip=quiet)
        assert each.p_adjusted == pytest.approx(2 * mid_p(0, 5) * 0.025 / LAST.level(0.025))

    def test_what_the_looks_have_said_decides(self) -> None:
        fell = one(with_last(numbered(40), 2, 0.0), look=said(LAST, exact="regressed"))
        assert (fell.verdict, fell.p_adjusted) == ("REGRESSED", 0.0)
        calm = one(with_last(numbered(40), 4, 0.0), look=said(LAST, exact="no drop"))
        assert calm.verdict == "REGRESSED", "what came after the look speaks against it"
        on = one(with_last(numbered(40), 1, 0.0), look=said(LAST, exact="no drop"))
        assert on.verdict == "UNDECIDED", "the run went on, so that all of it has to rule a fall out"
        other = one(numbered(40), look=said(LAST, other="no drop"))
        assert other.verdict == "UNDECIDED"

    def test_where_trials_are_bought_a_pass_may_come_at_any_look_and_shares_its_rate(self) -> None:
        bought = Look(information=(0.2, 0.6, 1.0), number=0, bought=True)
        once, first = one(PASSED), one(PASSED, look=bought)
        assert once.lower is not None
        assert first.lower is not None
        assert first.lower < once.lower
        assert first.interval == once.interval
        assert one(PASSED, look=Look(information=bought.information, number=0)).lower == once.lower

    def test_a_fall_that_is_too_small_to_matter_does_not_block_early_either(self) -> None:
        after = with_last(numbered(400), 6, 0.0)
        assert one(after, min_effect=0.02, look=said(LAST, exact="regressed")).verdict != "REGRESSED"

    def test_those_that_only_warn_are_not_looked_at(self) -> None:
        after = with_last(numbered(40), 4, 0.0)
        found = cells({"exact": numbered(40), "kind": after}, look=said(LAST, kind="no drop"))
        assert found["kind", ""].p_adjusted == pytest.approx(mid_p(0, 4))


class TestRises:
    def test_a_rise_is_as_sure_as_a_fall(self) -> None:
        cases, before = numbered(40), {"exact": dict.fromkeys(numbered(40), 0.0)}
        for moved in (3, 4):
            fell = one(with_last(cases, moved, 0.0))
            rose = one(with_last(dict.fromkeys(cases, 0.0), moved, 1.0), before=before)
            assert (fell.verdict == "REGRESSED", rose.rose, fell.rose) == (moved == 4, moved == 4, False)

    def test_a_rise_among_many_is_held_against_all_of_them(self) -> None:
        cases = numbered(48)
        parts = {case: f"part {place % 8}" for place, case in enumerate(cases)}
        mine = [case for case in cases if parts[case] == "part 0"][:4]
        after = {case: float(case in mine) for case in cases}
        found = cells({"exact": after}, before={"exact": dict.fromkeys(cases, 0.0)}, parts=parts)
        part = found["exact", "part 0"]
        assert part.wins == 4 and part.interval is not None and part.interval[0] > 0
        assert not part.rose

    def test_noise_rises_no_more_often_than_the_rate(self) -> None:
        import numpy as np

        cases, lucky = numbered(48), 0
        parts = {case: f"part {place % 6}" for place, case in enumerate(cases)}
        for seed in range(60):
            before, after = np.random.default_rng(seed).integers(0, 2, (2, 3, len(cases))).astype(float).tolist()
            names = ("exact", "kind", "short")
            found = cells(
                {name: dict(zip(cases, after[place], strict=True)) for place, name in enumerate(names)},
                before={name: dict(zip(cases, before[place], strict=True)) for place, name in enumerate(names)},
                parts=parts,
            )
            lucky += any(each.rose for each in found.values() if not each.gating)
        assert lucky <= 8, "60 x 0.05 = 3, and twice its standard deviation, and one"
