"""Looking through live requests: by what they are, by what was said in them, by their scores; the worst first."""

import json
from pathlib import Path

import pytest

from gatewatch.checks.traffic import FLOW, NOW, judged, lease, planned, request, take, thumb
from gatewatch.core import codec
from gatewatch.core.trace import Trace
from gatewatch.loop import explore as exploring
from gatewatch.loop.explore import Wanted, about, every_worst, explore, facets, similar, worst
from gatewatch.store.base import Store
from gatewatch.store.rows import Arrival, Settled
from store.making import a_store


def asked(number: int, *, text: str = "", **fields: object) -> Arrival:
    payload = json.dumps({"input": text or f"question {number}", "output": f"answer {number}"}).encode()
    return request(f"{number}", at=NOW + number, payload=payload, **fields)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = a_store(tmp_path)
    take(
        found,
        *(
            asked(n, slice="de" if n % 3 else "fr", session="s" if n in (4, 8) else "", versions={"prompt": f"{n % 2}"})
            for n in range(12)
        ),
        said=[thumb("f", "5"), thumb("g", "6", up=True)],
        now=NOW + 20,
    )
    return found


def names(store: Store, **wanted: object) -> list[str]:
    return [each.row.id for each in explore(store, Wanted(**wanted)).lines]  # type: ignore[arg-type]


def test_each_field_narrows_them(store: Store) -> None:
    assert names(store) == [f"{n}" for n in range(11, -1, -1)]
    assert names(store, flow=FLOW, slice="fr") == ["9", "6", "3", "0"]
    assert names(store, flow=FLOW, slice="fr", version="prompt=0") == ["6", "0"]
    assert names(store, mark="thumbs_down") == ["5"]
    assert names(store, flow=FLOW, session="s") == ["8", "4"]
    assert names(store, flow=FLOW, since=NOW + 3, until=NOW + 6) == ["5", "4", "3"]
    assert names(store, flow="none") == []


def test_texts_are_looked_for_in_all_that_was_said_and_in_names(store: Store) -> None:
    assert names(store, text="QUESTION 7") == ["7"]
    assert names(store, text="answer 1") == ["11", "10", "1"]
    take(store, asked(90, text="x" * 5000 + " needle " + "y" * 5000, external_id="order-9"), now=NOW + 200)
    (line,) = explore(store, Wanted(text="needle")).lines
    assert "needle" in line.input and len(line.input) <= exploring.SNIPPET + 1
    assert names(store, text="order-9") == ["90"]
    (line,) = explore(store, Wanted(text="order-9")).lines
    assert len(line.input) == exploring.SNIPPET


def test_pages_follow_one_another_and_tell_how_far_back_they_looked(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for wanted in (Wanted(slice="de", flow=FLOW), Wanted(flow=FLOW, since=NOW, until=NOW + 50)):
        every = [each.row.id for each in explore(store, wanted).lines]
        paged: list[str] = []
        before: int | None = 0
        while before is not None:
            page = explore(store, wanted, before=before, most=3)
            paged += [each.row.id for each in page.lines]
            before = page.next
        assert paged == every
    monkeypatch.setattr(exploring, "LOOKED", 4)
    monkeypatch.setattr(exploring, "_PAGE", 2)
    found = explore(store, Wanted(text="answer 0"))
    assert found.lines == () and found.looked == 4 and found.back_to == NOW + 8 and found.next is not None


def test_scores_narrow_them_and_order_them(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    work = planned(store, "x")
    for each in lease(store, work):
        if each.row.id.isdecimal():
            store.settle([Settled(each.task, each.attempt, judged(int(each.row.id) % 4 / 4))], NOW)
    low = names(store, scorer="helpful", high=0.0)
    assert low and all(int(name) % 4 == 0 for name in low)
    assert names(store, scorer="other", high=0.0) == []
    ruler = work.scorer, work.fingerprint, work.source
    found, among = worst(store, Wanted(flow=FLOW, since=NOW, until=NOW + 50), ruler)
    values = [next(each.score.value for each in line.scores) for line in found.lines]
    assert values == sorted(values, key=lambda value: value or 0.0) and len(values) == among > 3
    one, _ = worst(store, Wanted(flow=FLOW, since=NOW, until=NOW + 50), ruler, most=2)
    assert one.next == 2
    two, _ = worst(store, Wanted(flow=FLOW, since=NOW, until=NOW + 50), ruler, begin=2, most=100)
    assert [*one.lines, *two.lines] == list(found.lines) and two.next is None
    german, _ = worst(store, Wanted(flow=FLOW, slice="de", since=NOW, until=NOW + 50), ruler, most=2)
    assert all(line.row.slice == "de" for line in german.lines)
    monkeypatch.setattr(exploring, "_PAGE", 2)
    monkeypatch.setattr(exploring, "AMONG", 2)
    every = list(every_worst(store, Wanted(flow=FLOW, since=NOW, until=NOW + 50), ruler))
    assert len(every) > 1 and [line for page in every for line in page] == list(found.lines)


def test_facets_count_what_each_would_leave(store: Store) -> None:
    found = facets(store, Wanted(flow=FLOW, since=NOW - 100, until=NOW + 100), "minute")
    assert [(each.name, each.n) for each in found["slice"]] == [("de", 8), ("fr", 4)]
    assert [(each.name, each.n) for each in found["mark"]] == [("thumbs_down", 1), ("thumbs_up", 1)]
    window = {"flow": FLOW, "since": NOW - 100, "until": NOW + 100}
    told = [
        about(store, Wanted(**window, **more), "minute")  # type: ignore[arg-type]
        for more in ({}, {"slice": "fr"}, {"mark": "thumbs_up"}, {"text": "x"})
    ]
    assert told == [12, 4, 1, None]
    narrowed = facets(store, Wanted(flow=FLOW, slice="fr", since=NOW - 100, until=NOW + 100), "minute")
    assert [(each.name, each.n) for each in narrowed["slice"]] == [("de", 8), ("fr", 4)]  # what another would leave
    assert [(each.name, each.n) for each in narrowed["version"]] == [("prompt=0", 2), ("prompt=1", 2)]


def test_what_is_asked_alike_is_found(store: Store) -> None:
    take(store, asked(50, text="Where is my refund?"), asked(51, text="where is my  REFUND"), now=NOW + 100)
    row = store.find("50")
    assert row is not None
    trace = codec.decode(store.payload(row.seq) or b"", Trace)
    found = similar(store, row, trace, most=3)
    assert found[0][0].row.id == "51" and found[0][1] == 1.0
    assert [likeness for _, likeness in found] == sorted((each for _, each in found), reverse=True)
