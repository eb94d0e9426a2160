"""What is known of a flow's failures before it is mined anew: the failures, and the requests that are their items."""

from collections import defaultdict

from gatewatch.core.failure import Failure
from gatewatch.core.review import Item
from gatewatch.loop.gather import Found, read
from gatewatch.loop.group import Known
from gatewatch.loop.likeness import normal, template
from gatewatch.store.base import Store

_MOST = 1_000_000
_READ = 20  # items of a failure whose texts it is known by


class Before:
    """The failures of a flow, by number, with their items."""

    def __init__(self, store: Store, flow: str) -> None:
        self._store = store
        self.failures = {each.id: each for each in store.failures(flow)}
        self.items: defaultdict[int, list[Item]] = defaultdict(list)
        self.home: dict[str, int] = {}  # of a trace, the failure that its first item is of
        for item in store.items(queue="failures", flow=flow, most=_MOST):
            if item.failure in self.failures:
                self.items[item.failure].append(item)
                self.home.setdefault(item.trace, item.failure)

    def sign_of(self, found: Found) -> str:
        """The sign that a request counts under: that of the failure whose item it is, else its first."""
        home = self.failures.get(self.home.get(found.trace, 0))
        names = [sign.name for sign in found.signs]
        return home.sign if home is not None and home.sign in names else names[0]

    def of(self, sign: str) -> list[Known]:
        """The failures of a sign, by what their items are."""
        return [self._known(each) for each in self.failures.values() if each.sign == sign]

    def _known(self, failure: Failure) -> Known:
        items = self.items[failure.id]
        if failure.rest:  # what nobody looked at is in no case
            items = [item for item in items if item.state == "settled"]
        typical = sorted(items, key=lambda item: (not item.representative, item.id))[:_READ]
        traces = ((item, self._store.item_trace(item.id)) for item in typical)
        texts = [(item, read(trace)[0]) for item, trace in traces if trace]
        keys = tuple(template(normal(text)) for _, text in texts)
        near = [text for item, text in texts if item.representative and text and not failure.rest]
        return Known(failure, frozenset(item.trace for item in items), keys, tuple(near))
