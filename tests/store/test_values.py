"""Whole conversations, page by page: each once, those that began in the window, with all that was said of them."""

from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take
from gatewatch.core.score import Score
from gatewatch.store.base import Store
from gatewatch.store.rows import Said, Settled
from gatewatch.store.values import BEGIN, Talk
from store.making import a_store, backend, on_sqlite  # noqa: F401 - every test runs on both


def read(store: Store, since: float = NOW, until: float = NOW + 100, *, most: int = 3) -> list[Talk]:
    """All conversations of a window, by pages."""
    found: list[Talk] = []
    page = store.talks(FLOW, since, until, after=BEGIN, most=most)
    while True:
        found += page.talks
        if page.after is None:
            return found
        page = store.talks(FLOW, since, until, after=page.after, most=most)


def names(found: list[Talk]) -> list[list[str]]:
    return [[row.id for row in talk.turns] for talk in found]


def test_requests_without_a_session_come_by_time_and_then_sessions_in_whole(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"a{n}", at=NOW + 10 - n) for n in range(5)), now=NOW + 20)
    take(store, *(request(f"b{n}", at=NOW + n, session=f"s{n % 2}") for n in (3, 2, 1, 0)), now=NOW + 20)
    take(store, request("other", flow="search"), now=NOW + 20)
    for most in (1, 2, 3, 50):
        found = names(read(store, most=most))
        assert found == [["a4"], ["a3"], ["a2"], ["a1"], ["a0"], ["b0", "b2"], ["b1", "b3"]], most


def test_several_of_one_moment_come_once_each(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}") for n in range(7)))
    assert names(read(store, most=2)) == [[f"{n}"] for n in range(7)]


def test_a_conversation_is_of_the_window_in_which_it_began(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    turns = {"early": (-5.0, 5.0), "inside": (5.0, 500.0), "late": (100.0, 101.0)}
    for name, moments in turns.items():
        take(store, *(request(f"{name}{at:g}", at=NOW + at, session=name) for at in moments), now=NOW + 600)
    take(store, request("x", at=NOW - 1), request("y", at=NOW), request("z", at=NOW + 100), now=NOW + 600)
    assert names(read(store)) == [["y"], ["inside5", "inside500"]]


def test_all_that_was_said_comes_with_it(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"), request("b"), request("c", session="s"))
    work = planned(store)
    for each in lease(store, work):
        value = {"a": 0.25, "c": 1.0}.get(each.row.id)
        store.settle([Settled(each.task, each.attempt, judged(value))], NOW)
    copied = Score(1.0, "120", name="copied", source="feedback", fingerprint="feedback:copied 1")
    take(store, said=[Said("f", NOW, "a", scores=(copied,), author="u")])
    found = {talk.turns[0].id: talk.told[talk.turns[0].seq] for talk in read(store)}
    assert {told[:5] for told in found["a"]} == {
        ("helpful", "f" * 12, "judge", 0.25, 0.5),
        ("copied", "feedback:copied 1", "feedback", 1.0, 1.0),
    }
    assert {told.scorer: told.label for told in found["a"]} == {"helpful": "", "copied": "120"}
    assert found["b"] == ()  # a scorer's error is no value
    assert [told.value for told in found["c"]] == [1.0]


def test_judges_whose_votes_differed_come_with_it_whatever_came_of_them(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, request("a"), request("b"), request("c"))
    said = {
        "a": judged(0.5, split=True),
        "b": judged(None, split=True),
        "c": judged(1.0),
    }
    for each in lease(store, planned(store)):
        store.settle([Settled(each.task, each.attempt, said[each.row.id])], NOW)
    found = {talk.turns[0].id: list(talk.split.values()) for talk in read(store)}
    assert found == {"a": [("helpful",)], "b": [("helpful",)], "c": []}


def test_a_session_that_goes_on_while_pages_are_read_comes_once(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", session=f"s{n}") for n in range(4)))
    first = store.talks(FLOW, NOW, NOW + 9, most=9)
    assert first.after is not None and not first.talks
    page = store.talks(FLOW, NOW, NOW + 9, after=first.after, most=2)
    take(store, request("again", session="s0"), now=NOW + 5)
    assert page.after is not None
    rest = store.talks(FLOW, NOW, NOW + 9, after=page.after, most=9)
    assert [names(list(each.talks)) for each in (page, rest)] == [[["0"], ["1"]], [["2"], ["3"]]]


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 20), st.sampled_from(["", "", "p", "q", "r"])), max_size=25),
    st.integers(1, 6),
    st.integers(0, 10),
)
def test_pages_together_are_the_window(turns: list[tuple[int, str]], most: int, since: int) -> None:
    """Whatever arrived in whatever order: each conversation that began in it once, with all its turns."""
    with TemporaryDirectory() as folder:
        store = on_sqlite(Path(folder))
        for n, (at, session) in enumerate(turns):
            take(store, request(f"{n}", at=NOW + at, session=session), now=NOW + 30)
        expected: dict[str, list[str]] = {}
        for n, (_, session) in sorted(enumerate(turns), key=lambda each: (each[1][0], each[0])):
            expected.setdefault(session or f"alone {n}", []).append(f"{n}")
        wanted = [each for each in expected.values() if turns[int(each[0])][0] >= since]
        assert sorted(names(read(store, NOW + since, most=most))) == sorted(wanted)
        store.close()


def test_the_lowest_values_of_a_window_come_first(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    take(store, *(request(f"{n}", at=NOW + n) for n in range(6)), now=NOW + 20)
    work = planned(store)
    values = {"0": 0.5, "1": 0.25, "2": 0.75, "3": 0.0, "5": 0.25}
    for each in lease(store, work):
        store.settle([Settled(each.task, each.attempt, judged(values.get(each.row.id)))], NOW)

    def worst(since: float, until: float, among: int = 50) -> list[tuple[str, float]]:
        found = store.worst(FLOW, work.scorer, work.fingerprint, work.source, NOW + since, NOW + until, among)
        named = store.named([seq for seq, _ in found])
        return [(named[seq], value) for seq, value in found]

    assert worst(0, 6) == [("3", 0.0), ("5", 0.25), ("1", 0.25), ("0", 0.5), ("2", 0.75)]  # an error has none
    assert worst(0, 3) == [("1", 0.25), ("0", 0.5), ("2", 0.75)]
    assert worst(0, 6, 2) == [("3", 0.0), ("5", 0.25)]  # of the newest two
    assert store.worst(FLOW, "other", work.fingerprint, work.source, 0.0, NOW * 2, 9) == []


def test_requests_come_by_their_numbers_and_by_their_time(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    for n in (4, 2, 0, 3, 1):  # which is not the order in which they happened
        take(store, request(f"{n}", at=NOW + n), now=NOW + 20)
    take(store, request("same", at=NOW + 3), request("other", flow="search", at=NOW + 2), now=NOW + 20)
    numbers = [store.find(name).seq for name in ("1", "4")]  # type: ignore[union-attr]
    assert [row.id for row in store.numbered_rows([*numbers, 10**6])] == ["1", "4"]
    assert store.numbered_rows([]) == []
    every = [row.id for row in store.between(FLOW, NOW + 1, NOW + 4, 50)]
    assert every == ["same", "3", "2", "1"]
    paged: list[str] = []
    before = 0
    while page := store.between(FLOW, NOW + 1, NOW + 4, 2, before):
        paged += [row.id for row in page]
        before = page[-1].seq
    assert paged == every
