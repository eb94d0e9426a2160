"""Whatever is cut off or damaged in a journal, the other records are read, and what is lost is counted."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from gatewatch.core import codec
from gatewatch.core.run import Row, RunEnd
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.offline.journal import Journal, JournalReader
from offline.making import append_rows, header

calm = settings(deadline=None, max_examples=50)  # this is no place to judge by the clock
texts = st.text(st.characters(exclude_categories=()), max_size=8)
scores = st.builds(Score, value=st.none() | st.floats(0, 1), explanation=texts)
traces = st.builds(Trace, output=texts | st.dictionaries(texts, st.integers() | texts, max_size=2), slice=texts)


@st.composite
def pieces(draw: st.DrawFn) -> list[Row]:
    """Rows in pieces, in an order in which a run may write them: the trace of a row first."""
    queue: list[list[Row]] = []
    for case in draw(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=5, unique=True)):
        late = draw(st.lists(st.sampled_from(["j1", "j2"]), max_size=2, unique=True))
        early = draw(st.dictionaries(st.just("exact"), scores))
        first = Row(case=case, trace=draw(traces), scores=early, awaits=tuple(late), expected=draw(st.none() | texts))
        queue.append([first, *(Row(case=case, scores={name: draw(scores)}) for name in late)])
    found: list[Row] = []
    while queue:
        at = draw(st.integers(0, len(queue) - 1))
        found.append(queue[at].pop(0))
        queue = [rest for rest in queue if rest]
    return found


@pytest.fixture(scope="module")
def path() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "r.jsonl"


def lay(path: Path, rows: list[Row]) -> list[bytes]:
    """Write a journal, and give its lines."""
    path.write_bytes(codec.frame("head", codec.encode(header(["exact", "j1", "j2"]))))
    append_rows(path, rows)
    return path.read_bytes().splitlines(keepends=True)


def put_together(rows: list[Row]) -> dict[str, tuple[Trace, dict[str, Score]]]:
    """What a reader should make of pieces."""
    found: dict[str, tuple[Trace, dict[str, Score]]] = {}
    for row in rows:
        if row.trace is not None:
            found[row.case] = (row.trace, dict(row.scores))
        elif row.case in found:
            found[row.case][1].update(row.scores)
    return found


def read(path: Path) -> tuple[dict[str, tuple[Trace, dict[str, Score]]], int, RunEnd | None]:
    reader = JournalReader(path)
    rows = list(reader.rows())
    assert len({row.key for row in rows}) == len(rows)
    return {row.case: (row.trace, row.scores) for row in rows if row.trace is not None}, reader.damaged, reader.end


@calm
@given(pieces())
def test_rows_in_pieces_are_read_back_whole(path: Path, rows: list[Row]) -> None:
    lay(path, rows)
    assert read(path) == (put_together(rows), 0, None)


@settings(deadline=None, max_examples=15)
@given(pieces())
@example([Row(case="a", trace=Trace(output="x" * 70_000))])
def test_the_last_record_torn_at_every_byte(path: Path, rows: list[Row]) -> None:
    lines = lay(path, rows)
    kept, last = b"".join(lines[:-1]), lines[-1]
    before = put_together(rows[:-1])
    cuts = (
        range(len(last))
        if len(last) < 1000
        else [*range(100), 65_535, 65_536, 65_537, *range(len(last) - 60, len(last))]
    )
    for cut in cuts:
        path.write_bytes(kept + last[:cut])
        assert read(path) == (before, int(cut > 0), None)
        Journal.resume(path).close()
        assert path.read_bytes() == kept


@calm
@given(pieces(), st.data())
def test_a_damaged_byte_costs_its_record_and_no_other(path: Path, rows: list[Row], data: st.DataObject) -> None:
    lines = lay(path, rows)
    number = data.draw(st.integers(1, len(lines) - 1), label="line")
    place = data.draw(st.integers(0, len(lines[number]) - 2), label="byte")  # its end is tried below
    old = lines[number][place]
    new = data.draw(st.integers(0, 255).filter(lambda byte: byte != old), label="becomes")
    lines[number] = lines[number][:place] + bytes([new]) + lines[number][place + 1 :]
    path.write_bytes(b"".join(lines))
    found, damaged, _ = read(path)
    assert found == put_together(rows[: number - 1] + rows[number:])
    assert damaged == (2 if new == ord("\n") and place > 0 else 1)


@calm
@given(pieces(), st.data())
def test_a_damaged_line_end_costs_the_two_records_it_parted(path: Path, rows: list[Row], data: st.DataObject) -> None:
    lines = lay(path, [*rows, Row(case="z", trace=Trace())])
    number = data.draw(st.integers(1, len(lines) - 2), label="line")
    lines[number] = lines[number][:-1] + b"?"
    path.write_bytes(b"".join(lines))
    found, damaged, _ = read(path)
    both = [*rows, Row(case="z", trace=Trace())]
    assert found == put_together(both[: number - 1] + both[number + 1 :])
    assert damaged == 1


@calm
@given(pieces(), st.binary(min_size=1, max_size=50))
def test_noise_between_records_costs_none_of_them(path: Path, rows: list[Row], noise: bytes) -> None:
    lines = lay(path, rows)
    path.write_bytes(lines[0] + noise + b"\n" + b"".join(lines[1:]))
    found, damaged, _ = read(path)
    assert found == put_together(rows)
    assert damaged == noise.count(b"\n") + 1
