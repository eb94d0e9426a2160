import asyncio
import errno
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.case import Expected, ToolCall
from gatewatch.core.errors import RunBroken
from gatewatch.core.money import Cost
from gatewatch.core.run import Row, RunEnd, RunHeader
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace, Usage
from gatewatch.offline.journal import Journal, JournalReader
from gatewatch.offline.result import summarise
from offline.making import append_rows, header, problems, run, text_cases, write_journal

V1 = Path(__file__).parent / "data" / "run-v1.jsonl"


def row(case: str, *, trial: int = 0, awaits: tuple[str, ...] = (), **scores: float) -> Row:
    return Row(
        case=case,
        trial=trial,
        trace=Trace(output=case),
        scores={name: Score(value) for name, value in scores.items()},
        awaits=awaits,
    )


def piece(case: str, *, trial: int = 0, **scores: float) -> Row:
    return Row(case=case, trial=trial, scores={name: Score(value) for name, value in scores.items()})


def read(path: Path) -> tuple[list[Row], int, RunEnd | None]:
    reader = JournalReader(path)
    return list(reader.rows()), reader.damaged, reader.end


def written(path: Path, *rows: Row, end: RunEnd | None = None) -> Path:
    """A journal as a run writes it."""

    async def work() -> None:
        journal = Journal.create(path, header(["exact"], cases=len(rows)))
        for each in rows:
            journal.add(each)
        if end is not None:
            journal.end(end)
        else:
            journal.flush()
            journal.close()

    asyncio.run(work())
    return path


class TestWriting:
    def test_what_was_written_is_read_back(self, tmp_path: Path) -> None:
        end = RunEnd("complete", at="2026-01-01T00:00:00Z", seconds=1.5, pace={"m": {"rate": 2.5}})
        rows = [row("a", exact=1.0), replace(row("b"), notes=("late",), expected="é \ud800", slice="\u202e\n")]
        path = written(tmp_path / "sub" / "folder" / "r.jsonl", *rows, end=end)
        assert read(path) == (rows, 0, end)
        assert JournalReader(path).header == header(["exact"], cases=2)

    def test_each_record_is_a_line_of_plain_json(self, tmp_path: Path) -> None:
        import json

        path = written(tmp_path / "r.jsonl", replace(row("a"), expected='line\nbreak "q"'), end=RunEnd("complete"))
        records = [json.loads(line) for line in path.read_text().splitlines()]
        assert [sorted(record) for record in records] == [["crc", "head"], ["crc", "row"], ["crc", "end"]]
        assert records[0]["head"]["kind"] == "gatewatch.run"
        assert records[0]["head"]["version"] == 1

    def test_rows_of_one_turn_are_written_together_and_none_waits_longer(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sizes: list[int] = []
        write = os.write

        def count(descriptor: int, data: Any) -> int:
            sizes.append(bytes(data).count(b"\n"))
            return write(descriptor, data)

        monkeypatch.setattr(os, "write", count)

        async def work() -> None:
            journal = Journal.create(tmp_path / "r.jsonl", header())
            for turn in (1, 2):
                for number in range(3):
                    journal.add(row(f"c{turn}{number}"))
                await asyncio.sleep(0)
            journal.close()

        asyncio.run(work())
        assert sizes == [1, 3, 3]
        assert len(read(tmp_path / "r.jsonl")[0]) == 6

    def test_a_short_write_is_gone_on_with(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:7]))
        rows = [row("a"), row("b")]
        assert read(written(tmp_path / "r.jsonl", *rows))[0] == rows

    def test_one_that_is_there_already_is_not_overwritten(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r.jsonl", row("a"))
        with pytest.raises(RunBroken, match=r"r\.jsonl: cannot be written: File exists$"):
            Journal.create(path, header())
        assert len(read(path)[0]) == 1

    def test_a_folder_that_cannot_be_made(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(RunBroken, match=r"runs: cannot be made: Not a directory$"):
            Journal.create(tmp_path / "file" / "runs" / "r.jsonl", header())


class FullDisk:
    """Writes so many bytes, and then says that the disk is full, for good."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, room: int) -> None:
        self.room = room
        self._write = os.write
        monkeypatch.setattr(os, "write", self)

    def __call__(self, descriptor: int, data: Any) -> int:
        if not self.room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = self._write(descriptor, data[: self.room])
        self.room -= done
        return done


FULL = r"r\.jsonl: cannot be written: No space left on device$"


class TestFullDisk:
    def test_the_next_row_is_refused_and_nothing_is_put_behind_the_torn_record(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "r.jsonl"

        async def work() -> None:
            journal = Journal.create(path, header())
            journal.add(row("a"))
            await asyncio.sleep(0)
            disk = FullDisk(monkeypatch, room=30)
            journal.add(row("b"))
            await asyncio.sleep(0)
            with pytest.raises(RunBroken, match=FULL):
                journal.add(row("c"))
            disk.room = 10_000  # somebody made room: too late for this journal
            with pytest.raises(RunBroken, match=FULL):
                journal.end(RunEnd("complete"))
            journal.close()

        asyncio.run(work())
        rows, damaged, end = read(path)
        assert ([each.case for each in rows], damaged, end) == (["a"], 1, None)
        journal = Journal.resume(path)
        journal.end(RunEnd("partial"))
        assert read(path) == ([row("a")], 0, RunEnd("partial"))

    def test_where_even_the_first_line_does_not_fit(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        FullDisk(monkeypatch, room=0)
        with pytest.raises(RunBroken, match=FULL):
            Journal.create(tmp_path / "r.jsonl", header())

    def test_a_run_breaks_and_can_be_resumed(self, tmp_path: Path) -> None:
        calls: list[str] = []

        async def answer(question: str) -> str:  # a thread might still be at it when we look
            calls.append(question)
            return question

        cases = text_cases(40)
        with pytest.MonkeyPatch.context() as patch:
            FullDisk(patch, room=3000)
            with pytest.raises(RunBroken, match="cannot be written: No space left on device"):
                run(tmp_path, answer, cases)
        kept = summarise(tmp_path / "run.jsonl")
        assert 0 < kept.rows < 40
        assert kept.state == "partial"
        calls.clear()
        summary = run(tmp_path, answer, cases, resume=True).summary
        assert (summary.state, summary.rows, summary.damaged) == ("complete", 40, 0)
        assert len(calls) == 40 - kept.rows

    @pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
    def test_a_device_that_is_always_full(self) -> None:
        journal = Journal(Path("/dev/full"), os.open("/dev/full", os.O_WRONLY))
        with pytest.raises(RunBroken, match=r"^/dev/full: cannot be written: No space left on device$"):
            journal.end(RunEnd("complete"))
        journal.close()

    def test_a_disk_that_cannot_keep_what_it_took(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail(descriptor: int) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        monkeypatch.setattr(os, "fsync", fail)
        journal = Journal.create(tmp_path / "r.jsonl", header())
        with pytest.raises(RunBroken, match=r"r\.jsonl: cannot be written: Input/output error$"):
            journal.end(RunEnd("complete"))
        journal.close()


class TestResuming:
    def test_a_torn_tail_is_cut_off_and_rows_are_put_behind(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r.jsonl", row("a"), row("b"))
        path.write_bytes(path.read_bytes()[:-20])
        assert [each.case for each in read(path)[0]] == ["a"]
        assert read(path)[1] == 1
        journal = Journal.resume(path)
        asyncio.run(_add(journal, row("c")))
        journal.end(RunEnd("complete"))
        rows, damaged, end = read(path)
        assert ([each.case for each in rows], damaged, end) == (["a", "c"], 0, RunEnd("complete"))

    @pytest.mark.parametrize("tail", [b"\0" * 5000, b"x" * 200_000, b"{"], ids=["zeros", "long", "short"])
    def test_whatever_the_tail_is(self, tmp_path: Path, tail: bytes) -> None:
        path = written(tmp_path / "r.jsonl", row("a"))
        whole = path.read_bytes()
        path.write_bytes(whole + tail)
        Journal.resume(path).close()
        assert path.read_bytes() == whole

    def test_a_whole_file_is_left_as_it_is(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r.jsonl", row("a"), end=RunEnd("partial"))
        whole = path.read_bytes()
        Journal.resume(path).close()
        assert path.read_bytes() == whole

    def test_an_end_counts_only_until_there_are_rows_behind_it(self, tmp_path: Path) -> None:
        path = written(tmp_path / "r.jsonl", row("a"), end=RunEnd("partial", "interrupted"))
        append_rows(path, [row("b")])
        assert read(path) == ([row("a"), row("b")], 0, None)

    def test_no_file(self, tmp_path: Path) -> None:
        with pytest.raises(RunBroken, match="cannot be written: No such file or directory"):
            Journal.resume(tmp_path / "r.jsonl")

    def test_a_second_process_is_refused(self, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        journal = Journal.create(path, header())
        code = (
            "import sys; from pathlib import Path; from gatewatch.offline.journal import Journal\n"
            "try: Journal.resume(Path(sys.argv[1])).close()\n"
            "except Exception as error: sys.exit(str(error))\n"
        )
        command = [sys.executable, "-c", code, os.fspath(path)]
        second = subprocess.run(command, capture_output=True, text=True, check=False)
        assert second.stderr.strip() == f"{path}: another process is working on this run"
        with pytest.raises(RunBroken, match="another process is working on this run"):
            Journal.resume(path)
        journal.close()
        assert subprocess.run(command, check=False).returncode == 0

    def test_reading_needs_no_lock(self, tmp_path: Path) -> None:
        journal = Journal.create(tmp_path / "r.jsonl", header())
        assert read(tmp_path / "r.jsonl") == ([], 0, None)
        journal.close()


async def _add(journal: Journal, *rows: Row) -> None:
    for each in rows:
        journal.add(each)
    await asyncio.sleep(0)


class TestPieces:
    def test_are_put_together_and_rows_that_wait_come_last(self, tmp_path: Path) -> None:
        rows = [
            row("a", awaits=("slow", "judge"), exact=1.0),
            row("b", awaits=("judge",), exact=0.0),
            piece("a", judge=0.5),
            row("c", exact=1.0),
            piece("a", slow=0.25),
        ]
        path = write_journal(tmp_path / "r.jsonl", header(["exact", "slow", "judge"], cases=3), rows)
        found, damaged, _ = read(path)
        assert [(each.case, {name: s.value for name, s in each.scores.items()}) for each in found] == [
            ("c", {"exact": 1.0}),
            ("a", {"exact": 1.0, "judge": 0.5, "slow": 0.25}),
            ("b", {"exact": 0.0}),
        ]
        assert [each.missing for each in found] == [(), (), ("judge",)]
        assert damaged == 0

    def test_trials_are_rows_of_their_own(self, tmp_path: Path) -> None:
        rows = [row("a", awaits=("j",)), row("a", trial=1, awaits=("j",)), piece("a", trial=1, j=0.5)]
        found = read(write_journal(tmp_path / "r.jsonl", header(["j"], trials=2), rows))[0]
        assert [(each.trial, each.missing) for each in found] == [(1, ()), (0, ("j",))]

    def test_a_row_that_is_done_is_not_changed_by_later_ones(self, tmp_path: Path) -> None:
        rows = [row("a", exact=1.0), row("a", exact=0.0), piece("a", exact=0.5)]
        assert read(write_journal(tmp_path / "r.jsonl", header(["exact"]), rows))[0] == [rows[0]]

    def test_scores_without_a_trace_are_no_row(self, tmp_path: Path) -> None:
        path = write_journal(tmp_path / "r.jsonl", header(["j"], cases=2), [piece("a", j=1.0), row("b")])
        assert read(path)[0] == [row("b")]

    def test_scores_of_a_trace_that_was_lost_are_not_those_of_the_next(self, tmp_path: Path) -> None:
        again = replace(row("a", awaits=("j",)), trace=Trace(output="another"))
        path = write_journal(tmp_path / "r.jsonl", header(["j"]), [piece("a", j=1.0), again, piece("a", j=0.0)])
        (found,) = read(path)[0]
        assert found.trace == Trace(output="another")
        assert found.scores == {"j": Score(0.0)}


class TestForeignFiles:
    def refused(self, path: Path) -> str:
        (said,) = problems(lambda: JournalReader(path))
        return said.removeprefix(f"{path}: ")

    @pytest.mark.parametrize(
        "data", [b"", b"\n", b'{"id": "a"}\n', b"\x89PNG\r\n\x1a\n\0\0", codec.frame("row", b"{}"), b'{"crc":"']
    )
    def test_what_is_no_journal(self, tmp_path: Path, data: bytes) -> None:
        path = tmp_path / "r.jsonl"
        path.write_bytes(data)
        assert self.refused(path) == "not a run's journal, or its first line is damaged"

    def test_one_of_another_kind(self, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        path.write_bytes(codec.frame("head", b'{"kind":"gatewatch.baseline","version":1}'))
        assert self.refused(path) == "is a gatewatch.baseline, not a gatewatch.run"

    def test_a_newer_one_is_refused_by_name(self, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        path.write_bytes(codec.frame("head", codec.encode(replace(header(), version=2)) + b""))
        assert self.refused(path) == (
            "was written by a newer Gatewatch (format 2; this one reads up to 1) (upgrade gatewatch to read it)"
        )

    def test_a_header_of_another_shape(self, tmp_path: Path) -> None:
        path = tmp_path / "r.jsonl"
        path.write_bytes(codec.frame("head", b'{"kind":"gatewatch.run"}'))
        assert self.refused(path).startswith("its first line is not that of a run: Object missing required field")

    def test_no_file(self, tmp_path: Path) -> None:
        assert self.refused(tmp_path / "none.jsonl") == "cannot be read: No such file or directory"

    def test_a_name_that_is_not_utf_8(self, tmp_path: Path) -> None:
        odd = header(suite=os.fsdecode(b"caf\xe9"))
        assert JournalReader(write_journal(tmp_path / "r.jsonl", odd, [])).header == odd

    def test_a_whole_record_that_is_none_of_ours_costs_only_itself(self, tmp_path: Path) -> None:
        path = write_journal(tmp_path / "r.jsonl", header(cases=3), [row("a")])
        with path.open("ab") as file:
            file.write(codec.frame("row", b'{"case":"b","trace":{"cost":0.5}}'))
            file.write(codec.frame("raw", b"{}"))
            file.write(codec.frame("end", b'{"state":"nearly"}'))
        append_rows(path, [row("c")])
        assert read(path) == ([row("a"), row("c")], 3, None)


class TestVersion1:
    """A journal of version 1, kept for good: whatever is written later, this one can be read."""

    def test_the_header(self) -> None:
        head: RunHeader = JournalReader(V1).header
        assert (head.run, head.name, head.suite, head.task) == (
            "support-20260301-120000-1a2b",
            "v2",
            "support",
            "app:answer",
        )
        assert (head.dataset.cases, head.dataset.tier, head.dataset.limit, head.seed) == (5, "pr", 5, 7)
        assert head.components == {"prompt": "v2", "commit": "0123456789ab"}
        assert (head.scorers["exact"].source, head.scorers["helpful"].pass_at) == ("rule", 0.75)

    def test_the_rows(self) -> None:
        rows, damaged, end = read(V1)
        assert ([each.case for each in rows], damaged, end) == (["c1", "c3", "c2", "c4", "c5"], 0, None)
        found = {each.case: each for each in rows}
        traces = {each.case: each.trace for each in rows if each.trace is not None}
        one = traces["c1"]
        assert (one.usage, one.cost, one.latency_s, one.waited_s) == (Usage(10, 2), Cost(0.002), 0.25, 0.5)
        assert [(span.name, span.parent) for span in one.spans] == [("search", None), ("llm", 0)]
        assert one.context == ("p1", {"id": "d1"})
        assert found["c1"].scores["helpful"].model == "judge-2026"
        assert found["c2"].expected == Expected(answer="x", tool_calls=(ToolCall("find", {"q": "x"}),))
        assert traces["c2"].input == {"q": "ü \ud800"}
        assert found["c2"].scores["helpful"].status == "scorer_error"
        assert traces["c3"].error == Fault("ValueError: boom", detail="Traceback ...")
        assert traces["c4"].error == Fault("no answer within 120 s", "timeout")
        assert found["c5"].missing == ("helpful",)

    def test_what_it_says(self) -> None:
        summary = summarise(V1)
        assert (summary.state, summary.rows, summary.expected_rows) == ("partial", 5, 5)
        assert summary.states == {
            "scored": 3, "task_error": 2, "timeout": 2, "scorer_error": 1, "skipped": 1, "not_scored": 1
        }  # fmt: skip
        assert summary.scorers["exact"].figure.mean == 0.25
        assert summary.scorers["helpful"].figure.mean == 0.25
        assert (summary.judge_cost, summary.task_cost) == (Cost(0.002, 1), Cost(0.002, 4))
