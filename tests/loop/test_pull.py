import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import msgspec
import pytest

from config.building import problems
from gatewatch.core.case import Case, Open
from gatewatch.core.change import Change
from gatewatch.loop.pull import Branch, apply, baseline_change, exception_change, is_merged
from gatewatch.offline.accept import Entry
from gatewatch.offline.dataset import open_dataset

PATH = "datasets/support.jsonl"
FIRST = '{"id": "greet", "input": "Hello", "expected": "Hi"}\n'
NEW = Case(id="n", input="Bye", expected="Bye!", provenance={"trace": "t1", "by": "mia", "at": "x"})
ENTRY = Entry(case="greet", reason="on purpose", until=date(2099, 1, 1), owner="mia", suite="support")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "datasets").mkdir()
    (tmp_path / PATH).write_text(FIRST)
    return tmp_path


def change(case: Any = NEW, into: str = "", **given: Any) -> Change:
    body = {"case": msgspec.to_builtins(case), "into": into}
    known: dict[str, Any] = {"id": 3, "key": "k", "kind": "case", "path": PATH, "body": body, "by": "mia", "at": 1.0}
    return Change(**known | given)


def baseline(run: str = "20260101-000000-aaaa", runs: tuple[str, ...] = ()) -> bytes:
    from gatewatch.core import codec
    from gatewatch.core.baseline import BASELINE_KIND, BASELINE_VERSION

    head = {
        "kind": BASELINE_KIND,
        "version": BASELINE_VERSION,
        "run": run,
        "suite": "support",
        "task": "app:answer",
        "pinned": "2026-01-01T00:00:00Z",
        "reason": "",
        "trials": 1,
        "dataset": {"path": PATH, "version": "0" * 12, "cases": 1},
        "components": {},
        "versions": {},
        "scorers": {},
        "judges": {},
        "runs": [run, *runs],
        "lines": 0,
    }
    return codec.encode(head) + b"\n"


class TestACase:
    def test_it_is_added_once(self, root: Path) -> None:
        made = apply(change(), root, [PATH])
        assert (made.what, made.where) == ("added", f"{root / PATH}:2")
        once = (root / PATH).read_bytes()
        again = apply(change(), root, [PATH])
        assert (again.what, again.where) == ("there", f"{root / PATH}:2")
        assert (root / PATH).read_bytes() == once

    def test_one_that_somebody_changed_since_is_left(self, root: Path) -> None:
        apply(change(), root, [PATH])
        text = (root / PATH).read_text().replace("Bye!", "So long!")
        (root / PATH).write_text(text)
        assert apply(change(), root, [PATH]).what == "there"
        assert (root / PATH).read_text() == text

    def test_one_that_asks_the_same_and_says_something_else_is_told(self, root: Path) -> None:
        (root / PATH).write_text(FIRST + '{"id": "hand", "input": "bye", "expected": "Ciao"}\n')
        (said,) = problems(lambda: apply(change(), root, [PATH]), root)
        assert said == (
            f"DIR/{PATH}:2: case hand asks the same and expects something else (promote its request again with "
            "--merge, or withdraw the change (`gatewatch pull --withdraw`))"
        )
        (root / PATH).write_text(FIRST + '{"id": "hand", "input": "bye", "expected": "bye"}\n')
        assert apply(change(), root, [PATH]).what == "there"

    def test_it_is_merged_once(self, root: Path) -> None:
        new = msgspec.structs.replace(NEW, expected="Hey", open=Open(date(2099, 1, 1), "mia"))
        assert apply(change(new, "greet"), root, [PATH]).what == "changed"
        (case,) = open_dataset(root / PATH)
        assert (case.expected, case.open, case.provenance["more"]) == ("Hey", new.open, [NEW.provenance])
        assert apply(change(new, "greet"), root, [PATH]).what == "there"

    def test_what_it_is_merged_into_is_gone(self, root: Path) -> None:
        assert problems(lambda: apply(change(into="gone"), root, [PATH]), root) == [
            f"DIR/{PATH}: has no case 'gone' (the file lists them)"
        ]

    @pytest.mark.parametrize(
        "path", ["other.jsonl", "../x.jsonl", "/etc/x.jsonl", "datasets/../datasets/support.jsonl"]
    )
    def test_it_goes_into_no_file_but_the_projects_datasets(self, root: Path, path: str) -> None:
        (said,) = problems(lambda: apply(change(path=path), root, [PATH]))
        assert said == (
            f"C3: {path}: is no dataset of this project (its gatewatch.toml names the datasets it may go to)"
        )

    @pytest.mark.parametrize("case", [None, 7, {}, {"input": "x", "more": 1}, {"input": "x", "id": "a\nb"}])
    def test_what_is_no_case_is_told(self, root: Path, case: Any) -> None:
        assert problems(lambda: apply(change(body={"case": case}), root, [PATH]))[0].startswith("C3: case: ")
        assert (root / PATH).read_text() == FIRST


class TestOthers:
    def test_an_exception_is_written_once(self, root: Path) -> None:
        made = msgspec.structs.replace(exception_change(ENTRY, by="mia", at=1.0), id=4)
        assert apply(made, root).what == "added"
        text = (root / "accepted.toml").read_text()
        assert apply(made, root).what == "there"
        assert (root / "accepted.toml").read_text() == text
        (said,) = problems(lambda: apply(msgspec.structs.replace(made, path="x.toml"), root))
        assert said.startswith("C4: x.toml: is not where exceptions are kept")
        assert "C4: until: missing" in problems(
            lambda: apply(msgspec.structs.replace(made, body={"reason": "x"}), root)
        )

    def test_a_baseline_over_the_one_that_it_was_made_after(self, root: Path) -> None:
        path, old, new = "baselines/support.jsonl", baseline(), baseline("20260102-000000-bbbb")
        first = baseline_change(path, old, b"", suite="support", by="mia", at=1.0)
        assert apply(first, root).what == "added"
        assert (root / path).read_bytes() == old
        assert apply(first, root).what == "there"
        second = baseline_change(path, new, old, suite="support", by="mia", at=1.0)
        assert apply(second, root).what == "changed"
        (root / path).write_bytes(baseline("20260103-000000-cccc", ("20260102-000000-bbbb",)))
        assert apply(second, root).what == "there"  # a later one came after it
        (root / path).write_bytes(baseline("20260103-000000-cccc"))
        (said,) = problems(lambda: apply(second, root))
        assert said.startswith(f"C0: {path}: is another baseline than the one that this was made after")

    @pytest.mark.parametrize("path", ["x.jsonl", "baselines/../x.jsonl", "baselines/x.txt", "baselines/a/b.jsonl"])
    def test_a_baseline_goes_nowhere_else(self, root: Path, path: str) -> None:
        made = baseline_change(path, baseline(), b"", suite="support", by="mia", at=1.0)
        assert "is not where a baseline is kept" in problems(lambda: apply(made, root))[0]

    def test_what_is_no_baseline_is_not_written(self, root: Path) -> None:
        made = baseline_change("baselines/support.jsonl", b'{"kind": "x"}\n', b"", suite="s", by="mia", at=1.0)
        assert problems(lambda: apply(made, root))
        assert list((root / "baselines").iterdir()) == []


class TestTheMainBranch:
    def git(self, root: Path, *words: str) -> None:
        identity = ("-c", "user.name=m", "-c", "user.email=m@example.com")
        subprocess.run(["git", "-C", str(root), *identity, *words], check=True, capture_output=True)

    def test_what_was_pulled_is_found_there(self, root: Path) -> None:
        self.git(root, "init", "-q", "-b", "main")
        self.git(root, "add", "-A")
        self.git(root, "commit", "-qm", "one")
        self.git(root, "checkout", "-qb", "work")
        changes = [
            change(),
            exception_change(ENTRY, by="mia", at=1.0),
            baseline_change("baselines/support.jsonl", baseline(), b"", suite="support", by="mia", at=1.0),
            change(msgspec.structs.replace(NEW, provenance={"trace": "t2"}), "greet"),
        ]
        for each in changes:
            apply(each, root, [PATH])
        self.git(root, "add", "-A")
        self.git(root, "commit", "-qm", "two")
        branch = Branch(root)
        assert (branch.name, branch.here()) == ("main", "work")
        assert [is_merged(each, branch.file) for each in changes] == [False] * 4
        self.git(root, "branch", "-f", "main")
        assert [is_merged(each, Branch(root).file) for each in changes] == [True] * 4

    def test_where_there_is_no_git(self, root: Path) -> None:
        branch = Branch(root)
        assert (branch.name, branch.here()) == ("", "")
        assert not is_merged(change(), branch.file)

    def test_a_branch_of_the_origin_counts_first(self, root: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        self.git(root, "init", "-q", "-b", "trunk")
        self.git(root, "add", "-A")
        self.git(root, "commit", "-qm", "one")
        clone = tmp_path_factory.mktemp("clone") / "c"
        subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True, capture_output=True)
        assert Branch(clone).name == "origin/trunk"
        assert Branch(clone).file(PATH) == FIRST.encode()
