"""The base class of weightings, which turn the scenes' losses into the gradients of a step and report the weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from iamm import processes
from iamm.constrained import Constrained
from iamm.weighting.scene_gradients import Rows, add_gradient, add_zeros, gradients, gram


class Paths(NamedTuple):
    """The tensors and parameters between each scene's loss and the inputs.

    A loss depends on its head's parameters and its features; it reaches all other parameters through the features.

    Shapes:
        features: per scene, the input of its head; the same object if heads read one tensor
        representation: the tensors in front of the features that several scenes read; may be empty
        heads: per scene, the parameters of its head that only its loss reaches
        shared: the parameters in front of the features that several scenes' losses reach
        private: the other parameters in front of the features
        shared_heads: the parameters of the heads that several scenes' losses reach

    Frozen parameters may be among them; they get no gradient.
    """

    features: Sequence[Tensor]
    representation: Sequence[Tensor]
    heads: Sequence[Sequence[nn.Parameter]]
    shared: Sequence[nn.Parameter]
    private: Sequence[nn.Parameter]
    shared_heads: Sequence[nn.Parameter] = ()


class StepLosses(NamedTuple):
    """The losses of a step, over all its batches and processes.

    Shapes:
        losses: (S,), detached: the mean over the batches in which a scene was observed, else 0
        share: (S,), the share of batches in which a scene was observed; 0 or 1 for one batch
        scene_weights: (S,), mean attention of the fusion over scenes, detached; None if it has none
    """

    losses: Tensor
    share: Tensor
    scene_weights: Tensor | None

    @property
    def observed(self) -> Tensor:
        return self.share > 0  # (S,)

    @staticmethod
    def joined(parts: Sequence[StepLosses]) -> StepLosses:
        """Join the batches of an accumulated step; scene weights may have any shape, such as (S, S)."""
        if len(parts) == 1:
            return parts[0]
        shares = torch.stack([part.share for part in parts])  # (n, S)
        losses = (torch.stack([part.losses for part in parts]) * shares).sum(dim=0)
        attended = [part.scene_weights for part in parts if part.scene_weights is not None]
        mean = torch.stack(attended).mean(dim=0) if attended else None
        return StepLosses(losses / positive(shares.sum(dim=0)), shares.mean(dim=0), mean)

    def everywhere(self) -> StepLosses:
        """The mean over all processes, which makes the weights equal in all of them."""
        attended = None if self.scene_weights is None else processes.mean(self.scene_weights)
        return StepLosses(processes.mean(self.losses), self.share, attended)


def positive(values: Tensor) -> Tensor:
    """The values, with 1 in place of 0, as divisors."""
    return torch.where(values > 0, values, 1)


class Weighting(Constrained, nn.Module):
    """L = Σ_i w_i L_i, or a rule on the scenes' gradients.

    The loop calls `backward` for each batch, `finish` before each optimizer step, and `end_epoch` and `end_validation`.
    A rule over losses defines `weights` (and `penalty`, if its weights are learnt); a rule over gradients is a
    `GradientWeighting`. State is held in buffers and parameters of fixed shape.

    Normalised weights sum to 1 over all scenes (D0 §4.4: uniform is 1/M), so that a learning rate has the same effect
    with every rule. A scene that is not observed in a step has weight 0. Where the weight of a scene depends on the
    other losses, a step that observes n of the S scenes applies the rule to these n, times n/S. A scene alone in a
    batch thus has weight 1/S, as with equal weights.

    The weights of accumulated batches, or of several processes, are those of the whole step.

    Args:
        scenes: S, the number of losses.
    """

    needs_scene_weights = False
    """Whether `weights` reads the scene weights of the fusion; it then needs a fusion that has them."""

    needs_shared = ""
    """What a rule over gradients needs several scenes to share: `parameters` or a `representation`."""

    follows_step = False
    """Whether the weights depend on the losses of the same step. With accumulated batches they are known only after the
    last batch, and each scene's gradients are stored until then (S times the memory and time of gradients)."""

    def __init__(self, scenes: int) -> None:
        super().__init__()
        self.scenes = scenes
        self.parts: list[StepLosses] = []
        self.applied: list[Tensor] = []
        self.stored: dict[tuple[int, nn.Parameter], Tensor] = {}

    def weights(self, step: StepLosses) -> Tensor:
        """The weights w of a step.  # (S,)"""
        raise NotImplementedError

    def penalty(self) -> Tensor | None:
        """Terms (S,) of the observed scenes, added to Σ w_i L_i, that keep learnt weights from vanishing; or None."""
        return None

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Optimizer groups of the learnt weights, without weight decay, which would pull them to their start."""
        learnt = list(self.parameters())
        return [{"params": learnt, "weight_decay": 0.0}] if learnt else []

    def backward(
        self,
        losses: Sequence[Tensor],
        *,
        observed: Tensor,
        paths: Paths,
        scene_weights: Tensor | None = None,
        share: float = 1.0,
    ) -> None:
        """Add this batch's gradients to every parameter's `.grad`, now or at `finish`.

        Args:
            losses: S of (), each with its own graph; 0 where a scene is not observed. Their mean over the processes is
                the batch's loss.
            observed: (S,) bool, False for a scene none of whose examples is in this batch, in any process: its weight
                is then 0.
            paths: tensors and parameters that the losses reach.
            scene_weights: (S,), the batch's mean attention of the fusion over scenes, detached; None where it has none.
            share: of this batch in the step, 1/n when gradients of n batches are accumulated.
        """
        joined, mask = torch.stack(tuple(losses)), observed.to(losses[0])  # (S,)
        step = StepLosses(joined.detach(), mask, scene_weights).everywhere()
        self.parts.append(step)
        if self.follows_step and share < 1:
            return self.store_gradients(losses, observed, paths, share)
        weights, penalty = self.weights(step), self.penalty()
        total = joined.dot(weights * mask)
        if penalty is not None:
            total = total + penalty.dot(mask.to(penalty))
        if total.requires_grad:
            total.backward(total.new_full((), share))
        self.applied.append(weights.detach() * step.share)

    def finish(self) -> Tensor:
        """Complete the step's gradients; return the applied weights ∂L/∂L_i.

        L_i is the scene's mean loss over the batches that observed it: a scene observed in k of n accumulated batches
        has k/n of its full weight.
        """
        if not self.applied:
            step = StepLosses.joined(self.parts)
            weights = self.weights(step)
            self.add_weighted(weights.tolist())
            self.applied.append(weights * step.share)
        return self.applied_weights()

    def applied_weights(self) -> Tensor:
        """Return the weights applied in this step, and reset the step."""
        applied = self.applied[0] if len(self.applied) == 1 else torch.stack(self.applied).mean(dim=0)
        self.reset()
        return applied

    def reset(self) -> None:
        """Discard the step; the caller restores the buffers."""
        self.parts.clear()
        self.applied.clear()
        self.stored.clear()

    def store_gradients(self, losses: Sequence[Tensor], observed: Tensor, paths: Paths, share: float) -> None:
        """Store each observed scene's gradients of all parameters."""
        heads = (parameter for head in (*paths.heads, paths.shared_heads) for parameter in head)
        parameters = [*paths.shared, *paths.private, *heads]
        for scene in observed.nonzero().flatten().tolist():
            pieces = gradients(losses[scene] * share, parameters)
            for parameter, gradient in zip(parameters, pieces, strict=True):
                if gradient is not None:
                    before = self.stored.get((scene, parameter))
                    self.stored[scene, parameter] = gradient if before is None else before + gradient
        if not observed.all():
            add_zeros(parameters)

    @torch.no_grad()
    def add_weighted(self, weights: Sequence[float]) -> None:
        """θ.grad += Σ_i w_i g_i of the stored gradients."""
        for (scene, parameter), gradient in self.stored.items():
            add_gradient(parameter, gradient * weights[scene])

    @torch.no_grad()
    def end_epoch(self, losses: Tensor) -> None:
        """Called after each epoch with the mean training loss of each scene (S,), for rules that use earlier
        losses; 0 or NaN for a scene without examples in the epoch.
        """

    @torch.no_grad()
    def end_validation(self, qualities: Tensor) -> None:
        """Called after each validation with each scene's quality (S,), where higher is better for every measure;
        it lies in [0, 1] unless the selection measure is raw."""


def scene_gram(losses: Sequence[Tensor], observed: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """G_ij = g_i · g_j of the scenes' gradients of the parameters; the graphs are kept.  # (S, S)"""
    rows = Rows(len(losses))
    rows.begin(parameters)
    for scene in observed.nonzero().flatten().tolist():
        rows.add(scene, gradients(losses[scene], parameters))
    return gram(rows.mean())
