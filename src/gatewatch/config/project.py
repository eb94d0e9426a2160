"""The composition root: from settings to the models and scorers that they name."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from gatewatch.config.composites import COMPOSITES, composite, composites_last
from gatewatch.config.imports import import_module
from gatewatch.config.load import FILE, find, load, shortest
from gatewatch.config.settings import Settings
from gatewatch.core.errors import ConfigError, InputError, Problem, among_many, did_you_mean
from gatewatch.scorers.base import Scorer
from gatewatch.scorers.library import BUILT_INS, LISTED, make

if TYPE_CHECKING:
    from gatewatch.models.client import OpenAIClient
    from gatewatch.models.embeddings import Embedder
    from gatewatch.models.local import LocalEmbedder
    from gatewatch.models.prices import Prices
    from gatewatch.models.settings import ModelSettings

_log = logging.getLogger("gatewatch")
RUNS = Path(".gatewatch") / "runs"
T = TypeVar("T")


def runs_of(start: Path) -> Path:
    """The folder of runs of the project that a folder belongs to, whatever the project's settings look like."""
    file = find(start)
    return (start if file is None else file.parent) / RUNS


def _written(root: Path) -> tuple[int, int]:
    """The state of the settings' file: its length, and when it was written; zeros where there is none."""
    try:
        found = (root / FILE).stat()
    except OSError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


class Problems(list[Problem]):
    """Problems gathered from steps that are all tried."""

    @contextmanager
    def gather(self) -> Iterator[None]:
        """Keep the problems of one step, and go on."""
        try:
            yield
        except InputError as error:
            self.extend(error.problems)

    def read(self, read: Callable[[str], T], text: str, where: str, instead: T) -> T:
        """What a text says; where `read` raises a ValueError, that is a problem, and `instead` is given."""
        try:
            return read(text)
        except ValueError as error:
            self.append(Problem(where, str(error)))
            return instead

    def raise_any(self) -> None:
        """Raise what was gathered, if anything was."""
        if self:
            raise ConfigError(dict.fromkeys(self))


class Project:
    """A project: its folder, its settings, and what they name, made when asked for.

    Models are shared by all that name them, so that they keep one pace and one set of connections.
    """

    def __init__(self, root: Path, settings: Settings | None = None, *, fresh: bool = False) -> None:
        self.root = root
        self.settings = settings or Settings()
        self.runs = root / RUNS
        self.fresh = fresh
        self.models: dict[str, OpenAIClient] = {}
        self.embedders: dict[str, LocalEmbedder] = {}
        self._scorers: dict[str, Scorer] | None = None
        self._read_at = _written(root)

    @classmethod
    def open(cls, start: Path | None = None, *, required: bool = True) -> "Project":
        """The project that a folder (the current one by default) belongs to.

        Raises:
            ConfigError: when its settings are wrong, or there are none although they are `required`.
        """
        path = find(start or Path.cwd())
        if path is not None:
            return cls(path.parent, load(path))
        if required:
            where = str(start or Path.cwd())
            raise ConfigError(Problem(where, f"no {FILE} here or above", "start a project with `gatewatch init`"))
        return cls(start or Path.cwd())

    def follow(self) -> None:
        """Take in the settings as the file has them by now, for what runs for long. While the file is wrong, or gone,
        those before hold, and the log says so, once."""
        written = _written(self.root)
        if written == self._read_at:
            return
        self._read_at = written
        try:
            self.settings = load(self.root / FILE)
        except (InputError, OSError) as error:
            _log.warning("the settings are as they were, for the file cannot be used: %s", error)
        else:
            self.models, self.embedders, self._scorers = {}, {}, None

    def anew(self) -> "Project":
        """The same project with models that have no reply cache: what is asked again is answered again."""
        return Project(self.root, self.settings, fresh=True)

    # Models

    def model_settings(self, name: str) -> "ModelSettings":
        """The settings of the model configured under a name, with its address taken from the environment where it is
        `$NAME`.

        Raises:
            ConfigError: when none is, or that variable is not set.
        """
        settings, where = self.settings.models.get(name), f"{FILE}: models.{name}"
        if settings is None:
            raise ConfigError(Problem(where, "is named, but not configured", did_you_mean(name, self.settings.models)))
        if settings.base_url.startswith("$"):
            address = os.environ.get(settings.base_url[1:], "").strip()
            if not address:
                raise ConfigError(Problem(f"{where}.base_url", f"{settings.base_url[1:]} is not set", "export it"))
            return replace(settings, base_url=address)
        return settings

    def model(self, name: str) -> "OpenAIClient":
        """The model configured under a name.

        Raises:
            ConfigError: when none is, or it lacks what it needs (a key, an address).
        """
        if name not in self.models:
            if self.model_settings(name).path:
                what = "is a local model (path), which embeds texts: it cannot judge, or answer a prompt"
                raise ConfigError(Problem(f"{FILE}: models.{name}", what, "name a provider's model"))
            from gatewatch.models.cache import ReplyCache
            from gatewatch.models.client import OpenAIClient, check
            from gatewatch.models.pace import Pace

            settings = self.model_settings(name)
            problems = [Problem(f"{FILE}: models.{name}", text) for text in check(settings, os.environ)]
            if problems:
                raise ConfigError(problems)
            cached = settings.cache and not self.fresh
            cache = ReplyCache(self.root / ".gatewatch" / "cache.db") if cached else None
            pace = Pace(concurrency=settings.concurrency, rpm=settings.rpm, tpm=settings.tpm)
            self.models[name] = OpenAIClient(name, settings, pace=pace, cache=cache, prices=self.prices)
        return self.models[name]

    def embedder(self, name: str) -> "Embedder":
        """The model configured under a name, as one that embeds texts: a provider's, or one of this machine.

        Raises:
            ConfigError: when none is, or it lacks what it needs.
        """
        settings = self.model_settings(name)
        if not settings.path:
            return self.model(name)
        if name not in self.embedders:
            from gatewatch.models.local import LocalEmbedder, check_folder

            where = f"{FILE}: models.{name}"
            folder = self.root / settings.path
            problems = [Problem(where, text) for text in check_folder(folder)]
            if problems:
                raise ConfigError(problems)
            self.embedders[name] = LocalEmbedder(name, folder)
        return self.embedders[name]

    @property
    def prices(self) -> "Prices":
        """The table of prices, with the project's own over it."""
        from gatewatch.models.prices import Prices

        return Prices(self.settings.prices)

    async def close(self) -> None:
        """Let go of the models' connections."""
        for model in self.models.values():
            await model.close()

    def pace(self) -> dict[str, Any]:
        """The pace that each model in use has settled on."""
        return {name: model.pace.state() for name, model in self.models.items()}

    # Scorers

    def scorers(self) -> dict[str, Scorer]:
        """The project's own scorers, by name: those of its scorer file and of `[scorers]`.

        Raises:
            ConfigError: with all that is wrong in either.
        """
        if self._scorers is None:
            problems = Problems()
            found: dict[str, Scorer] = {}
            if self.settings.project.scorers:
                where = f"{FILE}: project.scorers"
                with problems.gather():
                    module = import_module(self.root, self.settings.project.scorers, where)
                    for each in vars(module).values():
                        if isinstance(each, Scorer) and found.setdefault(each.name, each) is not each:
                            problems.append(
                                Problem(where, f"two scorers are named {each.name!r}", "name one otherwise")
                            )
            for name, table in composites_last(self.settings.scorers):
                where = f"{FILE}: scorers.{name}"
                if name in found:
                    problems.append(
                        Problem(where, f"is also in {self.settings.project.scorers}", "name one of the two otherwise")
                    )
                with problems.gather():
                    found[name] = self._configured_scorer(name, table, where, found)
            problems.raise_any()
            self._scorers = found
        return self._scorers

    def _configured_scorer(self, name: str, table: dict[str, Any], where: str, made: dict[str, Scorer]) -> Scorer:
        options = dict(table)
        if "name" in options:
            raise ConfigError(Problem(f"{where}.name", "unknown field", f"the scorer's name is {name!r}, the table's"))
        use = options.pop("use", "judge" if "rubric" in options else "")
        if not use:
            raise ConfigError(Problem(f"{where}.use", "missing", did_you_mean("", {*BUILT_INS, *COMPOSITES})))
        if not isinstance(use, str):
            raise ConfigError(
                Problem(f"{where}.use", f"expected text, got {use!r}", did_you_mean("", {*BUILT_INS, *COMPOSITES}))
            )
        if use in COMPOSITES:
            return composite(name, use, options, where, made)
        for key in ("rubric", "schema", "words"):
            if isinstance(options.get(key), str):
                options[key] = shortest(self.root / options[key])
        try:
            return make(use, {"name": name, **options})
        except ValueError as error:
            raise ConfigError(Problem(where, str(error))) from None

    def scorer(self, name: str, where: str) -> Scorer:
        """A scorer by name, with the models that it names, ready to be called.

        Raises:
            ConfigError: when there is none of that name, or its model is not configured or lacks its key.
        """
        return self.bound(self.named(name, where))

    def named(self, name: str, where: str) -> Scorer:
        """A scorer by name: the project's own, or one of ours with its usual options. Its models are not bound yet.

        Raises:
            ConfigError: when there is none of that name.
        """
        own = self.scorers()
        if name not in own and name not in BUILT_INS:
            raise ConfigError(Problem(where, *self._no_scorer(name, own)))
        if name in own:
            return own[name]
        try:
            return make(name, {})
        except ValueError as error:
            raise ConfigError(Problem(where, str(error), f"give its options in [scorers.{name}]")) from None

    def _no_scorer(self, name: str, own: Iterable[str]) -> tuple[str, str]:
        """What to say of a name that no scorer has: what is wrong, and a hint."""
        file = self.settings.project.scorers
        if file and callable(vars(import_module(self.root, file, f"{FILE}: project.scorers")).get(name)):
            return f"{file} has a function {name} without @scorer", f"put @scorer above def {name}"
        return f"there is no scorer {name!r}", among_many(name, [*own, *BUILT_INS], LISTED)

    def bound(self, scorer: Scorer) -> Scorer:
        """A scorer with the models that it names."""
        return scorer if scorer.bind_models is None else scorer.bind_models(self)
