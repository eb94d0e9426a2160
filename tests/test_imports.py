"""Importing stays cheap: what is loaded is counted, in a fresh interpreter."""

import subprocess
import sys

import pytest


def loaded(code: str) -> int:
    """How many modules are loaded after some code ran."""
    printed = subprocess.run(
        [sys.executable, "-c", f"import sys\n{code}\nprint(len(sys.modules), file=sys.stderr)"],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(printed.stderr.split()[-1])


@pytest.mark.parametrize(
    ("code", "most"),
    [
        ("import gatewatch", 80),
        # 110 beyond the 33 of a bare interpreter, with a request captured and the thread that writes it running.
        ("import gatewatch; gatewatch.configure(spool=':memory:'); gatewatch.record(flow='x')", 143),
        ("from gatewatch.cli.main import status; status(['--help'])", 150),
    ],
)
def test_modules_loaded(code: str, most: int) -> None:
    assert loaded(code) <= most


def test_heavy_libraries_wait_until_they_are_used() -> None:
    heavy = {
        "httpx",
        "rich",
        "pydantic",
        "genai_prices",
        "numpy",
        "scipy",
        "re2",
        "rapidfuzz",
        "sqlite3",
        "jsonschema_rs",
    }
    code = "import sys, gatewatch; gatewatch.run, gatewatch.scorer, gatewatch.judge; print(*sys.modules)"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not heavy & set(printed.stdout.split())
