import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from config.building import problems
from gatewatch.core.case import Case
from gatewatch.core.errors import InputError
from gatewatch.offline import dataset_edit
from gatewatch.offline.dataset import open_dataset
from gatewatch.offline.dataset_edit import (
    Edit,
    Edited,
    Line,
    NotWritable,
    edit_case,
    edited,
    lines_of,
    rewrite,
)

NEW = Case(id="new", input="three", expected="3")
FILE = b'{"id": "a", "input": "one"}\n{"input":"two","id":"b","expected":"zw\xc3\xb6lf"}\n'


def written(folder: Path, data: bytes = FILE) -> Path:
    path = folder / "cases.jsonl"
    path.write_bytes(data)
    return path


def names(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def add_case(path: Path, case: Case) -> Edited:
    """A case, put at the end of a file."""
    return rewrite(path, lambda _: Edit(added=(case,)))[0]


def retire(path: Path, name: str, reason: str) -> Edited:
    """A case, retired."""
    return edit_case(path, name, lambda case: case if case.retired else replace(case, retired=reason))


@contextmanager
def not_as_root() -> Iterator[None]:
    """Somebody who may not write everything: root stands aside for another."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(65534)
    try:
        yield
    finally:
        if root:
            os.seteuid(0)


class TestAdding:
    def test_a_line_comes_to_the_end_and_nothing_else_changes(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        made = add_case(path, NEW)
        assert path.read_bytes() == FILE + b'{"id":"new","input":"three","expected":"3"}\n'
        assert (made.line, made.before, made.after) == (3, None, NEW)
        assert [case.id for case in open_dataset(path)] == ["a", "b", "new"]

    @pytest.mark.parametrize(
        ("data", "gap", "end"),
        [
            (b'{"id": "a", "input": "one"}', b"\n", b"\n"),  # no end of the last line
            (b'\xef\xbb\xbf{"id": "a", "input": "one"}\r\n', b"", b"\r\n"),
            (b'{"id": "a", "input": "one"}\r\n{"id": "b", "input": "two"}', b"\r\n", b"\r\n"),
            (b'{"id": "a", "input": "one"}\n\n\n', b"", b"\n"),
        ],
    )
    def test_it_is_written_as_the_line_before_it(self, tmp_path: Path, data: bytes, gap: bytes, end: bytes) -> None:
        path = written(tmp_path, data)
        add_case(path, NEW)
        assert path.read_bytes() == data + gap + b'{"id": "new", "input": "three", "expected": "3"}' + end

    def test_letters_are_escaped_where_the_file_does(self, tmp_path: Path) -> None:
        path = written(tmp_path, b'{"id": "a", "input": "\\u00e9"}\n')
        add_case(path, Case(id="b", input="é"))
        assert path.read_bytes().splitlines()[1] == b'{"id": "b", "input": "\\u00e9"}'

    def test_broken_lines_stay_as_they_are(self, tmp_path: Path) -> None:
        broken = FILE + b"{not json\n\xff\xfe oops\n"
        path = written(tmp_path, broken)
        add_case(path, NEW)
        assert path.read_bytes().startswith(broken)
        flaws = [line.number for line in lines_of(path.read_bytes(), "cases.jsonl") if line.problems]
        assert flaws == [3, 4]


class TestChanging:
    def test_one_line_is_another_as_it_was_put(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        made = edit_case(path, "b", lambda case: replace(case, must_pass=True, expected=None))
        assert path.read_bytes() == FILE.splitlines(True)[0] + b'{"input":"two","id":"b","must_pass":true}\n'
        assert made.line == 2
        assert made.before is not None
        assert made.before.answer == "zwölf"
        assert made.after.must_pass

    def test_what_changes_nothing_writes_nothing(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        before = path.stat()
        assert edit_case(path, "a", lambda case: case).line == 1
        assert (path.stat().st_ino, path.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)

    def test_numbers_and_objects_that_did_not_change_keep_their_form(self, tmp_path: Path) -> None:
        data = b'{"id": "a", "meta": {"x": 1.0, "b": 2, "a": 1}, "input": "one"}\n'
        path = written(tmp_path, data)
        retire(path, "a", "nobody asks it")
        assert path.read_bytes() == data.replace(b'"one"}', b'"one", "retired": "nobody asks it"}')

    def test_retiring_twice_changes_nothing(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        retire(path, "a", "old")
        once = path.read_bytes()
        assert retire(path, "a", "older").after.retired == "old"
        assert path.read_bytes() == once

    def test_the_mark_of_a_first_line_stays(self, tmp_path: Path) -> None:
        path = written(tmp_path, b"\xef\xbb\xbf" + FILE.replace(b"\n", b"\r\n"))
        retire(path, "a", "old")
        first = b'\xef\xbb\xbf{"id": "a", "input": "one", "retired": "old"}\r\n'
        assert path.read_bytes() == first + FILE.splitlines()[1] + b"\r\n"

    def test_a_case_that_is_not_there_or_twice(self, tmp_path: Path) -> None:
        path = written(tmp_path, FILE + FILE)
        assert problems(lambda: retire(path, "ab", "x"), tmp_path)[0].startswith("DIR/cases.jsonl: has no case 'ab' (")
        assert problems(lambda: retire(path, "a", "x"), tmp_path) == [
            "DIR/cases.jsonl:3: id 'a' is given in line 1 already (ids must differ)"
        ]

    def test_half_of_a_surrogate_pair(self, tmp_path: Path) -> None:
        path = written(tmp_path, b'{"id": "a", "input": "\\ud800"}\n')
        retire(path, "a", "x")
        assert path.read_bytes() == b'{"id": "a", "input": "\\ud800", "retired": "x"}\n'


@given(
    st.lists(
        st.one_of(
            st.builds(
                lambda text, meta, tight: json.dumps(
                    {"input": text, "meta": meta}, separators=(",", ":") if tight else None, ensure_ascii=tight
                ).encode("utf-8", "surrogatepass"),
                st.text(st.characters(exclude_categories=["Cs"]), min_size=1),
                st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.integers() | st.none()),
                st.booleans(),
            ),
            st.binary().filter(lambda raw: b"\n" not in raw),
        ),
        max_size=8,
    ),
    st.sampled_from([b"\n", b"\r\n"]),
    st.booleans(),
)
def test_all_other_lines_stay_byte_for_byte(raws: list[bytes], end: bytes, last: bool) -> None:
    data = end.join(raws) + (end if last else b"")
    try:
        lines = lines_of(data, "x")
    except InputError:
        return
    whole = [line for line in lines if line.case is not None]
    made = edited(data, Edit(added=(NEW,)), "x")
    assert made.startswith(data)
    assert [line.case for line in lines_of(made, "x") if line.case] == [line.case for line in whole] + [NEW]
    for line in whole:
        assert line.case is not None
        changed = replace(line.case, must_pass=True)
        other = edited(data, Edit({line.number: changed}), "x")
        before, after = data.split(b"\n"), other.split(b"\n")
        assert [n for n, pair in enumerate(zip(before, after, strict=True), 1) if pair[0] != pair[1]] == [line.number]
        assert next(each for each in lines_of(other, "x") if each.number == line.number).case == changed


class TestTheFile:
    def test_mode_and_link_are_kept(self, tmp_path: Path) -> None:
        (tmp_path / "real").mkdir()
        real = written(tmp_path / "real")
        real.chmod(0o640)
        link = tmp_path / "cases.jsonl"
        link.symlink_to("real/cases.jsonl")
        add_case(link, NEW)
        assert str(link.readlink()) == "real/cases.jsonl"
        assert real.stat().st_mode & 0o777 == 0o640
        assert real.read_bytes().startswith(FILE)
        assert names(tmp_path / "real") == ["cases.jsonl"]

    def test_one_that_is_not_there_and_a_table(self, tmp_path: Path) -> None:
        assert problems(lambda: add_case(tmp_path / "no.jsonl", NEW), tmp_path) == [
            "DIR/no.jsonl: no such file (a dataset is a .jsonl file)"
        ]
        (tmp_path / "t.csv").write_text("input\n")
        (said,) = problems(lambda: add_case(tmp_path / "t.csv", NEW), tmp_path)
        assert said.startswith("DIR/t.csv: is a CSV file, which has no place for all that a case says (write it as")

    def test_one_that_may_not_be_written(self) -> None:
        with TemporaryDirectory() as folder:  # pytest's own folders let nobody else in
            Path(folder).chmod(0o755)
            path = written(Path(folder))
            path.chmod(0o444)
            with not_as_root(), pytest.raises(NotWritable, match="cannot be written: Permission denied"):
                add_case(path, NEW)

    def test_one_on_a_disk_that_may_not_be_written(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = written(tmp_path)

        def refused(*_: object) -> int:
            raise OSError(errno.EROFS, "Read-only file system")

        monkeypatch.setattr(os, "open", refused)
        with pytest.raises(NotWritable, match="cannot be written: Read-only file system"):
            add_case(path, NEW)

    def test_what_is_written_by_hand_meanwhile_stays(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        for by_hand in (_in_place, _renamed):
            path.write_bytes(FILE)
            looked: list[int] = []

            def decide(lines: Sequence[Line], by_hand=by_hand, looked=looked) -> Edit:  # type: ignore[no-untyped-def]
                if not looked:
                    by_hand(path)
                looked.append(len(lines))
                return Edit(added=(NEW,))

            rewrite(path, decide)
            assert looked == [2, 3]
            assert [case.id for case in open_dataset(path)] == ["a", "b", "hand", "new"]
            assert names(tmp_path) == ["cases.jsonl"]

    def test_one_that_others_keep_writing_to(self, tmp_path: Path) -> None:
        path = written(tmp_path)

        def decide(_: Sequence[Line]) -> Edit:
            _in_place(path)
            return Edit(added=(NEW,))

        assert problems(lambda: rewrite(path, decide), tmp_path) == [
            "DIR/cases.jsonl: others keep writing to it (try again)"
        ]

    def test_many_at_once_lose_nothing(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        script = (
            "import sys\nfrom pathlib import Path\nfrom gatewatch.core.case import Case\n"
            "from gatewatch.offline.dataset_edit import Edit, rewrite\n"
            "for n in range(25):\n"
            "    case = Case(id=f'{sys.argv[2]}-{n}', input=f'{sys.argv[2]} {n}')\n"
            "    rewrite(Path(sys.argv[1]), lambda _: Edit(added=(case,)))"
        )
        running = [subprocess.Popen([sys.executable, "-c", script, str(path), str(each)]) for each in range(4)]
        assert [each.wait(60) for each in running] == [0, 0, 0, 0]
        assert len(open_dataset(path)) == 102
        assert names(tmp_path) == ["cases.jsonl"]

    @pytest.mark.parametrize("step", ["os.open", "os.fsync", "os.fchmod", "Path.replace", "after"])
    def test_killed_at_any_step_it_is_the_old_one_or_the_new(self, tmp_path: Path, step: str) -> None:
        path = written(tmp_path)
        script = (
            "import os, signal, sys\nfrom pathlib import Path\nfrom gatewatch.core.case import Case\n"
            "from gatewatch.offline import dataset_edit\n"
            "def die(*_, **__): os.kill(os.getpid(), signal.SIGKILL)\n"
            "step = sys.argv[2]\n"
            "if step == 'after':\n    dataset_edit._told = die\n"
            "elif step == 'Path.replace':\n    Path.replace = die\n"
            "elif step == 'os.open':\n"
            "    real, calls = os.open, []\n"
            "    def opens(*given, **named):\n"
            "        calls.append(1)\n"
            "        return die() if len(calls) == 2 else real(*given, **named)\n"
            "    os.open = opens\n"
            "else:\n    setattr(os, step.removeprefix('os.'), die)\n"
            "case = Case(id='new', input='three', expected='3')\n"
            "dataset_edit.rewrite(Path(sys.argv[1]), lambda _: dataset_edit.Edit(added=(case,)))"
        )
        done = subprocess.run([sys.executable, "-c", script, str(path), step], timeout=60, check=False)
        assert done.returncode == -signal.SIGKILL
        ids = [case.id for case in open_dataset(path)]
        assert ids == (["a", "b", "new"] if step == "after" else ["a", "b"])
        edit_case(path, "a", lambda case: replace(case, must_pass=True))
        assert names(tmp_path) == ["cases.jsonl"]  # what was left behind is gone

    def test_a_file_that_another_is_writing_is_not_taken_for_left_behind(self, tmp_path: Path) -> None:
        path = written(tmp_path)
        theirs = tmp_path / ".cases.writing-1.jsonl"
        with dataset_edit._written(theirs, b"x", path.stat()):
            add_case(path, NEW)
            assert theirs.read_bytes() == b"x"


def _in_place(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b'{"id": "hand", "input": "by hand"}\n' if b"hand" not in path.read_bytes() else b"\n")


def _renamed(path: Path) -> None:
    beside = path.with_name("saving")
    beside.write_bytes(path.read_bytes() + b'{"id": "hand", "input": "by hand"}\n')
    beside.replace(path)
