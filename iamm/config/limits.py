"""A folder of YAML files may be anybody's: nothing in it runs, and none of it makes this process fill the machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from itertools import accumulate
from pathlib import Path
from typing import Any

from iamm.config.check.targets import HYDRA_NODES, check_hydra
from iamm.config.hydra_compat import intercepted
from iamm.config.origin import config_dirs, shown
from iamm.errors import ConfigError

LARGEST = 1_000_000
"""Bytes of a YAML file."""
DEEPEST = 50
"""Brackets within brackets."""
MOST = 100_000
"""Values of a YAML file, those that stand for several (`*name`) counted as often as they are meant."""


def hold_files() -> None:
    """Every YAML file of the folder that the command line names."""
    for folder in config_dirs():
        hold_folder(folder.absolute())


@cache
def hold_folder(folder: Path) -> None:
    """Raises:
    ConfigError: the first file that no configuration needs.
    """
    for file in sorted(folder.rglob("*.yaml")):
        if not file.is_file():
            raise ConfigError(f"What ends in .yaml must be a file. Found {shown(file)}: rename it.")
        size = file.stat().st_size
        if size > LARGEST:
            raise ConfigError(
                f"A YAML file has at most {LARGEST:,} bytes. Found {size:,} in {shown(file)}: leave it out."
            )
        content = file.read_bytes()
        hold_encoding(file, content)
        hold_content(file, content)


def hold_encoding(file: Path, content: bytes) -> None:
    """UTF-8, without the byte-order mark behind which Hydra overlooks the header (`# @package`)."""
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


def hold_content(file: Path, content: bytes) -> None:
    """Depth before anything parses it, and the values that aliases multiply."""
    steps = (1 if letter in b"[{" else -1 for letter in content if letter in b"[]{}")
    if max(accumulate(steps), default=0) > DEEPEST:
        raise ConfigError(f"A YAML file nests {DEEPEST} brackets at most. Found more in {shown(file)}: mend it there.")
    if b"&" in content and b"*" in content and values_in(content) > MOST:
        raise ConfigError(f"A YAML file holds {MOST:,} values at most. Found more in {shown(file)}, by aliases.")


def values_in(content: bytes) -> float:
    """How many there are once every alias is written out; infinite where one stands for what it lies in."""
    import yaml

    try:
        root = yaml.compose(content, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return 0  # the next to read it says what is wrong
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
    """While Hydra is at work, each configuration that it composes is checked before it calls anything named there."""
    with intercepted(check_nodes):
        yield


def check_nodes(config: Any) -> None:
    """Those of Hydra's own settings that could call something."""
    from omegaconf import OmegaConf

    found = {key: OmegaConf.select(config.hydra, key) for key in HYDRA_NODES}
    check_hydra(
        {
            key: OmegaConf.to_container(node, resolve=True) if OmegaConf.is_config(node) else node
            for key, node in found.items()
        }
    )
