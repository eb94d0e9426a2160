"""A label line: what one person says of one case or trace, as it stands in a file; and a verdict line of a judge."""

from typing import Annotated

from msgspec import Meta, Struct

Value = bool | int | float | str
Probability = Annotated[float, Meta(ge=1e-9, le=1)]
"""One over it is a weight: of much less, sums of weights are no numbers any more."""


class LabelLine(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What one person says: of which case or trace, by which scorer's scale, who, and when.

    `output` is a digest of the output that was labelled, as `gatewatch show` tells it: of any other the label says
    nothing.
    `pi` is the probability with which it was drawn to be labelled. `source` says how it came to be labelled: "random"
    (or nothing), or what it was chosen by ("mined", "thumbs_down"); what was chosen counts only where its `pi` is
    recorded.
    """

    case: str = ""
    trace: str = ""
    trial: int | None = None
    output: str = ""
    scorer: str = ""
    value: Value
    by: str = ""
    at: str = ""
    pi: Probability | None = None
    source: str = ""
    slice: str = ""
    cluster: str = ""
    comment: str = ""


class VerdictLine(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a judge said of a case, recorded elsewhere; `value` is null where its reply could not be read.

    `orders` are a pairwise judge's choices ("a", "b", "tie" or null) with a shown first, and with b shown first.
    `length` is the output's length, or the two outputs'; `own` says that the output is of the judge's own model, or
    which of two is.
    """

    case: str
    value: Value | None
    orders: tuple[str | None, str | None] | None = None
    length: int | tuple[int, int] | None = None
    own: bool | str | None = None
    slice: str = ""
    cluster: str = ""
