"""Judges that take an answer or a context apart, and give a verdict on each piece: what RAG and agents need.

Each asks a model once. The model lists the pieces and judges them one by one, explanation first; the score is made of
the verdicts as said there. A list that is empty is nothing to say.
"""

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.core import codec
from gatewatch.core.case import Case, Expected
from gatewatch.core.compose import composed
from gatewatch.core.score import Score
from gatewatch.core.trace import Trace
from gatewatch.models.protocol import Model
from gatewatch.scorers.asking import ask
from gatewatch.scorers.base import MISSING, Getter, Models, Scorer, expected_text, getters_named, not_configured
from gatewatch.scorers.fingerprint import Identity
from gatewatch.scorers.prompt import PROMPT_VERSION, as_text, fenced_request, steps_of
from gatewatch.scorers.reply import Form, Verdict, beginning, must_be_text, must_have, object_schema, read_object
from gatewatch.scorers.rubric import Rubric
from gatewatch.scorers.scale import listed

CLAIMS_VERSION = "1"
"""Changes whenever the wording below does."""

_MOST_SHOWN = 5


def faithfulness(*, name: str = "faithfulness", model: str | Model = "judge") -> Scorer:
    """Make a judge of whether the output says only what its context supports: the share of claims that are supported.

    The model takes the output apart into claims and finds for each whether the context supports it, contradicts it, or
    says nothing of it; only the first counts. An output without a claim (a question, a refusal) is skipped. Whether a
    claim is true beyond the context does not count.

    Source: Min et al., FActScore, arXiv 2305.14251; Es et al., RAGAS, arXiv 2309.15217.

    Args:
        name: the scorer's name.
        model: the configured model that judges.
    """
    return _made(_FAITHFULNESS, name, model)


def context_precision(*, name: str = "context_precision", model: str | Model = "judge") -> Scorer:
    """Make a judge of how well the context was chosen: whether the passages that help stand before those that do not.

    The model finds for each passage whether it helps to answer the question (to give the answer that is expected, where
    one is). The score is the average precision of that ranking: the mean, over the places of passages that help, of the
    share of helpful ones down to that place. No helpful passage is 0. For labelled passages see `retrieval`.

    Source: Es et al., RAGAS, arXiv 2309.15217.

    Args:
        name: the scorer's name.
        model: the configured model that judges.
    """
    return _made(_PRECISION, name, model)


def context_recall(*, name: str = "context_recall", model: str | Model = "judge") -> Scorer:
    """Make a judge of whether the context suffices: the share of the expected answer's statements that it supports.

    The model takes the expected answer apart into statements and finds for each whether the context supports it.

    Source: Es et al., RAGAS, arXiv 2309.15217.

    Args:
        name: the scorer's name.
        model: the configured model that judges.
    """
    return _made(_RECALL, name, model)


def task_success(*, name: str = "task_success", model: str | Model = "judge", graded: bool = False) -> Scorer:
    """Make a judge of whether a task was done: 1 when every one of the case's criteria is met, else 0.

    It needs `expected.criteria` and skips cases that have none. It is shown the input, the steps that were taken (tools
    called, and what they gave) and the output. The label counts the criteria met, the explanation names the others.

    Args:
        name: the scorer's name.
        model: the configured model that judges.
        graded: whether the share of criteria met is the score.
    """
    return _made(replace(_SUCCESS, reduce=share) if graded else _SUCCESS, name, model)


class _Kind(Struct, frozen=True):
    """What is taken apart, by what words, and what becomes of the verdicts."""

    key: str
    text: str
    needs: tuple[str, ...]
    piece: str
    verdicts: tuple[str, ...]
    good: str
    reduce: Callable[[Sequence[bool]], float]
    numbered: str = ""  # which of the needs holds the pieces; else the model finds them
    optional: frozenset[str] = frozenset()


def share(held: Sequence[bool]) -> float:
    """The share of what holds."""
    return sum(held) / len(held)


def every(held: Sequence[bool]) -> float:
    """1 when all holds, else 0."""
    return float(all(held))


def average_precision(held: Sequence[bool]) -> float:
    """The mean, over the places of what holds, of the share that holds down to that place; 0 when nothing does."""
    found, total = 0, 0.0
    for place, good in enumerate(held, 1):
        if good:
            found += 1
            total += found / place
    return total / found if found else 0.0


_FAITHFULNESS = _Kind(
    key="faithfulness",
    text="Take the OUTPUT apart into its claims: statements of fact, each understandable by itself, none twice, all of "
    "them. Leave out questions, greetings, and what the OUTPUT says of itself. For each claim find whether {context} "
    "supports it. Your own knowledge does not count: a claim that is true and not in the CONTEXT is not supported.",
    needs=("input", "output", "context"),
    piece="claim",
    verdicts=("supported", "contradicted", "not found"),
    good="supported",
    reduce=share,
)
_PRECISION = _Kind(
    key="context_precision",
    text="{context} holds numbered passages that a search found for {input}. For each passage, in order, find whether "
    "it helps to answer: whether some of what a right answer must say is in it. Where there is a section EXPECTED, "
    "that is the right answer.",
    needs=("input", "context", "expected"),
    piece="passage",
    verdicts=("helps", "does not help"),
    good="helps",
    reduce=average_precision,
    numbered="context",
    optional=frozenset({"expected"}),
)
_RECALL = _Kind(
    key="context_recall",
    text="Take {expected} apart into its statements, each understandable by itself, none twice, all of them. For each "
    "statement find whether {context} supports it. Your own knowledge does not count.",
    needs=("input", "context", "expected"),
    piece="statement",
    verdicts=("supported", "not supported"),
    good="supported",
    reduce=share,
)
_SUCCESS = _Kind(
    key="task_success",
    text="{criteria} holds numbered criteria. For each, in order, find whether it is met by what was done in {steps} "
    "and said in the OUTPUT, in answer to {input}. What is only promised is not done.",
    needs=("input", "output", "trace", "criteria"),
    piece="criterion",
    verdicts=("met", "not met"),
    good="met",
    reduce=every,
    numbered="criteria",
)


class _Claims(Struct, frozen=True, kw_only=True):
    name: str
    kind: _Kind
    model_name: str
    model: Any = None  # a Model, once bound

    async def score(self, **given: Any) -> Score:
        if self.model is None:
            raise not_configured(self.name, self.model_name)
        kind = self.kind
        sections = {_HEADINGS[name]: _section(given[name]) for name in kind.needs if name in given}
        count = len(_listed(given[kind.numbered])) if kind.numbered else None
        if count == 0:
            return Score(status="skipped", explanation=f"there is no {kind.piece}", source="judge")
        form = _form(kind, count)
        return await ask(self.model, fenced_request(Rubric(name=kind.key, text=kind.text), sections, form), form, {})

    @property
    def identity(self) -> Identity:
        kind = self.kind
        model = self.model_name if self.model is None else self.model.identity
        rubric = codec.digest(
            [kind.key, kind.text, kind.verdicts, kind.reduce.__name__, CLAIMS_VERSION, PROMPT_VERSION]
        )
        return Identity({"rubric": rubric, "model": codec.digest(model)})


_HEADINGS = {
    "input": "INPUT",
    "output": "OUTPUT",
    "context": "CONTEXT",
    "expected": "EXPECTED",
    "trace": "STEPS",
    "criteria": "CRITERIA",
}


def _section(value: Any) -> str:
    if isinstance(value, Trace):
        return steps_of(value)
    return as_text(value)


def _listed(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, list | tuple) else (value,)


def _context(trace: Trace, case: Case | None) -> Any:
    context = trace.context if trace.context is not None or case is None else case.context
    return MISSING if context is None else _listed(context)


def _criteria(_trace: Trace, case: Case | None) -> Any:
    expected = None if case is None else case.expected
    criteria = expected.criteria if isinstance(expected, Expected) else None
    return criteria or MISSING


_GETTERS: dict[str, Getter] = {"context": _context, "criteria": _criteria, "expected": expected_text}


def _made(kind: _Kind, name: str, model: str | Model) -> Scorer:
    named = isinstance(model, str)
    return _scorer(
        _Claims(
            name=name,
            kind=kind,
            model_name=model if isinstance(model, str) else model.name,
            model=None if named else model,
        )
    )


def _scorer(claims: _Claims) -> Scorer:
    def bind(models: Models) -> Scorer:
        return _scorer(replace(claims, model=models.model(claims.model_name)))

    kind = claims.kind
    return Scorer(
        name=claims.name,
        fn=claims.score,
        getters=tuple((name, _GETTERS[name]) if name in _GETTERS else getters_named([name])[0] for name in kind.needs),
        identify=lambda: claims.identity,
        source="judge",
        is_async=True,
        binary=kind.reduce is every,
        optional=kind.optional,
        models=(claims.model_name,),
        prompt_length=len(kind.text) + _AROUND,
        bind_models=bind if claims.model is None else None,
    )


_AROUND = 1200
"""About how long, in characters, our own words around what is asked are."""


def _form(kind: _Kind, count: int | None) -> Form:
    """A list of pieces, each with an explanation and a verdict: `count` numbered ones, or those the model finds."""
    first = "number" if kind.numbered else kind.piece
    plural = f"{kind.piece}s" if kind.piece != "criterion" else "criteria"
    each = {
        first: {"type": "integer"} if kind.numbered else {"type": "string"},
        "explanation": {"type": "string"},
        "verdict": {"type": "string", "enum": list(kind.verdicts)},
    }
    head = f'"{first}": 1' if kind.numbered else f'"{first}": "..."'
    shown = f'{{{head}, "explanation": "...", "verdict": {listed(kind.verdicts)}}}'

    def read(text: str) -> Verdict:
        pieces = read_object(text, (plural,))[plural]
        if not isinstance(pieces, list):
            raise ValueError(f'"{plural}" must be a list')
        parts: dict[str, Score] = {}
        seen: dict[str, int] = {}
        for place, piece in enumerate(pieces, 1):
            where = f" of {kind.piece} {place}"
            if not isinstance(piece, dict):
                raise ValueError(f"{kind.piece} {place} must be an object")
            must_have(piece, tuple(each), where)
            must_be_text(f"explanation{where}", piece["explanation"])
            if not kind.numbered:
                must_be_text(f"{first}{where}", piece[first])
                same = seen.setdefault(" ".join(composed(piece[first]).casefold().split()), place)
                if same != place:
                    raise ValueError(f"{kind.piece} {place} says the same as {kind.piece} {same}")
            elif type(piece[first]) is not int or piece[first] != place:
                raise ValueError(f"{kind.piece} {place} has the number {beginning(piece[first])}")
            if piece["verdict"] not in kind.verdicts:
                raise ValueError(
                    f"the verdict{where} must be {listed(kind.verdicts)}, got {beginning(piece['verdict'])}"
                )
            held = piece["verdict"] == kind.good
            said = piece["explanation"] if kind.numbered else f"{piece[first]}: {piece['explanation']}"
            parts[f"{kind.piece} {place}"] = Score(float(held), piece["verdict"], said)
        if count is not None and len(parts) != count:
            raise ValueError(f"it judges {len(parts)} {plural}, and there are {count}")
        return _verdict(kind, parts)

    return Form(
        shape=f'{{"{plural}": [{shown}, ...]}}',
        how=f"For each {kind.piece} write the explanation first: one sentence. Then give the verdict that follows.",
        schema=object_schema({plural: {"type": "array", "items": object_schema(each)}}),
        read=read,
    )


def _verdict(kind: _Kind, parts: dict[str, Score]) -> Verdict:
    if not parts:
        return Verdict(None, f"no {kind.piece}", f"there is no {kind.piece}")
    held = [part.value == 1.0 for part in parts.values()]
    failed = [f"{name} is {part.label} ({part.explanation})" for name, part in parts.items() if not part.value]
    more = f"; and {len(failed) - _MOST_SHOWN} more" if len(failed) > _MOST_SHOWN else ""
    return Verdict(
        kind.reduce(held), f"{sum(held)} of {len(held)} {kind.good}", "; ".join(failed[:_MOST_SHOWN]) + more, parts
    )
