"""Magnitude pruning while a model is trained: of single weights, or of whole attention heads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.errors import ConfigError

FULL = 0.75
"""Share of the training after which the model is as sparse as it is to be."""


class Pruning(ABC):
    """The share s of a model's units of the smallest size, over the whole model, is 0.

    s = S (1 − (1 − p / 0.75)³) at the share p of the training's steps, and S from p = 0.75 on (Zhu and Gupta 2017, eq.
    1). A pruned unit stays 0.

    Ours: the units compete over the whole model, not within each layer; they are chosen at each step, not at each
    hundredth; and the gradient of a pruned unit counts in `clip`.

    Args:
        share: S in (0, 1).
        units: their number.
        device: of the model.
    """

    def __init__(self, share: float, units: int, device: torch.device) -> None:
        self.share = share
        self.kept = torch.ones(units, dtype=torch.bool, device=device)

    @abstractmethod
    def unit_sizes(self) -> Tensor:
        """The size of each unit.  # (units,)"""

    @abstractmethod
    def apply(self) -> None:
        """Set the units that are not kept to 0, in place."""

    @property
    def sparsity(self) -> float:
        """The share of the units that are pruned."""
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
            sizes = self.unit_sizes().masked_fill(~self.kept, -1.0)
            self.kept[sizes.topk(count, largest=False).indices] = False
        self.apply()

    def state_dict(self) -> dict[str, Tensor]:
        return {"kept": self.kept}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.kept.copy_(state["kept"])


class WeightPruning(Pruning):
    """Units are all trained parameters of two or more dimensions, one by one; the size is |w|.

    These are the weights of linear layers, convolutions, recurrences and embeddings, without biases and norms.

    Args:
        model: trained; its weights are set to 0 in place.
        share: S.
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        self.weights = [weight for weight in model.parameters() if weight.requires_grad and weight.dim() > 1]
        self.counts = [weight.numel() for weight in self.weights]
        super().__init__(share, sum(self.counts), self.weights[0].device)

    def unit_sizes(self) -> Tensor:
        return torch.cat([weight.abs().flatten() for weight in self.weights])

    def apply(self) -> None:
        for weight, kept in zip(self.weights, self.kept.split(self.counts), strict=True):
            weight.mul_(kept.view_as(weight))


class HeadPruning(Pruning):
    """Units are the heads of all attentions; the size is the norm of a head's weights in W_q, W_k, W_v and W_o.

    A pruned head adds nothing to the context. Michel, Levy and Neubig 2019, §4, prune heads by the gradient of the
    loss; the norm is that of Li et al. 2017, §3.1, for filters. The largest head of each attention is kept, so that no
    path is cut.

    Args:
        model: trained; the weights of its heads are set to 0 in place.
        share: S; at most all heads but one of each attention are pruned.

    Raises:
        ConfigError: no attention has several heads with weights of their own.
    """

    def __init__(self, model: nn.Module, share: float) -> None:
        attentions = [part.head_weights() for part in model.modules() if isinstance(part, Attention) and part.heads > 1]
        self.attentions = [[weight.detach() for weight in weights] for weights in attentions if weights]
        if not self.attentions:
            raise ConfigError(
                "`prune_heads` needs an attention of several heads with weights of their own. Found none: choose "
                "attention=multi_head, or leave it out."
            )
        self.counts = [len(weights[0]) for weights in self.attentions]
        largest = 1 - len(self.counts) / sum(self.counts)
        super().__init__(min(share, largest), sum(self.counts), self.attentions[0][0].device)

    def unit_sizes(self) -> Tensor:
        """The norm of each head; infinity of the largest of an attention."""
        sizes = [torch.cat([each.flatten(1) for each in weights], dim=1).norm(dim=1) for weights in self.attentions]
        return torch.cat([size.index_fill(0, size.argmax(), torch.inf) for size in sizes])

    def apply(self) -> None:
        for weights, kept in zip(self.attentions, self.kept.split(self.counts), strict=True):
            for weight in weights:
                weight.mul_(kept.view(-1, 1, 1))
