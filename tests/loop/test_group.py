"""Which requests make one failure, which stand alone, and what a failure is called."""

from pathlib import Path

from loop.mining import INVOICE, REFUND, about, arrive, asked, failed, judge, mined
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def low(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 0.0)


def test_what_people_and_programs_say_makes_nothing_the_rest(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(
        store,
        [failed(n, "Other: disk full") for n in range(5)],
        [failed(10 + n, "(erased)") for n in range(4)],
        [failed(20, "never heard of"), failed(21, "nor of this")],
        about(REFUND, 30, 6),
        about(INVOICE, 50, 5),
    )
    judge(store, low(*range(30, 36), *range(50, 55)))
    first = mined(store, namer=lambda groups: ["other" for _ in groups], named_by="m")
    again = mined(store, namer=lambda groups: ["(erased)" for _ in groups], named_by="m")
    told = [(each.id, each.name, each.n) for each in first.failures]
    assert sorted(each[2] for each in told) == [2, 4, 5, 5, 6]
    assert [(each.id, each.name, each.n) for each in again.failures] == told
    assert [each.n for each in again.failures if each.rest] == [2]


def test_what_many_ask_in_the_same_words_is_a_failure_by_itself(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, [asked(n, "And on Sunday?") for n in range(12)], [asked(20, "is it raining"), asked(21, "who won")])
    judge(store, low(*range(12), 20, 21))
    for _ in range(2):
        found = mined(store).failures
        assert [(each.n, each.rest) for each in found] == [(12, False), (2, True)]
        assert "sunday" in found[0].name


def test_digits_name_a_failure_only_where_there_is_nothing_else(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, [asked(n, f"{123456 + n}") for n in range(8)])
    arrive(store, [asked(20 + n, f"where is order QW{3456789 + n}, bought last week") for n in range(8)])
    arrive(store, [asked(40 + n, "a" * 3000) for n in range(6)])
    judge(store, low(*range(50)))
    found = {each.name for each in mined(store).failures}
    assert "a number of 6 digits" in found and "#" not in "".join(found)
    assert max(map(len, found)) <= 60
