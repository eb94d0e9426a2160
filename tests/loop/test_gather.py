"""How much of the traffic what was gathered stands for."""

from pathlib import Path

from gatewatch.checks.traffic import DAY, NOW
from gatewatch.core.score import Score
from gatewatch.store.rows import Arrivals, Said
from loop.mining import INVOICE, REFUND, about, arrive, judge, mined
from store.making import a_store, backend  # noqa: F401 - every test runs on both


def low(*numbers: int) -> dict[int, float | None]:
    return dict.fromkeys(numbers, 0.0)


def test_the_share_of_what_is_not_found_any_more_is_known_as_well_as_it_was_looked_at(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 100))
    judge(store, low(*range(100)), rate=0.2)
    assert mined(store).failures[0].n
    later = NOW + 30 * DAY
    arrive(store, about(INVOICE, 1000, 500, at=later), now=later)
    (unseen,) = mined(store, now=later).failures
    assert (unseen.n, unseen.share, unseen.low, unseen.high) == (0, None, None, None)
    judge(store, {}, rate=0.2)
    (seen,) = mined(store, now=later).failures
    assert seen.share == 0.0 and seen.high is not None and 0.02 < seen.high < 0.06  # 100 of 500 were looked at


def test_what_people_scored_as_they_liked_stands_for_itself_alone(tmp_path: Path) -> None:
    for said in (3, 4):
        folder = tmp_path / str(said)
        folder.mkdir()
        store = a_store(folder)
        arrive(store, about(REFUND, 0, 20), about(INVOICE, 1000, 980))
        stars = [Score(0.0 if n < 3 else 1.0, name="stars", source="feedback") for n in range(said)]
        every = [Said(f"s{n}", NOW, f"{n:032x}", scores=(score,)) for n, score in enumerate(stars)]
        store.take_in(Arrivals(said=tuple(every)), NOW)
        (failure,) = mined(store).failures
        assert failure.share == 0.003 and failure.high is not None and failure.high < 0.02


def test_a_sample_that_is_all_bad_is_not_all_of_the_traffic(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 40))
    judge(store, low(*range(40)), rate=0.1)
    (failure,) = mined(store).failures
    assert failure.share is not None and failure.low is not None and failure.high is not None
    assert failure.low < min(1.0, failure.n * 10 / 40) and failure.high > 0.9


def test_a_request_that_people_labelled_stands_for_as_much_as_before(tmp_path: Path) -> None:
    store = a_store(tmp_path)
    arrive(store, about(REFUND, 0, 200), about(INVOICE, 1000, 800))
    judge(store, low(*range(200)), rate=0.2)
    (before,) = mined(store).failures
    bad = Score(0.0, name="helpful", source="human")
    every = [Said(f"h{item.id}", NOW, item.trace, scores=(bad,)) for item in store.items(failure=before.id)]
    store.take_in(Arrivals(said=tuple(every)), NOW)
    (after,) = mined(store).failures
    assert (after.n, after.share) == (before.n, before.share)
