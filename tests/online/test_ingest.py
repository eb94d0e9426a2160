"""From segments to the store: each record once, what is damaged counted, what is odd put right and told."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.feedback import Feedback
from gatewatch.core.money import Cost
from gatewatch.core.trace import Span, Trace, Usage
from gatewatch.online.ingest import Ingested, Ways, arrival_of, arrived, ingest
from online.living import FLOW, START, Living, request, thumb

HEAD = codec.frame("segment", b'{"kind":"gatewatch.segment","version":1,"pid":1,"started":1790000000.0}')


def frame(record: Trace | Feedback) -> bytes:
    return codec.frame("trace" if isinstance(record, Trace) else "feedback", codec.encode(record))


def segment(folder: Path, *frames: bytes, name: str = "1-1-0.seg") -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_bytes(HEAD + b"".join(frames))
    return path


def taken_in(living: Living, folder: Path) -> Ingested:
    return ingest(living.store, folder, Ways(), clock=living.clock)


@pytest.fixture
def living(tmp_path: Path) -> Living:
    return Living(tmp_path)


def test_a_segment_whose_writer_is_gone_is_taken_in_and_removed(living: Living, tmp_path: Path) -> None:
    path = segment(tmp_path / "spool", frame(request(1)), frame(thumb(1)), frame(request(2)))
    assert taken_in(living, tmp_path / "spool") == Ingested(traces=2, said=1)
    assert not path.exists()
    assert taken_in(living, tmp_path / "spool") == Ingested()


def test_one_that_is_read_again_after_a_crash_adds_nothing(living: Living, tmp_path: Path) -> None:
    frames = [frame(request(1)), codec.frame("loss", b'{"reasons": {"queue full": 3}}')]
    segment(tmp_path / "spool", *frames)
    assert taken_in(living, tmp_path / "spool") == Ingested(traces=1, lost=3)
    segment(tmp_path / "spool", *frames, name="copy-1-0.seg")  # the same records in another segment
    assert taken_in(living, tmp_path / "spool").repeated == 1
    assert living.store.counts().traces == 1


def test_what_is_damaged_or_poison_is_counted_and_the_rest_kept(living: Living, tmp_path: Path) -> None:
    good, bad = frame(request(1)), frame(request(2))
    segment(
        tmp_path / "spool",
        good,
        bad.replace(b"yes", b"yez"),
        b"junk\n",
        codec.frame("trace", b'{"id": 5}'),
        codec.frame("trace", b"[" * 100_000),
        codec.frame("feedback", b'{"id": "x", "at": "when"}'),
        codec.frame("loss", b'{"reasons": {"disk": "many"}}'),
        codec.frame("future", b"{}"),
        frame(request(3)),
        bad[:-20],
    )
    found = taken_in(living, tmp_path / "spool")
    assert (found.traces, found.lost) == (2, 7)
    assert dict(living.store.counts().losses) == {"damaged record": 3, "unreadable record": 4}


def test_a_later_versions_segment_is_left_alone(living: Living, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    folder.mkdir()
    path = folder / "1-1-0.seg"
    path.write_bytes(codec.frame("segment", b'{"kind":"gatewatch.segment","version":99}') + frame(request(1)))
    assert taken_in(living, folder) == Ingested()
    assert path.exists()


def test_no_spool_is_nothing_to_do(living: Living, tmp_path: Path) -> None:
    assert taken_in(living, tmp_path / "none") == Ingested()


def test_a_clock_that_is_ahead_is_not_believed_and_one_that_is_behind_is(living: Living) -> None:
    ahead = arrival_of(request(1, started=START + 86_400), Ways(), now=START)
    assert (ahead.at, ahead.trace.flaws) == (START, ("clock 86400 s ahead: the time of arrival stands",))
    assert arrival_of(request(1, started=START - 86_400), Ways(), now=START).at == START - 86_400
    assert arrival_of(request(1, started=START + 60), Ways(), now=START).at == START + 60


def test_costs_are_added_up_and_priced(living: Living) -> None:
    spans = (
        Span(name="a", kind="llm", model="small", usage=Usage(10, 2)),
        Span(name="b", kind="llm", model="small", usage=Usage(20, 3)),
        Span(name="c", kind="llm", model="odd", cost=0.5),
        Span(name="search", kind="tool"),
    )

    def price(model: str, usage: Usage) -> Cost:
        return Cost((usage.input_tokens or 0) * 0.01) if model == "small" else Cost(unknown=1)

    arrival = arrival_of(request(1, spans=spans), Ways(price=price), now=START)
    assert arrival.trace.usage == Usage(30, 5)
    assert arrival.trace.cost is not None and arrival.trace.cost.total == pytest.approx(0.8)
    assert [(each.model, each.calls, each.cost) for each in arrival.spent] == [
        ("small", 2, pytest.approx(0.3)),
        ("odd", 1, 0.5),
    ]
    unpriced = arrival_of(request(1, spans=spans), Ways(), now=START)
    assert [each.cost for each in unpriced.spent] == [None, 0.5]


def test_the_slice_function_may_fail_and_is_told(living: Living) -> None:
    def slice_of(asked: object) -> str:
        return {"q1": "one"}[str(asked)]

    ways = Ways(slice_of=slice_of)
    assert arrival_of(request(1), ways, now=START).trace.slice == "one"
    assert arrival_of(request(1, slice="mine"), ways, now=START).trace.slice == "mine"
    assert arrival_of(request(2), ways, now=START).trace.flaws == ("slice: KeyError: 'q2'",)


@pytest.mark.parametrize("text", ["\ud800 half", "nul \x00", "e\u0301 \u202e"])
def test_odd_text_comes_back_as_it_was(living: Living, text: str) -> None:
    living.arrive(request(1, output=text, session=text, external_id=text, tags=(text,)))
    row = living.store.find(text)
    assert row is not None and (row.session, row.tags) == (text, (text,))
    assert codec.decode(living.store.payload(row.seq) or b"", Trace).output == text


def test_four_megabytes_are_kept_whole(living: Living) -> None:
    living.arrive(request(1, output="x" * 4_000_000))
    row = living.store.latest()[0]
    assert len(living.store.payload(row.seq) or b"") > 4_000_000


def test_feedback_is_on_the_scale(living: Living) -> None:
    said = Feedback(id="f", at=START + 10**6, trace=f"{1:032x}", rating=5, comment="fine", user="u")
    arrivals = arrived([("feedback", codec.encode(said))], Ways(), now=START)
    (each,) = arrivals.said
    assert (each.at, each.author, each.scores[0].value) == (START, "u", 1.0)
    living.arrive(request(1))
    living.store.take_in(arrivals, START)
    assert living.store.scores(living.store.latest(FLOW)[0].seq)[0].score.explanation == "fine"


def test_what_a_process_left_that_was_killed_while_it_made_a_segment_is_cleared_away(
    living: Living, tmp_path: Path
) -> None:
    import fcntl

    folder = tmp_path / "spool"
    folder.mkdir()
    (folder / "1-1-0.new").write_bytes(HEAD)
    with (folder / "2-1-0.new").open("wb") as being_made:
        fcntl.flock(being_made, fcntl.LOCK_EX)
        taken_in(living, folder)
        assert [each.name for each in folder.glob("*.new")] == ["2-1-0.new"]


@pytest.mark.parametrize("payload", [b'{"reasons":5}', b'{"reasons":{"x":"y"}}', b"5", b"{}"])
def test_an_odd_record_of_losses_stops_nothing(living: Living, tmp_path: Path, payload: bytes) -> None:
    huge = codec.frame("loss", b'{"reasons":{"%s":%d}}' % (b"r" * 1000, 10**17))
    segment(tmp_path / "spool", codec.frame("loss", payload), huge, frame(request(1)))
    assert taken_in(living, tmp_path / "spool").traces == 1
    assert living.store.counts().losses["r" * 200] == 10**12


def test_what_else_lies_in_a_spool_is_neither_waited_for_nor_removed(living: Living, tmp_path: Path) -> None:
    import os

    folder = tmp_path / "spool"
    segment(folder, frame(request(1)))
    os.mkfifo(folder / "2-1-0.seg")
    os.mkfifo(folder / "2-1-1.new")
    (folder / "odd.new").mkdir()
    (folder / "3-1-0.new").symlink_to("3-1-0.new")
    (folder / "notes.new").write_text("keep")
    (folder / "river.seg").write_text("keep")
    assert taken_in(living, folder) == Ingested(traces=1)
    assert {"notes.new", "river.seg", "odd.new", "2-1-0.seg"} <= {each.name for each in folder.iterdir()}


def test_a_spool_whose_lock_cannot_be_had_is_passed_over(living: Living, tmp_path: Path) -> None:
    folder = tmp_path / "spool"
    segment(folder, frame(request(1)))
    (folder / ".ingest.lock").mkdir()
    assert taken_in(living, folder) == Ingested()


def test_a_date_before_all_that_is_kept_is_not_believed(living: Living) -> None:
    found = arrival_of(request(1, started=3600.0), Ways(keep_s=90 * 86_400.0), now=START)
    assert (found.at, found.trace.flaws) == (
        START,
        ("it is dated before all that is kept: the time of arrival stands",),
    )


def test_names_that_nothing_could_be_looked_up_by_are_cut_whoever_gave_them(living: Living) -> None:
    odd = "\U0001f600" * 400
    ways = Ways(slice_of=lambda _: odd)
    made = arrival_of(replace(request(1), session=odd, external_id=odd, variant="v" * 401), ways, now=START)
    assert {len(made.trace.session), len(made.trace.external_id), len(made.trace.slice)} == {150}
    assert made.trace.variant == "v" * 400
    assert set(made.trace.flaws) >= {"session was cut", "slice was cut", "variant was cut"}
    (said,) = arrived([("feedback", codec.encode(replace(thumb(1), external_id=odd)))], ways, now=START).said
    assert said.external_id == made.trace.external_id
