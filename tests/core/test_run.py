import pytest

from gatewatch.core import codec
from gatewatch.core.case import Expected
from gatewatch.core.run import RUN_KIND, DatasetRef, Row, RunEnd, RunHeader, ScorerRef, merged, trace_id
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace

GOOD, BAD = Score(1.0), Score(0.0)


def test_a_header_states_its_kind_and_version_and_comes_back() -> None:
    header = RunHeader(
        run="r1", task="app:answer", dataset=DatasetRef("d.jsonl", "abc", 3), scorers={"exact": ScorerRef("f" * 12)}
    )
    data = codec.encode(header)
    assert data.startswith(b'{"kind":"gatewatch.run","version":1,')
    assert codec.decode(data, RunHeader) == header
    assert header.kind == RUN_KIND


def test_a_row_comes_back() -> None:
    row = Row(case="a", expected=Expected("x"), trace=Trace(output="y"), scores={"exact": BAD}, awaits=("helpful",))
    assert codec.decode(codec.encode(row), Row) == row
    assert codec.decode(codec.encode(RunEnd("partial", "stopped")), RunEnd) == RunEnd("partial", "stopped")


def test_a_row_is_complete_when_nothing_is_awaited_or_missing() -> None:
    assert Row(case="a").complete
    row = Row(case="a", awaits=("helpful", "kind"), scores={"exact": GOOD, "kind": GOOD})
    assert (row.missing, row.complete) == (("helpful",), False)
    done = merged(row, Row(case="a", scores={"helpful": BAD}))
    assert (done.missing, done.complete) == ((), True)
    assert row.key == done.key == ("a", 0)


def test_pieces_of_a_row_are_put_together() -> None:
    row = Row(case="a", trial=1, trace=Trace(output="x"), scores={"exact": GOOD}, awaits=("helpful",), notes=("one",))
    later = Row(case="a", trial=1, scores={"exact": BAD, "helpful": GOOD}, notes=("two",))
    found = merged(row, later)
    assert found.scores == {"exact": BAD, "helpful": GOOD}
    assert found.trace == row.trace
    assert found.notes == ("one", "two")
    assert merged(row, Row(case="a", trial=1, trace=Trace(output="again"))).scores == {}, (
        "a row done again stands alone"
    )


@pytest.mark.parametrize("case", ["a", "", "\u00e9", "\ud800", "a\0b"])
def test_trace_ids_are_stable_and_all_different(case: str) -> None:
    assert trace_id("r", case, 0) == trace_id("r", case, 0)
    assert len(bytes.fromhex(trace_id("r", case, 0))) == 16
    assert (
        len({trace_id("r", case, 0), trace_id("r", case, 1), trace_id("s", case, 0), trace_id("r", case + "x", 0)}) == 4
    )
