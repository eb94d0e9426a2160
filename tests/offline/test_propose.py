"""Cases proposed from logs: few, all different, of every kind, and the same ones whenever asked."""

import json
import re
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.core.errors import InputError
from gatewatch.offline.dataset import open_dataset, write_cases
from gatewatch.offline.logs import LogLine
from gatewatch.offline.propose import (
    Distinct,
    Proposal,
    allocate,
    choose,
    distinct_of,
    normalised,
    personal,
    propose,
    stratify,
    without_near_duplicates,
)

WORDS = tuple(
    re.findall(r"\w+", "order refund tent boots late parcel card charge password size warranty zip stove fuel")
)
records = st.fixed_dictionaries(
    {"question": st.lists(st.sampled_from(WORDS), min_size=1, max_size=12).map(" ".join)},
    optional={
        "intent": st.sampled_from(["a", "b", "c"]),
        "thumbs": st.sampled_from(["up", "down"]),
        "answer": st.text(max_size=20),
    },
)
logs = st.lists(records, min_size=1, max_size=60)


def proposed(log: list[Any], **options: Any) -> Proposal:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.jsonl"
        path.write_text("".join(f"{json.dumps(record)}\n" for record in log))
        return propose(path, **options)


def texts(proposal: Proposal) -> list[str]:
    return [normalised(str(case.input)) for case in proposal.cases]


@given(logs, st.integers(1, 45))
@settings(deadline=None)
def test_never_more_than_asked_and_none_twice(log: list[Any], wanted: int) -> None:
    found = proposed(log, wanted=wanted)
    assert 1 <= len(found.cases) <= wanted
    assert len(set(texts(found))) == len(found.cases)
    assert len({case.id for case in found.cases}) == len(found.cases)
    different = found.read - found.unreadable - found.exact - found.near
    assert len(found.cases) == min(wanted, different)


@given(logs)
@settings(deadline=None)
def test_what_is_right_is_never_invented(log: list[Any]) -> None:
    for case in proposed(log).cases:
        assert case.expected is None
        answer = log[case.provenance["line"] - 1].get("answer")
        assert case.meta.get("seen_output") == (answer or None)


@given(st.lists(records, min_size=1, max_size=60, unique_by=lambda record: record["question"]), st.randoms())
@settings(deadline=None)
def test_the_same_lines_whatever_their_order(log: list[Any], random: Any) -> None:
    first = proposed(log, wanted=10)
    assert proposed(log, wanted=10) == first
    shuffled = [*log]
    random.shuffle(shuffled)
    assert sorted(texts(proposed(shuffled, wanted=10))) == sorted(texts(first))


@given(logs, st.integers(1, 45))
@settings(deadline=None)
def test_every_stratum_is_represented_where_there_is_room(log: list[Any], wanted: int) -> None:
    distinct = [
        distinct_of(
            LogLine(
                number=number,
                input=each["question"],
                slice=each.get("intent", ""),
                flagged=each.get("thumbs") == "down",
            )
        )
        for number, each in enumerate(log)
    ]
    strata = stratify(distinct, wanted)
    chosen = {line.number for line in choose(strata, wanted)}
    represented = [key for key, lines in strata.items() if any(line.number in chosen for line in lines)]
    assert len(represented) == min(wanted, len(strata))


@given(st.dictionaries(st.text(max_size=3), st.integers(1, 50), min_size=1, max_size=30), st.integers(1, 60))
def test_an_allocation_fills_what_was_asked(sizes: dict[str, int], wanted: int) -> None:
    taken = allocate(sizes, wanted)
    assert sum(taken.values()) == min(wanted, sum(sizes.values()))
    assert all(1 <= count <= sizes[key] for key, count in taken.items())
    assert len(taken) == min(wanted, len(sizes))


def test_an_allocation_is_in_proportion() -> None:
    assert allocate({"a": 800, "b": 150, "c": 49, "d": 1}, 40) == {"a": 31, "b": 6, "c": 2, "d": 1}


def distinct(*inputs: str, flagged: tuple[str, ...] = ()) -> list[Distinct]:
    lines = [LogLine(number=n, input=text, flagged=text in flagged) for n, text in enumerate(inputs, start=1)]
    return [distinct_of(line) for line in lines]


def test_near_duplicates_count_once() -> None:
    one = "Where is my parcel, it should have been here on Monday?"
    other = "where is my parcel it should have been here on Tuesday"
    apart = "Where is my parcel now that the address has changed?"
    assert len(without_near_duplicates(distinct(one, other, apart))) == 2
    for flagged in (one, other):
        kept = without_near_duplicates(distinct(one, other, flagged=(flagged,)))
        assert [line.text for line in kept] == [normalised(flagged)]


def test_a_template_around_the_inputs_does_not_make_them_alike() -> None:
    before, after = "You are a support agent. " * 30, " Answer in one sentence, please." * 10
    log = [{"prompt": f"{before}{word} or {other}?{after}"} for word in WORDS for other in WORDS[:3]]
    found = proposed(log)
    assert (found.exact, found.near, len(found.cases)) == (0, 0, 40)


def test_the_work_on_alike_lines_is_bounded() -> None:
    lines = [f"please tell me about {'x' * n} {n * 7919} {'y' * (200 - n)} thank you very much" for n in range(200)]
    kept = without_near_duplicates(distinct(*lines))
    assert len(kept) <= 200


def test_a_repetition_that_went_wrong_is_the_one_that_is_kept() -> None:
    found = proposed(
        [
            {"question": "Is it open?", "thumbs": "up", "answer": "yes"},
            {"question": "is it open", "thumbs": "down", "answer": "no"},
            {"question": "Is it open!", "answer": "perhaps"},
        ]
    )
    (case,) = found.cases
    assert (case.tags, case.meta) == (("flagged",), {"seen_output": "no", "seen_thumbs": "down"})
    assert case.provenance == {"from": "log.jsonl", "line": 2}
    assert found.exact == 2


@pytest.mark.parametrize("highest", [1, 5, 10])
def test_low_ratings_go_wrong_on_any_scale(highest: int) -> None:
    log = [{"question": f"{WORDS[n]} {WORDS[-n]}", "rating": n * highest / 5} for n in range(6)]
    flagged = [case.meta["seen_rating"] for case in proposed(log).cases if case.tags]
    assert sorted(flagged) == [n * highest / 5 for n in range(3)]


def test_too_many_values_are_no_slices() -> None:
    log = [{"question": f"{one} or {other}?", "topic": f"{one}-{other}"} for one in WORDS for other in WORDS]
    found = proposed(log, wanted=10)
    assert {case.slice for case in found.cases} == {""}
    assert found.notes == ("'topic' has 196 different values: too many to be slices, so it is not used",)


def test_length_gives_way_to_slices() -> None:
    log = [{"question": WORDS[n] * (1 + n % 3), "intent": f"s{n % 5}"} for n in range(len(WORDS))]
    assert {case.slice for case in proposed(log, wanted=5).cases} == {f"s{n}" for n in range(5)}


def test_proposed_cases_are_a_dataset(tmp_path: Path) -> None:
    turns = [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Yes?"}]
    found = proposed([{"input": "a \ud800 b", "session": "s1"}, {"input": turns}, {"input": {"q": 1}}, {"input": 3}])
    assert found.unreadable == 1
    assert write_cases(tmp_path / "cases.jsonl", found.cases) == 3
    dataset = open_dataset(tmp_path / "cases.jsonl")
    assert sorted(case.id for case in dataset) == sorted(case.id for case in found.cases)
    assert Counter(case.cluster for case in dataset) == {"": 2, "s1": 1}


def test_personal_data_is_told_by_the_case() -> None:
    found = proposed([{"question": "I am jo@example.com", "answer": "Hello jo@example.com"}, {"question": "Hello"}])
    (case,) = [case for case in found.cases if "jo" in str(case.input)]
    assert personal(found.cases) == {case.id: ("email",)}


def test_a_log_without_a_readable_line_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        proposed([{"question": ""}, {"question": 1}])
    assert [problem.what for problem in caught.value.problems] == [
        "question is empty",
        "question: expected text, got int",
    ]
