"""What a variant states of itself, read from its source text: importing it would import torch.

A class states the constraints of its arguments in its constructor's signature and its traits as class attributes. Both
are inherited through `class X(Base)` and imports, within the project and the packages that the user allows.
"""

from __future__ import annotations

import ast
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from iamm import constraints
from iamm.config.check.targets import is_allowed
from iamm.constraints import Constraint, constraint_of

DEEPEST = 20
"""Imports from one module to the next, before a name counts as not there."""
HINTS: Mapping[str, Any] = {
    **{name: value for name, value in vars(constraints).items() if not name.startswith("_")},
    **{"bool": bool, "int": int, "float": float, "str": str, "list": list, "Sequence": Sequence},
    **{"Annotated": Annotated, "Callable": Callable, "ClassVar": typing.ClassVar},
}
"""What a name in an annotation means, wherever it is imported from."""
KINDS = (constraints.Number, constraints.OneOf, constraints.ListOf, constraints.OrNull, constraints.Text)


@dataclass(frozen=True)
class PartOf:
    """An argument that takes a part of a room: `attention: Callable[..., Attention]`."""

    room: str

    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping) and "_target_" in value

    def words(self) -> str:
        return f"a part, chosen by name ({self.room}=…)"


class Statements(NamedTuple):
    """Of one class."""

    arguments: Mapping[str, Constraint | None]
    traits: Mapping[str, Any]


class Definition(NamedTuple):
    """A name's definition, and the module that it stands in."""

    module: str
    node: ast.AST


@dataclass(frozen=True)
class Source:
    """The top level of a module."""

    definitions: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


def trait(part: Any, name: str, default: Any = False) -> Any:
    """A class attribute of a part's class; the default of what is no part, or does not state it."""
    return stated(part).traits.get(name, default)


def arguments(part: Any) -> Mapping[str, Constraint | None]:
    """The constraints of the constructor of a part's class; empty of what cannot be read."""
    return stated(part).arguments


def stated(part: Any) -> Statements:
    target = part.get("_target_") if isinstance(part, Mapping) else None
    return statements(target) if isinstance(target, str) else Statements({}, {})


def statements(target: str) -> Statements:
    """Of a dotted name; none of what is neither the project's own nor allowed."""
    return read(target) if is_readable(target) else Statements({}, {})


def is_readable(name: str) -> bool:
    return name.startswith("iamm.") or is_allowed(name)


@cache
def read(target: str) -> Statements:
    module, _, name = target.rpartition(".")
    found = find(module, name)
    is_class = found is not None and isinstance(found.node, ast.ClassDef)
    return of_class(*found) if is_class else Statements({}, {})  # type: ignore[misc]


def of_class(module: str, node: ast.ClassDef) -> Statements:
    bases = [of_class(*found) for found in bases_of(module, node)]
    inherited = {key: rule for base in reversed(bases) for key, rule in base.arguments.items()}
    traits = {key: value for base in reversed(bases) for key, value in base.traits.items()}
    traits |= {name: literal(value) for name, value in assignments(node.body)}
    traits = {name: value for name, value in traits.items() if value is not Any}
    constructor = next((part for part in node.body if getattr(part, "name", "") == "__init__"), None)
    if isinstance(constructor, ast.FunctionDef):
        own = of_signature(module, constructor.args)
        return Statements({**inherited, **own} if constructor.args.kwarg else own, traits)
    fields = of_fields(module, node) if any("dataclass" in ast.unparse(mark) for mark in node.decorator_list) else {}
    return Statements({**inherited, **fields}, traits)


def bases_of(module: str, node: ast.ClassDef) -> Iterator[tuple[str, ast.ClassDef]]:
    for base in node.bases:
        found = find(module, base.id) if isinstance(base, ast.Name) else None
        if found is not None and isinstance(found.node, ast.ClassDef):
            yield found.module, found.node


def literal(node: ast.expr) -> Any:
    """A plain value; Any for what is none."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        return Any


def assignments(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for line in body:
        target = line.targets[0] if isinstance(line, ast.Assign) else getattr(line, "target", None)
        if isinstance(line, (ast.Assign, ast.AnnAssign)) and isinstance(target, ast.Name) and line.value is not None:
            yield target.id, line.value


def of_signature(module: str, signature: ast.arguments) -> dict[str, Constraint | None]:
    given = [*signature.posonlyargs, *signature.args, *signature.kwonlyargs]
    return {one.arg: of_annotation(module, one.annotation) for one in given if one.arg != "self"}


def of_fields(module: str, node: ast.ClassDef) -> dict[str, Constraint | None]:
    lines = [line for line in node.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)]
    return {ast.unparse(line.target): of_annotation(module, line.annotation) for line in lines}


def of_annotation(module: str, node: ast.expr | None) -> Constraint | None:
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        node = ast.parse(node.value, mode="eval").body
    return None if node is None else constraint_of(hint(module, node))


def hint(module: str, node: ast.AST) -> Any:
    """The value of an annotation, or of what stands in one; Any for what is not known."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return named(module, node.id)
        case ast.Attribute():
            return HINTS.get(node.attr, Any)
        case ast.Tuple() | ast.List():
            return tuple(hint(module, part) for part in node.elts)
        case ast.UnaryOp(op=ast.USub()):
            return -hint(module, node.operand)
        case ast.BinOp(op=ast.BitOr()):
            return hint(module, node.left) | hint(module, node.right)
        case ast.Subscript():
            return generic(hint(module, node.value), hint(module, node.slice))
        case ast.Call():
            return called(hint(module, node.func), module, node)
    return Any


def generic(origin: Any, inner: Any) -> Any:
    if origin is Callable:
        return Annotated[object, inner[-1]]
    return origin[inner] if origin in (Annotated, Sequence, list) else Any


def called(kind: Any, module: str, node: ast.Call) -> Any:
    given = [hint(module, value) for value in node.args]
    words = {str(word.arg): hint(module, word.value) for word in node.keywords}
    return kind(*given, **words) if kind in KINDS and Any not in [*given, *words.values()] else Any


def named(module: str, name: str) -> Any:
    """What a name in an annotation means: a hint, a constant, or a room's base class."""
    found = find(module, name)
    if found is None or found.module == constraints.__name__:
        return HINTS.get(name, Any)
    if isinstance(found.node, ast.ClassDef):
        room = found.module.split(".")[1] if found.module.startswith("iamm.") else ""
        return PartOf(room) if found.module == f"iamm.{room}.base" and name == room.capitalize() else Any
    return hint(found.module, found.node)


def find(module: str, name: str) -> Definition | None:
    """Follow imports to where a name is defined."""
    for _ in range(DEEPEST):
        text = source(module) if is_readable(f"{module}.") else None
        if text is None or (name not in text.definitions and name not in text.imports):
            return None
        if name in text.definitions:
            return Definition(module, text.definitions[name])
        module, name = text.imports[name]
    return None


@cache
def source(module: str) -> Source | None:
    """None where there is no text that can be read."""
    file, is_package = file_of(module)
    try:
        body = ast.parse(file.read_bytes()).body if file else []
    except (OSError, SyntaxError, ValueError):
        return None
    found = Source(dict(assignments(body)))
    for line in body:
        if isinstance(line, (ast.ClassDef, ast.FunctionDef)):
            found.definitions[line.name] = line
        elif isinstance(line, ast.ImportFrom):
            base = absolute(module, is_package, line)
            found.imports.update({one.asname or one.name: (base, one.name) for one in line.names})
    return found


def absolute(module: str, is_package: bool, line: ast.ImportFrom) -> str:
    """The module that a line imports from, dots of a relative import resolved."""
    if not line.level:
        return line.module or ""
    above = module.split(".")[: len(module.split(".")) + is_package - line.level]
    return ".".join([*above, *([line.module] if line.module else [])])


def file_of(module: str) -> tuple[Path | None, bool]:
    """A module's file, without an import of it or of what is above it; and whether it is a package's."""
    top, *below = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None, False
    if spec is None or (below and spec.submodule_search_locations is None):
        return None, False
    places = spec.submodule_search_locations or [str(spec.origin).removesuffix(".py")]
    for place in (Path(place, *below) for place in places):
        if (place / "__init__.py").is_file():
            return place / "__init__.py", True
        if place.with_suffix(".py").is_file():
            return place.with_suffix(".py"), False
    return None, False
