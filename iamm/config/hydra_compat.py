"""What Hydra and OmegaConf have only inside: the one file that a new version of theirs can break."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

BASIC = "hydra._internal.core_plugins.basic_"
"""How the names of Hydra's own sweeper and launcher begin."""


def yaml_loader() -> Any:
    """OmegaConf's class of loaders, which tells numbers from words as all else here does."""
    from omegaconf._utils import get_yaml_loader

    return get_yaml_loader()


def arguments(words: Sequence[str]) -> Namespace:
    """A command line as Hydra reads it."""
    from hydra._internal.utils import get_args_parser

    return get_args_parser().parse_args(list(words))


def read_override(word: str) -> Any:
    """Hydra's `Override` of one word.

    Raises:
        HydraException: no override, or one with several values.
    """
    from hydra._internal.config_loader_impl import ConfigLoaderImpl
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.types import RunMode

    read = OverridesParser.create().parse_overrides([word])
    ConfigLoaderImpl.validate_sweep_overrides_legal(read, RunMode.RUN, from_shell=True)
    return read[0]


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
    """The overrides of each run of a sweep, as Hydra's own sweeper has them: the last one's values change first.

    Raises:
        HydraException: a word that is no override, or has values without number.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    loader: Any = Choices(choices)
    read = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    return BasicSweeper.split_arguments(read, None)[0]


@contextmanager
def intercepted(check: Callable[[Any], None]) -> Iterator[None]:
    """Hand each configuration that Hydra composes to `check` before anything named there is called."""
    from hydra._internal.config_loader_impl import ConfigLoaderImpl

    load = ConfigLoaderImpl.load_configuration

    def checked(self: Any, *args: Any, **words: Any) -> Any:
        config = load(self, *args, **words)
        check(config)
        return config

    setattr(ConfigLoaderImpl, "load_configuration", checked)  # noqa: B010
    try:
        yield
    finally:
        setattr(ConfigLoaderImpl, "load_configuration", load)  # noqa: B010
