"""The chain of a failure, an item, a change or a case, as it is shown to people, and as JSON."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from gatewatch.config.chains import Chain
    from gatewatch.loop.chain import Step

_NAME, _BY = 40, 20


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


def lines_of(found: "Chain", *, after: "Step | Literal['']" = "") -> Iterator[str]:
    """A chain line by line: each link with its name, when, by whom, and what it says. Print it through `clean`. What
    comes `after` a step only, where the rest is told already."""
    from gatewatch.loop.chain import STEPS

    told = STEPS[: STEPS.index(after) + 1] if after else ()
    links = [link for link in found.links if link.step not in told]
    if not told:
        yield f"{found.kind} {found.name}"
    names = min(_NAME, max((len(link.name) for link in links), default=0))
    people = min(_BY, max((len(link.by) for link in links), default=0))
    before = ""
    for link in links:
        label = link.step if link.step != before else ""
        at = link.at.replace("T", " ")[:16]
        yield f"  {label:<9} {link.name:<{names}}  {at:<16}  {link.by:<{people}}  {link.said}".rstrip()
        before = link.step
    for said in found.missing:
        yield f"  not here: {said}"
