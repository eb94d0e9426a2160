"""What scorers there are here: ours, and the project's, with what each needs, gives and costs."""

import inspect
import os
from collections.abc import Callable, Iterator, Mapping

from msgspec import Struct

from gatewatch.config.composites import COMPOSITES
from gatewatch.config.forecast import cost_of_call
from gatewatch.config.project import Project
from gatewatch.core.errors import ConfigError, Problem, among_many
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.composite import all_of, weighted
from gatewatch.scorers.library import BUILT_INS, GROUPS, LISTED

_GUESSED_CHARACTERS = 2000


class Listed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One scorer that can be named here.

    `needs` are the arguments it asks for, `gives` its range, `cost` US dollars for one trace (a rough figure; None
    where it is unknown, 0 where nothing is asked), `lacks` what must be given or installed before it can be used.
    `fingerprint` is a run's; a judge that lacks its model has none.
    """

    name: str
    group: str
    needs: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    gives: str = ""
    models: tuple[str, ...] = ()
    cost: float | None = 0.0
    fingerprint: str = ""
    lacks: str = ""
    says: str = ""
    options: dict[str, str] = {}


def list_scorers(project: Project) -> list[Listed]:
    """Every scorer that a suite may name here: the project's first, then ours by group.

    Raises:
        ConfigError: with what is wrong in the project's scorers.
    """
    own = [_described(project, scorer, "project") for scorer in project.scorers().values()]
    taken = {each.name for each in own}
    ours = [_built_in(project, group, factory) for group, factory in _factories() if factory.__name__ not in taken]
    return own + ours


def find_scorer(project: Project, name: str) -> Listed:
    """One scorer by its name, with what can be set on it.

    Raises:
        ConfigError: when there is none of that name.
    """
    for each in list_scorers(project):
        if each.name == name:
            return each
    known = [*project.scorers(), *BUILT_INS, *COMPOSITES]
    raise ConfigError(Problem("NAME", f"there is no scorer {name!r}", among_many(name, known, LISTED)))


def _factories() -> Iterator[tuple[str, Callable[..., Scorer]]]:
    for group, factories in GROUPS.items():
        for factory in factories:
            yield group, factory
    yield "composite", weighted
    yield "composite", all_of


def _built_in(project: Project, group: str, factory: Callable[..., Scorer]) -> Listed:
    parameters = inspect.signature(factory).parameters
    required = [key for key, each in parameters.items() if each.default is each.empty]
    says = inspect.cleandoc(factory.__doc__ or "").partition("\n\n")[0]
    options = {key: _shown(each) for key, each in parameters.items() if key != "name"}
    scorer, lacks = None, f"the option {', '.join(required)}" if required else ""
    if not required:
        try:
            scorer = factory()
        except ValueError as error:  # an extra that is not installed
            lacks = str(error)
    if scorer is None:
        return Listed(name=factory.__name__, group=group, lacks=lacks, says=" ".join(says.split()), options=options)
    return _described(project, scorer, group, says=" ".join(says.split()), options=options)


def _shown(parameter: inspect.Parameter) -> str:
    return "required" if parameter.default is parameter.empty else repr(parameter.default)


def _described(
    project: Project, scorer: Scorer, group: str, *, says: str = "", options: Mapping[str, str] | None = None
) -> Listed:
    try:
        fingerprint = project.bound(scorer).fingerprint  # as a run has it: a judge's model is a part of it
    except ConfigError:
        fingerprint = ""
    doc = says or " ".join(inspect.cleandoc(getattr(scorer.fn, "__doc__", "") or "").partition("\n\n")[0].split())
    return Listed(
        name=scorer.name,
        group=group,
        needs=tuple(name for name in scorer.needs if name not in scorer.optional),
        optional=tuple(name for name in scorer.needs if name in scorer.optional),
        gives="0 or 1" if scorer.binary else "0..1",
        models=tuple(dict.fromkeys(scorer.models)),
        cost=cost_of(project, scorer),
        fingerprint=fingerprint,
        lacks=_lacks(project, scorer),
        says="" if group == "project" and scorer.source == "judge" else doc,
        options=dict(options or {}),
    )


def _lacks(project: Project, scorer: Scorer) -> str:
    """What is missing of the models that a scorer names: their tables, or the variables that hold their keys."""
    missing = []
    for name in dict.fromkeys(scorer.models):
        settings = project.settings.models.get(name)
        if settings is None:
            missing.append(f"[models.{name}]")
        elif settings.key_env and not settings.path and not os.environ.get(settings.key_env, "").strip():
            missing.append(f"the variable {settings.key_env}")
    return ", ".join(dict.fromkeys(missing))


def cost_of(project: Project, scorer: Scorer, characters: int = _GUESSED_CHARACTERS) -> float | None:
    """About what a trace of so many characters costs to score, in US dollars; None where a price is unknown."""
    total = 0.0
    for name in scorer.models:
        settings = project.settings.models.get(name)
        length = scorer.prompt_length + characters
        part = None if settings is None else cost_of_call(project, settings, length)
        if part is None:
            return None
        total += part
    return total
