"""This file reads what a class states of itself from its source text, since an import of it would import torch.

A class states the constraints of its arguments in its constructor's signature, and its traits as class attributes. Both
are inherited through `class X(Base)` and imports, within the project and the packages that the user allows.
"""

from __future__ import annotations

import ast
import typing
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec, resolve_name
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from iamm import constraints
from iamm.constraints import Constraint, constraint_of
from iamm.own import is_allowed

DEEPEST = 20
"""Imports from one module to the next that are followed for a name."""


@dataclass(frozen=True)
class PartOf:
    """An argument that takes a part of a room: `attention: Callable[..., Attention]`."""

    room: str

    def holds(self, value: Any) -> bool:
        return isinstance(value, Mapping) and "_target_" in value

    def description(self) -> str:
        return f"a part, chosen by name ({self.room}=…)"


class CallableHint:
    """`Callable[..., X]` in an annotation; X may state a constraint."""

    def __class_getitem__(cls, hints: tuple[Any, Any]) -> Any:
        return Annotated[object, hints[-1]]


HINTS: Mapping[str, Any] = {
    **vars(constraints),
    **{"bool": bool, "int": int, "float": float, "str": str, "list": list, "Sequence": Sequence},
    **{"Annotated": Annotated, "Callable": CallableHint, "constraints": constraints, "typing": typing},
}
"""Names that mean the same in every annotation, wherever they are imported from."""


class Statements(NamedTuple):
    """What one class states."""

    arguments: Mapping[str, Constraint | None]
    traits: Mapping[str, Any]


class Definition(NamedTuple):
    """A name's definition, and the module in which it stands."""

    module: str
    node: ast.AST


@dataclass(frozen=True)
class Module:
    """The top level of a module: name → definition, and name → module and name that it is imported from."""

    definitions: dict[str, ast.AST] = field(default_factory=dict)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)


def trait(part: Any, name: str, default: Any = False) -> Any:
    """Give a class attribute of a part's class; the default of what is no part, or does not state it."""
    return stated(part).traits.get(name, default)


def arguments(part: Any) -> Mapping[str, Constraint | None]:
    """Give the constraints of the constructor of a part's class; empty of what cannot be read."""
    return stated(part).arguments


def stated(part: Any) -> Statements:
    target = part.get("_target_") if isinstance(part, Mapping) else None
    return statements(target) if isinstance(target, str) else Statements({}, {})


def statements(target: str) -> Statements:
    """Give what a class states, by its dotted name; nothing of what is neither the project's own nor allowed."""
    return read(target) if is_readable(target) else Statements({}, {})


def is_readable(name: str) -> bool:
    return name.startswith("iamm.") or is_allowed(name)


@cache
def read(target: str) -> Statements:
    module, _, name = target.rpartition(".")
    definition = find(module, name)
    if definition is None or not isinstance(definition.node, ast.ClassDef):
        return Statements({}, {})
    return of_class(definition.module, definition.node)


def of_class(module: str, node: ast.ClassDef) -> Statements:
    arguments: dict[str, Constraint | None] = {}
    traits: dict[str, Any] = {}
    for base in reversed(list(bases_of(module, node))):
        arguments |= base.arguments
        traits |= base.traits
    for name, value in assignments(node.body):
        try:
            traits[name] = ast.literal_eval(value)
        except ValueError:  # no plain value
            traits.pop(name, None)
    constructor = next((part for part in node.body if getattr(part, "name", "") == "__init__"), None)
    if isinstance(constructor, ast.FunctionDef):
        own = of_signature(module, constructor.args)
        return Statements({**arguments, **own} if constructor.args.kwarg else own, traits)
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        arguments |= of_fields(module, node)
    return Statements(arguments, traits)


def bases_of(module: str, node: ast.ClassDef) -> Iterator[Statements]:
    for base in node.bases:
        definition = find(module, base.id) if isinstance(base, ast.Name) else None
        if definition is not None and isinstance(definition.node, ast.ClassDef):
            yield of_class(definition.module, definition.node)


def assignments(body: Sequence[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for line in body:
        targets = line.targets if isinstance(line, ast.Assign) else [getattr(line, "target", None)]
        if isinstance(line, (ast.Assign, ast.AnnAssign)) and line.value is not None:
            yield from ((target.id, line.value) for target in targets if isinstance(target, ast.Name))


def of_signature(module: str, signature: ast.arguments) -> dict[str, Constraint | None]:
    parameters = [*signature.posonlyargs, *signature.args, *signature.kwonlyargs]
    return {one.arg: of_annotation(module, one.annotation) for one in parameters if one.arg != "self"}


def of_fields(module: str, node: ast.ClassDef) -> dict[str, Constraint | None]:
    lines = [line for line in node.body if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name)]
    return {ast.unparse(line.target): of_annotation(module, line.annotation) for line in lines}


class Names(dict[str, Any]):
    """What the names in the annotations of a module mean, found by its text.

    Raises:
        NameError: a name whose meaning is not known.
    """

    def __init__(self, module: str) -> None:
        super().__init__()
        self.module = module

    def __missing__(self, name: str) -> Any:
        definition = find(self.module, name)
        if definition is None or definition.module == constraints.__name__:
            if name in HINTS:
                return HINTS[name]
            raise NameError(name)
        if isinstance(definition.node, ast.expr):
            return evaluated(definition.module, definition.node)
        room = definition.module.split(".")[1] if definition.module.startswith("iamm.") else ""
        if definition.module == f"iamm.{room}.base" and name == room.capitalize():
            return PartOf(room)
        raise NameError(name)


def evaluated(module: str, node: ast.expr) -> Any:
    """Give the value of an annotation, with nothing at hand but `Names`."""
    return eval(compile(ast.Expression(node), module, "eval"), {"__builtins__": {}}, Names(module))


def of_annotation(module: str, node: ast.expr | None) -> Constraint | None:
    """Give the constraint that an annotation states; None where it states none, or names what is not known."""
    if node is None:
        return None
    try:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node = ast.parse(node.value, mode="eval").body
        return constraint_of(evaluated(module, node))
    except (NameError, TypeError, AttributeError, ValueError, SyntaxError):
        return None


def find(module: str, name: str) -> Definition | None:
    """Follow imports to the definition of a name."""
    for _ in range(DEEPEST):
        text = parsed(module) if is_readable(f"{module}.") else None
        if text is None or (name not in text.definitions and name not in text.imports):
            return None
        if name in text.definitions:
            return Definition(module, text.definitions[name])
        module, name = text.imports[name]
    return None


@cache
def parsed(name: str) -> Module | None:
    """Parse a module; None where there is no text that can be read."""
    file = file_of(name)
    if file is None:
        return None
    package = name if file.name == "__init__.py" else name.rpartition(".")[0]
    try:
        body = ast.parse(file.read_bytes()).body
        module = Module(dict(assignments(body)))
        for line in body:
            if isinstance(line, (ast.ClassDef, ast.FunctionDef)):
                module.definitions[line.name] = line
            elif isinstance(line, ast.ImportFrom):
                base = resolve_name("." * line.level + (line.module or ""), package)
                module.imports.update({one.asname or one.name: (base, one.name) for one in line.names})
    except (OSError, SyntaxError, ValueError, ImportError):
        return None
    return module


def file_of(module: str) -> Path | None:
    """Find the file of a module, without an import of it or of the packages around it."""
    top, *below = module.split(".")
    try:
        spec = find_spec(top)
    except (ImportError, ValueError):
        return None
    if spec is None or (spec.submodule_search_locations is None and below):
        return None
    if spec.submodule_search_locations is None:
        return Path(str(spec.origin))
    places = [Path(place, *below) for place in spec.submodule_search_locations]
    files = [file for place in places for file in (place / "__init__.py", place.with_suffix(".py"))]
    return next(filter(Path.is_file, files), None)
