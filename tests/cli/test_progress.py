"""The live lines of a run, and the plain ones: right numbers, within 80 columns, whatever happens."""

import io
import re
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from config.building import ran, suite, write
from gatewatch.cli import progress
from gatewatch.cli.progress import Progress
from gatewatch.config.project import Project
from gatewatch.config.runs import prepare_suite
from gatewatch.core.money import Cost
from gatewatch.core.run import Row
from gatewatch.core.score import Score
from gatewatch.core.trace import Fault, Trace
from gatewatch.offline.result import Prepared
from gatewatch.stats.intervals import Estimate, MeanEstimate


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> "list[float]":
    moments = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: moments[0])
    return moments


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, suite())
    (tmp_path / "cases.jsonl").write_text("".join(f'{{"id": "c{n}", "input": "q{n}"}}\n' for n in range(20)))
    return tmp_path


def ready(folder: Path, **options: Any) -> Prepared:
    (found,) = prepare_suite(Project.open(folder), "main", **options)
    return found


def row(case: str, value: float | None = 1.0, *, trial: int = 0, cost: Cost | None = None, error: str = "") -> Row:
    trace = Trace(output="x", cost=cost, error=Fault(error) if error else None)
    status = "scored" if value is not None else "scorer_error"
    return Row(case=case, trial=trial, trace=trace, scores={"exact": Score(value, status=status)})  # type: ignore[arg-type]


def lines(shown: Progress, width: int = 80) -> list[str]:
    """What the live display draws, without a terminal."""
    drawn = Console(file=io.StringIO(), width=width).render_lines(shown.lines())
    return ["".join(segment.text for segment in line).rstrip() for line in drawn]


def test_before_the_first_row(folder: Path) -> None:
    shown = lines(Progress(ready(folder)))
    assert len(shown) == 2
    assert shown[0].startswith(str(folder)[:20])
    assert shown[1].split(" ", 1)[1] == "0/20 · 0 s"


def test_half_way(folder: Path, clock: list[float]) -> None:
    shown = Progress(ready(folder))
    for n in range(10):
        shown.row(row(f"c{n}", float(n % 2), cost=Cost(0.25)))
    clock[0] = 50.0
    assert lines(shown)[1:] == [
        "█" * 12 + "░" * 12 + " 10/20 · 50 s, 50 s left",
        "exact 0.500 [0.237, 0.763] · $2.50 of about $5.00",
    ]


def test_all_done(folder: Path, clock: list[float]) -> None:
    shown = Progress(ready(folder))
    for n in range(20):
        shown.row(row(f"c{n}"))
    clock[0] = 7200.0
    assert lines(shown)[1:] == ["█" * 24 + " 20/20 · 2 h 0 min", "exact 1.000 [0.839, 1.000]"]


def test_errors_and_unknown_costs(folder: Path) -> None:
    shown = Progress(ready(folder))
    shown.row(row("c0", None))
    assert lines(shown)[1:] == ["█" + "░" * 23 + " 1/20 · 1 error · 0 s"]
    shown.row(row("c1", 0.0, error="gone", cost=Cost(0.5, unknown=2)))
    assert lines(shown)[1:] == [
        "██" + "░" * 22 + " 2/20 · 2 errors · 0 s",
        "exact 0.000 · cost $0.500 + 2 unknown",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.4, "0 s"), (99.4, "99 s"), (99.6, "2 min"), (5940, "99 min"), (6000, "1 h 40 min"), (90_000, "25 h 0 min")],
)
def test_durations(seconds: float, said: str, folder: Path, clock: list[float]) -> None:
    shown = Progress(ready(folder))
    clock[0] = seconds
    assert lines(shown)[1].endswith(f" 0/20 · {said}")


def test_each_line_keeps_to_its_width(folder: Path, clock: list[float]) -> None:
    plan = ready(folder)
    pace = {"model with a name that is far too long for a line of its own " * 2: {
        "in_flight": 3, "limit": 64, "rate": 12.345, "refusals": 1, "retries": 2
    }, "judge": {"in_flight": 0, "limit": 8, "rate": None, "refusals": 0, "retries": 0}}  # fmt: skip
    header = replace(plan.header, task="app:answer prompt=" + "long" * 40 + "\x1b[31m\u202e\n[red]")
    shown = Progress(replace(plan, plan=replace(plan.plan, pace=lambda: pace), header=header))
    shown.row(row("c0", 0.5, cost=Cost(1234567.0, unknown=12345)))
    clock[0] = 1e6
    for width in (40, 80, 120):
        drawn = lines(shown, width)
        assert len(drawn) == 5
        assert max(map(len, drawn)) <= width
        assert "\x1b" not in "".join(drawn)
        assert "\u202e" not in "".join(drawn)
    assert drawn[4] == "judge: 0 of 8 in flight · 0 refusals, 0 tried again"
    assert lines(shown, 300)[3].endswith("3 of 64 in flight · 12.3/s · 1 refusal, 2 tried again")


def test_letters_that_the_terminal_does_not_have(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    shown = Progress(ready(folder))
    shown.row(row("c0"))
    assert lines(shown)[1].startswith("#......................." + " 1/20")


def test_trials_of_a_case_are_not_independent(folder: Path) -> None:
    once, twice = Progress(ready(folder)), Progress(ready(folder, trials=2))
    for n in range(8):
        once.row(row(f"c{n}", float(n % 4 != 0)))
        for trial in range(2):
            twice.row(row(f"c{n}", float(n % 4 != 0), trial=trial))
    assert lines(once)[2] == "exact 0.750 [0.409, 0.929]"
    assert lines(twice)[2].startswith("exact 0.750 [0.3")  # no narrower for being asked again


def test_a_resumed_run_shows_all_of_it(folder: Path, clock: list[float]) -> None:
    write(
        folder,
        suite("concurrency = 1\n", scorers='["contains", "exact"]'),
        cases_jsonl=(folder / "cases.jsonl").read_text(),
    )
    app = "from gatewatch import note\n\ndef answer(question):\n    note(cost=0.25)\n    return question\n"
    (folder / "cases.jsonl").write_text(
        "".join(f'{{"id": "c{n}", "input": "q{n}", "expected": "{n}"}}\n' for n in range(20))
    )
    (folder / "app.py").write_text(app)
    (result,) = ran(folder)
    kept = result.path.read_bytes().splitlines(keepends=True)
    result.path.write_bytes(b"".join(kept[:9]))
    shown = Progress(ready(folder, resume=True))  # nothing was done yet in this stretch
    clock[0] = 3.0
    assert lines(shown)[1:] == [
        "█" * 9 + "░" * 15 + " 8/20 · 3 s",
        "contains 1.000 [0.676, 1.000] · $2.00 of about $5.00",
    ]
    shown.row(replace(row("c99", cost=Cost(0.25)), scores={"contains": Score(1.0)}))
    assert lines(shown)[1].endswith(" 9/20 · 3 s, 33 s left")  # by the pace of this stretch


def test_a_suite_without_scorers(folder: Path) -> None:
    write(folder, suite(scorers="[]"), cases_jsonl=(folder / "cases.jsonl").read_text())
    shown = Progress(ready(folder))
    shown.row(row("c0"))
    assert len(lines(shown)) == 2


# Plain lines


def test_a_line_for_each_tenth_and_for_each_half_minute(
    folder: Path, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress(ready(folder, trials=5), plain=True) as shown:
        for n in range(100):
            clock[0] += 0.1 if n != 55 else 31.0
            shown.row(row(f"c{n % 20}", trial=n // 20))
    said = capsys.readouterr().err.splitlines()
    assert [line.split("/")[0] for line in said] == ["10", "20", "30", "40", "50", "56", "60", "70", "80", "90", "100"]
    assert said[0] == "10/100 · exact 1.000 [0.722, 1.000] · 1 s, 9 s left"


def test_one_row_is_a_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(ready(folder, limit=1), plain=True) as shown:
        shown.row(row("c0"))
    assert re.fullmatch(r"1/1 · exact 1\.000 · 0 s\n", capsys.readouterr().err)


def test_without_a_terminal_lines_are_plain(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(ready(folder, limit=1)) as shown:
        shown.row(row("c0"))
    assert "\x1b" not in capsys.readouterr().err


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_lines_are_drawn_and_taken_away(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    with Progress(ready(folder)) as shown:
        shown.row(row("c0"))
    said = terminal.getvalue()
    assert "1/20" in said
    assert said.rstrip().endswith("\x1b[2K")  # nothing is left of it


def test_on_a_terminal_that_cannot_move_its_cursor_lines_are_plain(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "dumb")
    with Progress(ready(folder, limit=1)) as shown:
        shown.row(row("c0"))
    assert terminal.getvalue() == "1/1 · exact 1.000 · 0 s\n"


def test_numbers_come_from_the_rows(folder: Path) -> None:
    shown = Progress(ready(folder))
    shown.row(replace(row("c0"), scores={}))  # a case that names other scorers
    shown.row(replace(row("c1"), trace=None))
    assert shown.done == 2
    assert lines(shown)[2] == "exact 1.000"


def test_a_row_that_comes_in_while_the_lines_are_drawn_waits(folder: Path) -> None:
    shown = Progress(ready(folder))
    waited: list[bool] = []

    class Score(MeanEstimate):
        def result(self, *, confidence: float = 0.95) -> Estimate:
            coming = threading.Thread(target=shown.row, args=(row("c0"),), daemon=True)
            coming.start()
            coming.join(0.05)
            waited.append(coming.is_alive())  # else it would change what is being counted
            return super().result(confidence=confidence)

    shown._plain = False
    shown._score = Score()
    lines(shown)
    assert waited == [True]
