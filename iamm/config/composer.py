"""Overrides are composed here to the configuration that Hydra would compose of them, a hundred times as fast.

Hydra takes some 200 ms a run, which is minutes for a sweep of a thousand. The configurations of this project are plain;
what is not plain is left to Hydra (`NotPlainError`). A test holds that both agree to the last key and its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from iamm.config.defaults import Defaults, Files
from iamm.config.mistakes import UnknownKeyError, null_key, unknown_group
from iamm.config.overrides import NotPlainError, Override, parsed
from iamm.config.references import is_reference
from iamm.config.sources import Sources
from iamm.errors import ConfigError

Tree = dict[str, Any]


class Composer:
    """A composer of configurations from the same YAML files; each distinct choice of groups is composed once.

    Args:
        sources: the YAML files.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.composed: dict[tuple[str, ...], tuple[Tree, dict[str, str]]] = {}

    def compose(self, words: Sequence[str]) -> tuple[Tree, dict[str, str]]:
        """Give the configuration, references unresolved, and the choice of each group.

        Args:
            words: overrides, as they are typed.

        Raises:
            ConfigError: a choice or a key that does not exist.
            NotPlainError: only Hydra can compose these.
        """
        choices = tuple(word for word in words if self.is_choice(parsed(word)))
        if choices not in self.composed:
            self.composed[choices] = self.of_choices(choices)
        tree, chosen = self.composed[choices]
        tree = deepcopy(tree)
        for word in words:
            if word not in choices:
                apply(tree, parsed(word))
        return tree, dict(chosen)

    def is_choice(self, override: Override) -> bool:
        if not isinstance(override.value, dict) and self.sources.is_group(override.key):
            return True
        if override.package is not None:
            raise unknown_group(override.key)
        return False

    def files(self, words: Sequence[str]) -> Files:
        """Give each YAML file that the configuration is composed of, in order, with the place of its content."""
        return Defaults(self.sources, [parsed(word) for word in words if self.is_choice(parsed(word))]).files()

    def of_choices(self, words: Sequence[str]) -> tuple[Tree, dict[str, str]]:
        defaults = Defaults(self.sources, [parsed(word) for word in words])
        tree: Tree = {}
        for path, package in defaults.files():
            content = self.sources.content(path)
            if package.split(".")[0] == "hydra" or (not package and "hydra" in content):
                raise NotPlainError(path)
            for key in reversed(package.split(".") if package else []):
                content = {key: content}
            merge(tree, content)
        return tree, defaults.chosen


def replaces(old: Any, value: Any) -> bool:
    """Tell whether a value simply takes the place of an old one: a list or mapping that of its like, or a scalar."""
    if not isinstance(value, (dict, list)):
        return True
    return not is_reference(old) and (type(old) is type(value) or not isinstance(old, (dict, list)))


def merge(tree: Tree, other: Mapping[str, Any], closed: bool = False) -> None:
    """Put all of the other into the tree, mappings into mappings; a missing value (`???`) replaces none.

    Raises:
        NotPlainError: a new key where the tree is closed, or a value that does not replace the old one.
    """
    for key, value in other.items():
        old = tree.get(key)
        if key not in tree and closed:
            raise NotPlainError(key)
        if key not in tree:
            tree[key] = deepcopy(value)
        elif isinstance(old, dict) and isinstance(value, dict):
            merge(old, value, closed)
        elif not replaces(old, value) or (is_reference(old) and value == "???"):
            raise NotPlainError(key)
        elif value != "???":
            tree[key] = deepcopy(value)


def apply(tree: Tree, override: Override) -> None:
    """Set, add or delete one key."""
    *path, last = override.key.split(".")
    node = tree
    for key in path:
        node = child_of(node, key, override)
    if not override.sign.startswith("+") and last not in node:
        raise UnknownKeyError(override.key)
    old, value = node.get(last), override.value
    if override.sign == "~":
        if old is None:
            raise null_key(override.key)
        if is_reference(old) or value is not None:
            raise NotPlainError(override)
        del node[last]
    elif isinstance(old, dict) and isinstance(value, dict):
        merge(old, value, closed=not override.sign)
    elif not replaces(old, value) or (override.sign == "+" and is_reference(old)):
        raise NotPlainError(override)
    elif override.sign == "+" and old not in (None, "???") and not isinstance(value, (dict, list)):
        key = override.key
        raise ConfigError(f"`+` adds a key that is not there yet. Found +{key}=…: write {key}=….")
    else:
        node[last] = deepcopy(value)


def child_of(node: Tree, key: str, override: Override) -> Tree:
    """Give the mapping at a key on the way to an override's own; make it where it is missing and the override adds."""
    child = node.get(key)
    if isinstance(child, list) or is_reference(child):
        raise NotPlainError(override)
    if not isinstance(child, dict):
        if not override.sign.startswith("+"):
            raise UnknownKeyError(override.key)
        child = node[key] = {}
    return child
