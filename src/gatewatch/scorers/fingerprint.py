"""The identity of a scorer: two scores compare only when the same ruler made them.

A user's function is identified by its normalised source (comments, layout, docstrings and annotations do not count),
the functions of the same project that it calls, module-level constants it reads, its defaults and closure values, all
as they were when first looked at: what an application keeps in them while it runs is no part of it. Our own scorers are
identified by a declared version and their parameters.
"""

import ast
import dis
import inspect
import os
import re
import sys
import sysconfig
import textwrap
from collections.abc import Callable, Mapping, Set
from contextlib import suppress
from pathlib import Path, PurePath
from types import CodeType, FunctionType, ModuleType
from typing import Any
from weakref import WeakKeyDictionary

from msgspec import Struct

from gatewatch.core.codec import digest

FINGERPRINT_LENGTH = 12
_DEEPEST = 20
_STORE_GLOBAL = dis.opmap["STORE_GLOBAL"]


class Identity(Struct, frozen=True):
    """A fingerprint, and the digests of the named parts that it is made of, so that a difference can be named."""

    parts: dict[str, str]

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits over all parts."""
        return digest(self.parts, FINGERPRINT_LENGTH)


class _Look(Struct, frozen=True):
    """The constant that a name stood for when it was first looked at, and its digest then."""

    value: Any
    digest: str


# Of each function by the names that it uses. The functions of a module that is loaded anew are others.
_LOOKS: WeakKeyDictionary[FunctionType, dict[str, _Look]] = WeakKeyDictionary()


def changed(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """The names of the parts in which two identities differ."""
    return sorted(part for part in {*before, *after} if before.get(part) != after.get(part))


def declared(version: str, parameters: Mapping[str, Any] | None = None) -> Identity:
    """The identity of a scorer that states its version."""
    parts = {"version": version}
    for key, value in (parameters or {}).items():
        parts[f"parameter {key}"] = digest(_stable(value))
    return Identity(parts)


def of_function(fn: Callable[..., Any]) -> Identity:
    """The identity of a user's function, from its source and all that it leans on in the same project."""
    collector = _Collector(_root_of(fn))
    collector.function(fn, "source")
    return Identity(collector.parts)


def _root_of(fn: Callable[..., Any]) -> Path | None:
    """The folder whose functions count as the same project's: where the function's top-level package or file lies."""
    fn = inspect.unwrap(fn)
    try:
        file = Path(inspect.getfile(fn)).resolve()
    except (TypeError, OSError):
        return None
    depth = fn.__module__.count(".")
    return file.parents[min(depth, len(file.parents) - 1)]


class _Collector:
    """Walks from a function to what it leans on, and keeps a digest for each part."""

    def __init__(self, root: Path | None) -> None:
        self.parts: dict[str, str] = {}
        self._root = root
        self._seen: set[int] = set()

    def function(self, fn: Any, label: str) -> None:
        """Take in a function or a class: its source, then what its code refers to."""
        fn = inspect.unwrap(fn)
        if id(fn) in self._seen:
            return
        self._seen.add(id(fn))
        self.parts[label] = digest(_normalised(fn))
        for each in map(_plain_function, vars(fn).values()) if isinstance(fn, type) else [fn]:
            if isinstance(each, FunctionType):
                self._references(each, label)

    def _references(self, fn: FunctionType, label: str) -> None:
        looks = _LOOKS.setdefault(fn, {})
        for parameter in inspect.signature(fn).parameters.values():
            if parameter.default is not parameter.empty:
                self._value(label, f"default {parameter.name}", parameter.default, looks)
        for name, cell in zip(fn.__code__.co_freevars, fn.__closure__ or (), strict=True):
            with suppress(ValueError):  # an empty cell: the name is bound later
                self._value(label, f"closure {name}", cell.cell_contents, looks, bound=True)
        names, bound = _global_names(fn.__code__), _bound_by(fn.__code__) | _bound_in(fn.__globals__)
        for name in sorted(names & fn.__globals__.keys()):
            self._value(label, name, fn.__globals__[name], looks, names, bound=name in bound)

    def _value(
        self,
        label: str,
        name: str,
        value: Any,
        looks: dict[str, _Look],
        names: Set[str] = frozenset(),
        *,
        bound: bool = False,
    ) -> None:
        """Take in what a name refers to: a function of the same project, or a constant. Libraries are left out.

        Of a module of the same project, what the code's `names` may reach through it is taken in. A constant is what it
        was when first looked at; another one under its name is looked at too, unless the application itself `bound` it.
        """
        if bound and name in looks:
            value = looks[name].value
        if isinstance(value, ModuleType):
            if id(value) not in self._seen and self._is_ours(value):
                self._seen.add(id(value))
                space = vars(value)
                bound_there = _bound_in(space)
                for each in sorted(names & space.keys()):
                    self._value(label, f"{name}.{each}", space[each], looks, names, bound=each in bound_there)
        elif isinstance(value, FunctionType | type):
            module = sys.modules.get(value.__module__)
            if module is not None and self._is_ours(module):
                self.function(value, f"calls {self._file(module)}.{value.__qualname__}")
        elif isinstance(_read(value, "fn"), FunctionType) and _read(value, "inline") is False:
            self.function(value.fn, f"calls the scorer {value.name}")
        elif isinstance(_read(value, "fingerprint"), str):
            self.parts[f"{label}: {name}"] = value.fingerprint
        else:
            if name not in looks or looks[name].value is not value:
                looks[name] = _Look(value, digest(_stable(value, self._root)))
            self.parts[f"{label}: {name}"] = looks[name].digest

    def _file(self, module: ModuleType) -> str:
        """A module by its file, which is the same whether that is run or imported."""
        file = Path(module.__file__ or "").resolve().with_suffix("")
        return ".".join(file.relative_to(self._root).parts) if self._root is not None else file.stem

    def _is_ours(self, module: ModuleType) -> bool:
        file = getattr(module, "__file__", None)
        if self._root is None or file is None or "site-packages" in file or "dist-packages" in file:
            return False
        path = Path(file).resolve()
        return path.is_relative_to(self._root) and not path.is_relative_to(sysconfig.get_paths()["stdlib"])


def _plain_function(member: Any) -> Any:
    """What a class calls a method, as the function that it is."""
    if isinstance(member, property):
        return member.fget
    return getattr(member, "__func__", member) if isinstance(member, staticmethod | classmethod) else member


def _read(value: Any, name: str) -> Any:
    """An attribute of a stranger's object, which may fail at being asked."""
    try:
        return getattr(value, name, None)
    except Exception:  # what a property or a lazy module raises is its own
        return None


def _global_names(code: CodeType) -> set[str]:
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _global_names(constant)
    return names


def _bound_in(space: Mapping[str, Any]) -> set[str]:
    """The names of a module that its own functions and methods bind: a client made when first asked for, a counter."""
    names: set[str] = set()
    for member in list(space.values()):
        for each in map(_plain_function, vars(member).values()) if isinstance(member, type) else [member]:
            if isinstance(each, FunctionType) and each.__globals__ is space:
                names |= _bound_by(each.__code__)
    return names


def _bound_by(code: CodeType) -> set[str]:
    names: set[str] = set()
    if _STORE_GLOBAL in code.co_code[::2]:  # before the slower look
        names = {each.argval for each in dis.get_instructions(code) if each.opcode == _STORE_GLOBAL}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            names |= _bound_by(constant)
    return names


def _stable(value: Any, root: Path | None = None, depth: int = 0) -> Any:
    """A value as text that is the same in every process and on every machine."""
    if depth > _DEEPEST:
        return "..."
    if isinstance(value, dict):
        pairs = ((repr(_stable(key, root, depth + 1)), _stable(item, root, depth + 1)) for key, item in value.items())
        return ["dict", sorted(pairs, key=lambda pair: pair[0])]
    if isinstance(value, list | tuple):
        return ["list", [_stable(item, root, depth + 1) for item in value]]
    if isinstance(value, set | frozenset):
        return ["set", sorted(repr(_stable(item, root, depth + 1)) for item in value)]
    if isinstance(value, re.Pattern):
        return ["pattern", repr(value.pattern), value.flags]
    if isinstance(value, CodeType):
        return ["code", _code(value)]
    if isinstance(value, PurePath):  # where the project lies is no part of what it measures
        return ["path", str(value.relative_to(root)) if root and value.is_relative_to(root) else value.name]
    kind = type(value).__qualname__
    if value is os.environ:
        return kind
    try:
        said = repr(value)
    except Exception:  # a stranger's object may fail at saying what it is: then its type has to do
        return kind
    # A repr may hold an address, which changes from run to run: then the type has to do.
    return kind if " at 0x" in said else said


def _code(code: CodeType) -> list[Any]:
    return [code.co_code.hex(), [_stable(constant) for constant in code.co_consts], list(code.co_names)]


def _normalised(fn: Any) -> Any:
    """A function's source as its syntax tree says it, without docstrings, decorators, annotations and layout."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(fn)))
    except (OSError, TypeError, SyntaxError):
        # No source (made at a prompt, or a lambda inside an expression): the compiled code has to do.
        code = getattr(fn, "__code__", None)
        return type(fn).__qualname__ if code is None else _code(code)
    return ast.unparse(ast.fix_missing_locations(_Bare().visit(tree)))


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

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        self.generic_visit(node)
        if node.value is not None:
            return ast.Assign(targets=[node.target], value=node.value)
        node.annotation = ast.Constant(None)  # kept for its name: it may be a field of a dataclass
        return node

    def visit_arg(self, node: ast.arg) -> Any:
        # `output: str` asks for text, so that this one annotation does count.
        if not (isinstance(node.annotation, ast.Name) and node.annotation.id == "str"):
            node.annotation = None
        return node
