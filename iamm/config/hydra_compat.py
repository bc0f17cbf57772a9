"""This file uses what is internal to Hydra and OmegaConf, so that a new version of theirs can break only this file."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

BASIC = "hydra._internal.core_plugins.basic_"
"""The names of Hydra's own sweeper and launcher begin so."""


def arguments(words: Sequence[str]) -> Namespace:
    """Parse a command line as Hydra does."""
    from hydra._internal.utils import get_args_parser

    return get_args_parser().parse_args(list(words))


def read_override(word: str) -> Any:
    """Parse one word to Hydra's `Override`.

    Raises:
        HydraException: it is no override, or has several values.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.types import RunMode

    overrides = OverridesParser.create().parse_overrides([word])
    ConfigLoaderImpl.validate_sweep_overrides_legal(overrides, RunMode.RUN, from_shell=True)
    return overrides[0]


class Choices:
    """The part of Hydra's loader that `glob(…)` needs.

    Args:
        of: group → its choices.
    """

    def __init__(self, of: Callable[[str], list[str]]) -> None:
        self.of = of

    def get_group_options(self, group: str, results_filter: Any = None) -> list[str]:
        return self.of(group)


def combinations(words: Sequence[str], choices: Callable[[str], list[str]]) -> list[list[str]]:
    """Give the overrides of each run of a sweep, as Hydra's own sweeper does: the last one's values change first.

    Raises:
        HydraException: a word is no override, or has endless values.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    loader: Any = Choices(choices)
    overrides = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    return BasicSweeper.split_arguments(overrides, None)[0]


@contextmanager
def intercepted(check: Callable[[Any], None]) -> Iterator[None]:
    """Pass each configuration that Hydra composes to `check` before anything named in it is called."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    load = ConfigLoaderImpl.load_configuration

    def checked(self: Any, *args: Any, **options: Any) -> Any:
        config = load(self, *args, **options)
        check(config)
        return config

    setattr(ConfigLoaderImpl, "load_configuration", checked)  # noqa: B010
    try:
        yield
    finally:
        setattr(ConfigLoaderImpl, "load_configuration", load)  # noqa: B010
