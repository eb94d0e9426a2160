"""What people make of a failure: refused where something is missing, or where its state does not allow it."""

from pathlib import Path

import pytest

from gatewatch.checks.looping import failure, mine
from gatewatch.core.errors import InputError
from gatewatch.core.failure import Failure
from gatewatch.loop.attend import Act, attend
from gatewatch.store.base import Store
from gatewatch.store.looping import Mined
from store.making import a_store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return a_store(tmp_path)


def kept(store: Store) -> Failure:
    (found,) = mine(store, Mined(failure=failure("terms")))
    return found


def test_it_is_named_given_to_somebody_left_alone_and_looked_at_again(store: Store) -> None:
    there = kept(store)
    there = attend(store, there, "name", by="ana", now=1.0, name=" late refunds ")
    there = attend(store, there, "assign", by="ana", now=2.0, owner="mia")
    there = attend(store, there, "ignore", by="ana", now=3.0, reason="the bank's", account="token 7")
    assert (there.name, there.named_by, there.owner, there.state) == ("late refunds", "ana", "mia", "ignored")
    there = attend(store, there, "reopen", by="bob", now=4.0)
    assert (there.state, there.reason, [each.state for each in there.turns][-2:]) == (
        "new",
        "the bank's",
        ["ignored", "new"],
    )
    noted = [(each.who, each.action) for each in store.audit(0.0, 9)]
    assert noted[::-1] == [
        ("ana", "failure named"),
        ("ana", "failure new"),
        ("token 7", "failure ignored"),
        ("bob", "failure new"),
    ]


@pytest.mark.parametrize(
    ("act", "given", "told"),
    [
        ("ignore", {}, "reason: is missing"),
        ("assign", {"owner": " "}, "owner: is missing"),
        ("name", {"name": "x" * 300}, "must be of 200 letters at most"),
        ("reopen", {}, "is new: only what is ignored"),
    ],
)
def test_what_is_refused(store: Store, act: Act, given: dict[str, str], told: str) -> None:
    with pytest.raises(InputError, match=told):
        attend(store, kept(store), act, by="ana", now=1.0, **given)


def test_somebody_was_quicker(store: Store) -> None:
    seen = kept(store)
    attend(store, seen, "ignore", by="bob", now=1.0, reason="spam")
    with pytest.raises(InputError, match="somebody turned it meanwhile: it is ignored"):
        attend(store, seen, "assign", by="ana", now=2.0, owner="mia")
