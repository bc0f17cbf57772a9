"""The model's own certain answers are labels for the target's changed inputs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn import functional

from iamm.constraints import Count, Positive, ShareBelow1
from iamm.engine.freezing import begin_training
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Material
from iamm.transfer.replay import Read, ReplayTransfer, read


class SelfTrainingTransfer(ReplayTransfer):
    """P = 1/B Σ_i [max_c ŷ_ic ≥ τ] CE(f(x_i'), argmax_c ŷ_ic): self-training with consistency (FixMatch).

    ŷ_i is what the present model answers for the target's input x_i as it is, without dropout and without gradient;
    x_i' is the same input as `augment=` changes it. It reads the target's inputs without labels. An example of which
    the model is not certain counts as 0, so the weight of P grows as the model becomes certain.

    Source: Sohn et al. 2020, eq. 4. Ours: the unchanged input, not a weakly augmented one, is labelled; P stands beside
    the losses of the known scenes and of the target's k labels.

    Args:
        threshold: τ.
        weight: λ.
        steps: of the optimizer.
        rate: the learning rate.
        batch: examples of each scene a step; fewer where there are fewer.
    """

    reads_unlabelled = True
    teacher: Callable[[int], Tensor]
    """A function: step → ŷ (B, C)."""

    def __init__(
        self,
        *,
        threshold: ShareBelow1 = 0.95,
        weight: Positive = 1.0,
        steps: Count = 100,
        rate: Positive = 1e-3,
        batch: Count = 32,
    ) -> None:
        super().__init__(steps=steps, rate=rate, batch=batch)
        self.threshold, self.weight = threshold, weight

    def check(self, model: SceneNetwork, material: Material) -> None:
        super().check(model, material)
        if not material.augment:
            raise ValueError("Self-training learns from changed inputs. Found none: set augment=image or augment=text.")

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        unchanged = replace(material, augment={}).batches("unlabelled", self.batch)

        def teacher(step: int) -> Tensor:
            model.train(False)
            with torch.no_grad():
                answers = read(model, unchanged(step), material.name).logits.softmax(dim=1)
            begin_training(model)
            return answers

        self.teacher = teacher
        super().adapt(model, material)

    def penalty(self, known: Sequence[Read], target: Read, step: int) -> Tensor:
        return consistency(target.logits, self.teacher(step), self.threshold)


def consistency(logits: Tensor, answers: Tensor, threshold: float) -> Tensor:
    """P of logits (B, C) of the changed inputs and ŷ (B, C) of the unchanged.  # ()"""
    certainty, labels = answers.max(dim=1)
    losses = functional.cross_entropy(logits, labels, reduction="none")
    return (losses * (certainty >= threshold)).mean()
