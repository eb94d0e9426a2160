"""The chain of a failure, an item, a change or a case, as it is shown to people, and as JSON."""

from collections.abc import Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatewatch.config.chains import Chain
    from gatewatch.loop.chain import Step

_BY, _LEAST = 20, 30


def as_object(found: "Chain") -> dict[str, Any]:
    """A chain in the form that `show --json` prints (see the reference)."""
    from msgspec.structs import asdict

    return {
        "kind": "gatewatch.chain",
        "version": 1,
        "of": found.kind,
        "name": found.name,
        "links": [asdict(link) for link in found.links],
        "missing": list(found.missing),
    }


def lines_of(found: "Chain", width: int, *, after: "Step | None" = None) -> Iterator[str]:
    """A chain line by line: each link with when, by whom, its name and what it says, folded at a width; only what comes
    `after` a step, where the rest is told already. Print it through `clean`."""
    from gatewatch.loop.chain import STEPS

    before_it = () if after is None else STEPS[: STEPS.index(after) + 1]
    links = [link for link in found.links if link.step not in before_it]
    if after is None:
        yield f"{found.kind} {found.name}"
    people = min(_BY, max((len(link.by) for link in links), default=0))
    before = ""
    for link in links:
        label = link.step if link.step != before else ""
        head = f"  {label:<9} {link.at.replace('T', ' ')[:16]:<16}  {link.by[:people]:<{people}}  "
        said = f"{link.name}  {link.said}" if link.said else link.name
        told = wrap(said, max(_LEAST, width - len(head)), break_on_hyphens=False) or [""]
        for place, part in enumerate(told):
            yield (" " * len(head) if place else head) + part
        before = link.step
    for said in found.missing:
        yield f"  not here: {said}"
