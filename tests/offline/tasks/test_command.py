import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from gatewatch.core.case import Case
from gatewatch.core.spans import Recorder, recorder
from gatewatch.core.trace import Fault, Trace, Usage
from gatewatch.offline.task import TaskFailed
from gatewatch.offline.tasks.command import CommandTask, traceparent
from offline.making import ended, run, text_cases

CASE = Case(id="c1", input="q1", context=("p",))


def script(folder: Path, code: str, **environment: str) -> CommandTask:
    """A task that is this Python code."""
    (folder / "app.py").write_text("import json, os, subprocess, sys, time\n" + code)
    return CommandTask([sys.executable, "-S", "app.py"], folder=folder, environment=environment)


def shell(folder: Path, code: str) -> CommandTask:
    return CommandTask(["sh", "-c", code], folder=folder)


def answered(task: CommandTask, case: Case = CASE, trial: int = 0) -> Trace:
    async def ask() -> Trace:
        recorder.set(Recorder("ab" * 16))
        return await task.answer(case, trial)

    with ended():
        return asyncio.run(ask())


def failure(task: CommandTask) -> str:
    with pytest.raises(TaskFailed) as caught:
        answered(task)
    return str(caught.value)


def is_gone(pid: int) -> bool:
    """Whether a process has ended (a zombie has)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_json_in_json_out(tmp_path: Path) -> None:
    task = script(
        tmp_path,
        "given = json.load(sys.stdin)\n"
        "print(json.dumps({'output': given, 'usage': {'input_tokens': 3}, 'versions': {'v': '1'}, 'latency_s': 0.5}))",
    )
    trace = answered(task, trial=2)
    assert trace.output == {"id": "c1", "input": "q1", "context": ["p"], "trial": 2}
    assert (trace.usage, trace.versions, trace.latency_s) == (Usage(3), {"v": "1"}, 0.5)
    assert task.flaw(CASE, 3) == ""
    assert task.spec == f"command:{sys.executable} -S app.py"


def test_any_text_goes_in_and_comes_out(tmp_path: Path) -> None:
    task = script(tmp_path, "print(json.dumps({'output': json.load(sys.stdin)['input']}))")
    text = 'é \ud800 \u202e "quoted"\n\x00' * 50_000
    assert answered(task, Case(id="c", input=text)).output == text


def test_it_runs_in_the_projects_folder_with_its_environment_and_a_traceparent(tmp_path: Path) -> None:
    task = script(
        tmp_path,
        "env = os.environ\n"
        "print(json.dumps({'output': [os.getcwd(), env['MODE'], env['TRACEPARENT'], 'PATH' in env]}))",
        MODE="test",
    )
    folder, mode, parent, has_path = answered(task).output
    assert (Path(folder), mode, has_path) == (tmp_path, "test", True)
    assert parent == traceparent("ab" * 16) == f"00-{'ab' * 16}-{'ab' * 8}-01"


def test_an_error_that_it_states(tmp_path: Path) -> None:
    task = shell(tmp_path, """echo '{"error": {"message": "no stock", "kind": "error"}, "cost": 0.5}'""")
    trace = answered(task)
    assert trace.error == Fault("no stock")
    assert trace.cost is not None
    assert trace.cost.amount == 0.5


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("echo broken >&2; exit 3", "exit code 3: broken"),
        ("exit 3", "exit code 3"),
        ("kill -9 $$", "exit code -9"),
        ("printf 'caf\\351' >&2; exit 1", "exit code 1: caf\ufffd"),
        ("true", "standard output is not one JSON object (Expecting value: line 1 column 1 (char 0)): nothing"),
        ("echo hello", "standard output is not one JSON object (Expecting value: line 1 column 1 (char 0)): hello"),
        (
            """echo '{"output": 1}'; echo '{"output": 2}'""",
            "standard output is not one JSON object (Extra data: line 2 column 1 (char 14)): "
            '{"output": 1}\n{"output": 2}',
        ),
        (
            """echo '{"output": NaN}'""",
            'standard output is not one JSON object (NaN is not JSON): {"output": NaN}',
        ),
        ("""echo '["x"]'""", 'expected a JSON object with "output" or "error", got ["x"]'),
        ("""echo '{"error": null}'""", "the reply has neither an output nor an error"),
        (
            """echo '{"output": 1, "tokens": 5}'""",
            "the reply is not as it should be: tokens: unknown field",
        ),
    ],
)
def test_what_goes_wrong(tmp_path: Path, code: str, said: str) -> None:
    assert failure(shell(tmp_path, code)) == said


def test_only_the_last_line_of_standard_error_is_shown(tmp_path: Path) -> None:
    assert failure(script(tmp_path, "sys.exit('first' + chr(10) + 'the reason')")) == "exit code 1: the reason"
    assert len(failure(script(tmp_path, "sys.exit('x' * 10_000)"))) < 600


def test_a_command_that_cannot_be_started(tmp_path: Path) -> None:
    task = CommandTask(["no-such-command"], folder=tmp_path)
    assert failure(task) == "no-such-command: cannot be started: No such file or directory"
    (tmp_path / "app").write_text("not executable")
    task = CommandTask(["./app"], folder=tmp_path)
    assert failure(task) == "./app: cannot be started: Permission denied"


def test_one_that_does_not_read_its_input(tmp_path: Path) -> None:
    case = Case(id="c", input="x" * 1_000_000)
    assert answered(shell(tmp_path, """exec <&-; echo '{"output": "deaf"}'"""), case).output == "deaf"


@pytest.mark.parametrize(
    "code",
    [
        "sleep 1000 & echo $$ $! > pids; wait",
        "trap '' TERM INT HUP; sleep 1000 & echo $$ $! > pids; wait",
        """sleep 1000 & echo $$ $! > pids; echo '{"output": "early"}'; exit 0""",
    ],
    ids=["hangs", "hangs and ignores signals", "ends and leaves a child behind that holds its output"],
)
def test_one_that_hangs_is_ended_with_its_children_and_the_run_goes_on(tmp_path: Path, code: str) -> None:
    cases: list[dict[str, Any]] = text_cases(3)
    task = shell(tmp_path, f"""read line; case "$line" in *'"q1"'*) {code};; *) echo '{{"output": "ok"}}';; esac""")
    result = run(tmp_path, task, cases, timeout=0.5)
    rows = {row.case: row for row in result.rows()}
    assert result.summary.state == "complete"
    assert rows["c1"].trace is not None
    assert rows["c1"].trace.error == Fault("no answer within 0.5 s", "timeout")
    assert [rows[name].trace.output for name in ("c0", "c2")] == ["ok", "ok"]  # type: ignore[union-attr]
    pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
    assert len(pids) == 2
    assert all(is_gone(pid) for pid in pids)


def test_json_of_the_input_is_one_line(tmp_path: Path) -> None:
    task = shell(tmp_path, """cat > given; echo '{"output": null}'""")
    answered(task, Case(id="c", input={"text": "a\nb"}))
    (line,) = (tmp_path / "given").read_text().splitlines()
    assert json.loads(line)["input"] == {"text": "a\nb"}
