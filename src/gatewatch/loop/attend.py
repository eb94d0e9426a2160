"""What people make of a failure: it is left alone, looked at again, given to somebody, called something else."""

from typing import TYPE_CHECKING, Literal

from gatewatch.core.errors import InputError, Problem
from gatewatch.core.failure import Failure, FailureState, failure_name

if TYPE_CHECKING:
    from gatewatch.store.base import Store

Act = Literal["ignore", "reopen", "assign", "name"]
_LONGEST = 200


def attend(
    store: "Store",
    failure: Failure,
    act: Act,
    *,
    by: str,
    now: float,
    reason: str = "",
    owner: str = "",
    name: str = "",
    account: str = "",
) -> Failure:
    """Do something about a failure, with a note of it in the audit, and give it as it is then.

    Args:
        store: where it is.
        failure: the failure, as whoever acts saw it.
        act: "ignore" needs a `reason`, "assign" an `owner`, "name" a `name`.
        by: who does it.
        now: in seconds since the epoch.
        reason: why; what was said before stays where it is "".
        owner: who sees to it.
        name: what it is called from now on.
        account: who is noted, if that is another than `by`.

    Raises:
        InputError: something is missing, or its state does not allow that, or somebody turned it meanwhile.
    """
    given = {"ignore": ("reason", reason), "assign": ("owner", owner), "name": ("name", name)}.get(act)
    if given is not None and not given[1].strip():
        raise InputError(Problem(given[0], "is missing", _WHY[act]))
    for what, text in (("reason", reason), ("owner", owner), ("name", name)):
        if len(text) > _LONGEST:
            raise InputError(Problem(what, f"must be of {_LONGEST} letters at most"))
    _check(act, failure)
    states: dict[Act, FailureState] = {"ignore": "ignored", "reopen": "new"}
    state = states.get(act, failure.state)
    found = store.turn_failure(
        failure.id,
        state,
        who=by,
        reason=reason.strip() or failure.reason,
        now=now,
        among=(failure.state,),
        owner=owner.strip() or None,
        name=name.strip() or None,
    )
    if found is None:
        raise InputError(Problem(failure_name(failure.id), "is there no more"))
    if found.state != state:
        _check(act, found)
        what = f"somebody turned it meanwhile: it is {word(found.state)}"
        raise InputError(Problem(failure_name(failure.id), what, "look at it, and do it again"))
    store.note(now, account or by, "failure named" if act == "name" else f"failure {state}", failure_name(found.id))
    return found


_WHY = {"ignore": "why is it left alone?", "assign": "who sees to it?", "name": "what is it called?"}


def _check(act: Act, failure: Failure) -> None:
    """Refuse what a failure's state does not allow."""
    name = failure_name(failure.id)
    if act == "reopen" and failure.state != "ignored":
        raise InputError(Problem(name, f"is {word(failure.state)}: only what is ignored is looked at again"))
    if act == "assign" and failure.state == "fixed":
        raise InputError(Problem(name, "is fixed: nobody need see to it"))


def word(state: FailureState) -> str:
    """A state in words."""
    return state.replace("_", " ")
