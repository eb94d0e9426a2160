"""`gatewatch run` as a user starts it: a process of its own, its two streams, its exit code."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from config.building import gatewatch, suite, write
from gatewatch.core.run import Row
from gatewatch.offline.result import RunResult, run_paths

TIERED: list[dict[str, Any]] = [
    {"id": "a", "input": "one", "expected": "ONE"},
    {"id": "b", "input": "two", "expected": "nothing", "tier": "nightly"},
    {"id": "c", "input": "three", "expected": "THREE", "tier": "nightly", "must_pass": True},
    {"id": "d", "input": "four", "expected": "FOUR", "retired": "too old"},
]


def project(folder: Path, more: str = "", **options: Any) -> Path:
    app = options.pop("app", "def answer(question):\n    return question.upper()\n")
    write(folder, suite(more, **options), app_py=app)
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in TIERED))
    return folder


def numbered(folder: Path, count: int) -> None:
    cases = [{"id": f"c{n}", "input": f"q{n}", "expected": f"Q{n}"} for n in range(count)]
    (folder / "cases.jsonl").write_text("".join(json.dumps(case) + "\n" for case in cases))


def only_run(folder: Path) -> RunResult:
    (path,) = run_paths(folder / ".gatewatch" / "runs")
    return RunResult(path)


def order(result: RunResult) -> list[str]:
    return [row.case for row in result.rows()]


NOISY = """
import os, sys, warnings
print("imported")

def answer(question):
    print("asked", question)
    print("as an error", file=sys.stderr)
    warnings.warn("careful")
    return question.upper()
"""


def test_json_is_one_object_whatever_the_application_prints(tmp_path: Path) -> None:
    done = gatewatch(project(tmp_path, app=NOISY), "run", "main", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert done.stdout.startswith("{\n") and done.stdout.endswith("\n}\n")
    assert "imported" in done.stderr and "asked" in done.stderr
    header = only_run(tmp_path).summary.header
    assert found["kind"] == "gatewatch.summary"
    assert found["version"] == 1
    assert (found["run"], found["suite"], found["state"], found["cases"]) == (header.run, "main", "complete", 3)
    assert found["states"] == {"scored": 3}
    exact = found["scorers"]["exact"]
    assert (round(exact["mean"], 3), exact["n"], exact["method"]) == (0.667, 3, "wilson")
    assert found["cost"]["task"] is None  # unknown, not nothing
    assert found["cost"]["unknown"] == {"task": 3, "judge": 0}
    assert sorted(found["latency_s"]) == ["n", "p50", "p95", "p99"]


def test_json_of_a_matrix(tmp_path: Path) -> None:
    app = "def answer(question, end=''):\n    print(end)\n    return question.upper() + end\n"
    done = gatewatch(project(tmp_path, 'matrix = { end = ["", "!"] }\n', app=app), "run", "main", "--json")
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert (found["kind"], found["version"]) == ("gatewatch.runs", 1)
    assert [(run["name"], round(run["scorers"]["exact"]["mean"], 3)) for run in found["runs"]] == [
        ("end=", 0.667),
        ("end=!", 0.0),
    ]


def test_json_of_what_is_wrong_is_nothing(tmp_path: Path) -> None:
    done = gatewatch(project(tmp_path), "run", "mian", "--json")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == 'error: gatewatch.toml: there is no [suites.mian] (did you mean "main"?)\n'


def test_what_a_person_sees(tmp_path: Path) -> None:
    done = gatewatch(project(tmp_path), "run", "main")
    assert done.returncode == 0
    run = only_run(tmp_path).id
    lines = done.stdout.splitlines()
    assert lines[0] == run
    assert re.fullmatch(r"3 cases of cases\.jsonl@[0-9a-f]{12} · app:answer", lines[1])
    assert re.fullmatch(r"exact +0\.667 +\[0\.208, 0\.939\] +3 +3", lines[4])
    assert lines[-2:] == [f"show it again:  gatewatch show {run}", f"see its rows:   gatewatch show {run} --rows"]
    said = done.stderr.splitlines()
    assert said[0] == f"{run}: 3 rows to run; no model of gatewatch.toml is called"
    assert max(map(len, lines)) <= 80
    assert "\x1b" not in done.stdout + done.stderr


def test_plain_lines_of_a_long_run(tmp_path: Path) -> None:
    project(tmp_path)
    numbered(tmp_path, 95)
    done = gatewatch(tmp_path, "run", "main", "--plain", "--concurrency", "1")
    lines = done.stderr.splitlines()[1:]
    assert [line.split("/")[0] for line in lines] == ["10", "19", "29", "38", "48", "57", "67", "76", "86", "95"]
    assert re.fullmatch(r"10/95 · exact 1\.000 \[0\.722, 1\.000\] · \d+ s, \d+ s left", lines[0])
    assert re.fullmatch(r"95/95 · exact 1\.000 \[0\.961, 1\.000\] · \d+ s", lines[-1])


def test_tier_limit_trials_name_and_seed(tmp_path: Path) -> None:
    project(tmp_path)
    done = gatewatch(tmp_path, "run", "main", "--tier", "pr", "--trials", "2", "--name", "My try", "--json")
    assert json.loads(done.stdout)["name"] == "My try"
    rows = {(row.case, row.trial) for row in only_run(tmp_path).rows()}
    assert rows == {("a", 0), ("a", 1), ("c", 0), ("c", 1)}
    found = json.loads(gatewatch(tmp_path, "run", "main", "--limit", "2", "--json").stdout)
    assert (found["cases"], found["row_count"], found["dataset"]["limit"]) == (2, 2, 2)
    shown = gatewatch(tmp_path, "show", "My try", "--json").stdout
    assert json.loads(shown)["trials"] == 2


def test_the_seed_decides_the_order(tmp_path: Path) -> None:
    project(tmp_path)
    numbered(tmp_path, 20)
    orders = {}
    for name, seed in (("one", "1"), ("again", "1"), ("two", "2")):
        gatewatch(tmp_path, "run", "main", "--seed", seed, "--concurrency", "1", "--name", name)
        orders[name] = order(RunResult(run_paths(tmp_path / ".gatewatch" / "runs")[0]))
    assert orders["one"] == orders["again"] != orders["two"]
    assert sorted(orders["one"]) == sorted(orders["two"])


def test_recorded_outputs_in_the_place_of_the_task(tmp_path: Path) -> None:
    project(tmp_path, app="raise SystemExit('never imported')\n")
    lines = [{"id": case["id"], "output": "ONE", "latency_s": 2.5, "cost": 0.5} for case in TIERED]
    (tmp_path / "out.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = gatewatch(tmp_path, "run", "main", "--task", "replay:out.jsonl", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert (found["task"], found["latency_s"]["p50"], found["cost"]["task"]) == ("replay:out.jsonl", 2.5, 1.5)
    assert round(found["scorers"]["exact"]["mean"], 3) == 0.333


# Exit codes


def test_nothing_but_errors_is_4(tmp_path: Path) -> None:
    app = "def answer(question):\n    raise OSError('\\x1b[31mout of \\u202eorder[/red]')\n"
    done = gatewatch(project(tmp_path, app=app), "run", "main")
    assert done.returncode == 4
    assert "! 3 x OSError: [31mout of order[/red]" in done.stdout
    assert "\x1b" not in done.stdout
    assert only_run(tmp_path).summary.state == "complete"
    done = gatewatch(project(tmp_path, scorers="[]", app=app), "run", "main", "--json")
    assert done.returncode == 4
    assert json.loads(done.stdout)["errors"] == {"OSError: \x1b[31mout of \u202eorder[/red]": 3}


def test_some_errors_are_scored_as_failures(tmp_path: Path) -> None:
    app = "def answer(question):\n    return question.upper() if question == 'one' else 1 / 0\n"
    done = gatewatch(project(tmp_path, app=app), "run", "main", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["states"] == {"scored": 1, "task_error": 2}
    assert round(found["scorers"]["exact"]["mean"], 3) == 0.333
    assert done.stderr.splitlines()[-1].split(" · ")[2] == "2 errors"


COSTLY = "from gatewatch import note\n\ndef answer(question):\n    note(cost=0.01)\n    return question.upper()\n"


def test_a_run_that_a_budget_stops_is_4_and_goes_on(tmp_path: Path) -> None:
    project(tmp_path, "concurrency = 1\n", app=COSTLY)
    numbered(tmp_path, 10)
    done = gatewatch(tmp_path, "run", "main", "--budget", "0.045 USD", "--name", "with a 'quote'")
    run = only_run(tmp_path).id
    assert done.returncode == 4
    tail = [
        "PARTIAL: 4 of 10 rows; the budget of 0.045 USD is used up",
        "",
        "go on with it:  gatewatch run main --resume --name 'with a '\"'\"'quote'\"'\"''",
        f"show it again:  gatewatch show {run}",
        f"see its rows:   gatewatch show {run} --rows",
    ]
    assert done.stdout.splitlines()[-5:] == tail
    again = gatewatch(tmp_path, "run", "main", "--resume", "--name", "with a 'quote'", "--budget", "9 USD", "--plain")
    assert again.returncode == 0
    said = again.stderr.splitlines()
    assert said[0] == f"{run}: 6 rows to run (4 done); about $0.0600 (as in {run})"
    # Score and cost are the whole run's.
    assert re.fullmatch(
        r"5/10 · exact 1\.000 \[0\.566, 1\.000\] · \$0\.0500 of about \$0\.100 · \d+ s, \d+ s left", said[1]
    )
    assert "exact    1.000   [0.722, 1.000]      10       10" in again.stdout
    none = gatewatch(tmp_path, "run", "main", "--resume")
    assert (none.returncode, none.stdout) == (2, "")
    assert "has no unfinished run to resume" in none.stderr


def test_one_variant_that_fails_is_enough_for_4(tmp_path: Path) -> None:
    app = "def answer(question, x):\n    return question.upper() if x else 1 / 0\n"
    done = gatewatch(project(tmp_path, "matrix = { x = [0, 1] }\n", app=app), "run", "main", "--json")
    assert done.returncode == 4
    assert [run["states"] for run in json.loads(done.stdout)["runs"]] == [{"task_error": 3}, {"scored": 3}]


def test_every_forecast_comes_before_the_first_variant(tmp_path: Path) -> None:
    app = COSTLY.replace("(question)", "(question, x)")
    project(tmp_path, "matrix = { x = [1, 2] }\n", app=app)
    gatewatch(tmp_path, "run", "main")
    done = gatewatch(tmp_path, "run", "main", "--plain")
    said = done.stderr.splitlines()
    assert [line.split("; ")[1].split(" (")[0] for line in said[:2]] == ["about $0.0300", "about $0.0300"]
    assert all(re.match(r"\d/3 · ", line) for line in said[2:])


SLOW = """
import time

def answer(question):
    if question != "q0":
        time.sleep(60)
    return question.upper()
"""


def test_ctrl_c_says_how_to_go_on(tmp_path: Path) -> None:
    project(tmp_path, app=SLOW)
    numbered(tmp_path, 4)
    command = [sys.executable, "-m", "gatewatch", "run", "main", "--plain", "--concurrency", "4"]
    running = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None
    assert running.stderr.readline()  # the forecast
    assert running.stderr.readline().startswith("1/4 · ")
    os.kill(running.pid, signal.SIGINT)
    out, said = running.communicate(timeout=30)
    assert (running.returncode, out) == (130, "")
    assert said.splitlines()[0] == "stopped: 1 of 4 rows are done and kept; go on with: gatewatch run main --resume"
    kept: list[Row] = list(only_run(tmp_path).rows())
    assert [row.case for row in kept] == ["c0"]


def test_a_case_is_run_alone_and_stands_for_nothing(tmp_path: Path) -> None:
    folder = project(tmp_path)
    done = gatewatch(folder, "run", "main", "--case", "a", "--trials", "3", "--json")
    assert done.returncode == 0, done.stderr
    result = only_run(folder)
    assert order(result) == ["a"] * 3 and result.summary.header.purpose == "flips"
    refused = gatewatch(folder, "run", "main", "--case", "a", "--case", "zzz")
    assert refused.returncode == 2 and "zzz: is no case of it that is run" in refused.stderr
    assert "or none is called 'zzz'" in gatewatch(folder, "run", "main", "--case", "zzz").stderr
