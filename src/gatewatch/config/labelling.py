"""Labelling in a project: on whose scale, and what chance draws to be labelled."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config import units
from gatewatch.config.calibrate import pass_mark
from gatewatch.config.load import FILE
from gatewatch.config.project import Problems, Project
from gatewatch.core.errors import ConfigError, InputError, Problem, did_you_mean
from gatewatch.core.review import Item, Label, Queue
from gatewatch.loop.agreement import Agreement, agreement
from gatewatch.loop.answers import Answers, answers
from gatewatch.loop.draw import Scored, draw
from gatewatch.loop.review import Rules
from gatewatch.loop.signs import PASS_AT
from gatewatch.scorers.judge import rubric_of
from gatewatch.store.values import BEGIN, Told

if TYPE_CHECKING:
    from gatewatch.scorers.base import Scorer
    from gatewatch.store.base import Store
    from gatewatch.store.rows import Work
    from gatewatch.store.values import Place

_DAY_S = 86_400.0
_PAGE = 1000
_SEED = "seed "
_LONGEST_KIND = 60


def claim_s(project: Project) -> float:
    """For how many seconds an item is a reviewer's.

    Raises:
        ConfigError: when `[loop] claim` is no duration.
    """
    try:
        return units.seconds(project.settings.loop.claim)
    except ValueError as error:
        raise ConfigError(Problem(f"{FILE}: loop.claim", str(error))) from None


def rules_of(project: Project) -> Rules:
    """What reviewers have to say of an item.

    Raises:
        ConfigError: a kind of failure is no word or phrase, or is there twice.
    """
    loop, problems = project.settings.loop, Problems()
    for place, kind in enumerate(loop.kinds):
        where = f"{FILE}: loop.kinds[{place}]"
        if not kind.strip() or len(kind) > _LONGEST_KIND or not kind.isprintable():
            problems.append(Problem(where, f"must be one line, of {_LONGEST_KIND} letters at most, got {kind!r}"))
        elif kind in loop.kinds[:place]:
            problems.append(Problem(where, f"{kind!r} is there twice"))
    problems.raise_any()
    return Rules(loop.kinds, loop.comment, loop.severity)


def answers_for(project: Project, scorer: str) -> Answers:
    """How an item on a scorer's scale is labelled; of one that the project has no more, by a number in 0..1.

    Raises:
        InputError: it is a judge of pairs.
    """
    if not scorer:
        return answers()
    try:
        found: Scorer | None = project.named(scorer, scorer)
    except ConfigError:
        found = None
    rubric = None if found is None else rubric_of(found)
    try:
        said = answers(scorer, None if rubric is None else rubric.scale, binary=found is not None and found.binary)
    except ValueError as error:
        raise InputError(Problem(scorer, str(error))) from None
    return said if rubric is None else replace(said, guide=rubric.text)


# What is there


def every_item(store: "Store", *, queue: Queue | None = None, flow: str = "", failure: int = 0) -> Iterator[Item]:
    """All items that fit, by number."""
    after = 0
    while found := store.items(queue=queue, flow=flow, failure=failure, after=after, most=_PAGE):
        yield from found
        after = found[-1].id


def labels_of(store: "Store", items: Iterable[Item]) -> list[Label]:
    """The labels of some items."""
    numbers = [item.id for item in items]
    parts = (numbers[start : start + _PAGE] for start in range(0, len(numbers), _PAGE))
    return [label for part in parts for label in store.labels(part)]


def agreements(
    project: Project | None, store: "Store", *, queue: Queue | None = None, flow: str = "", scorer: str | None = None
) -> dict[str, Agreement]:
    """How far people agree with each other and with the judge, by the scorer on whose scale they labelled ("" for right
    or wrong); of those scales only on which something is labelled.

    Args:
        project: whose scorers have pass marks; without one, a value is good from 0.5 on.
        store: where items and labels are.
        queue: only of one.
        flow: only of one, "" for all.
        scorer: only of one, None for all.
    """
    items = list(every_item(store, queue=queue, flow=flow))
    labels = labels_of(store, items)
    found = {}
    for name in sorted({item.scorer for item in items if scorer in (None, item.scorer)}):
        mark = pass_mark(project, name)[0] if name and project is not None else None
        some = [item for item in items if item.scorer == name]
        each = agreement(some, labels, mark=0.5 if mark is None else mark)
        if each.items:
            found[name] = each
    return found


# Drawing


class Pool(Struct, frozen=True):
    """The requests that may be drawn, and how many may not: those without a payload, and those that failed, of which
    the score is no judgement."""

    scored: tuple[Scored, ...]
    fingerprint: str
    no_payload: int = 0
    failed: int = 0


class Draw(Struct, frozen=True):
    """What was drawn: the items, how many of them are `new`, and what they were drawn from."""

    items: tuple[Item, ...]
    new: int
    pool: Pool


def draw_items(
    project: Project, store: "Store", flow: str, scorer: str, *, most: int, days: float, seed: int, now: float
) -> Draw:
    """Draw requests of the last days by chance, and put them up to be labelled on a scorer's scale.

    Raises:
        InputError: when nothing of the flow was scored by it, it looks at whole sessions or at pairs, or what was drawn
            before was drawn by another seed.
    """
    said = answers_for(project, scorer)
    _one_seed(store, flow, scorer, seed)
    found = pool(store, flow, scorer, now - days * _DAY_S, now)
    mark = (pass_mark(project, scorer)[0] if said.numbers else 1.0) or PASS_AT
    drawn = draw(found.scored, most, scorer=scorer, seed=seed, mark=mark)
    payloads = store.payloads([each.scored.row.seq for each in drawn])
    items = []
    for each in drawn:
        row = each.scored.row
        item = Item(
            queue="calibration",
            flow=row.flow,
            trace=row.id,
            seq=row.seq,
            scorer=scorer,
            signs=(f"{_SEED}{seed}", f"draw {now:.6f}"),
            pi=each.pi,
            judged=each.scored.value,
            fingerprint=found.fingerprint,
            mark=mark,
            slice=row.slice,
            session=row.session,
            user=row.user,
            needed=project.settings.loop.reviewers,
            added=now,
        )
        if row.seq in payloads:  # else it was erased, or thinned, this moment
            items.append((item, payloads[row.seq]))
    newest = max((each.id for each in every_item(store, queue="calibration", flow=flow)), default=0)
    kept = [item for item in store.add_items(items, now) if item.id]  # the others are of somebody who was erased
    return Draw(tuple(kept), sum(item.id > newest for item in kept), found)


def pool(store: "Store", flow: str, scorer: str, since: float, until: float) -> Pool:
    """The requests of a window that may be drawn to be labelled on a scorer's scale.

    Raises:
        InputError: when nothing of the flow was scored by it, or it looks at whole sessions.
    """
    work = _work(store, flow, scorer)
    scored: list[Scored] = []
    no_payload = failed = 0
    after: Place | None = BEGIN
    while after is not None:
        page = store.talks(flow, since, until, after=after)
        for talk in page.talks:
            for row in talk.turns:
                told = _told(talk.told.get(row.seq, ()), work)
                if told is None:
                    continue
                if row.error:
                    failed += 1
                elif row.payload not in ("held", "kept"):
                    no_payload += 1
                else:
                    scored.append(Scored(row, told.value, told.pi))
        after = page.after
    return Pool(tuple(scored), work.fingerprint, no_payload, failed)


def _work(store: "Store", flow: str, scorer: str) -> "Work":
    """The scorer on the flow as it scores now: which version that is does not take its model's key."""
    works = [each for each in store.works() if each.source != "signal"]
    found = [each for each in works if (each.flow, each.scorer) == (flow, scorer)]
    if not found:
        if flow not in store.flows():
            raise InputError(Problem(flow, "there is no such flow", did_you_mean(flow, store.flows())))
        names = {each.scorer for each in works if each.flow == flow}
        raise InputError(Problem(scorer, f"scored nothing of {flow!r} yet", did_you_mean(scorer, names)))
    if found[-1].of_sessions:
        what = "judges whole sessions, of which single requests say too little"
        raise InputError(Problem(scorer, what, "calibrate it by a run: gatewatch calibrate --run"))
    return found[-1]


def _told(told: Iterable[Told], work: "Work") -> Told | None:
    ruler = work.scorer, work.fingerprint, work.source
    return next((each for each in told if (each.scorer, each.fingerprint, each.source) == ruler), None)


def _one_seed(store: "Store", flow: str, scorer: str, seed: int) -> None:
    """A larger draw has the smaller in it, so that its probabilities are known, only by the same seed."""
    for item in every_item(store, queue="calibration", flow=flow):
        before = next((sign for sign in item.signs if sign.startswith(_SEED)), f"{_SEED}{seed}")
        if item.scorer == scorer and before != f"{_SEED}{seed}":
            what = f"was drawn for by {before} before: by another the probabilities of the two would not add up"
            raise InputError(Problem(scorer, what, f"give --{before}"))
