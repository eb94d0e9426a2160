"""The edits that an audit proposes: as a diff, and made."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewatch.core.errors import DatasetError
from gatewatch.loop.amend import amend, proposal
from gatewatch.loop.finding import Proposed
from gatewatch.offline.dataset import open_dataset
from offline.making import problems

LINES = [f'{{"id": "c{number}",  "input": "q{number}" }}' for number in range(40)]


def written(folder: Path, text: str) -> Path:
    path = folder / "d.jsonl"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize("end", ["\n", "", "\r\n"])
def test_a_proposal_is_taken_by_git_and_comes_to_what_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    monkeypatch.chdir(tmp_path)
    between = end or "\n"
    path = written(Path(), between.join(LINES) + end)
    edits = {
        "c0": Proposed("c0", retired="over"),
        "c7": Proposed("c7", tier="nightly"),
        "c9": Proposed("c9", retired="é"),
        "c39": Proposed("c39", retired="over"),
    }
    before = path.read_bytes()
    Path("p.diff").write_bytes(proposal(path, edits))
    assert path.read_bytes() == before
    assert amend(path, edits) == 4
    amended = path.read_bytes()
    path.write_bytes(before)
    subprocess.run(["git", "apply", "p.diff"], check=True, capture_output=True)
    assert path.read_bytes() == amended
    cases = {case.id: case for case in open_dataset(path)}
    assert [id_ for id_, case in cases.items() if case.retired] == ["c0", "c9", "c39"]
    assert cases["c7"].tier == "nightly"


@settings(deadline=None)
@given(chosen=st.sets(st.integers(0, 39)), again=st.booleans())
def test_all_else_stays_byte_for_byte(tmp_path_factory: pytest.TempPathFactory, chosen: set[int], again: bool) -> None:
    path = written(tmp_path_factory.mktemp("d"), "\n".join(LINES))
    edits = {f"c{number}": Proposed(f"c{number}", retired="over") for number in chosen}
    assert amend(path, edits) == len(chosen)
    if again:
        assert amend(path, edits) == 0
    for number, line in enumerate(path.read_text().split("\n")):
        assert (line == LINES[number]) == (number not in chosen)


def test_nothing_to_edit_is_no_diff(tmp_path: Path) -> None:
    path = written(tmp_path, "\n".join(LINES))
    assert proposal(path, {}) == b""
    assert proposal(path, {"gone": Proposed("gone", retired="over")}) == b""


def test_a_case_that_was_retired_meanwhile_keeps_its_reason(tmp_path: Path) -> None:
    path = written(tmp_path, '{"id": "a", "input": "x", "retired": "by hand"}\n')
    assert amend(path, {"a": Proposed("a", retired="over")}) == 0
    assert "by hand" in path.read_text()


def test_csv_is_not_edited(tmp_path: Path) -> None:
    path = tmp_path / "d.csv"
    path.write_text("id,input\na,x\n")
    for act in (lambda: proposal(path, {}), lambda: amend(path, {})):
        assert problems(act) == [
            f"{path}: is a CSV file, which an audit does not edit (write it as JSON lines, d.jsonl)"
        ]
    with pytest.raises(DatasetError, match="cannot be read"):
        proposal(tmp_path / "gone.jsonl", {})
