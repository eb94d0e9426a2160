"""Whether a case guards anything: what it says must be enough for a scorer of its suite."""

from collections.abc import Iterator, Mapping

from gatewatch.core.case import Case, Expected
from gatewatch.core.errors import InputError, Problem
from gatewatch.core.trace import Trace
from gatewatch.loop.label import item_name
from gatewatch.loop.promote import Source
from gatewatch.scorers.agent import calls_made, expected_calls
from gatewatch.scorers.base import MISSING, Scorer


def guarded(source: Source, case: Case, scorers: Mapping[str, Scorer], suite: str) -> Iterator[str]:
    """What is to be said of how a case is guarded.

    Raises:
        InputError: nothing in it says what is right, or no scorer of the suite reads that.
    """
    name = item_name(source.item.id) if source.item else source.trace.id
    says = f"`gatewatch label put {name} --value n --expected ...`" if source.item else "--expected"
    calls = any(_reads_calls(each) for each in scorers.values())
    stated = case.expected.tool_calls if isinstance(case.expected, Expected) else None
    if calls and stated is None and calls_made(source.trace):
        what = "it called tools, and nobody said which calls are right"
        hint = 'give {"tool_calls": [{"name": ..., "arguments": {...}}]}'
        raise InputError(Problem(name, what, f"{hint} with {says}"))
    able = [each.name for each in scorers.values() if _has_all(each, source.trace, case)]
    if not able:
        what = f"no scorer of suite {suite} could say anything of it: {', '.join(scorers)}"
        raise InputError(Problem(name, what, f"say with {says} what they need, or give another --suite"))
    own = source.item.scorer if source.item else ""
    if case.expected is None and own not in able:
        what = f"nothing says what is right: nobody expects anything, and {own or 'no scorer'} is not of suite {suite}"
        raise InputError(Problem(name, what if own else "nothing says what is right", f"say so with {says}"))
    reads = [each for each in able if scorers[each].reference_based]
    if case.expected is not None and not reads:
        yield f"no scorer of suite {suite} looks at what is expected: only {', '.join(able)} guard it"


def _reads_calls(scorer: Scorer) -> bool:
    return any(getter is expected_calls for _, getter in scorer.getters) or any(map(_reads_calls, scorer.parts))


def _has_all(scorer: Scorer, trace: Trace, case: Case) -> bool:
    """Whether a scorer has what it needs to say something of a case."""
    if scorer.parts:
        found = [_has_all(each, trace, case) for each in scorer.parts]
        return all(found) if scorer.needs_all else any(found)
    return all(get(trace, case) is not MISSING for name, get in scorer.getters if name not in scorer.optional)
