"""A server in a process of its own, which may be killed and started again at the same port."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOML = """
[project]
name = "bot"

[online]
redact = "off"

[ingest]
settle = "1s"
quiet = "2s"
"""


class Process:
    """A server over the project in a folder."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.options = options
        self.port = 0
        self.child: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, at the port that it had before; it listens when this returns."""
        command = [sys.executable, "-m", "gatewatch", "serve", "--port", str(self.port), *self.options]
        self.child = subprocess.Popen(command, cwd=self.folder, stderr=subprocess.PIPE, text=True, env=environment())
        assert self.child.stderr is not None
        said = ""
        for line in self.child.stderr:
            said += line
            if match := re.match(r"serving http://127\.0\.0\.1:(\d+) ", line):
                self.port = int(match[1])
                return
        raise AssertionError(said)

    def kill(self) -> None:
        """End it at once."""
        assert self.child is not None
        self.child.kill()
        self.child.communicate()

    def end(self) -> int:
        """Let it end, and give its exit code."""
        assert self.child is not None
        self.child.terminate()
        self.child.communicate()
        return self.child.returncode


def environment() -> dict[str, str]:
    """This process's, for one that finds the same code."""
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def token(folder: Path, *options: str) -> str:
    """A new token of the project in a folder."""
    command = [sys.executable, "-m", "gatewatch", "token", "create", *options]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True, env=environment())
    return done.stdout.strip()


@contextmanager
def process(folder: Path, *options: str, toml: str = TOML) -> Iterator[Process]:
    """A server that runs until this is left."""
    (folder / "gatewatch.toml").write_text(toml)
    found = Process(folder, *options)
    found.start()
    try:
        yield found
    finally:
        if found.child is not None and found.child.poll() is None:
            found.kill()
