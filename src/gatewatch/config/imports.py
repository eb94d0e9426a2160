"""Importing what a project names: its scorer file, its tasks and hooks."""

import importlib
import sys
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any

from gatewatch.core.errors import ConfigError, Problem, did_you_mean


def import_module(root: Path, name: str, where: str) -> ModuleType:
    """Import a module of the project, by its dotted name or its file.

    Raises:
        ConfigError: when there is no such module, or it fails on import; the message has the line that failed.
    """
    dotted = name.removesuffix(".py").replace("/", ".").lstrip(".")
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    _forget_foreign(root, dotted)
    try:
        return importlib.import_module(dotted)
    except ModuleNotFoundError as error:
        if error.name is not None and (dotted == error.name or dotted.startswith(f"{error.name}.")):
            hint = f"looked in {root} and in what is installed"
            raise ConfigError(Problem(where, f"there is no module {dotted!r}", hint)) from None
        raise ConfigError(Problem(where, _failure(root, name, error))) from None
    except (Exception, SystemExit) as error:
        raise ConfigError(Problem(where, _failure(root, name, error))) from None


def _forget_foreign(root: Path, dotted: str) -> None:
    """Forget a module of the same name that another project of this process brought in."""
    head = dotted.partition(".")[0]
    loaded = sys.modules.get(head)
    own = [root / f"{head}.py", root / head / "__init__.py"]
    if loaded is None or not any(path.is_file() for path in own):
        return
    file = getattr(loaded, "__file__", None)
    if file is not None and Path(file).resolve() not in [path.resolve() for path in own]:
        for name in [name for name in sys.modules if name == head or name.startswith(f"{head}.")]:
            del sys.modules[name]
        importlib.invalidate_caches()


def _failure(root: Path, name: str, error: BaseException) -> str:
    """What went wrong in the user's own code, with the line it went wrong at."""
    if isinstance(error, SyntaxError):
        return f"{name} cannot be imported: {error.filename}:{error.lineno}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.startswith(str(root))]
    at = f" ({Path(frames[-1].filename).relative_to(root)}:{frames[-1].lineno})" if frames else ""
    return f"{name} cannot be imported: {type(error).__name__}: {error}{at}"


def named_object(root: Path, reference: str, where: str) -> Any:
    """What `module:name` names.

    Raises:
        ConfigError: when it names nothing.
    """
    module_name, _, name = reference.partition(":")
    if not module_name or not name:
        raise ConfigError(Problem(where, f"expected module:function, got {reference!r}"))
    module = import_module(root, module_name, where)
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            public = [each for each in vars(module) if not each.startswith("_") and callable(getattr(module, each))]
            raise ConfigError(Problem(where, f"{module_name} has no {name!r}", did_you_mean(name, public)))
        found = getattr(found, part)
    if not callable(found):
        raise ConfigError(Problem(where, f"{reference} is a {type(found).__name__}, not a function"))
    return found
