"""A score: what anyone says about a trace, whether a rule, a judge, a user or a reviewer."""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from gatewatch.core.money import Cost
from gatewatch.core.trace import Usage

Source = Literal["rule", "judge", "feedback", "signal", "human"]
Status = Literal["scored", "task_error", "timeout", "scorer_error", "skipped"]
STATUSES: tuple[Status, ...] = ("scored", "task_error", "timeout", "scorer_error", "skipped")


class Score(Struct, frozen=True, omit_defaults=True):
    """A value in 0..1, where 1 is always good, or a status that says why there is none.

    `value` is None when the scorer had nothing to say (`skipped`) or could not say it (`scorer_error`). A failure of
    the application (`task_error`, `timeout`) is a 0. `explanation` says why, in words; for an error, what went wrong.
    `model` is the judge's model as the provider names it; where several were asked, each by the name it is configured
    under: "cheap=model-a, strong=model-b". `parts` are the scores that this one is made of, by name: those of a
    composite, or of a policy's clauses. `split` says that the votes it was made of went far apart.
    """

    value: float | None = None
    label: str = ""
    explanation: str = ""
    status: Status = "scored"
    name: str = ""
    source: Source = "rule"
    fingerprint: str = ""
    cost: Cost | None = None
    usage: Usage | None = None
    model: str = ""
    parts: dict[str, "Score"] = {}
    split: bool = False

    @property
    def counts(self) -> bool:
        """Whether the value enters a mean: it does unless it is unknown or there is nothing to say."""
        return self.value is not None


def models_named(text: str) -> dict[str, str]:
    """What a score's `model` says: from the name a model is configured under to what its provider calls it.

    A model that was asked alone stands under no name.
    """
    named: dict[str, str] = {}
    for each in filter(None, text.split(", ")):
        configured, separator, provider = each.partition("=")
        named[configured if separator else ""] = provider if separator else each
    return named


def same_models(one: Iterable[str], other: Iterable[str]) -> bool:
    """Whether two sets of scores may be by the same models, given what their `model` says.

    They are not when a name stands for one provider's model here and for another there. One that was not asked (a
    judge's dearer model, where the cheaper ones agreed) does not matter.
    """
    mine, theirs = _by_name(one), _by_name(other)
    return all(mine[name] == theirs[name] for name in mine.keys() & theirs.keys())


def _by_name(texts: Iterable[str]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for text in texts:
        for name, model in models_named(text).items():
            found.setdefault(name, set()).add(model)
    return found
