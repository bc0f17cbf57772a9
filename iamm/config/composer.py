"""A plain command line → the configuration that Hydra would compose of it, a hundred times as fast.

What Hydra does for everybody takes some 200 ms a run; the configurations of this project are plain, and a sweep of a
thousand runs shall not wait for minutes. Whatever is not plain is left to Hydra (`NotPlainError`); a test holds that
both agree to the last key and its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from iamm.config.defaults import Defaults
from iamm.config.mistakes import NullKeyError, UnknownGroupError, UnknownKeyError
from iamm.config.overrides import NotPlainError, Word, parsed
from iamm.config.sources import Sources
from iamm.errors import ConfigError

Tree = dict[str, Any]


class Composer:
    """Composes configurations of the same YAML files; what the choice of groups alone decides is kept.

    Args:
        sources: the YAML files.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.kept: dict[tuple[str, ...], tuple[Tree, dict[str, str]]] = {}

    def compose(self, words: Sequence[str]) -> tuple[Tree, dict[str, str]]:
        """The configuration, references unresolved, and what was chosen in each group.

        Args:
            words: overrides, as they are typed.

        Raises:
            ConfigError: a choice or a key that is not there.
            NotPlainError: only Hydra can tell.
        """
        read = {word: parsed(word) for word in words}
        groups = tuple(word for word in words if self.is_choice(read[word]))
        if groups not in self.kept:
            self.kept[groups] = self.chosen([read[word] for word in groups])
        tree, taken = self.kept[groups]
        tree = copied(tree)
        for word in words:
            if word not in groups:
                override(tree, read[word])
        return tree, dict(taken)

    def is_choice(self, word: Word) -> bool:
        if not isinstance(word.value, dict) and self.sources.is_group(word.key):
            return True
        if word.package is not None:
            raise UnknownGroupError(word.key)
        return False

    def chosen(self, words: Sequence[Word]) -> tuple[Tree, dict[str, str]]:
        defaults = Defaults(self.sources, words)
        tree: Tree = {}
        for path, package in defaults.parts():
            source = self.sources.read(path)
            assert source is not None
            if package.split(".")[0] == "hydra" or (not package and "hydra" in source.content):
                raise NotPlainError(path)
            merge(tree, nested(package, source.content))
        return tree, defaults.known


def nested(package: str, content: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in reversed(package.split(".") if package else []):
        content = {key: content}
    return content


def copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: copied(part) for key, part in value.items()}
    return [copied(part) for part in value] if isinstance(value, list) else value


def is_reference(value: Any) -> bool:
    return isinstance(value, str) and "${" in value


def plain_over(old: Any, value: Any) -> bool:
    """Whether it is plain what becomes of an old value: a list or mapping replaces its like, or a scalar."""
    if not isinstance(value, (dict, list)):
        return True
    return not is_reference(old) and (type(old) is type(value) or not isinstance(old, (dict, list)))


def merge(tree: Tree, other: Mapping[str, Any], closed: bool = False) -> None:
    """Put all of the other into the tree, mappings into mappings; what is missing (`???`) hides nothing.

    Args:
        closed: whether a new key is an error, which Hydra words.
    """
    for key, value in other.items():
        if key not in tree:
            if closed:
                raise NotPlainError(key)
            tree[key] = copied(value)
            continue
        old = tree[key]
        if isinstance(old, dict) and isinstance(value, dict):
            merge(old, value, closed)
        elif not plain_over(old, value) or (is_reference(old) and value == "???"):
            raise NotPlainError(key)
        elif value != "???":
            tree[key] = copied(value)


def override(tree: Tree, word: Word) -> None:
    """Set, add or delete one key."""
    *path, last = word.key.split(".")
    node = tree
    for key in path:
        node = below(node, key, word)
    if not word.sign.startswith("+") and last not in node:
        raise UnknownKeyError(word.key)
    old, value = node.get(last), word.value
    if word.sign == "~":
        if old is None:
            raise NullKeyError(word.key)
        if is_reference(old) or value is not None:
            raise NotPlainError(word)
        del node[last]
    elif isinstance(old, dict) and isinstance(value, dict):
        merge(old, value, closed=not word.sign)
    elif not plain_over(old, value) or (word.sign == "+" and is_reference(old)):
        raise NotPlainError(word)
    elif word.sign == "+" and old not in (None, "???") and not isinstance(value, (dict, list)):
        raise ConfigError(f"`+` adds a key that is not there yet. Found +{word.key}=…: write {word.key}=….")
    else:
        node[last] = copied(value)


def below(node: Tree, key: str, word: Word) -> Tree:
    """The mapping at the key, on the way to the word's own; a new one in place of what is none, if the word may add."""
    child = node.get(key)
    if isinstance(child, list) or is_reference(child):
        raise NotPlainError(word)
    if not isinstance(child, dict):
        if not word.sign.startswith("+"):
            raise UnknownKeyError(word.key)
        child = node[key] = {}
    return child
