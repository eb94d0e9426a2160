"""What a gate says of itself: its rule, its layers, and what rows that went both ways mean."""

from collections import Counter
from collections.abc import Mapping, Sequence

from gatewatch.offline.cells import Cells
from gatewatch.offline.compare import Comparison
from gatewatch.offline.flips import LEAST_HISTORY
from gatewatch.offline.rule import Rule
from gatewatch.offline.verdict import Figures, Flips, Layer, RowDiff

_CHURN_P = 0.1


def rule_in_words(rule: Rule, gating: Sequence[str], *, flips: bool) -> str:
    """The rule as the report quotes it."""
    level = f"{rule.alpha * (50 if flips else 100):g} %"
    parts = ["a must-pass case fails three times of three"]
    if flips:
        parts.append(f"more cases fell and stayed down in re-runs than chance allows (α {level})")
    least = f" by at least {rule.min_effect * 100:g} pp" if rule.min_effect else ""
    parts.append(f"the mean fell{least} (one-sided sign-flip test, α {level})")
    if rule.floors:
        parts.append(
            f"a mean lies under its floor for sure ({', '.join(f'{n} {at:g}' for n, at in rule.floors.items())})"
        )
    limits = [] if rule.max_cost is None else [f"{rule.max_cost:g} USD a row"]
    if rule.max_latency is not None:
        limits.append(f"p95 {rule.max_latency:g} s")
    if limits:
        parts.append(f"a ceiling is passed for sure ({', '.join(limits)})")
    where = f" in {', '.join(rule.slices)} too" if rule.slices else ""
    several = f"; {', '.join(gating)} {'gate' if len(gating) > 1 else 'gates'}{where}, by Holm"
    allowed = f"−{rule.max_drop * 100:g}" if rule.max_drop else "0"
    return (
        f"REGRESSED if {', or '.join(parts)}{several if len(gating) > 1 or rule.slices else ''}. PASS if the one-sided "
        f"95 % lower bound of the change is above {allowed} pp, or if nothing at all changed. UNDECIDED otherwise."
    )


def layers(
    comparison: Comparison,
    contract: Sequence[str],
    flip: Mapping[str, Flips],
    gating: Sequence[str],
    cells: Cells,
    why_no_flips: str,
    *,
    marked: bool,
) -> tuple[Layer, ...]:
    """Which layers are on, what they found, and why the others are off."""
    must = sum(outcome.must_pass for outcome in comparison.after.cases.values())
    some = "1 must-pass case" if must == 1 else f"{must} must-pass cases"
    said = some if must and marked else f"{some}, and no scorer has a pass mark (pass_at)" if must else ""
    said = said or "no case is marked must_pass"
    found = [Layer(name="contract", on=bool(must) and marked, blocks=bool(contract), said=said)]
    blocks = {layer for each in cells.values() if each.gating for layer in each.blocked_by}
    if flip:
        counts = [
            f"{name}: of {each.eligible} cases that always passed {each.flipped} fell, {each.confirmed} stayed down"
            for name, each in flip.items()
        ]
        found.append(Layer(name="flips", on=True, blocks="flips" in blocks, said="; ".join(counts)))
    else:
        found.append(Layer(name="flips", on=False, said=why_no_flips or _short_history(comparison, gating)))
    pairs = max((cells[name, ""].n for name in gating), default=0)
    said = f"{pairs} pairs" if pairs > 1 else "too few pairs"
    found.append(Layer(name="mean", on=pairs > 1, blocks="mean" in blocks, said=said))
    return tuple(found)


def _short_history(comparison: Comparison, gating: Sequence[str]) -> str:
    most = max((comparison.before.most_outcomes(name) for name in gating), default=0)
    some = "1 outcome" if most == 1 else f"{most} outcomes"
    if most >= LEAST_HISTORY:
        return f"no case passed in all of its last {LEAST_HISTORY} outcomes or more"
    buy = f"gatewatch baseline pin {comparison.before.run} --trials {LEAST_HISTORY}"
    return f"the baseline has {some} of a case, {LEAST_HISTORY} are needed: {buy}"


def churn(scorers: Mapping[str, Figures], rows: Sequence[RowDiff]) -> list[str]:
    """What rows that went both ways say: as many up as down look like flaky cases, not like a change."""
    found = []
    flaky = Counter(row.scorer for row in rows if row.flaky)
    for name, each in scorers.items():
        known = flaky[name]
        if known:
            some = "1 case that moved is" if known == 1 else f"{known} cases that moved are"
            found.append(f"{name}: {some} flaky: one and the same version both passes and fails.")
        elif each.fixed and each.broke and (each.p or 0.0) > _CHURN_P and each.verdict != "REGRESSED":
            share = (each.fixed + each.broke) / each.n
            found.append(
                f"{name}: {each.broke} cases broke and {each.fixed} were fixed (churn {share:.0%}). So many both ways "
                "look like flaky cases rather than a change; several trials of each would tell."
            )
    return found
