"""By what rules a label is taken, and what is kept of it."""

from typing import Any

import pytest

from gatewatch.core.errors import InputError
from gatewatch.core.review import Item, Label
from gatewatch.loop.agreement import JUDGE, agreement
from gatewatch.loop.review import Rules, name_of, worked

RULES = Rules(("wrong policy", "made up"), "wrong")


def label(value: float | None = 0.0, **fields: Any) -> Label:
    return Label(**{"item": 1, "by": "ana", "at": 1.0, "value": value, **fields})


def test_what_has_to_be_said() -> None:
    RULES.check(label(1.0))
    RULES.check(label(0.0, comment="because", kinds=("made up",)))
    RULES.check(label(None, skipped=True))
    with pytest.raises(InputError, match=r"comment: is missing .*with what is wrong"):
        RULES.check(label(0.0))
    with pytest.raises(InputError, match="comment: is missing"):
        RULES.check(label(0.7), 0.8)
    with pytest.raises(InputError, match=r"'made u' is no kind of failure .*made up"):
        RULES.check(label(1.0, kinds=("made u",)))
    with pytest.raises(InputError, match="lists those there are: none"):
        Rules().check(label(1.0, kinds=("x",)))
    with pytest.raises(InputError, match="every label"):
        Rules(comment="always").check(label(1.0))


@pytest.mark.parametrize("name", ["", " ", "a\nb", "x" * 101, "\u202ea"])
def test_what_is_no_name(name: str) -> None:
    with pytest.raises(ValueError, match="must be a name of one line"):
        name_of(name)


def test_how_much_was_done() -> None:
    some = [label(seconds=4.0), label(seconds=8.0), label(None, skipped=True), label(by="bob")]
    ana, bob = worked(some)
    assert (ana.by, ana.labelled, ana.skipped, ana.median_s) == ("ana", 2, 1, 6.0)
    assert (bob.labelled, bob.median_s) == (1, None)


def test_who_looked_at_the_judge_is_held_against_no_judge() -> None:
    items = [Item(id=n, queue="failures", flow="f", trace=f"{n}", judged=0.0, added=1.0) for n in (1, 2)]
    said = [label(item=1), label(item=2, saw=True), label(item=2, by="bob")]
    found = agreement(items, said)
    assert [(each.one, each.n) for each in found.judged if each.other == JUDGE and each.one in ("ana", "bob")] == [
        ("ana", 1),
        ("bob", 1),
    ]
    assert (found.several, found.agreed) == (1, 1)
