from typing import Any

import msgspec
import pytest

from gatewatch.core import codec
from gatewatch.core.case import ID_LENGTH, Case, Expected, ToolCall, derived_id, in_tier


def test_a_dataset_line_comes_back_as_it_was() -> None:
    line = (
        b'{"id":"a","input":{"q":"?"},"expected":{"answer":"x","tool_calls":[{"name":"f","arguments":{"n":1},'
        b'"accept":{"n":[2]},"optional":["m"]}],"criteria":["kind"],"relevant":["d1"]},"context":["p",{"id":"d1"}],'
        b'"tags":["t"],"slice":"s","cluster":"c","must_pass":true,"tier":"nightly","retired":"old","scorers":["exact"],'
        b'"meta":{"k":1},"provenance":{"from":"log"}}'
    )
    case = codec.decode(line, Case)
    assert codec.encode(case) == line
    assert codec.encode(codec.decode(b'{"input":"?"}', Case)) == b'{"input":"?"}', "defaults are not written"


@pytest.mark.parametrize(
    "line", [b"{}", b'{"input":5}', b'{"input":["?"]}', b'{"input":"?","expcted":"x"}', b'{"input":"?","tier":"daily"}',
             b'{"input":"?","expected":{"answr":"x"}}']
)  # fmt: skip
def test_a_line_of_another_shape_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.ValidationError):
        codec.decode(line, Case)


def test_answer_is_the_expected_text_however_it_is_stated() -> None:
    assert Case(input="?", expected="x").answer == "x"
    assert Case(input="?", expected=Expected("x")).answer == "x"
    assert Case(input="?", expected=Expected(criteria=("kind",))).answer is None
    assert Case(input="?").answer is None


def test_the_hash_is_over_what_a_score_depends_on_and_nothing_else() -> None:
    case = Case(input={"a": 1, "b": 2}, expected="x", context=("p",))
    assert len(case.hash) == ID_LENGTH
    other: dict[str, Any] = {
        "id": "i",
        "tags": ("t",),
        "slice": "s",
        "must_pass": True,
        "meta": {"k": 1},
        "tier": "nightly",
    }
    assert Case(input={"b": 2, "a": 1}, expected="x", context=("p",), **other).hash == case.hash
    hashes = {
        case.hash,
        Case(input={"a": 1, "b": 2}, expected="y", context=("p",)).hash,
        Case(input={"a": 1, "b": 2}, expected="x", context=("q",)).hash,
        Case(input={"a": 1, "b": 3}, expected="x", context=("p",)).hash,
        Case(input={"a": 1, "b": 2}, expected=Expected(tool_calls=()), context=("p",)).hash,
        Case(input={"a": 1, "b": 2}, expected=Expected(tool_calls=(ToolCall("f"),)), context=("p",)).hash,
    }
    assert len(hashes) == 6


def test_a_derived_id_is_the_same_whatever_the_order_of_keys() -> None:
    assert derived_id({"a": 1, "b": 2}) == derived_id({"b": 2, "a": 1})
    assert derived_id("?") == codec.digest("?", 12)
    assert derived_id("1") != derived_id({"1": 1})
    assert len(derived_id("\ud800")) == ID_LENGTH


@pytest.mark.parametrize(
    ("case", "chosen"),
    [
        (Case(input="?"), {None: True, "pr": True, "nightly": True}),
        (Case(input="?", tier="nightly"), {None: True, "pr": False, "nightly": True}),
        (Case(input="?", tier="nightly", must_pass=True), {None: True, "pr": True, "nightly": True}),
        (Case(input="?", must_pass=True, retired="wrong answer"), {None: False, "pr": False, "nightly": False}),
    ],
)
def test_tiers(case: Case, chosen: dict[Any, bool]) -> None:
    assert {tier: in_tier(case, tier) for tier in chosen} == chosen


def test_defaults_are_not_shared() -> None:
    one, other = Case(input="?"), Case(input="?")
    one.meta["k"] = 1
    assert other.meta == {}
    assert ToolCall("f").arguments is not ToolCall("f").arguments
