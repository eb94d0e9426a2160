"""Editing one case: as a diff, in the file, refused where it was overtaken or cannot be."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from gatewatch.config.case_edit import Overtaken, Wanted, changed, patch, state_of, wanted_of, write
from gatewatch.core.case import Case, Expected
from gatewatch.core.errors import InputError
from gatewatch.offline.dataset import open_dataset

LINES = '{"id": "a",  "input": "1", "expected": "x"}\n{"id": "b", "input": "2", "expected": {"answer": "y"}}\n'


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "d.jsonl"
    path.write_text(LINES)
    return path


def case(file: Path, name: str) -> Case:
    return next(each for each in open_dataset(file) if each.id == name)


def test_what_is_not_edited_stays_byte_for_byte(file: Path) -> None:
    one = case(file, "b")
    wanted = replace(wanted_of(one), expected='{"answer": "z"}', must_pass=True)
    diff = patch(file, "b", wanted, "datasets/d.jsonl").decode()
    assert "--- a/datasets/d.jsonl" in diff
    assert file.read_text() == LINES
    assert write(file, "b", state_of(one), wanted).after.must_pass
    first, second = file.read_text().splitlines(keepends=True)
    assert first == LINES.splitlines(keepends=True)[0]
    assert case(file, "b").expected == Expected(answer="z")
    assert second.startswith('{"id": "b", "input": "2", "expected": {"answer": "z"}')


def test_nothing_wanted_is_nothing_done(file: Path) -> None:
    one = case(file, "a")
    assert changed(one, wanted_of(one)) is one
    assert patch(file, "a", wanted_of(one), "d.jsonl") == b""


def test_what_was_changed_meanwhile_is_not_written_over(file: Path) -> None:
    one = case(file, "a")
    file.write_text(LINES.replace('"x"', '"w"'))
    with pytest.raises(Overtaken, match="somebody else"):
        write(file, "a", state_of(one), replace(wanted_of(one), slice="s"))
    assert '"w"' in file.read_text()
    assert "slice" not in file.read_text()


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted("{", "", "pr", must_pass=False, retired=""), "is not JSON"),
        (Wanted('{"answers": 1}', "", "pr", must_pass=False, retired=""), "unknown"),
        (Wanted('{"answer": "y"}', "", "weekly", must_pass=False, retired=""), "tier"),
    ],
)
def test_what_cannot_be_is_told(file: Path, wanted: Wanted, said: str) -> None:
    with pytest.raises(InputError, match=said):
        changed(case(file, "b"), wanted)


def test_fields_are_taken_out_again(file: Path) -> None:
    one = replace(case(file, "a"), slice="s", retired="old", must_pass=True)
    assert changed(one, Wanted("", "", "pr", must_pass=False, retired="")) == Case(id="a", input="1")
