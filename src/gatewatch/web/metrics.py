"""Figures of a server for Prometheus: counters, gauges, one histogram, as text."""

from collections.abc import Iterable, Mapping
from threading import Lock

Labels = tuple[tuple[str, str], ...]
_BOUNDS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

ABOUT = {
    "gatewatch_received_total": ("counter", "Requests that were taken, by kind."),
    "gatewatch_refused_total": ("counter", "Requests that were not taken, by reason."),
    "gatewatch_stored_total": ("counter", "Spans, records and pieces of feedback that were committed."),
    "gatewatch_left_out_total": ("counter", "Spans and log records that are not kept, by reason."),
    "gatewatch_settled_total": ("counter", "Traces that were made of spans."),
    "gatewatch_held_bytes": ("gauge", "Bytes of requests under way."),
    "gatewatch_commit_seconds": ("histogram", "How long it took to write a group."),
    "gatewatch_settle_lag_seconds": ("gauge", "For how long settling is behind."),
    "gatewatch_lost_total": ("counter", "What was lost on the way, by reason, since the store began."),
    "gatewatch_tasks": ("gauge", "Tasks that are not done, by state."),
    "gatewatch_worker_seconds": ("gauge", "Seconds since a worker was last heard of."),
}
"""Every figure: its type and what it is."""


class Metrics:
    """What a server counts. Threads may share it; a series is a project's where it has that label."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, Labels], float] = {}
        self._times: dict[str, list[float]] = {}
        self._lock = Lock()

    def count(self, name: str, number: float = 1, **labels: str) -> None:
        """Add to a counter."""
        key = name, tuple(labels.items())
        with self._lock:
            self._counts[key] = self._counts.get(key, 0) + number

    def took(self, project: str, seconds: float) -> None:
        """Note how long a commit took."""
        with self._lock:
            buckets = self._times.setdefault(project, [0.0] * (len(_BOUNDS_S) + 2))
            for place, bound in enumerate(_BOUNDS_S):
                buckets[place] += seconds <= bound
            buckets[-2] += 1
            buckets[-1] += seconds

    def text(self, project: str | None, gauges: Iterable[tuple[str, Mapping[str, str], float]]) -> str:
        """All series, or those of one project and of none, with some more that are read now."""
        with self._lock:
            series = [(name, dict(labels), value) for (name, labels), value in self._counts.items()]
            times = {name: list(buckets) for name, buckets in self._times.items()}
        series += [(name, dict(labels), value) for name, labels, value in gauges]
        lines: list[str] = []
        for name, (kind, about) in ABOUT.items():
            found = [
                _line(name, labels, value)
                for each, labels, value in series
                if each == name and project in (None, labels.get("project", project))
            ]
            if kind == "histogram":
                for each, buckets in times.items():
                    if project in (None, each):
                        found += _histogram(name, each, buckets)
            if found:
                lines += [f"# HELP {name} {about}", f"# TYPE {name} {kind}", *found]
        return "\n".join(lines) + "\n"


def _histogram(name: str, project: str, buckets: list[float]) -> list[str]:
    bounds = [*map(str, _BOUNDS_S), "+Inf"]
    lines = [
        _line(f"{name}_bucket", {"project": project, "le": bound}, buckets[place]) for place, bound in enumerate(bounds)
    ]
    counted = {"project": project}
    return [*lines, _line(f"{name}_sum", counted, buckets[-1]), _line(f"{name}_count", counted, buckets[-2])]


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    told = ",".join(f'{key}="{_escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {value:.17g}" if told else f"{name} {value:.17g}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
