"""Magnitude pruning of a model's weights while they are trained."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

FULL = 0.75
"""Share of the training after which the model is as sparse as it is to be."""


class Pruning:
    """The share s of the weights with the smallest |w|, over the whole model, is 0.

    s = S (1 − (1 − p / 0.75)³) at the share p of the training's steps, and S from p = 0.75 on (Zhu and Gupta 2017, eq.
    1). A pruned weight stays 0. Weights are all trained parameters of two or more dimensions: those of linear layers,
    convolutions, recurrences and embeddings, without biases and norms.

    Ours: the weights compete over the whole model, not within each layer; they are chosen at each step, not at each
    hundredth; and the gradient of a pruned weight counts in `clip`.

    Args:
        model: trained; its weights are set to 0 in place.
        share: S in (0, 1).
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        self.share = share
        self.weights = [weight for weight in model.parameters() if weight.requires_grad and weight.dim() > 1]
        self.sizes = [weight.numel() for weight in self.weights]
        self.kept = torch.ones(sum(self.sizes), dtype=torch.bool, device=self.weights[0].device)  # (weights,)

    @property
    def sparsity(self) -> float:
        """The share of the weights that are pruned."""
        return 1 - int(self.kept.sum()) / len(self.kept)

    @torch.no_grad()
    def end_step(self, progress: float) -> None:
        """Prune after an optimizer step.

        Args:
            progress: p, the share of the training's steps that are done.
        """
        share = self.share * (1 - (1 - min(progress / FULL, 1.0)) ** 3)
        count = round(share * len(self.kept))
        if count > len(self.kept) - int(self.kept.sum()):
            sizes = torch.cat([weight.abs().flatten() for weight in self.weights]).masked_fill(~self.kept, -1.0)
            self.kept[sizes.topk(count, largest=False).indices] = False
        for weight, kept in zip(self.weights, self.kept.split(self.sizes), strict=True):
            weight.mul_(kept.view_as(weight))

    def state_dict(self) -> dict[str, Tensor]:
        return {"kept": self.kept}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.kept.copy_(state["kept"])
