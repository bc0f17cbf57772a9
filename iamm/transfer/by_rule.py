"""Migration by rule: the target takes the interest of known scenes that a rule names."""

from __future__ import annotations

import torch
from torch import Tensor

from iamm.engine.collate import all_batches
from iamm.errors import nearest
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer, require_interest


class ByRuleTransfer(Transfer):
    """q_t(x) = Σ_s a_s Σ_m softmax_m(cos(u, U c_sm) / τ) Q_sm with fixed a (D0 §2.3.1): no label is read.

    `nearest`: a is 1 for the known scene with the largest mean p_s over the target's unlabelled examples. `mean`: a_s
    is 1/S. Any other word is a known scene, whose a is 1.

    D0 asks for rules and names none; these are ours.

    Args:
        like: nearest, mean, or a known scene, by its full name or as `scenes` of its data set has it.
    """

    reads_labels = False

    def __init__(self, *, like: str = "nearest") -> None:
        self.like, self.reads_unlabelled = like, like == "nearest"

    def check(self, model: SceneNetwork, material: Material) -> None:
        require_interest(model)
        if self.like not in ("nearest", "mean"):
            self.scene(model, material)

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        count = len(model.names)
        if self.like == "mean":
            weights = torch.full((count,), 1 / count)
        else:
            weights = torch.eye(count)[self.scene(model, material)]
        model.fusion.resemble(material.name, weights.to(material.device))

    def scene(self, model: SceneNetwork, material: Material) -> int:
        """The number of the scene that the target takes its interest from.

        Raises:
            ValueError: no known scene has that name.
        """
        if self.like == "nearest":
            return int(resemblance(model, material).argmax())
        chosen = [number for number, name in enumerate(model.names) if is_called(name, self.like)]
        if len(chosen) != 1:
            raise ValueError(
                f"`transfer.like` must be nearest, mean or a known scene. Found {self.like}. "
                f"{nearest(self.like, ('nearest', 'mean', *model.names))}"
            )
        return chosen[0]


def is_called(scene: str, word: str) -> bool:
    """Whether a word is the name of a scene, or its part behind the data set's name."""
    return scene == word or scene.endswith(f"_{word}")


def resemblance(model: SceneNetwork, material: Material) -> Tensor:
    """Mean p over the target's unlabelled examples.  # (S,)"""
    model.train(False)
    batches = all_batches([material.target], "unlabelled", material.device)
    parts = [model.interest(batch)[material.name].recognised for batch in batches]
    return torch.cat(parts).double().mean(dim=0)
