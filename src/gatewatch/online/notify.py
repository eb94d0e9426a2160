"""Delivering word of alerts: from the store's outbox to channels, again and again until each has arrived.

A notice is sent at least once, with a key by which a receiver knows it again. It stays in the store until it was taken:
a channel that is down for an hour gets everything when it is back, in the order in which it happened. Sending goes on
beside the worker, which waits for no channel.
"""

import asyncio
import logging
import os
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol

from gatewatch.core.errors import StoreError
from gatewatch.online.channels import Wires, public
from gatewatch.online.sending import TIME_OUT_S, NotTaken, Sender
from gatewatch.store.watching import Notice

_log = logging.getLogger("gatewatch")

BEAT_S = 60.0
"""How often the heartbeat's address is asked for, at most."""
_LOOK_S = 1.0
_LEASE_S = 60.0
_BATCH_S = 30.0
"""After how long what is left of a batch goes back: long before its lease runs out."""
_MOST = 20
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 5.0, 900.0
_LONGEST_ASKED_S = 3600.0
_BUSY_S = 5.0


class Outbox(Protocol):
    """What is needed of a store (see `store.watching.Watching`)."""

    def notices(self, owner: str, now: float, until: float, most: int) -> list[Notice]:
        """Notices that are due, leased until a time."""
        ...

    def told(self, notice: int, now: float, *, retry_at: float | None = None, reason: str = "") -> None:
        """A notice was delivered, or is to be tried again at a time."""
        ...


class _Outcome(NamedTuple):
    notice: int
    retry_at: float | None = None
    reason: str = ""


class Telling:
    """Delivers what is due, beside a worker, on its event loop.

    Args:
        store: where notices are.
        wires: what channels need.
        owner: the worker's name.
        clock: seconds since the epoch.
        environment: where `$NAME` in an address is looked up.
        out: writes a line for the channel "stdout".
    """

    def __init__(
        self,
        store: Outbox,
        wires: Wires,
        *,
        owner: str,
        clock: Callable[[], float],
        environment: Mapping[str, str] = os.environ,
        out: Callable[[str], object] | None = None,
    ) -> None:
        self._store, self._wires, self._owner, self._clock = store, wires, owner, clock
        self._sender = Sender(wires, clock=clock, environment=environment, out=out)
        self._at_work: dict[str, asyncio.Task[None]] = {}  # by channel
        self._failures: dict[str, int] = {}
        self._paused: dict[str, tuple[float, str]] = {}
        self._outcomes: list[_Outcome] = []
        self._beating: asyncio.Task[None] | None = None
        self._beat = self._looked = 0.0
        self._beat_fails = False

    async def step(self) -> None:
        """Note what became of what was sent, and begin to send what is due. It waits for no channel.

        Raises:
            StoreError: the store cannot be used; nothing is forgotten.
        """
        self._settle()
        now = self._clock()
        if abs(now - self._looked) < _LOOK_S or len(self._at_work) >= _MOST:
            return
        self._looked = now
        due: defaultdict[str, list[Notice]] = defaultdict(list)
        for notice in self._store.notices(self._owner, now, now + _LEASE_S, _MOST):
            due[notice.to].append(notice)
        for to, batch in due.items():
            until, reason = self._paused.get(to, (0.0, ""))
            if to in self._at_work:
                self._put_off(batch, now + _BUSY_S, reason)
            elif now < until <= now + _LONGEST_ASKED_S:  # later ones are of a clock that went back since
                self._put_off(batch, until, reason)
            else:
                in_order = sorted(batch, key=lambda each: each.id)
                self._at_work[to] = asyncio.ensure_future(self._deliver(to, in_order))
        self._settle()

    def beat(self) -> None:
        """Say to the outside that monitors are at work; to be called whenever that is so."""
        now = self._clock()
        if not self._wires.heartbeat or abs(now - self._beat) < BEAT_S or self._beating is not None:
            return
        self._beat = now
        self._beating = asyncio.ensure_future(self._send_beat())

    async def finish(self) -> None:
        """Wait for what is being sent, and note what became of it.

        Raises:
            StoreError: the store cannot be used; nothing is forgotten.
        """
        under_way = [*self._at_work.values(), *filter(None, [self._beating])]
        if under_way:
            await asyncio.wait(under_way)
        self._settle()

    async def close(self, *, once_more: bool = False) -> None:
        """Wait for what is being sent, and let go of connections; with `once_more`, send first what is due now."""
        try:
            async with asyncio.timeout(TIME_OUT_S + 1):
                await self.finish()
                if once_more:
                    self._looked = 0.0
                    await self.step()
                    await self.finish()
        except (StoreError, TimeoutError) as error:  # the leases run out, and it is sent again
            _log.warning("alerts that were being sent are sent again later: %s", error)
        for task in [*self._at_work.values(), *filter(None, [self._beating])]:
            task.cancel()
        await self._sender.close()

    async def _deliver(self, to: str, batch: Sequence[Notice]) -> None:
        try:
            await self._send(to, batch)
        finally:
            del self._at_work[to]

    async def _send(self, to: str, batch: Sequence[Notice]) -> None:
        """Send what is due to a channel, one after the other; when it fails, the rest waits with it."""
        begun = self._clock()
        for place, notice in enumerate(batch):
            if place and abs(self._clock() - begun) > _BATCH_S:
                self._put_off(batch[place:], self._clock(), "")
                return
            try:
                await self._sender.send(notice)
            except NotTaken as error:
                retry_at = self._clock() + self._pause(to, error)
                self._outcomes.append(_Outcome(notice.id, retry_at, error.reason))
                if error.refused:  # the others may be taken
                    continue
                self._paused[to] = retry_at, error.reason
                self._put_off(batch[place + 1 :], retry_at, error.reason)
                return
            if self._failures.pop(to, 0):
                _log.warning("%s takes alerts again", public(to))
            self._paused.pop(to, None)
            self._outcomes.append(_Outcome(notice.id))

    def _pause(self, to: str, error: NotTaken) -> float:
        failures = self._failures.get(to, 0)
        if not failures:
            _log.warning("%s does not take an alert: %s (tried again until it does)", public(to), error.reason)
        self._failures[to] = failures + 1
        pause = _LONGEST_PAUSE_S if error.refused else min(_FIRST_PAUSE_S * 2 ** min(failures, 20), _LONGEST_PAUSE_S)
        return max(pause, min(error.again_s or 0.0, _LONGEST_ASKED_S))

    def _put_off(self, notices: Sequence[Notice], retry_at: float, reason: str) -> None:
        self._outcomes += [_Outcome(each.id, retry_at, reason) for each in notices]

    def _settle(self) -> None:
        while self._outcomes:
            notice, retry_at, reason = self._outcomes[0]
            self._store.told(notice, self._clock(), retry_at=retry_at, reason=reason)
            del self._outcomes[0]  # only now: should the store fail, it is noted later

    async def _send_beat(self) -> None:
        try:
            await self._sender.beat()
        except NotTaken as error:
            if not self._beat_fails:
                _log.warning("the heartbeat's address does not answer: %s (tried again every minute)", error.reason)
            self._beat_fails = True
        else:
            self._beat_fails = False
        finally:
            self._beating = None
