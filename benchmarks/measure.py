"""What benchmarks measure with."""

import resource
import subprocess
import sys


def child_cpu(*command: str, times: int = 7) -> float:
    """The least CPU seconds (user and system) that a command took."""
    best = float("inf")
    for _ in range(times):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        best = min(best, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return best


def child_output(code: str, *arguments: str) -> str:
    """What a piece of Python prints, in a fresh process."""
    found = subprocess.run([sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True)
    return found.stdout.strip()


class Report:
    """Prints figures, each beside its limit, and remembers whether all were kept."""

    def __init__(self) -> None:
        self.missed = 0

    def line(self, what: str, value: float, unit: str, *, limit: float | None = None, note: str = "") -> None:
        """Print one figure."""
        kept = limit is None or value <= limit
        self.missed += not kept
        against = "" if limit is None else f"  (limit {limit:g} {unit}: {'kept' if kept else 'MISSED'})"
        print(f"{what:58} {value:10.4g} {unit}{against}{'  ' + note if note else ''}", flush=True)

    def exit(self) -> None:
        """End the process, with 1 when a limit was missed."""
        sys.exit(1 if self.missed else 0)
