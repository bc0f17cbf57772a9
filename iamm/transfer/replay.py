"""Training goes on with the known scenes beside the target's few labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from iamm.constraints import Count, Positive
from iamm.dataset.base import SceneBatch
from iamm.encoder.base import present_mean
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material, Transfer, descend, scene_like
from iamm.transfer.prototypes import require_classifier


class Read(NamedTuple):
    """What a classifier makes of a scene's B present examples: loss, z (B, D) before the last layer, logits (B, C)."""

    loss: Tensor
    vectors: Tensor
    logits: Tensor


class ReplayTransfer(Transfer):
    """θ ← AdamW(θ, ∇ [mean_s L_s + L_t + λ P]), over a batch of each known scene and one of the target's labels a step.

    All parameters are trained. The known scenes are those that share the target's head. Without labels L_t is 0. Here P
    is 0; subclasses bring the target's inputs without labels and those of the known scenes together by a P of theirs.

    Args:
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples of each scene a step; fewer where there are fewer.
    """

    weight = 0.0

    def __init__(self, *, steps: Count = 100, rate: Positive = 1e-3, batch: Count = 32) -> None:
        self.steps, self.rate, self.batch = steps, rate, batch

    def check(self, model: SceneNetwork, material: Material) -> None:
        require_classifier(model.heads[material.name])

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        size = self.batch
        known = material.known_batches(model, size)
        labelled = material.batches("train", size) if material.labelled else None
        unlabelled = material.batches("unlabelled", size)

        def loss(step: int) -> Tensor:
            reads = [read(model, batch(step), material.name) for batch in known]
            total = torch.stack([each.loss for each in reads]).mean()
            if labelled is not None:
                total = total + read(model, labelled(step), material.name).loss
            if self.weight:
                penalty = self.penalty(reads, read(model, unlabelled(step), material.name), step)
                total = total + self.weight * penalty
            return total

        descend(model, [*model.parameters(), *self.own_parameters()], loss, self.steps, self.rate)

    def own_parameters(self) -> Iterable[nn.Parameter]:
        """Parameters of P, which are trained beside the model's."""
        return ()

    def penalty(self, known: Sequence[Read], target: Read, step: int) -> Tensor:
        """P of the known scenes' batches and the target's batch without labels, whose loss means nothing.

        Args:
            known: what is read of each known scene's batch.
            target: of the target's.
            step: the number of steps that are done.

        Shapes:
            returns ()
        """
        raise NotImplementedError


def read(model: SceneNetwork, batch: dict[str, SceneBatch], target: str) -> Read:
    """Read the present examples of the batch's scene that shares the target's head, as `ClassifierHead.loss` does.

    The penalties of the fusion, for all views of the batch, are added to the loss.
    """
    head: Any = model.heads[target]
    name = scene_like(model, batch, target)
    assert name is not None, "a transfer reads scenes that share the target's head"
    part, fused = batch[name], model.fusion(model.encoded(batch))
    vectors = head.norm(head.pool(fused.features[name])[0])
    logits = head.output(head.dropout(vectors))
    each = cross_entropy(logits, part.targets, label_smoothing=head.label_smoothing, reduction="none")
    loss = present_mean(each, part.present) + sum(penalty.sum() for penalty in fused.penalties.values())
    return Read(loss, vectors[part.present], logits[part.present])
