"""A project with everything, made once and kept for all who look at it: see `filled_story.py`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path


def filled(folder: Path) -> Path:
    """The project, in a folder that is empty or not there."""
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        [sys.executable, "-m", "web.filled_story", str(folder)], env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def filled_copy(project: Path, folder: Path) -> Path:
    """A copy of the project, to be changed."""
    return Path(shutil.copytree(project, folder))
