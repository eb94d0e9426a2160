"""Scorers of operation: latency, tokens, cost, errors and length, held against a limit.

They are measurements of a trace that become scores by a limit. What a trace does not state is unknown and skipped,
never 0 and never within the limit. A trace that failed scores 0 on all of them, as on every scorer.
"""

import re
from collections.abc import Callable
from math import inf
from typing import Any, Literal

from gatewatch.core.codec import text_of
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.scorers.base import Scorer, built_in

_WORD = re.compile(r"\w+")


def latency(*, name: str = "latency", most: float = 10.0, graded: bool = False) -> Scorer:
    """Make a scorer that gives 1 when the answer took no longer than a limit, else 0.

    Args:
        name: the scorer's name.
        most: the limit, in seconds, of the application's own time (our waiting is not in it).
        graded: whether what takes longer scores limit / time, instead of 0.

    Raises:
        ValueError: for a limit that is not above 0.
    """
    return _limited(name, "latency", most, graded, lambda trace: trace.latency_s, lambda value: f"{value:.3g} s")


def tokens(
    *,
    name: str = "tokens",
    most: float = 4000,
    of: Literal["total", "input", "output"] = "total",
    graded: bool = False,
) -> Scorer:
    """Make a scorer that gives 1 when the answer used no more tokens than a limit, else 0, by the provider's count.

    Args:
        name: the scorer's name.
        most: the limit.
        of: which tokens are counted.
        graded: whether what uses more scores limit / tokens, instead of 0.

    Raises:
        ValueError: for a limit that is not above 0, or other tokens.
    """
    if of not in ("total", "input", "output"):
        raise ValueError(f'of must be "total", "input" or "output", got {of!r}')

    def used(trace: Trace) -> float | None:
        usage = trace.usage
        if usage is None:
            return None
        counts = {"input": usage.input_tokens, "output": usage.output_tokens}
        asked = [counts[of]] if of != "total" else list(counts.values())
        return None if None in asked else float(sum(count for count in asked if count is not None))

    return _limited(name, f"tokens {of}", most, graded, used, lambda value: f"{value:.0f} tokens")


def cost(*, name: str = "cost", most: float = 0.05, graded: bool = False) -> Scorer:
    """Make a scorer that gives 1 when the answer cost no more than a limit, else 0. An unknown price is unknown.

    Args:
        name: the scorer's name.
        most: the limit, in US dollars, of the application's own cost (the scorers' is not in it).
        graded: whether what costs more scores limit / cost, instead of 0.

    Raises:
        ValueError: for a limit that is not above 0.
    """

    def paid(trace: Trace) -> float | None:
        return None if trace.cost is None else trace.cost.total

    return _limited(name, "cost", most, graded, paid, lambda value: f"{value:.6f} USD")


def _limited(
    name: str,
    kind: str,
    most: float,
    graded: bool,
    measure: Callable[[Trace], float | None],
    shown: Callable[[float], str],
) -> Scorer:
    if not 0 < most < inf:
        raise ValueError(f"most must be above 0 and finite, got {most!r}")

    def score(trace: Trace) -> Score:
        value = measure(trace)
        if value is None:
            return Score(status="skipped", explanation=f"the trace states no {kind.partition(' ')[0]}")
        over = value > most
        return Score(1.0 if not over else most / value if graded else 0.0, shown(value))

    parameters = {"most": float(most), "graded": graded}
    return built_in(name, score, version=f"{kind} 1", parameters=parameters, binary=not graded)


def no_error(*, name: str = "no_error") -> Scorer:
    """Make a scorer that gives 1 when the application answered and none of its steps failed, else 0.

    An application that failed as a whole scores 0 before any scorer is asked; this one also sees the errors that it
    got over: a model or tool call that failed and was made again.
    """

    def score(trace: Trace) -> bool | Score:
        failed = [span for span in trace.spans if span.error is not None]
        if not failed:
            return True
        first = failed[0]
        assert first.error is not None
        return Score(0.0, f"{len(failed)} failed", f"{first.kind} {first.name}: {first.error.message[:200]}")

    return built_in(name, score, version="no_error 1", binary=True)


def length(
    *,
    name: str = "length",
    least: int = 1,
    most: int | None = None,
    unit: Literal["characters", "words", "lines"] = "characters",
) -> Scorer:
    """Make a scorer that gives 1 when the output's length is within limits, else 0.

    An output that is not text is measured as its JSON. Words are runs of letters and digits: languages that are written
    without spaces are measured in characters. White space at both ends does not count.

    Args:
        name: the scorer's name.
        least: the least length that is allowed.
        most: the most; by default there is no limit.
        unit: what is counted.

    Raises:
        ValueError: for limits that contradict each other, or another unit.
    """
    if unit not in _COUNTS:
        raise ValueError(f"unit must be one of {', '.join(_COUNTS)}, got {unit!r}")
    if least < 0 or (most is not None and most < least):
        raise ValueError(f"least must be 0 or more and at most most, got {least} and {most}")
    count = _COUNTS[unit]

    def score(output: Any) -> Score:
        found = count(text_of(output).strip())
        right = found >= least and (most is None or found <= most)
        return Score(float(right), f"{found} {unit}")

    parameters = {"least": least, "most": most, "unit": unit}
    return built_in(name, score, version="length 1", parameters=parameters, binary=True)


_COUNTS: dict[str, Callable[[str], int]] = {
    "characters": len,
    "words": lambda text: sum(1 for _ in _WORD.finditer(text)),
    "lines": lambda text: len(text.splitlines()),
}
