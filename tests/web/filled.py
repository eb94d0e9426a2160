"""A project with everything, made by the real code paths: the demo's story."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def filled(folder: Path) -> Path:
    """The project, in a folder that is empty or not there."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    typed = [sys.executable, "-m", "gatewatch", "demo", "--dir", str(folder)]
    done = subprocess.run(typed, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def filled_copy(project: Path, folder: Path) -> Path:
    """A copy of the project, to be changed."""
    return Path(shutil.copytree(project, folder))
