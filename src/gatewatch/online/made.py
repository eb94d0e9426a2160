"""What a monitor's step makes, until it is kept as a whole."""

from gatewatch.core.watch import Alert, Marker
from gatewatch.store.watching import Entry, Unheard


class Made:
    """What a step made so far."""

    def __init__(self, unheard: Unheard, open_: dict[str, Alert]) -> None:
        self.open = open_
        self.entries: list[tuple[int, Entry]] = []
        self.states: list[tuple[int, int, bytes]] = []
        self.bases: list[tuple[int, int, bytes]] = []
        self.alerts: dict[str, Alert] = {}
        self.resolved: dict[str, str] = {}
        self.markers: dict[tuple[str, str], Marker] = {}
        self.more = self.full = False

    def raise_(self, raised: Alert) -> None:
        """An alert: the last one of its key stands."""
        self.resolved.pop(raised.key, None)
        self.alerts[raised.key] = raised

    def resolve(self, key: str, reason: str) -> None:
        """Resolve what is open of a key."""
        self.alerts.pop(key, None)
        if key in self.open:
            self.resolved[key] = reason
