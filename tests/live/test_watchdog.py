"""A call that holds the interpreter cannot be ended from inside: the watcher does it, and what was done is kept."""

import json
import subprocess
import sys
from pathlib import Path

from gatewatch.offline.result import RunResult, run_paths

EVALS = r"""
import re
from gatewatch import scorer

@scorer
def wild(output: str) -> bool:
    return re.match(r"(a+)+$", output) is None
"""

CONFIG = """
[project]
scorers = "evals.py"

[suites.main]
dataset = "cases.jsonl"
task = "replay:outputs.jsonl"
scorers = ["exact", "wild"]
timeout = 0.2
scorer_timeout = 0.2
"""


def test_a_scorer_that_holds_the_interpreter_ends_the_run_with_4(tmp_path: Path) -> None:
    (tmp_path / "gatewatch.toml").write_text(CONFIG)
    (tmp_path / "evals.py").write_text(EVALS)
    cases = [{"id": f"c{n}", "input": "q", "expected": "fine"} for n in range(5)]
    outputs = [{"id": f"c{n}", "output": "fine"} for n in range(4)] + [{"id": "c4", "output": "a" * 60 + "!"}]
    (tmp_path / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))
    (tmp_path / "outputs.jsonl").write_text("".join(json.dumps(output) + "\n" for output in outputs))
    command = [sys.executable, "-m", "gatewatch", "run", "main", "--plain"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 4, ended.stderr
    assert "has not responded" in ended.stderr
    assert "evals.py" in ended.stderr  # where it hangs
    assert "--resume" in ended.stderr

    (path,) = run_paths(tmp_path / ".gatewatch" / "runs")
    assert RunResult(path).summary.state == "partial"
