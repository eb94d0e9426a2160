from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.case import Case, Expected, ToolCall, derived_id
from gatewatch.core.errors import DatasetError
from gatewatch.offline.dataset import from_cases, open_dataset, write_cases

calm = settings(deadline=None, max_examples=60)  # this is no place to judge by the clock
texts = st.text(st.characters(exclude_categories=()), max_size=20)  # lone surrogates too
numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(texts.filter(lambda key: key not in ("messages", "assistant")), values, max_size=3)
names = st.text("abcdef", max_size=5)
calls = st.builds(ToolCall, name=names, arguments=objects, optional=st.lists(names, max_size=2).map(tuple))
expected = st.builds(
    Expected,
    answer=st.none() | texts,
    tool_calls=st.none() | st.lists(calls, max_size=2).map(tuple),
    criteria=st.none() | st.lists(texts, max_size=2).map(tuple),
    relevant=st.none() | st.lists(texts, max_size=2).map(tuple),
).filter(lambda each: each != Expected())
cases = st.builds(
    Case,
    id=st.just("") | st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=10),
    input=texts | objects.filter(bool),
    expected=st.none() | texts | expected,
    context=st.none() | texts | st.lists(texts | objects, max_size=2).map(tuple),
    tags=st.lists(names, max_size=2).map(tuple),
    slice=texts,
    cluster=texts,
    must_pass=st.booleans(),
    tier=st.sampled_from(["pr", "nightly"]),
    retired=texts,
    scorers=st.none() | st.lists(names, max_size=2).map(tuple),
    meta=objects,
    provenance=objects,
)
datasets = st.lists(cases, min_size=1, max_size=6, unique_by=lambda case: in_nfc(case).id)


def in_nfc(case: Case) -> Case:
    """A case as a dataset has it, with its id."""
    return from_cases([case])[0]


@pytest.fixture(scope="module")
def file() -> Any:
    with TemporaryDirectory() as folder:
        yield Path(folder) / "d.jsonl"


@calm
@given(datasets)
def test_what_is_written_is_read_back(file: Path, written: list[Case]) -> None:
    assert write_cases(file, written) == len(written)
    dataset = open_dataset(file)
    assert list(dataset) == [in_nfc(case) for case in written]
    assert dataset.version == from_cases(written).version


@calm
@given(datasets)
def test_what_was_read_is_written_as_it_was(file: Path, written: list[Case]) -> None:
    write_cases(file, [in_nfc(case) for case in written])
    before = file.read_bytes()
    write_cases(file, list(open_dataset(file)))
    assert file.read_bytes() == before


@calm
@given(datasets, st.data())
def test_a_change_of_one_case_changes_one_line(file: Path, written: list[Case], data: st.DataObject) -> None:
    write_cases(file, written)
    before = file.read_bytes().split(b"\n")
    place = data.draw(st.integers(0, len(written) - 1))
    other = data.draw(texts.filter(lambda text: text != written[place].slice))
    written[place] = replace(written[place], slice=other)
    write_cases(file, written)
    after = file.read_bytes().split(b"\n")
    assert [one == two for one, two in zip(before, after, strict=True)].count(False) == 1


@calm
@given(datasets, st.randoms())
def test_the_version_does_not_depend_on_the_order_of_cases_or_keys(written: list[Case], chance: Any) -> None:
    shuffled = written.copy()
    chance.shuffle(shuffled)
    backwards = [reordered(codec.plain(case), lambda items: items[::-1]) for case in shuffled]
    assert from_cases(backwards).version == from_cases(written).version


@calm
@given(datasets, st.data())
def test_the_version_changes_with_any_case(written: list[Case], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(written) - 1))
    changed = written.copy()
    changed[place] = replace(written[place], tags=(*written[place].tags, "changed"))
    assert from_cases(changed).version != from_cases(written).version
    assert in_nfc(changed[place]).hash == in_nfc(written[place]).hash, "tags do not matter to a score"


@calm
@given(objects.filter(bool), objects)
def test_a_derived_id_depends_on_the_input_alone(given_input: dict[str, Any], meta: dict[str, Any]) -> None:
    (case,) = from_cases([{"meta": meta, "input": reordered(given_input, lambda items: items[::-1])}])
    assert case.id == derived_id(given_input)


@calm
@given(st.binary(max_size=60) | st.binary(max_size=40).map(lambda noise: b'{"input": "' + noise + b'"}'))
def test_any_bytes_are_a_dataset_or_an_error_with_a_place(file: Path, noise: bytes) -> None:
    file.write_bytes(noise)
    try:
        dataset = open_dataset(file)
    except DatasetError as error:
        assert all(problem.where.startswith(str(file)) for problem in error.problems)
    else:
        assert all(isinstance(case, Case) for case in dataset)


def reordered(value: Any, order: Callable[[list[Any]], list[Any]]) -> Any:
    """A value with the keys of its objects in another order."""
    if isinstance(value, dict):
        return {key: reordered(item, order) for key, item in order(list(value.items()))}
    return [reordered(item, order) for item in value] if isinstance(value, list) else value
