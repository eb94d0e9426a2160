"""Where a project's files speak of somebody: labels of their requests go, all else is named and left."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest

from gatewatch.core.erasure import Subject, mark_of
from gatewatch.online.mentions import mentions

TRACE, SPAN = "a" * 32, "1" * 16
MIA = Subject("user", ("mia", "é"))


def buried(marks: Iterable[str]) -> set[str]:
    return {mark_of("trace", TRACE), mark_of("turn", "chat-7")} & set(marks)


def found(root: Path, *, change: bool = True) -> tuple[list[tuple[str, int]], list[tuple[str, int]]]:
    told = mentions(root, MIA, buried, change=change)
    return [(each.file, each.line) for each in told.changed], [(each.file, each.line) for each in told.look_at]


def lines(path: Path, *every: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(each) + "\n" for each in every))
    return path


def test_labels_of_their_requests_go_and_the_rest_of_the_file_stays(tmp_path: Path) -> None:
    other, case = {"trace": "b" * 32, "value": 1}, {"case": "c", "value": True, "by": "ana"}
    path = lines(
        tmp_path / "labels.jsonl", {"trace": TRACE, "value": 1}, other, {"trace": f"{TRACE}-{SPAN}", "value": 0}, case
    )
    path.chmod(0o640)
    lines(tmp_path / "deep" / "more.jsonl", {"trace": "chat-7", "value": "good"})
    assert found(tmp_path, change=False)[0] == [("labels.jsonl", 1), ("labels.jsonl", 3), ("deep/more.jsonl", 1)]
    assert len(path.read_text().splitlines()) == 4
    assert found(tmp_path) == ([("labels.jsonl", 1), ("labels.jsonl", 3), ("deep/more.jsonl", 1)], [])
    assert [json.loads(line) for line in path.read_text().splitlines()] == [other, case]
    assert path.stat().st_mode & 0o777 == 0o640
    assert found(tmp_path) == ([], [])
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []


def test_cases_and_runs_are_named_and_left(tmp_path: Path) -> None:
    cases = [
        {"input": "?", "provenance": {"from": ["prod", "chat-7"]}},
        {"input": f"see {TRACE}"},
        {"input": "from mia, thanks"},
        {"input": "miami"},
        {"input": "é"},
        {"id": "chat-7", "input": "?"},
        {"input": "chat-7"},
    ]
    path = lines(tmp_path / "cases.jsonl", *cases)
    lines(tmp_path / ".gatewatch" / "runs" / "r.jsonl", {"id": TRACE})
    (tmp_path / "cases.csv").write_text("input\nmia\n")
    before = path.read_bytes()
    changed, look_at = found(tmp_path)
    numbers = [line for file, line in look_at if file == "cases.jsonl"]
    assert (changed, numbers, path.read_bytes()) == ([], [1, 2, 3, 5, 6], before)
    assert ("cases.csv", 2) in look_at and (".gatewatch/runs/r.jsonl", 1) in look_at


@pytest.mark.parametrize("folder", [".git", "node_modules/x", ".venv/lib", ".gatewatch/spool", ".gatewatch/exports"])
def test_what_is_not_the_projects_own_is_passed_over(tmp_path: Path, folder: str) -> None:
    lines(tmp_path / folder / "x.jsonl", {"trace": TRACE, "value": 1}, {"input": "mia"})
    assert found(tmp_path) == ([], [])


def test_labels_behind_a_link_are_named_and_left(tmp_path: Path) -> None:
    path = lines(tmp_path / "elsewhere" / "x.jsonl", {"input": "?"}, {"trace": TRACE, "value": 1})
    root = tmp_path / "project"
    root.mkdir()
    (root / "link.jsonl").symlink_to(path)
    (root / "gone.jsonl").symlink_to(tmp_path / "nowhere")
    assert found(root) == ([], [("link.jsonl", 2)])
    assert len(path.read_text().splitlines()) == 2 and (root / "link.jsonl").is_symlink()


@pytest.mark.parametrize("name", ["x.ndjson", "x.JSONL", ".gatewatch/labels/x.jsonl"])
def test_labels_are_found_wherever_a_project_keeps_them(tmp_path: Path, name: str) -> None:
    lines(tmp_path / name, {"trace": TRACE, "value": 1})
    assert found(tmp_path) == ([(name, 1)], [])


def test_a_file_that_cannot_be_looked_through_is_told_and_keeps_no_other_from_it(tmp_path: Path) -> None:
    lines(tmp_path / "b.jsonl", {"trace": TRACE, "value": 1})
    path = lines(tmp_path / "a.jsonl", {"trace": TRACE, "value": 1})
    (tmp_path / ".a.jsonl.erasing").mkdir()
    told = mentions(tmp_path, MIA, buried, change=True)
    assert [each.file for each in told.changed] == ["b.jsonl"] and path.read_text()
    assert told.left == ("a.jsonl: Is a directory: whether it speaks of them is not known",)


def test_lines_that_are_not_what_they_seem(tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(
        b'\xff\xfe"trace"\n{"trace": [[[\n"trace"\n[]\n{"trace": 7, "value": 1}\nnull "id"\n'
        + b'{"id": "x", "deep": %s}\n' % (b"[" * 20_000 + b"]" * 20_000)
    )
    assert found(tmp_path) == ([], [])
