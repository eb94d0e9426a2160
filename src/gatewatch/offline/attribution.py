"""What made the difference between two runs, as far as is recorded, and what to know before trusting a comparison."""

from gatewatch.offline.compare import COMMIT, DIRTY, RECORDING, Comparison

_SHOWN = 60


def causes(comparison: Comparison) -> list[str]:
    """The names of what may have made the difference: the components that changed.

    The commit is none of them where a component that it holds is known to have changed; of the dataset only cases that
    stayed as they were are compared, and what was scored by another ruler is not compared at all.
    """
    found = [name for name in comparison.changed if name != "dataset" and not name.startswith("scorer ")]
    stated = comparison.before.versions
    if stated and comparison.after.versions:  # of two recordings that say themselves what they are of
        found = [name for name in found if name != RECORDING]
    inner = [name for name in found if name != COMMIT]
    return inner or found


def attribution(comparison: Comparison) -> str:
    """What the difference may be put down to, in a sentence."""
    found = causes(comparison)
    scorers = [name.removeprefix("scorer ") for name in comparison.changed if name.startswith("scorer ")]
    if not found and scorers:
        return f"No component that is recorded changed; scorers did: {', '.join(scorers)}."
    if not found:
        return "Nothing that is recorded changed: what differs is noise, or comes from what is not recorded."
    if len(found) == 1:
        name = found[0]
        one, other = comparison.changed[name]
        said = f"{name}: {_brief(one)} → {_brief(other)}"
        if name == COMMIT:
            return f"The commit changed ({said}); of the components that are recorded none did."
        return f"One component changed: {said}."
    names = f"{', '.join(found[:-1])} and {found[-1]}"
    return f"{len(found)} components changed ({names}): the difference cannot be put down to one of them."


def _brief(text: str) -> str:
    shown = text or "(none)"
    return shown if len(shown) <= _SHOWN else f"{shown[: _SHOWN - 1]}…"


def remarks(comparison: Comparison) -> list[str]:
    """What else a reader should know before trusting the comparison."""
    before, after = comparison.before, comparison.after
    found = []
    if before.dataset.version != after.dataset.version and not comparison.why_not():
        counts = [
            f"{len(cases)} {word}"
            for cases, word in (
                (comparison.new, "new"),
                (comparison.altered, "changed"),
                (comparison.removed, "gone"),
            )
            if cases
        ]
        what = ", ".join(counts) if counts else "other than in its cases"
        older = "The baseline is older than the dataset" if before.pinned else "The two ran over different datasets"
        found.append(f"{older} ({what}): the {len(comparison.paired)} cases that are the same in both are compared.")
    if before.components.get(COMMIT, "").endswith(DIRTY):
        found.append("The baseline was made from a tree with uncommitted changes: its commit does not tell what it is.")
    for name in comparison.scorers if comparison.paired else ():
        one = _scored_once(comparison, name)
        if one:
            some = "1 case was" if one == 1 else f"{one} cases were"
            found.append(f"{name}: {some} scored on one side only, and in neither mean.")
    left = len(before.cases) - len(comparison.paired) - len(comparison.altered)
    if comparison.by_choice and left > 0:
        why = after.stopped or f"its tier is {after.dataset.tier!r}"
        found.append(f"Of the baseline's cases {left} were not run: {why}.")
    gone = [case for case in comparison.removed if before.cases[case].must_pass]
    if gone:
        found.append(
            f"Must-pass cases of the baseline are gone: {', '.join(gone[:10])}{' ...' if len(gone) > 10 else ''}."
        )
    found += _relabelled(comparison)
    if after.components.get(COMMIT, "").endswith(DIRTY):
        found.append("The candidate was made from a tree with uncommitted changes.")
    return found


def _relabelled(comparison: Comparison) -> list[str]:
    """What was changed about cases and scorers, rather than in them: it changes what can block."""
    before, after = comparison.before, comparison.after
    no_more = [case for case in comparison.differing("must_pass") if before.cases[case].must_pass]
    found = []
    if no_more:
        found.append(f"No longer must-pass: {', '.join(no_more[:10])}{' ...' if len(no_more) > 10 else ''}.")
    for what in ("slice", "cluster"):
        count = len(comparison.differing(what))
        if count:
            some = "1 case is" if count == 1 else f"{count} cases are"
            found.append(f"{some} of another {what} than in the baseline.")
    for name in comparison.scorers:
        one, other = (side.scorers[name].pass_at for side in (before, after))
        if one != other:
            marks = " → ".join("none" if mark is None else f"{mark:g}" for mark in (one, other))
            found.append(f"The pass mark of {name} changed: {marks}.")
    return found


def _scored_once(comparison: Comparison, name: str) -> int:
    """How many pairs have a value on one side, and nothing to say on the other."""
    before, after = comparison.before.cases, comparison.after.cases
    skipped = [comparison.paired[place] for place in comparison.pairs(name).skipped_places]
    return sum((before[case].value(name) is None) != (after[case].value(name) is None) for case in skipped)
