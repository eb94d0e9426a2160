"""Fail when a file is too long to be read at one sitting: Python, and what the pages consist of."""

import subprocess
import sys
from pathlib import Path

LIMIT = 400
listed = subprocess.run(
    ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py", "*.html", "*.css", "*.js"],
    capture_output=True,
    text=True,
    check=True,
)
counts = {name: len(Path(name).read_text().splitlines()) for name in listed.stdout.splitlines() if Path(name).exists()}
long = [f"{name}: {count} lines, the limit is {LIMIT}" for name, count in counts.items() if count > LIMIT]
sys.exit("\n".join(long) if long else 0)
