"""Labels that may be wrong: cases that always fail while others say otherwise, reviewers who disagreed, and what is
expected although its own context says otherwise."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np
from msgspec import Struct

from gatewatch.loop.audit_space import Lying
from gatewatch.loop.finding import Figure, Finding, Looked, plain
from gatewatch.loop.likeness import normal
from gatewatch.loop.opposed import amounts
from gatewatch.offline.outcomes import Outcomes
from gatewatch.scorers.suspects import Suspect
from gatewatch.stats.intervals import clopper_pearson, wilson

_LEAST = 3
_NEIGHBOURS = 5
_LIKE = 0.5
_BLOCK = 512


class Tally(Struct):
    """How often a case passed, of how many times, in all known versions: by the rules, and by judges."""

    passed: int = 0
    n: int = 0
    judged_good: int = 0
    judged: int = 0


def tallies(versions: Sequence[Outcomes], cases: Sequence[Looked]) -> dict[str, Tally]:
    """How cases did in all known versions, under each scorer that has a pass mark. A trial passes by the rules where
    all of them pass it."""
    found = {each.id: Tally() for each in cases}
    hashes = {each.id: each.hash for each in cases}
    for version in versions:
        marks = {name: mark for name in version.scorers if (mark := version.mark(name)) is not None}
        judges = {name for name in marks if version.scorers[name].source == "judge"}
        for id_, outcome in version.cases.items():
            if hashes.get(id_) != outcome.hash:
                continue
            tally = found[id_]
            for trial in outcome.trials:
                passes = {
                    name: mark.value >= marks[name]
                    for name, mark in trial.scores.items()
                    if name in marks and mark.value is not None and mark.status == "scored"
                }
                rules = [passed for name, passed in passes.items() if name not in judges]
                if rules:
                    tally.n, tally.passed = tally.n + 1, tally.passed + all(rules)
                tally.judged += len(passes) - len(rules)
                tally.judged_good += sum(passed for name, passed in passes.items() if name in judges)
    return found


def always_failing(cases: Sequence[Looked], found: Mapping[str, Tally], lying: Lying) -> Iterator[Finding]:
    """Cases that no known version passes, while a judge, or cases that ask much the same, say otherwise."""
    rest: list[int] = []
    for place, each in enumerate(cases):
        tally = found[each.id]
        if each.case.open or tally.n < _LEAST or tally.passed:
            continue
        if tally.judged >= _LEAST and wilson(tally.judged_good, tally.judged).low > 0.5:
            yield _suspect(each, tally, "a judge", tally.judged_good, tally.judged)
        else:
            rest.append(place)
    for place, good, n in _neighbours(rest, cases, found, lying):
        yield _suspect(cases[place], found[cases[place].id], "cases that ask much the same", good, n)


def _neighbours(
    failing: Sequence[int], cases: Sequence[Looked], found: Mapping[str, Tally], lying: Lying
) -> Iterator[tuple[int, int, int]]:
    """Failing cases, by place, with how often the known ones that are most like them pass, of how many times."""
    for start in range(0, len(failing), _BLOCK):
        block = failing[start : start + _BLOCK]
        near = lying.vectors[block] @ lying.vectors.T
        for row, place in zip(near, block, strict=True):
            alike = np.flatnonzero(row >= _LIKE)
            order = (int(other) for other in alike[np.argsort(-row[alike], kind="stable")] if other != place)
            known = (found[cases[other].id] for other in order)
            like = list(islice((tally for tally in known if tally.n >= _LEAST), _NEIGHBOURS))
            good, n = sum(tally.passed for tally in like), sum(tally.n for tally in like)
            if len(like) >= _LEAST and wilson(good, n).low > 0.5:
                yield place, good, n


def _suspect(each: Looked, tally: Tally, who: str, good: int, n: int) -> Finding:
    most, theirs = clopper_pearson(0, tally.n).high, clopper_pearson(good, n)
    says = "passes" if who == "a judge" else "pass"
    return Finding(
        check="suspect",
        cases=(each.id,),
        where=(each.where,),
        why=(
            f"no known version passes it (0 of {tally.n}, at most {most:.0%});"
            f" {who} {says} {good} of {n} [{theirs.low:.0%}, {theirs.high:.0%}]"
        ),
        figures=(
            Figure("passes", 0.0, 0.0, round(most, 4), tally.n),
            Figure("others", round(good / n, 4), round(theirs.low, 4), round(theirs.high, 4), n),
        ),
        do="look whether what it expects is right",
        weight=2 + theirs.low - most,
    )


def disagreed(cases: Sequence[Looked]) -> Iterator[Finding]:
    """Promoted cases whose reviewers did not agree, and nobody settled it."""
    for each in cases:
        more = each.case.provenance.get("more")
        origins = [each.case.provenance, *(more if isinstance(more, list) else [])]
        known = [pair for origin in origins if isinstance(origin, dict) and (pair := _agreement(origin)) is not None]
        agreement, reviewers = min(known, default=(1.0, 0))
        if agreement >= 1.0:
            continue
        by = f" of {reviewers} reviewers" if reviewers else ""
        yield Finding(
            check="suspect",
            cases=(each.id,),
            where=(each.where,),
            why=f"its reviewers disagreed: {agreement:.0%} of the pairs{by} say the same",
            figures=(Figure("agreement", round(agreement, 4), n=reviewers or None),),
            do="have somebody settle what is to be expected",
            weight=1.5 - agreement / 4,
        )


def _agreement(origin: Mapping[str, Any]) -> tuple[float, int] | None:
    """How many pairs of reviewers agreed, in 0..1, and how many reviewers there were; None where it was settled."""
    agreement, labels = origin.get("agreement"), origin.get("labels")
    if isinstance(labels, list) and any(isinstance(label, dict) and label.get("settles") for label in labels):
        return None
    if isinstance(agreement, bool) or not isinstance(agreement, int | float) or not 0 <= agreement <= 1:
        return None
    return float(agreement), len(labels) if isinstance(labels, list) else 0


def contradicts_context(cases: Sequence[Looked]) -> Iterator[Finding]:
    """Cases that expect a number of something of which their own context has other numbers only."""
    for each in cases:
        if each.case.context is None or not each.case.answer:
            continue
        said, given = amounts(normal(each.case.answer)), amounts(each.setting)
        for unit, numbers in said.items():
            others = given.get(unit, set())
            strange = [number for number in numbers if number not in each.setting and number not in each.query]
            if others and strange and len(strange) == len(numbers):
                yield Finding(
                    check="suspect",
                    cases=(each.id,),
                    where=(each.where,),
                    why=f"expects {plain(', '.join(sorted(numbers)))} {unit}; its context says"
                    f" {plain(', '.join(sorted(others)))}, and {plain(strange[0])} nowhere",
                    figures=(Figure("in the context", 0, n=len(others)),),
                    do="look whether what it expects is right",
                    weight=1.0,
                )
                break


def by_people(cases: Sequence[Looked], found: Mapping[str, Sequence[Suspect]]) -> Iterator[Finding]:
    """Cases whose answers people labelled otherwise than a calibrated judge does, or on which they are split: by
    judge, what its calibration says."""
    places = {each.id: each for each in cases}
    for judge, some in found.items():
        for suspect in some:
            each = places.get(suspect.id.partition(" (trial ")[0])
            if each is None:
                continue
            n = len(suspect.people)
            said = ", ".join(map(str, suspect.people))
            verdict = "" if suspect.verdict is None else f"; {judge} says {suspect.verdict}"
            yield Finding(
                check="suspect",
                cases=(each.id,),
                where=(each.where,),
                why=f"{suspect.why}: {n} of {n} people say {plain(said)}{verdict}"
                if suspect.why != "people are split"
                else f"{n} people are split: {plain(said)}{verdict}",
                figures=(Figure("people", n),),
                do="have somebody label the answer again",
                weight=1.0 / (1 + n),
            )
