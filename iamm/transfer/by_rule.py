"""Migration by rule: the target takes the interest of known scenes that a rule names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor

from iamm.constraints import OneOf
from iamm.engine.sampler import evaluation_batches
from iamm.errors import nearest
from iamm.fusion.base import NO_INTEREST
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer


class ByRuleTransfer(Transfer):
    """q_t(x) = Σ_s a_s Σ_m softmax_m(cos(u, U c_sm) / τ) Q_sm with fixed a (D0 §2.3.1): no label is read.

    `nearest`: a is 1 for the known scene with the largest mean p_s over the target's unlabelled examples. `mean`: a_s
    is 1/S. `table`: a is 1 for the scene that the user names.

    D0 asks for rules and names none; these are ours.

    Args:
        rule: of the three.
        table: target → known scene; both as `target=` names them, or by the scene's full name.
    """

    def __init__(
        self,
        *,
        rule: Annotated[str, OneOf(("nearest", "mean", "table"))] = "nearest",
        table: Mapping[str, str] | None = None,
    ) -> None:
        self.rule, self.table = rule, dict(table or {})
        self.reads_unlabelled = rule == "nearest"

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        count = len(model.names)
        if self.rule == "mean":
            weights = torch.full((count,), 1 / count)
        else:
            known = self.named(material.name, model.names) if self.rule == "table" else nearest_scene(model, material)
            weights = torch.eye(count)[known]
        model.fusion.resemble(material.name, weights.to(material.device))

    def named(self, target: str, known: Sequence[str]) -> int:
        """The number of the scene that the table names for the target.

        Raises:
            ValueError: there is none.
        """
        word = next((word for name, word in self.table.items() if is_called(target, name)), None)
        if word is None:
            raise ValueError(f"`transfer.table` must name a known scene for {target}. Found none: add it.")
        chosen = [number for number, name in enumerate(known) if is_called(name, word)]
        if len(chosen) != 1:
            raise ValueError(f"`transfer.table` must name a known scene. Found {word}. {nearest(word, known)}")
        return chosen[0]


def is_called(scene: str, word: str) -> bool:
    """Whether a word is the name of a scene, or its part behind the data set's name."""
    return scene == word or scene.endswith(f"_{word}")


def nearest_scene(model: SceneNetwork, material: Material) -> int:
    """The number of the known scene that the unlabelled examples are most often recognised as."""
    return int(resemblance(model, material).argmax())


def resemblance(model: SceneNetwork, material: Material) -> Tensor:
    """Mean p over the target's unlabelled examples.  # (S,)

    Raises:
        ValueError: the fusion has no interest.
    """
    model.train(False)
    parts = []
    for rows in evaluation_batches(material.target, "unlabelled"):
        interest = model.interest(material.batch("unlabelled", rows)).get(material.name)
        if interest is None:
            raise ValueError(NO_INTEREST.format(fusion=type(model.fusion).__name__))
        parts.append(interest.recognised)
    return torch.cat(parts).double().mean(dim=0)
