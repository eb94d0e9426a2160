import pytest

from gatewatch.core import codec
from gatewatch.core.baseline import BASELINE_KIND, BASELINE_VERSION, BaselineHeader, BaselineLine
from gatewatch.core.money import Cost
from gatewatch.core.run import DatasetRef, ScorerRef

HEADER = BaselineHeader(
    kind=BASELINE_KIND,
    version=BASELINE_VERSION,
    run="r1",
    task="app:answer",
    dataset=DatasetRef("d.jsonl", "abc", 3),
    scorers={"exact": ScorerRef("f" * 12)},
)


def test_a_header_states_its_kind_and_version_and_comes_back() -> None:
    data = codec.encode(HEADER)
    assert data.startswith(b'{"kind":"gatewatch.baseline","version":1,"run":"r1",')
    assert codec.decode(data, BaselineHeader) == HEADER


def test_a_line_has_only_what_there_is_to_say_and_comes_back() -> None:
    line = BaselineLine(case="a", scorer="exact", hash="h", values=(1.0, None))
    assert codec.encode(line) == b'{"case":"a","scorer":"exact","hash":"h","values":[1.0,null]}'
    whole = BaselineLine(
        case="\ud800",
        scorer="exact",
        hash="h",
        values=(0.0, None),
        states=("task_error", "scorer_error"),
        outputs=("x", "y"),
        outcomes=(1.0, 0.5),
        slice="s",
        cluster="c",
        must_pass=True,
    )
    for each in (line, whole):
        assert codec.decode(codec.encode(each), BaselineLine) == each


def test_a_cost_of_nothing_is_not_a_cost_that_is_not_known() -> None:
    from msgspec.structs import replace

    for cost in (None, Cost(), Cost(0.5, unknown=1)):
        header = replace(HEADER, cost=cost)
        assert codec.decode(codec.encode(header), BaselineHeader).cost == cost


def test_a_line_with_a_field_that_is_not_known_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown field `status`"):
        codec.decode(b'{"case":"a","scorer":"x","hash":"h","values":[],"status":"scored"}', BaselineLine)
