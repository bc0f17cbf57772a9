"""Which parameters are trained, and which are frozen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn

from iamm.errors import ConfigError, nearest

PARTS = {"encoder": "encoders", "head": "heads"}
"""Rooms whose parts a network holds under another word."""


def trained(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]


def trained_names(model: nn.Module) -> frozenset[str]:
    return frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def train_only(model: nn.Module, names: frozenset[str]) -> None:
    """Train these parameters and no others; no old gradient is left in any."""
    for name, parameter in model.named_parameters():
        parameter.grad = None
        parameter.requires_grad_(name in names)


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Freeze the parameters whose names the patterns match, whole or up to a dot.

    Args:
        model: a `SceneNetwork`.
        patterns: such as `encoder`, `head.digits`, `fusion.*.bias`, `*.digits`.

    Raises:
        ConfigError: a pattern that matches nothing; nothing is left to train.
    """
    names = [name for name, _ in model.named_parameters()]
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            known = {".".join(name.split(".")[:depth]) for name in names for depth in (1, 2)}
            raise ConfigError(
                f"`freeze` must name parameters. Found {pattern}, which matches none. {nearest(pattern, known)}"
            )
    for name, parameter in model.named_parameters():
        if any(matches(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    if not trained(model.parameters()):
        raise ConfigError(f"A phase must train something. Found all frozen by {', '.join(patterns)}: leave some out.")


def matches(name: str, pattern: str) -> bool:
    first, dot, rest = pattern.partition(".")
    whole = f"{PARTS.get(first, first)}{dot}{rest}"
    return fnmatchcase(name, whole) or fnmatchcase(name, f"{whole}.*")
