"""Selection of trained and frozen parameters."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase

from torch import nn

from iamm.engine.evaluate import Network
from iamm.errors import ConfigError, nearest

PARTS = {"encoder": "encoders", "head": "heads"}
"""Names in `freeze` → names of the network's attributes, where they differ."""


def trained(parameters: Iterable[nn.Parameter]) -> list[nn.Parameter]:
    return [parameter for parameter in parameters if parameter.requires_grad]


def trained_paths(
    model: Network, groups: Sequence[Sequence[str]]
) -> tuple[list[list[nn.Parameter]], list[nn.Parameter], list[nn.Parameter]]:
    """Trained parameters of each scene's head, and those in front of the heads, shared by several scenes or private.

    Args:
        model: a `SceneNetwork`.
        groups: names of the trained scenes of each data set.
    """
    names = [name for group in groups for name in group]
    heads = dict(zip(model.names, model.head_parameters(), strict=True))
    shared = trained(model.shared_parameters(groups)) if len(names) > 1 else []
    several = set(shared)
    private = [parameter for parameter in trained(model.trunk_parameters()) if parameter not in several]
    return [trained(heads[name]) for name in names], shared, private


def trained_names(model: nn.Module) -> frozenset[str]:
    return frozenset(name for name, parameter in model.named_parameters() if parameter.requires_grad)


def train_only(model: nn.Module, names: frozenset[str]) -> None:
    """Train only these parameters, and clear the gradients of all."""
    for name, parameter in model.named_parameters():
        parameter.grad = None
        parameter.requires_grad_(name in names)


def freeze(model: nn.Module, patterns: Sequence[str]) -> None:
    """Freeze the parameters whose full name, or a prefix of it up to a dot, matches a pattern.

    Args:
        model: a `SceneNetwork`.
        patterns: such as `encoder`, `head.digits`, `fusion.*.bias`, `*.digits`.

    Raises:
        ConfigError: a pattern matches no parameter, or all parameters are frozen.
    """
    named = list(model.named_parameters(remove_duplicate=False))  # a shared module has a name for each of its scenes
    names = [name for name, _ in named]
    for pattern in patterns:
        if not any(matches(name, pattern) for name in names):
            known = {".".join(name.split(".")[:depth]) for name in names for depth in (1, 2)}
            raise ConfigError(
                f"`freeze` must name parameters. Found {pattern}, which matches none. {nearest(pattern, known)}"
            )
    for name, parameter in named:
        if any(matches(name, pattern) for pattern in patterns):
            parameter.requires_grad_(False)
    if not trained(model.parameters()):
        raise ConfigError(f"A phase must train something. Found all frozen by {', '.join(patterns)}: leave some out.")


def begin_training(model: Network) -> None:
    """Set the model to training, but for a batch norm whose scale is frozen: its statistics are frozen, too."""
    model.train()
    for norm in batch_norms(model.modules()):
        if not trained(norm.parameters()):
            norm.eval()


def batch_norms(modules: Iterable[nn.Module]) -> list[nn.modules.batchnorm._BatchNorm]:
    return [module for module in modules if isinstance(module, nn.modules.batchnorm._BatchNorm)]


def freeze_parts(parts: Iterable[nn.Module], others: Iterable[nn.Module]) -> None:
    """Freeze the parameters of `parts` that no module of `others` has."""
    used = {parameter for part in others for parameter in part.parameters()}
    for part in parts:
        for parameter in part.parameters():
            parameter.requires_grad_(parameter.requires_grad and parameter in used)


def matches(name: str, pattern: str) -> bool:
    first, dot, rest = pattern.partition(".")
    whole = f"{PARTS.get(first, first)}{dot}{rest}"
    return fnmatchcase(name, whole) or fnmatchcase(name, f"{whole}.*")
