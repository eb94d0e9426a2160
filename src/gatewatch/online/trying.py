"""Trying channels: a notice that says it is a test, sent now."""

from collections.abc import Sequence
from uuid import uuid4

from gatewatch.core.clock import wall
from gatewatch.core.watch import Alert
from gatewatch.online.channels import Wires
from gatewatch.online.sending import NotTaken, Sender
from gatewatch.store.watching import Notice


async def tried(every: Sequence[str], wires: Wires, who: str) -> dict[str, str]:
    """Send a test in somebody's name: why each channel did not take it, "" where it did."""
    now, sender, reasons = wall(), Sender(wires, clock=wall), dict[str, str]()
    alert = Alert(
        key="test",
        flow="",
        kind="no_data",
        name="test",
        severity="info",
        title=f"this is a test, sent by {who}: nothing is wrong",
        opened=now,
        updated=now,
    )
    try:
        for to in every:
            try:
                await sender.send(Notice(0, f"test-{uuid4().hex}", to, "opened", alert))
                reasons[to] = ""
            except NotTaken as error:
                reasons[to] = error.reason
    finally:
        await sender.close()
    return reasons
