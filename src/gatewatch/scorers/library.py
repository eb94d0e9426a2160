"""The scorers that come with Gatewatch, by the names that gatewatch.toml knows them by."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from gatewatch.core import shape
from gatewatch.core.errors import among_many, did_you_mean
from gatewatch.scorers.agent import tool_calls
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.claims import context_precision, context_recall, faithfulness, task_success
from gatewatch.scorers.guards import injection, refusal
from gatewatch.scorers.judge import judge
from gatewatch.scorers.language import language
from gatewatch.scorers.ops import cost, latency, length, no_error, tokens
from gatewatch.scorers.overlap import bleu, chrf, rouge_l, token_f1
from gatewatch.scorers.profanity import profanity
from gatewatch.scorers.retrieval import lexical_grounding, mrr, ndcg, precision_at_k, recall_at_k
from gatewatch.scorers.safety import pii, secrets
from gatewatch.scorers.semantic import semantic_similarity
from gatewatch.scorers.session import abandonment, escalation, retries, turns
from gatewatch.scorers.structure import json_schema, valid_json
from gatewatch.scorers.syntax import parses, well_formed
from gatewatch.scorers.text import contains, exact, numeric, regex, similarity
from gatewatch.scorers.trajectory import efficiency, repeats, steps, tool_errors, trajectory

GROUPS: Mapping[str, tuple[Callable[..., Scorer], ...]] = {
    "text": (exact, contains, regex, numeric, similarity, token_f1, bleu, chrf, rouge_l),
    "semantic": (semantic_similarity,),
    "structure": (valid_json, json_schema, well_formed, parses),
    "retrieval": (
        precision_at_k,
        recall_at_k,
        mrr,
        ndcg,
        lexical_grounding,
        faithfulness,
        context_precision,
        context_recall,
    ),
    "agent": (tool_calls, trajectory, efficiency, steps, tool_errors, repeats, task_success),
    "safety": (pii, secrets, injection, refusal, profanity, language),
    "ops": (latency, tokens, cost, no_error, length),
    "session": (turns, retries, abandonment, escalation),
    "judge": (judge,),
}
"""The scorers by what they look at."""

BUILT_INS: Mapping[str, Callable[..., Scorer]] = {
    factory.__name__: factory for factories in GROUPS.values() for factory in factories
}
"""The scorers by name. Each value makes one from its options, which can all be given as keywords."""

LISTED = "`gatewatch scorers` lists them"

_PLAIN = (str, bool, int, float, NoneType, dict, Mapping, tuple)
"""What a configuration file can state. Models and rubrics, which options may also be, it cannot."""


def make(name: str, options: Mapping[str, Any]) -> Scorer:
    """Make a scorer from its name and options, as a configuration file gives them.

    Raises:
        ValueError: for a name or option that there is none of, an option that is missing, or a value that cannot be;
            it has all that is wrong with the options, and what may have been meant.
        RubricError: for a judge whose rubric cannot be read.
    """
    factory = BUILT_INS.get(name)
    if factory is None:
        raise ValueError(f"there is no scorer {name!r} ({among_many(name, BUILT_INS, LISTED)})")
    parameters = inspect.signature(factory).parameters
    kinds = get_type_hints(factory)
    given: dict[str, Any] = {}
    wrong = []
    for key, value in options.items():
        if key not in parameters:
            wrong.append(f"{name} has no option {key!r} ({did_you_mean(key, parameters)})")
            continue
        try:
            given[key] = _converted(value, kinds[key], key)
        except ValueError as error:
            wrong.append(str(error))
    wrong += [
        f"{name} needs the option {key!r}"
        for key, parameter in parameters.items()
        if parameter.default is parameter.empty and key not in options
    ]
    if wrong:
        raise ValueError("; ".join(wrong))
    return factory(**given)


def _converted(value: Any, kind: Any, key: str) -> Any:
    """A value as an option's annotation asks for it.

    Raises:
        ValueError: when it cannot be.
    """
    if isinstance(value, Path):
        return value
    possible = get_args(kind) if get_origin(kind) in (Union, UnionType) else (kind,)
    plain = [tuple[str, ...] if get_origin(each) is Sequence else each for each in possible]  # all of them are of texts
    wanted: Any = Union[tuple(each for each in plain if get_origin(each) is Literal or _stated(each))]  # noqa: UP007
    found: Any = shape.convert(value, wanted, key)
    if isinstance(found, list):
        raise ValueError("; ".join(f"{where}: {what}" + (f" ({hint})" if hint else "") for where, what, hint in found))
    return found


def _stated(kind: Any) -> bool:
    return (get_origin(kind) or kind) in _PLAIN
