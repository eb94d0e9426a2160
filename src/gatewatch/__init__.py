"""Score LLM applications offline and online with one set of scorers, on one scale.

The public names are loaded when first used, so that `import gatewatch` costs next to nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewatch.config.assertion import gate
    from gatewatch.config.runs import run
    from gatewatch.core.case import Case, Expected, ToolCall
    from gatewatch.core.errors import GateFailed, GatewatchError, NoVerdict
    from gatewatch.core.score import Score
    from gatewatch.core.spans import note, span
    from gatewatch.core.trace import Span, Trace, Usage
    from gatewatch.online.capture import capture, current_trace_id, mark, record, traceparent
    from gatewatch.online.feedback import feedback
    from gatewatch.online.process import configure, flush
    from gatewatch.scorers.base import scorer
    from gatewatch.scorers.judge import judge

__version__ = "0.1.0"

_HOMES = {
    "Case": "gatewatch.core.case",
    "Expected": "gatewatch.core.case",
    "GateFailed": "gatewatch.core.errors",
    "GatewatchError": "gatewatch.core.errors",
    "NoVerdict": "gatewatch.core.errors",
    "Score": "gatewatch.core.score",
    "Span": "gatewatch.core.trace",
    "ToolCall": "gatewatch.core.case",
    "Trace": "gatewatch.core.trace",
    "Usage": "gatewatch.core.trace",
    "capture": "gatewatch.online.capture",
    "configure": "gatewatch.online.process",
    "current_trace_id": "gatewatch.online.capture",
    "feedback": "gatewatch.online.feedback",
    "flush": "gatewatch.online.process",
    "gate": "gatewatch.config.assertion",
    "judge": "gatewatch.scorers.judge",
    "mark": "gatewatch.online.capture",
    "note": "gatewatch.core.spans",
    "record": "gatewatch.online.capture",
    "run": "gatewatch.config.runs",
    "scorer": "gatewatch.scorers.base",
    "span": "gatewatch.core.spans",
    "traceparent": "gatewatch.online.capture",
}

__all__ = [
    "Case",
    "Expected",
    "GateFailed",
    "GatewatchError",
    "NoVerdict",
    "Score",
    "Span",
    "ToolCall",
    "Trace",
    "Usage",
    "capture",
    "configure",
    "current_trace_id",
    "feedback",
    "flush",
    "gate",
    "judge",
    "mark",
    "note",
    "record",
    "run",
    "scorer",
    "span",
    "traceparent",
]


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'gatewatch' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
