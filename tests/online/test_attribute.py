"""Where a change comes from: a part of the traffic is named only when chance would hardly make it look so."""

import random

from gatewatch.core.watch import Marker
from gatewatch.online.attribute import Found, attribute
from gatewatch.online.detect import reference_of
from gatewatch.store.watching import Entry
from online.watching import DAY_S, folded, plan, scored


def found_in(entries: list[Entry], markers: tuple[Marker, ...] = ()) -> Found:
    """What is said of the first alarm."""
    findings, state = folded(entries, plan())
    first = next(each for each in findings if each.what == "fell" and each.name == "helpful")
    assert first.probe is not None
    reference, measured = reference_of(first.probe, state)
    return attribute(first.probe, entries[: first.number], reference, measured, markers)


def drawn(n: int, good: dict[str, float], chance: random.Random) -> list[tuple[str, float]]:
    parts = [chance.choice(list(good)) for _ in range(n)]
    return [(part, float(chance.random() < good[part])) for part in parts]


def test_a_fall_everywhere_is_in_no_part() -> None:
    named = 0
    for seed in range(60):
        chance = random.Random(seed)
        before, after = {"a": 0.9, "b": 0.9, "c": 0.9}, {"a": 0.75, "b": 0.75, "c": 0.75}
        named += found_in(scored(drawn(2000, before, chance) + drawn(2000, after, chance))).where is not None
    assert named <= 6


def test_a_fall_in_one_part_is_named() -> None:
    named = 0
    for seed in range(40):
        chance = random.Random(seed)
        before, after = {"a": 0.9, "b": 0.9, "c": 0.9}, {"a": 0.9, "b": 0.3, "c": 0.9}
        where = found_in(scored(drawn(2000, before, chance) + drawn(2000, after, chance))).where
        assert where is None or (where.by, where.name) == ("slice", "b")
        named += where is not None
    assert named >= 30


def test_what_came_with_a_version_is_the_versions() -> None:
    chance = random.Random(1)
    entries = scored(drawn(2000, {"": 0.9}, chance) + drawn(500, {"": 0.5}, chance))
    entries = [each._replace(version=f"prompt={1 + (each.number > 2000)}") for each in entries]
    marker = Marker(2000 * 86.4, "f", "prompt=2", seen=True)
    found = found_in(entries, (marker, Marker(0.0, "f", "long ago")))
    assert found.where is not None
    assert (found.where.by, found.where.name) == ("prompt", "2")
    assert found.evidence.markers == (marker,)
    assert found.evidence.onset is not None
    assert abs(found.evidence.onset - 2000 * 86.4) < 0.05 * DAY_S


def test_a_version_that_did_well_for_long_is_not_blamed() -> None:
    chance = random.Random(2)
    entries = scored(drawn(3000, {"": 0.9}, chance) + drawn(500, {"": 0.5}, chance))
    entries = [each._replace(version=f"prompt={1 + (each.number > 1500)}") for each in entries]
    assert found_in(entries).where is None
