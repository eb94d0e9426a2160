"""One thread that makes requests of the spans of a project's store, once nothing more is heard of their trace."""

import logging
import threading
from collections.abc import Callable

from gatewatch.config.serving import Serving
from gatewatch.core.clock import monotonic
from gatewatch.core.errors import StoreError
from gatewatch.online.settle import Made, Pauses, settle
from gatewatch.store.base import Store

_log = logging.getLogger("gatewatch")
_EVERY_S = 1.0
_FORGET_EVERY_S = 30.0
_AT_ONCE = 500


class Settler:
    """The settling thread of one store; `made` is told of each pass that made something."""

    def __init__(
        self, store: Store, serving: Serving, clock: Callable[[], float], made: Callable[[Made], object]
    ) -> None:
        self._store = store
        self._ways = serving.ways
        self._pauses = Pauses(settle_s=serving.settle_s, quiet_s=serving.quiet_s)
        self._reopen_s = serving.reopen_s
        self._clock = clock
        self._made = made
        self._stop = threading.Event()
        self._caught_up = self._forgot = monotonic()
        self._trouble = ""
        self._thread = threading.Thread(target=self._work, name="gatewatch-settle", daemon=True)
        self._thread.start()

    def lag_s(self) -> float:
        """For how many seconds there has been more to do than was done."""
        return max(0.0, monotonic() - self._caught_up - _EVERY_S)

    def close(self) -> None:
        """End the thread, once the traces at hand are made."""
        self._stop.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._stop.is_set():
            more = False
            try:
                more = self._pass()
                self._trouble = ""
            except StoreError as error:
                self._say(str(error))
            except Exception as error:  # whatever it is, what comes later is to be settled all the same
                self._say(f"{type(error).__name__}: {error}")
            if not more:
                self._stop.wait(_EVERY_S)

    def _pass(self) -> bool:
        began = monotonic()
        found = settle(self._store, self._ways, clock=self._clock, pauses=self._pauses, most=_AT_ONCE)
        if found.new or found.amended or found.unmade:
            self._made(found)
        if not found.more:
            self._caught_up = began
        if began - self._forgot > _FORGET_EVERY_S:
            now = self._clock()
            # A trace is known to be closed for as long as its request is kept: what comes late must not remake it.
            kept = 0.0 if self._ways.keep_s is None else now - self._reopen_s - self._ways.keep_s
            if self._store.forget_spans(now - self._reopen_s, max(0.0, kept), _AT_ONCE):
                return True
            self._forgot = began
        return found.more

    def _say(self, trouble: str) -> None:
        if trouble != self._trouble:
            self._trouble = trouble
            _log.warning("spans cannot be settled now: %s", trouble)
