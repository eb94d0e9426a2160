"""The command line as a whole: exit codes for programs, messages for people, whoever reads them."""

import errno
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import click
import pytest

from config.building import gatewatch, suite, write
from gatewatch.cli import main
from gatewatch.cli.main import COMMANDS, status
from gatewatch.core.errors import InputError, ModelError, Problem, RunBroken
from gatewatch.offline.result import RunResult, run_paths

# Usage


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_names_every_command(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status([flag]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for name, about in COMMANDS.items():
        assert f"\n  {name} " in printed.out
        assert about.split()[0] in printed.out


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status([name, "--help"]) == 0
    assert capsys.readouterr().out.startswith(f"Usage: gatewatch {name} ")


def test_help_fits_a_terminal_of_80_columns() -> None:
    for arguments in (["--help"], *([name, "--help"] for name in COMMANDS)):
        done = gatewatch(Path(), *arguments)
        assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_a_command_help_is_shown_and_it_is_no_success(capsys: pytest.CaptureFixture[str]) -> None:
    assert status([]) == 2
    assert "Usage: gatewatch" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rnu"], "there is no command 'rnu' (did you mean \"run\"?)"),
        (["xyz"], f"there is no command 'xyz' (known: {', '.join(sorted(COMMANDS))})"),
        (["--colour"], "No such option '--colour'."),
        (["run"], "Missing argument 'SUITE'."),
        (["run", "a", "b"], "Got unexpected extra argument (b)"),
        (["run", "a", "--trials", "0"], "Invalid value for '--trials': 0 is not in the range x>=1."),
        (["run", "a", "--limit", "many"], "Invalid value for '--limit': 'many' is not a valid integer range."),
        (["run", "a", "--tier", "all"], "Invalid value for '--tier': 'all' is not one of 'pr', 'nightly'."),
        (
            ["run", "a", "--resume", "--trials", "2", "--seed", "0", "--task", "app:answer"],
            "--resume goes on with a run as it began: leave out --trials and --seed",
        ),
        (["show", "--limit", "0"], "Invalid value for '--limit': 0 is not in the range x>=1."),
    ],
)
def test_wrong_usage_is_2(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert status(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines()[-1] == f"Error: {said}"


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert status(["--version"]) == 0
    assert capsys.readouterr().out.startswith("gatewatch, version ")


# Errors


def acting(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> None:
    """Let `gatewatch show` do something else."""
    command = click.Command("show", callback=do)
    monkeypatch.setattr(main, "import_module", lambda _: SimpleNamespace(command=command))


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (
            InputError([Problem("a:1", "wrong", "mend it"), Problem("b", "too")]),
            2,
            "error: a:1: wrong (mend it)\nb: too\n",
        ),
        (RunBroken("the disk is full"), 4, "error: the disk is full\n"),
        (ModelError("server", "out of order"), 4, "error: out of order\n"),
        (InputError(Problem("\x1b[31mred", "a\u202eb\x07")), 2, "error: [31mred: ab\n"),
        (OSError(errno.ENAMETOOLONG, "File name too long", "a\x07b"), 2, "error: ab: File name too long\n"),
        (KeyboardInterrupt(), 130, "\n"),
        (click.Abort(), 130, ""),
        (click.ClickException("not so"), 2, "Error: not so\n"),
    ],
)
def test_errors_and_their_codes(
    error: BaseException, code: int, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def do() -> None:
        raise error

    acting(monkeypatch, do)
    assert status(["show"]) == code
    assert capsys.readouterr() == ("", said)


def test_many_problems_are_cut_short(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def do() -> None:
        raise InputError(Problem(f"line {n}", "wrong") for n in range(53))

    acting(monkeypatch, do)
    assert status(["show"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert (len(lines), lines[0], lines[49], lines[50]) == (
        51,
        "error: line 0: wrong",
        "line 49: wrong",
        "... and 3 more",
    )


@pytest.mark.parametrize(("given", "code"), [(None, 0), (3, 3), (0, 0), ("text", 0)])
def test_what_a_command_gives_is_the_code(given: object, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    acting(monkeypatch, lambda: given)
    assert status(["show"]) == code


def test_sys_exit_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    def do() -> None:
        raise SystemExit(143)

    acting(monkeypatch, do)
    with pytest.raises(SystemExit) as caught:
        status(["show"])
    assert caught.value.code == 143


FAULTY = """
import sys
from types import SimpleNamespace
import click
from gatewatch.cli import main

def do():
    print("so far")
    raise KeyError("a \\x1b[31mfault")

main.import_module = lambda _: SimpleNamespace(command=click.Command("show", callback=do))
sys.argv = ["gatewatch", "show"]
main.main()
"""


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_fault_of_ours_is_4_and_shown_when_asked_for(debug: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FAULTY],
        env={"GATEWATCH_DEBUG": debug},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (4, "so far\n")
    assert ("Traceback" in done.stderr) == bool(debug)
    *_, what, hint = done.stderr.splitlines()
    assert what == "error: KeyError: 'a \\x1b[31mfault'"
    assert hint == "This is a fault of gatewatch: set GATEWATCH_DEBUG=1 to see where."


def test_a_journal_that_cannot_be_written_is_4(tmp_path: Path) -> None:
    write(tmp_path, suite())
    (tmp_path / ".gatewatch").touch()
    done = gatewatch(tmp_path, "run", "main")
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.splitlines()[-1] == f"error: {tmp_path}/.gatewatch/runs: cannot be made: Not a directory"


# Whoever reads


def large(folder: Path, cases: int = 3000) -> Path:
    app = 'def answer(question, style=""):\n    return question * 40\n'
    write(folder, suite('matrix = { style = ["x", "y"] }\n'), app_py=app)
    (folder / "cases.jsonl").write_text("".join(f'{{"id": "c{n}", "input": "q{n}"}}\n' for n in range(cases)))
    return folder


def shell(folder: Path, line: str) -> tuple[list[int], str]:
    """The exit codes of a pipe's commands, and what it printed on standard error."""
    command = line.replace("gatewatch", f"{sys.executable} -m gatewatch")
    done = subprocess.run(
        ["bash", "-c", f'{command} > /dev/null; echo "${{PIPESTATUS[@]}}"'],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return [int(code) for code in done.stdout.split()], done.stderr


def test_a_reader_who_leaves_ends_neither_a_listing_nor_a_run(tmp_path: Path) -> None:
    folder = large(tmp_path)
    codes, said = shell(folder, "gatewatch run main --limit 1500 | true")
    assert codes == [0, 0]
    assert "rror" not in said
    found = [RunResult(path).summary for path in run_paths(folder / ".gatewatch" / "runs")]
    assert [(each.header.name, each.state) for each in reversed(found)] == [
        ("style=x", "complete"),
        ("style=y", "complete"),
    ]
    for options in ("--csv", "--json --rows", "--rows --limit 3000"):
        assert shell(folder, f"gatewatch show {options} | head -1") == ([0, 0], "")


def test_nobody_who_listens_on_standard_error_either(tmp_path: Path) -> None:
    folder = large(tmp_path, 300)
    codes, _ = shell(folder, "gatewatch run main --plain 2>&1 | true")
    assert codes == [0, 0]
    codes, _ = shell(folder, "gatewatch run main --json --budget '0 USD' 2>&1 | true")
    assert codes == [4, 0]  # a run that is not complete does not become a success
    codes, _ = shell(folder, "gatewatch run main --plain 2> /dev/full | true")
    assert codes == [0, 0]
    assert len(run_paths(folder / ".gatewatch" / "runs")) == 6


def test_a_terminal_that_knows_no_letters_but_ascii(tmp_path: Path) -> None:
    write(tmp_path, suite())
    (tmp_path / "cases.jsonl").write_text(
        '{"id": "caf\\u00e9", "input": "\\ud83d\\ude00 \\ud800", "expected": "x", "slice": "\\u4e00"}\n'
    )
    environment = {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    for arguments in (["run", "main"], ["show"], ["show", "--rows"], ["show", "--case", "café"], ["show", "--csv"]):
        done = gatewatch(tmp_path, *arguments, environment=environment)
        assert (done.returncode, "fault" in done.stderr) == (0, False), (arguments, done.stderr)
    for arguments in (["show", "--json", "--rows"], ["doctor", "--json"], ["run", "main", "--json"]):
        done = gatewatch(tmp_path, *arguments, environment={"PYTHONIOENCODING": "utf-8"})
        assert done.returncode == 0, done.stderr
        assert isinstance(json.loads(done.stdout), dict)
