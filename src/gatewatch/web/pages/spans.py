"""The steps of a trace as a waterfall, and as a tree: where each begins, how long it takes, how deep it lies."""

from collections.abc import Sequence

from msgspec import Struct

from gatewatch.core.trace import Span, Trace

DEEPEST = 8
MOST = 500
"""Steps that are shown; more are told of."""
_WIDTH, _ROW, _LEFT = 960.0, 24.0, 260.0
_LEAST = 2.0


class Step(Struct, frozen=True):
    """A span: its number, how deep it lies (up to DEEPEST), and in the waterfall where its bar begins and how long it
    is (None: when it began is not known)."""

    number: int
    span: Span
    depth: int
    y: float
    x: float | None = None
    width: float = 0.0


class Waterfall(Struct, frozen=True):
    """All steps, in the order of the tree; `length` is how many seconds the frame is long; `ticks` are (x, seconds)."""

    steps: tuple[Step, ...]
    length: float
    width: float
    height: float
    left: float
    ticks: tuple[tuple[float, float], ...]
    left_out: int = 0


def waterfall(trace: Trace) -> Waterfall:
    """The steps of a trace."""
    order = _in_order(trace.spans)
    shown = order[:MOST]
    ends = [(span.started_s or 0.0) + (span.latency_s or 0.0) for span in trace.spans]
    length = max([trace.latency_s or 0.0, *ends, 1e-6])
    scale = (_WIDTH - _LEFT) / length
    steps = []
    for place, (number, depth) in enumerate(shown):
        span = trace.spans[number]
        x = None if span.started_s is None else _LEFT + max(0.0, span.started_s) * scale
        width = max(_LEAST, (span.latency_s or 0.0) * scale)
        if x is not None:
            x = min(x, _WIDTH - _LEAST)
            width = min(width, _WIDTH - x)
        steps.append(
            Step(number, span, min(depth, DEEPEST), place * _ROW, None if x is None else round(x, 1), round(width, 1))
        )
    ticks = tuple((round(_LEFT + part * (_WIDTH - _LEFT), 1), part * length) for part in (0.0, 0.25, 0.5, 0.75, 1.0))
    height = len(steps) * _ROW + 20
    return Waterfall(tuple(steps), length, _WIDTH, height, _LEFT, ticks, len(order) - len(shown))


def _in_order(spans: Sequence[Span]) -> list[tuple[int, int]]:
    """The numbers of spans as a tree has them, each with its depth; those whose parent is none of them are roots."""
    children: dict[int | None, list[int]] = {}
    for number, span in enumerate(spans):
        known = span.parent is not None and 0 <= span.parent < len(spans) and span.parent != number
        children.setdefault(span.parent if known else None, []).append(number)
    found: list[tuple[int, int]] = []
    seen: set[int] = set()
    waiting = [(number, 0) for number in reversed(children.get(None, []))]
    while True:
        while waiting:
            number, depth = waiting.pop()
            if number in seen:
                continue
            seen.add(number)
            found.append((number, depth))
            waiting += [(child, depth + 1) for child in reversed(children.get(number, []))]
        rest = next((number for number in range(len(spans)) if number not in seen), None)
        if rest is None:  # of a circle of parents one has to be the first
            return found
        waiting.append((rest, 0))
