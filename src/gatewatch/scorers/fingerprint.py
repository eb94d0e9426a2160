"""The identity of a scorer: two scores compare only when the same ruler made them.

A user's function is identified by its normalised source (comments, layout, docstrings and annotations do not count),
the functions of the same project that it calls, module-level constants it reads, its defaults and closure values. Our
own scorers are identified by a declared version and their parameters.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from msgspec import Struct

from gatewatch.core.codec import digest, plain

FINGERPRINT_LENGTH = 12


class Identity(Struct, frozen=True):
    """A fingerprint, and the digests of the named parts that it is made of, so that a difference can be named."""

    parts: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits over all parts."""
        return digest(self.parts, FINGERPRINT_LENGTH)


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names of the parts in which two identities differ."""
    return sorted(part for part in {*before, *after} if before.get(part) != after.get(part))


def declared(name: str, version: str, parameters: Mapping[str, Any] | None = None) -> Identity:
    """The identity of a scorer that states its version."""
    parts = {"version": f"{name} {version}"}
    for key, value in (parameters or {}).items():
        parts[f"parameter {key}"] = _value_digest(value)
    return Identity(parts)


def of_function(fn: Callable[..., Any]) -> Identity:
    """The identity of a user's function, from its source and all that it leans on in the same project."""
    parts: dict[str, str] = {}
    _collect(fn, "source", _root_of(fn), parts, set())
    return Identity(parts)


def _root_of(fn: Callable[..., Any]) -> Path | None:
    """The folder whose functions count as the same project's: where the function's top-level package or file lies."""
    try:
        file = Path(inspect.getfile(fn)).resolve()
    except (TypeError, OSError):
        return None
    depth = fn.__module__.count(".")
    return file.parents[min(depth, len(file.parents) - 1)]


def _collect(fn: Any, label: str, root: Path | None, parts: dict[str, str], seen: set[int]) -> None:
    fn = inspect.unwrap(fn)
    if id(fn) in seen:
        return
    seen.add(id(fn))
    parts[label] = digest(_normalised(fn))
    if not isinstance(fn, FunctionType):
        return
    for name, value in _defaults(fn):
        parts[f"{label}: default {name}"] = _value_digest(value)
    for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
        try:
            value = cell.cell_contents
        except ValueError:  # an empty cell: the name is bound later
            continue
        _note(f"closure {name}", value, label, root, parts, seen)
    for name in sorted(_global_names(fn.__code__)):
        if name in fn.__globals__:
            _note(name, fn.__globals__[name], label, root, parts, seen)


def _note(name: str, value: Any, label: str, root: Path | None, parts: dict[str, str], seen: set[int]) -> None:
    """Add what a function refers to: a function of the same project, or a constant. Libraries are left out."""
    if isinstance(value, ModuleType):
        return
    if isinstance(value, FunctionType | type):
        if _same_project(value, root):
            _collect(value, f"calls {value.__qualname__}", root, parts, seen)
        return
    inner = getattr(value, "fn", None)
    if isinstance(inner, FunctionType):  # another scorer of the project
        _collect(inner, f"calls {inner.__qualname__}", root, parts, seen)
        return
    parts[f"{label}: {name}"] = _value_digest(value)


def _same_project(value: Any, root: Path | None) -> bool:
    module = sys.modules.get(getattr(value, "__module__", "") or "")
    file = getattr(module, "__file__", None)
    if root is None or file is None or "site-packages" in file:
        return False
    return Path(file).resolve().is_relative_to(root)


def _global_names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _global_names(constant)
    return names


def _defaults(fn: FunctionType) -> list[tuple[str, Any]]:
    return [(p.name, p.default) for p in inspect.signature(fn).parameters.values() if p.default is not p.empty]


def _value_digest(value: Any) -> str:
    try:
        return digest(plain(value))
    except ValueError:
        # No stable text: its type must do, since a repr may hold an address that changes from run to run.
        pattern = getattr(value, "pattern", None)
        return digest([type(value).__qualname__, str(pattern)] if pattern is not None else type(value).__qualname__)


def _normalised(fn: Any) -> str:
    """A function's source as its syntax tree says it, without docstrings, decorators, annotations and layout."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    except (OSError, TypeError, SyntaxError):
        # No source (made at a prompt, or a lambda inside an expression): the compiled code has to do.
        code = getattr(fn, "__code__", None)
        return repr((code.co_code, _constants(code), code.co_names)) if code is not None else repr(type(fn))
    return ast.unparse(ast.fix_missing_locations(_Bare().visit(tree)))


def _constants(code: CodeType) -> list[Any]:
    return [_constants(c) if isinstance(c, CodeType) else repr(c) for c in code.co_consts]


class _Bare(ast.NodeTransformer):
    """Takes away what does not change what a function does."""

    def _strip(self, node: Any) -> Any:
        self.generic_visit(node)
        node.decorator_list = []
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
            node.body = node.body[1:] or [ast.Pass()]
        return node

    visit_ClassDef = _strip  # noqa: N815 - the name that ast looks for

    def visit_FunctionDef(self, node: ast.FunctionDef) -> Any:
        node.returns = None
        return self._strip(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> Any:
        node.returns = None
        return self._strip(node)

    def visit_arg(self, node: ast.arg) -> Any:
        # `output: str` asks for text, so that this one annotation does count.
        if not (isinstance(node.annotation, ast.Name) and node.annotation.id == "str"):
            node.annotation = None
        return node
