"""How the project's monitors stand, and what rules would have told of: without a worker, by what is stored."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from gatewatch.config.alerting import alarming
from gatewatch.config.load import FILE
from gatewatch.config.monitors import online
from gatewatch.config.project import Project
from gatewatch.config.settings import RuleSettings
from gatewatch.core import shape, toml
from gatewatch.core.errors import ConfigError, Problem, did_you_mean
from gatewatch.online.attribute import scale_of
from gatewatch.online.backtest import Told, backtest
from gatewatch.online.detect import Fold, reference_of, state_of
from gatewatch.online.monitor import DAY_S
from gatewatch.online.probe import Measure, Plan
from gatewatch.online.watch import Watcher

if TYPE_CHECKING:
    from gatewatch.store.base import Store
    from gatewatch.store.watching import Stream


_AS_SAVED = 'write it as in gatewatch.toml: helpful = { drop = "3pp" }'


class Standing(Struct, frozen=True):
    """How a stream stands: `n` conversations of the `wanted` that its reference takes, over `days` of `wanted_days`;
    once it is learnt, how each probe stands (`near` on a logarithmic scale; `changed` until it is back)."""

    monitor: str
    flow: str
    scorer: str
    learnt: bool
    n: int
    wanted: int
    days: float
    wanted_days: float
    probes: tuple["Probed", ...] = ()


class Probed(Struct, frozen=True):
    """A probe of a scorer or signal (`name`): what it is held against and by how much that may be missed, on its own
    scale (a share, US dollars, tokens), and how near it is to its alarm (0..1).

    `measure` is how it is looked at (`online.probe.Measure`). Of durations `reference` is the share that took longer
    than `longer_than` seconds. `limit` is a rule's, for those that are held against one.
    """

    name: str
    measure: Measure
    reference: float
    tolerance: float
    near: float
    limit: float | None = None
    longer_than: float | None = None
    changed: bool = False


def standings(project: Project, store: "Store") -> list[Standing]:
    """How each stream of the project's monitors stands.

    Raises:
        ConfigError: with everything that is wrong in what the project says of live traffic.
    """
    return [_standing(monitor, stream, plan) for monitor, stream, plan in _streams(project, store)]


def _streams(project: Project, store: "Store") -> Iterator[tuple[str, "Stream", Plan]]:
    watcher = Watcher(store, online(project, bound=False).monitors, alarming(project))
    newest = {}  # by name: which fingerprint a judge has is known only where its model's key is
    for work in store.works():
        if any(work.scorer == each.scorer.name for each in watcher.watches(work.flow)):
            newest[work.flow, work.scorer] = work
    for stream, plan in watcher.plans({each.id: each for each in newest.values()}).values():
        yield watcher.alarming[stream.flow].monitor, stream, plan


def _standing(monitor: str, stream: "Stream", plan: Plan) -> Standing:
    state = state_of(stream.state)
    fold = Fold(plan, state)
    probes = []
    for probe, near in fold.near():
        reference, measured = reference_of(probe, state)
        own = scale_of(probe, measured)
        probes.append(
            Probed(
                probe.name,
                probe.measure,
                own(reference.mean, False),
                abs(own(reference.tolerance, True)),
                near,
                probe.limit,
                (measured if probe.limit is None else probe.limit) if probe.measure == "slow" else None,
                probe.key in state.fallen,
            )
        )
    return Standing(
        monitor,
        stream.flow,
        stream.scorer,
        state.learnt > 0,
        state.n,
        plan.learn_n,
        (state.newest - state.began) / DAY_S,
        plan.learn_s / DAY_S,
        tuple(probes),
    )


def tried(
    project: Project, store: "Store", monitor: str, rules: tuple[str, ...], *, since: float, until: float
) -> list[Told]:
    """What a monitor's rules would have told of in a window, with some of them replaced.

    Args:
        project: the project.
        store: its store.
        monitor: the monitor's name.
        rules: as they would stand in gatewatch.toml: `helpful = { drop = "3pp" }`.
        since: when the window begins, in seconds since the epoch.
        until: when it ends.

    Raises:
        ConfigError: there is no such monitor, or a rule is wrong.
    """
    settings = project.settings
    if monitor not in settings.monitors:
        hint = did_you_mean(monitor, settings.monitors)
        raise ConfigError(Problem(f"{FILE}: monitors", f"there is no monitor {monitor!r}", hint))
    mine = settings.monitors[monitor]
    alert = replace(mine.alert, rules={**mine.alert.rules, **_read(rules)})
    monitors = {**settings.monitors, monitor: replace(mine, alert=alert)}
    changed = Project(project.root, replace(settings, monitors=monitors))
    said = {each.monitor: each for each in alarming(changed)}
    return [
        backtest(store, stream, plan, said[name], since=since, until=until)
        for name, stream, plan in _streams(changed, store)
        if name == monitor
    ]


def _read(rules: tuple[str, ...]) -> dict[str, RuleSettings]:
    found: dict[str, RuleSettings] = {}
    for each in rules:
        where = f"--rule {each!r}"
        try:
            read = shape.convert(toml.parse(each), dict[str, RuleSettings])
        except ValueError as error:
            raise ConfigError(Problem(where, f"not TOML: {error}", _AS_SAVED)) from None
        if isinstance(read, list):
            raise ConfigError(Problem(f"{where}: {at}", what, hint or _AS_SAVED) for at, what, hint in read)
        found |= read
    return found
