"""Importing what a project names: its scorer file, its tasks and hooks."""

import importlib
import sys
import traceback
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from gatewatch.core.errors import ConfigError, InputError, Problem, did_you_mean
from gatewatch.scorers.rubric_file import home


def import_module(root: Path, name: str, where: str) -> ModuleType:
    """Import a module of the project, by its dotted name or its file.

    Raises:
        ConfigError: when there is no such module, or it fails on import; the message has the line that failed.
    """
    dotted = name.removesuffix(".py").replace("/", ".").lstrip(".")
    _enter(root, dotted.partition(".")[0])
    before = home.set(root)
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name is not None and (dotted == error.name or dotted.startswith(f"{error.name}.")):
            hint = f"looked in {root} and in what is installed"
            raise ConfigError(Problem(where, f"there is no module {dotted!r}", hint)) from None
        raise ConfigError(Problem(where, _failure(root, name, error))) from None
    except InputError as error:  # a rubric that the file loads, say: each of its problems
        at = _line(root, error)
        raise ConfigError(Problem(where, f"{name} cannot be imported{at}: {each}") for each in error.problems) from None
    except (Exception, SystemExit) as error:
        raise ConfigError(Problem(where, _failure(root, name, error))) from None
    finally:
        home.reset(before)


_entered: list[Path] = []  # the project whose folder we put on the path


def _enter(root: Path, head: str) -> None:
    """Have the project's folder come first, so that a module is the project's own if it has one of that name.

    A process may work on one project after another (a notebook, tests): the folder and the modules of the one before
    are forgotten, and so is a module of the same name that came from elsewhere.
    """
    for other in _entered:
        if other != root:
            with suppress(ValueError):
                sys.path.remove(str(other))
            _forget(name for name, module in list(sys.modules.items()) if _lies_in(other, name, module))
    if _entered != [root] or str(root) not in sys.path:
        sys.path.insert(0, str(root))
    _entered[:] = [root]
    loaded = sys.modules.get(head)
    if loaded is not None and _own(root, head) and not _lies_in(root, head, loaded):
        _forget([head])


def _own(root: Path, head: str) -> bool:
    return any(path.is_file() for path in (root / f"{head}.py", root / head / "__init__.py"))


def _lies_in(root: Path, head: str, module: ModuleType) -> bool:
    """Whether a top-level module was imported from a folder."""
    facts = getattr(module, "__dict__", {})  # not the module itself: some load more when they are asked
    file = facts.get("__file__")
    if file is None:  # a folder without __init__.py
        return str(root / head) in list(facts.get("__path__", ()))
    if Path(file).stem not in (head, "__init__"):
        return False
    return Path(file).resolve() in ((root / f"{head}.py").resolve(), (root / head / "__init__.py").resolve())


def _forget(heads: Iterable[str]) -> None:
    for head in list(heads):
        for name in [name for name in sys.modules if name == head or name.startswith(f"{head}.")]:
            del sys.modules[name]
    importlib.invalidate_caches()


def _failure(root: Path, name: str, error: BaseException) -> str:
    """What went wrong in the user's own code, with the line it went wrong at."""
    if isinstance(error, SyntaxError):
        return f"{name} cannot be imported: {error.filename}:{error.lineno}: {error.msg}"
    return f"{name} cannot be imported: {type(error).__name__}: {error}{_line(root, error)}"


def _line(root: Path, error: BaseException) -> str:
    """The last line of the project's own code that an error came through, in brackets."""
    frames = [each for each in traceback.extract_tb(error.__traceback__) if Path(each.filename).is_relative_to(root)]
    return f" ({Path(frames[-1].filename).relative_to(root)}:{frames[-1].lineno})" if frames else ""


def named_object(root: Path, reference: str, where: str) -> Any:
    """What `module:name` names.

    Raises:
        ConfigError: when it names nothing.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ConfigError(Problem(where, f"expected module:function, got {reference!r}"))
    found: Any = import_module(root, module_name, where)
    for part in name.split("."):
        if not hasattr(found, part):
            public = [each for each in dir(found) if not each.startswith("_") and callable(getattr(found, each, None))]
            raise ConfigError(Problem(where, f"{module_name} has no {name!r}", did_you_mean(part, public)))
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(Problem(where, f"{reference} is not a function", f"it is of type {type(found).__name__}"))
    return found
