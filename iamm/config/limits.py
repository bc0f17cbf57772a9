"""This file refuses a folder of YAML files that would run something, or fill the memory: it may be anybody's."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from iamm.config.check.targets import HYDRA_NODES, check_hydra, check_places
from iamm.config.groups import config_dirs, shown
from iamm.config.hydra_compat import intercepted
from iamm.errors import ConfigError

LARGEST = 1_000_000
"""Bytes of a YAML file."""
DEEPEST = 50
"""Brackets within brackets."""
MOST = 100_000
"""Values of a YAML file, with each alias (`*name`) counted as the values it stands for."""


def check_folders() -> None:
    """Check every YAML file of the folders that the command line names."""
    for folder in config_dirs():
        check_folder(folder.absolute())


@cache
def check_folder(folder: Path) -> None:
    """Check every YAML file of a folder before a parser reads it.

    Raises:
        ConfigError: the first file that is larger, deeper or in another encoding than any configuration needs.
    """
    for file in sorted(folder.rglob("*.yaml")) if os.path.isdir(folder) else ():
        if not file.is_file():
            raise ConfigError(f"What ends in .yaml must be a file. Found {shown(file)}: rename it.")
        size = file.stat().st_size
        if size > LARGEST:
            raise ConfigError(
                f"A YAML file has at most {LARGEST:,} bytes. Found {size:,} in {shown(file)}: leave it out."
            )
        content = file.read_bytes()
        check_encoding(file, content)
        steps = (1 if letter in b"[{" else -1 for letter in content if letter in b"[]{}")
        if max(accumulate(steps), default=0) > DEEPEST:
            raise ConfigError(
                f"A YAML file nests {DEEPEST} brackets at most. Found more in {shown(file)}: mend it there."
            )
        if b"&" in content and b"*" in content and value_count(content) > MOST:
            raise ConfigError(f"A YAML file holds {MOST:,} values at most. Found more in {shown(file)}, by aliases.")


def check_encoding(file: Path, content: bytes) -> None:
    """A file must be in UTF-8, without the byte-order mark behind which Hydra overlooks the header (`# @package`)."""
    try:
        marked = content.decode("utf-8").startswith("\ufeff")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"A YAML file must be plain text in UTF-8. Found byte 0x{content[error.start]:02x} at {error.start} of "
            f"{shown(file)}: save it as UTF-8."
        ) from error
    if marked:
        raise ConfigError(
            f"A YAML file begins without a byte-order mark. Found one in {shown(file)}: save it as UTF-8 without it."
        )


def value_count(content: bytes) -> float:
    """Count the values once every alias is written out; infinite where one stands for what it lies in."""
    import yaml

    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return 0  # whoever reads it next says what is wrong
    counts: dict[int, float] = {}

    def count(node: Any) -> float:
        if id(node) not in counts:
            counts[id(node)] = float("inf")  # while it is being counted
            inner = node.value if isinstance(node, yaml.CollectionNode) else []
            parts = [part for entry in inner for part in (entry if isinstance(entry, tuple) else (entry,))]
            counts[id(node)] = 1 + sum(count(part) for part in parts)
        return counts[id(node)]

    return count(root) if root is not None else 0


@contextmanager
def guarded() -> Iterator[None]:
    """While Hydra works, check each configuration that it composes before it calls anything named there."""
    with intercepted(check_nodes):
        yield


def check_nodes(config: Any) -> None:
    """Check those of Hydra's own settings that could call something or write elsewhere."""
    from omegaconf import OmegaConf

    plain: Any = OmegaConf.to_container(config.hydra)
    check_places(plain)
    nodes = {key: OmegaConf.select(config.hydra, key) for key in HYDRA_NODES}
    check_hydra(
        {
            key: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
            for key, node in nodes.items()
        }
    )
