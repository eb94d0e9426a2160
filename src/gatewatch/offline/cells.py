"""The mean layer: every scorer, over all cases and by slice, with what may be concluded from it.

The cells that gate share the rate of false blocks by Holm's method; so, apart from them, do all others, which warn
only.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

from msgspec.structs import replace

from gatewatch.offline.compare import Comparison, Pairs
from gatewatch.offline.figures import figures
from gatewatch.offline.rule import Rule
from gatewatch.offline.stopping import Look
from gatewatch.offline.summary import LOST_SHARE
from gatewatch.offline.verdict import Figures, Flips, Word
from gatewatch.stats.multiple import benjamini_hochberg, holm

_EXPLORED = PASS_LEVEL = 0.05

LEAST_PAIRS = 20
"""Below so many pairs, or groups of them, no bound that goes by their spread is to be trusted."""
_EXACT = ("tango", "all equal")
_SMALL_P = 0.0001

Cells = dict[tuple[str, str], Figures]
"""Figures by scorer and slice; the slice is empty for all cases."""


def concluded(
    comparison: Comparison,
    pairs: Mapping[str, Pairs],
    rule: Rule,
    gating: Sequence[str],
    flip: Mapping[str, Flips],
    look: Look | None,
) -> Cells:
    """The figures of every scorer and slice, each with its verdict.

    Args:
        comparison: the two runs.
        pairs: by scorer, what is to be judged.
        rule: by what to judge.
        gating: the scorers that gate.
        flip: by gating scorer, what the flip layer found, where it is on.
        look: where the data stand, when they are looked at several times.
    """
    raw: Cells = {}
    level = PASS_LEVEL if look is None else look.pass_level(PASS_LEVEL)
    parts = {name: {"": each, **comparison.slices(each)} for name, each in pairs.items()}
    for name in gating:  # a slice that gates and has no pair left is not to vanish, unless all of it was accepted
        known = comparison.slices(comparison.pairs(name))
        for part in rule.slices:
            if part not in parts[name] and not (part in known and known[part].n):
                parts[name][part] = comparison.nothing(pairs[name])
    gates = {(name, part) for name in gating for part in parts[name] if not part or part in rule.slices}
    for name, some in parts.items():
        for part, each in some.items():
            alpha = (rule.alpha / 2 if name in flip else rule.alpha) / max(1, len(gates))  # the first step of Holm's
            raw[name, part] = replace(
                figures(comparison, each, alpha=alpha, max_drop=rule.max_drop, level=level, seed=rule.seed),
                gating=(name, part) in gates,
                flips=None if part else flip.get(name),
            )
    evidence = {cell: _evidence(cell[0], each, rule, look) for cell, each in raw.items()}
    rises = {cell: _evidence_of_rise(each, rule, look) for cell, each in raw.items()}
    for among in (gates, raw.keys() - gates):
        cells = [cell for cell in raw if cell in among and raw[cell].n]
        evidence |= zip(cells, holm([evidence[cell] for cell in cells]), strict=True)
        rises |= zip(cells, holm([rises[cell] for cell in cells]), strict=True)
    raw = {cell: replace(each, rose=rises[cell] <= rule.alpha) for cell, each in raw.items()}
    return {cell: _judged(cell, each, evidence[cell], comparison, rule, look) for cell, each in raw.items()}


def _evidence(name: str, found: Figures, rule: Rule, look: Look | None) -> float:
    """One p-value for a cell: of the mean layer, or of both layers together (Bonferroni)."""
    p = 1.0 if found.p is None or (found.delta or 0.0) > -rule.min_effect else found.p
    if look is not None and found.gating:  # the layer may use only a part of its error rate now
        alpha = rule.alpha if found.flips is None else rule.alpha / 2
        said = look.said.get(name)
        if said == "regressed":  # the test of the early stop has the word, but for falls that are too small to matter
            p = 0.0 if p < 1.0 else 1.0
        else:  # "no drop" too: what comes after may speak against it
            p = min(1.0, p * alpha / look.level(alpha))
    return p if found.flips is None else min(1.0, 2 * min(p, found.flips.p))


def _evidence_of_rise(found: Figures, rule: Rule, look: Look | None) -> float:
    """The p-value that a cell rose, by the mean layer alone, at the level that a fall has to reach."""
    if found.p is None or (found.delta or 0.0) <= 0.0 or (found.delta or 0.0) < rule.min_effect:
        return 1.0
    p = 1.0 - found.p  # a mid-p: the two directions add up to 1
    if look is not None and found.gating:
        alpha = rule.alpha if found.flips is None else rule.alpha / 2
        p = min(1.0, p * alpha / look.level(alpha))
    return p if found.flips is None else min(1.0, 2 * p)


def _judged(
    cell: tuple[str, str], found: Figures, adjusted: float, comparison: Comparison, rule: Rule, look: Look | None
) -> Figures:
    name, part = cell
    where = f"{name} in {part}" if part else name
    stopped = look is not None and found.gating and look.said.get(name) == "no drop" and bool(comparison.after.stopped)
    ruled_out = found.lower is not None and found.lower > -rule.max_drop
    unmoved = comparison.identical and not found.wins and not found.losses
    if refused(found):
        every = max(found.n, round(found.errors / found.lost_share)) if found.errors else 0
        lost = f"{found.errors} of {every} pairs were lost to scorer errors ({found.lost_share:.1%})"
        return _said(found, "UNDECIDED", f"{where}: {lost}" if found.errors else f"{where}: no pairs")
    found = replace(found, p_adjusted=adjusted)
    if adjusted <= rule.alpha:
        return _regressed(where, found, rule, look is not None and look.said.get(name) == "regressed")
    gone = found.dropped + found.errors
    if found.dropped and gone > LOST_SHARE * (found.n + gone):
        lost = f" and {found.errors} were lost to scorer errors" if found.errors else ""
        said = f"{where}: it has nothing to say of {found.dropped} cases any more{lost}, {found.n} are left to compare"
        return _said(found, "UNDECIDED", said)
    if unmoved or stopped or (ruled_out and (found.method in _EXACT or found.groups >= LEAST_PAIRS)):
        return _said(found, "PASS")
    if ruled_out:
        what = "groups of cases" if found.groups < found.n else "cases"
        few = f"{found.groups} {what} are too few to rule a fall out (at least {LEAST_PAIRS} are needed)"
        return _said(found, "UNDECIDED", f"{where}: {few}")
    return _said(found, "UNDECIDED", f"{where}: a fall of {rule.max_drop * 100:g} pp cannot be ruled out")


def _said(found: Figures, word: Word, *reasons: str) -> Figures:
    return replace(found, verdict=word, reasons=reasons)


def _regressed(where: str, found: Figures, rule: Rule, stopped: bool) -> Figures:
    reasons: list[str] = []
    layers: list[Literal["flips", "mean"]] = []
    level = rule.alpha if found.flips is None else rule.alpha / 2
    if found.flips is not None and found.flips.confirmed and found.flips.p <= level:
        count = found.flips.confirmed
        cases = "1 case that always passed has" if count == 1 else f"{count} cases that always passed have"
        reasons.append(f"{where}: {cases} now failed three times of three ({p_text(found.flips.p)})")
        layers.append("flips")
    sure = found.p is not None and (found.p <= level or stopped) and (found.delta or 0.0) <= -rule.min_effect
    if found.delta is not None and (sure or not layers):
        moved = f"{found.losses} down, {found.wins} up; {p_text(found.p or 0.0)}"
        reasons.append(f"{where}: the mean fell by {-found.delta * 100:.1f} pp ({moved})")
        layers.append("mean")
    return replace(_said(found, "REGRESSED", *reasons), blocked_by=tuple(layers))


def p_text(p: float) -> str:
    """A p-value in words; of very small ones no more than that."""
    return f"p = {p:.2g}" if p >= _SMALL_P else f"p < {_SMALL_P}"


def refused(found: Figures) -> bool:
    """Whether nothing can be said: no pair is left, or too many were lost to scorer errors."""
    return not found.n or found.lost_share > LOST_SHARE


def explore(cells: Cells) -> tuple[tuple[str, str, float], ...]:
    """Cells that only warn and did not survive Holm, but would by Benjamini and Hochberg: worth a look, no more."""
    rest = [cell for cell, each in cells.items() if not each.gating and each.p is not None]
    found = zip(rest, benjamini_hochberg([cells[cell].p or 0.0 for cell in rest]), strict=True)
    return tuple((*cell, q) for cell, q in found if q <= _EXPLORED and cells[cell].verdict != "REGRESSED")
