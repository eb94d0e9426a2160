"""Small projects for tests: written into a folder, opened, and run in this process or in one of its own."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from importlib import invalidate_caches
from pathlib import Path
from shutil import rmtree
from typing import Any

from gatewatch.config.project import Project
from gatewatch.config.runs import prepare_suite
from gatewatch.core.errors import InputError
from gatewatch.core.run import Row
from gatewatch.offline.result import Prepared, RunResult, execute

APP = "def answer(question):\n    return question.upper()\n"
CASES = '{"id": "a", "input": "one", "expected": "ONE"}\n{"id": "b", "input": "two", "expected": "two"}\n'
GOOD = {"app.py": APP, "cases.jsonl": CASES}


def suite(more: str = "", *, task: str = "app:answer", scorers: str = '["exact"]', head: str = "") -> str:
    """A gatewatch.toml with the suite `main`: `head` comes before it, `more` are further keys of it."""
    return f'{head}\n[suites.main]\ndataset = "cases.jsonl"\ntask = "{task}"\nscorers = {scorers}\n{more}\n'


def model(name: str, url: str, more: str = "", *, price: str = "input = 1000.0\noutput = 2000.0") -> str:
    """A `[models]` table without a key, and, unless that is empty, a `[prices]` table for it."""
    text = f'[models.{name}]\nmodel = "{name}-model"\nbase_url = "{url}"\nkey_env = ""\n{more}\n'
    return text + (f"[prices.{name}-model]\n{price}\n" if price else "")


def write(folder: Path, toml: str, **files: str) -> Path:
    """Write the good project's files and others; in names, two underscores stand for a slash, one for a dot."""
    named = {name.replace("__", "/").replace("_", "."): text for name, text in files.items()}
    for name, text in {**GOOD, "gatewatch.toml": toml, **named}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def opened(folder: Path) -> Project:
    """The project in a folder as a new process would open it: with its modules as they are written now."""
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None) or "").startswith(str(folder)):
            del sys.modules[name]
    rmtree(folder / "__pycache__", ignore_errors=True)  # what was compiled is told from its source by the second only
    invalidate_caches()
    return Project.open(folder)


def prepared(folder: Path, name: str = "main", **options: Any) -> list[Prepared]:
    """The runs of a suite of the project in a folder, opened anew."""
    return prepare_suite(opened(folder), name, **options)


def ran(folder: Path, name: str = "main", **options: Any) -> list[RunResult]:
    """The runs of a suite, made."""
    project = opened(folder)
    return [execute(ready, closing=project.close) for ready in prepare_suite(project, name, **options)]


def one(folder: Path, name: str = "main", **options: Any) -> RunResult:
    """The run of a suite that has only one, made."""
    (result,) = ran(folder, name, **options)
    return result


def rows(result: RunResult) -> dict[tuple[str, int], Row]:
    """A run's rows by case and trial."""
    return {row.key: row for row in result.rows()}


def outputs(result: RunResult) -> dict[tuple[str, int], Any]:
    """What a run's task answered, or the message of its error, by case and trial."""
    found = {}
    for key, row in rows(result).items():
        assert row.trace is not None
        found[key] = row.trace.output if row.trace.error is None else row.trace.error.message
    return found


def problems(call: Callable[[], object], folder: Path | None = None) -> list[str]:
    """Everything that a call says is wrong; the folder is written DIR."""
    try:
        call()
    except InputError as error:
        return [str(problem).replace(str(folder or "DIR"), "DIR") for problem in error.problems]
    raise AssertionError("nothing was found wrong")


def gatewatch(
    folder: Path, *arguments: str, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    """`gatewatch` with some arguments, in a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "gatewatch", *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "80", **(environment or {})},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def nothing_asked(ready: Prepared) -> RunResult:
    """For a calibration in which the scorer must not be asked."""
    raise AssertionError(f"{ready.header.run} was made")


def labelled(folder: Path, *lines: dict[str, Any]) -> Path:
    """A file of labels in the folder."""
    path = folder / "labels.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path
