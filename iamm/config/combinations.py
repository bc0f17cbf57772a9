"""A sweep's command line → the overrides of each of its runs, as Hydra's own sweeper has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iamm.config.sources import Sources


class Choices:
    """What `glob(…)` asks Hydra's loader for.

    Args:
        sources: the YAML files.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources

    def get_group_options(self, group: str, results_filter: Any = None) -> list[str]:
        return self.sources.choices(group)


def combinations(words: Sequence[str], sources: Sources) -> list[list[str]]:
    """All combinations of the values of each override, the last one's changing first.

    Raises:
        HydraException: a word that is no override, or has values without number.
    """
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    loader: Any = Choices(sources)
    read = OverridesParser.create(config_loader=loader).parse_overrides(list(words))
    return BasicSweeper.split_arguments(read, None)[0]
