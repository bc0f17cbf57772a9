"""The contract of every weighting: several scenes' losses in, one step's gradients out, and the weights applied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from iamm import processes
from iamm.constrained import Constrained
from iamm.weighting.scene_gradients import Rows, add_gradient, add_zeros, gradients, gram


class Paths(NamedTuple):
    """Where gradients flow, from each scene's loss down to the parameters.

    A loss reads its head's parameters and its features; all else it reaches through the features.

    Shapes:
        features: per scene, the tensor that its head reads; the same object where heads read one tensor
        representation: the tensors that several scenes read, on the way to their features; empty where there are none
        heads: per scene, the parameters behind its features that its loss alone reaches
        shared: the parameters before the features that several scenes' losses reach
        private: the other parameters before the features
        shared_heads: the parameters behind the features that several scenes' losses reach

    What is frozen may stand among the parameters; it gets no gradient.
    """

    features: Sequence[Tensor]
    representation: Sequence[Tensor]
    heads: Sequence[Sequence[nn.Parameter]]
    shared: Sequence[nn.Parameter]
    private: Sequence[nn.Parameter]
    shared_heads: Sequence[nn.Parameter] = ()


class StepLosses(NamedTuple):
    """What a step has seen, over all its batches and processes.

    Shapes:
        losses: (S,), detached: the mean over the batches in which a scene was observed, else 0
        share: (S,), of the batches, those in which a scene was observed; of one batch, 0 or 1
        scene_weights: (S,), mean attention of the fusion over scenes, detached; None where it has none
    """

    losses: Tensor
    share: Tensor
    scene_weights: Tensor | None

    @property
    def observed(self) -> Tensor:
        return self.share > 0  # (S,)

    @staticmethod
    def joined(parts: Sequence[StepLosses]) -> StepLosses:
        """The batches of one accumulated step as one; scene weights of any shape, such as a row a scene."""
        if len(parts) == 1:
            return parts[0]
        shares = torch.stack([part.share for part in parts])  # (n, S)
        losses = (torch.stack([part.losses for part in parts]) * shares).sum(dim=0)
        attended = [part.scene_weights for part in parts if part.scene_weights is not None]
        mean = torch.stack(attended).mean(dim=0) if attended else None
        return StepLosses(losses / positive(shares.sum(dim=0)), shares.mean(dim=0), mean)

    def everywhere(self) -> StepLosses:
        """The same in all processes: else each would weigh the scenes in its own way."""
        if not processes.several():
            return self
        share, losses = processes.mean(self.share), processes.mean(self.losses * self.share)
        attended = None if self.scene_weights is None else processes.mean(self.scene_weights)
        return StepLosses(losses / positive(share), share, attended)


def positive(values: Tensor) -> Tensor:
    return torch.where(values > 0, values, 1)


class Weighting(Constrained, nn.Module):
    """L = Σ_i w_i L_i, or a rule on the scenes' gradients.

    The loop knows three calls: `backward` for each batch, `finish` before the optimizer's step, and the ends of epochs
    and validations. A rule over losses gives `weights` (and `penalty`, where its weights are learnt); a rule over
    gradients is a `GradientWeighting`. State is held in buffers and parameters of fixed shape from the start.

    Weights of the rules that normalise sum to 1 over all scenes (D0 §4.4: uniform is 1/M), so that a learning rate
    means the same for all. A scene that a batch does not hold weighs 0 in that step. Where weights depend on each
    other's losses, a step that observes n of the S scenes takes the rule for those n, times n/S: a scene alone in a
    batch so weighs 1/S, as it would with equal weights.

    Accumulated batches and several processes make one step together: its weights are those of the whole step.

    Args:
        scenes: S, how many losses there are.
    """

    needs_scene_weights = False
    """True where `weights` reads what the fusion attended to; only fusions with scene weights can then be used."""

    needs_shared = ""
    """What a rule over gradients must find: `parameters` or a `representation` that several scenes share."""

    follows_step = False
    """True where the weights depend on what this very step sees. With accumulated batches they are known only after
    the last of these, and each scene's gradients are kept apart until then (S times the gradients' memory and time)."""

    def __init__(self, scenes: int) -> None:
        super().__init__()
        self.scenes = scenes
        self.parts: list[StepLosses] = []
        self.applied: list[Tensor] = []
        self.kept: dict[tuple[int, nn.Parameter], Tensor] = {}

    def weights(self, seen: StepLosses) -> Tensor:
        """w of this step.  # (S,)"""
        raise NotImplementedError

    def penalty(self) -> Tensor | None:
        """What each observed scene adds to Σ w_i L_i, (S,); the cost that keeps learnt weights from vanishing."""
        return None

    def parameter_groups(self) -> list[dict[str, Any]]:
        """The learnt weights for the run's optimizer, without decay, which would draw them to where they started."""
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
            losses: S of (), each with its own graph; 0 where a scene is not observed.
            observed: (S,) bool, False for a scene none of whose examples is in this batch: its weight is then 0.
            paths: where the gradients of these losses flow.
            scene_weights: (S,), the batch's mean attention of the fusion over scenes, detached; None where it has none.
            share: of this batch in the step, 1/n when gradients of n batches are accumulated.
        """
        joined, here = torch.stack(tuple(losses)), observed.to(losses[0])  # (S,)
        seen = StepLosses(joined.detach(), here, scene_weights).everywhere()
        self.parts.append(seen)
        if self.follows_step and share < 1:
            return self.keep(losses, observed, paths, share)
        weights, penalty = self.weights(seen), self.penalty()
        total = joined.dot(weights * here)
        if penalty is not None:
            total = total + penalty.dot(here.to(penalty))
        if total.requires_grad:
            total.backward(total.new_full((), share))
        self.applied.append(weights.detach() * seen.share)

    def finish(self) -> Tensor:
        """Complete the step's gradients; the weights ∂L/∂L_i that were applied.

        L_i is the scene's mean loss over the batches that observed it: of n accumulated batches (or processes), each
        with 1/n of the step, a scene in k of them weighs k/n of what it does in all.
        """
        if not self.applied:
            seen = StepLosses.joined(self.parts)
            weights = self.weights(seen)
            self.add_weighted(weights.tolist())
            self.applied.append(weights * seen.share)
        return self.applied_weights()

    def applied_weights(self) -> Tensor:
        """The weights applied in this step; nothing of it is left behind."""
        applied = self.applied[0] if len(self.applied) == 1 else torch.stack(self.applied).mean(dim=0)
        self.reset()
        return applied

    def reset(self) -> None:
        """Leave the step as if it had not begun; what is in buffers is the caller's to put back."""
        self.parts.clear()
        self.applied.clear()
        self.kept.clear()

    def keep(self, losses: Sequence[Tensor], observed: Tensor, paths: Paths, share: float) -> None:
        """Each observed scene's gradients, apart, of all parameters."""
        heads = (parameter for head in (*paths.heads, paths.shared_heads) for parameter in head)
        everything = [*paths.shared, *paths.private, *heads]
        for scene in observed.nonzero().flatten().tolist():
            slopes = gradients(losses[scene] * share, everything)
            for parameter, slope in zip(everything, slopes, strict=True):
                if slope is not None:
                    before = self.kept.get((scene, parameter))
                    self.kept[scene, parameter] = slope if before is None else before + slope
        if not observed.all():
            add_zeros(everything)

    @torch.no_grad()
    def add_weighted(self, weights: Sequence[float]) -> None:
        """θ.grad += Σ_i w_i g_i of what was kept."""
        for (scene, parameter), slope in self.kept.items():
            add_gradient(parameter, slope * weights[scene])

    @torch.no_grad()
    def end_epoch(self, losses: Tensor) -> None:
        """Called after each epoch with the mean training loss of each scene (S,), for rules that look back.

        A scene without any example in the epoch stands there as 0 or NaN.
        """

    @torch.no_grad()
    def end_validation(self, qualities: Tensor) -> None:
        """Called after each validation with each scene's quality (S,), where higher is better whatever its head selects
        by: 0 to 1, but for a raw measure of which the higher value is the better one."""


def scene_gram(losses: Sequence[Tensor], observed: Tensor, parameters: Sequence[nn.Parameter]) -> Tensor:
    """G_ij = g_i · g_j of the scenes' gradients of these parameters; the graphs stay.  # (S, S)"""
    rows = Rows(len(losses))
    rows.begin(parameters)
    for scene in observed.nonzero().flatten().tolist():
        rows.add(scene, gradients(losses[scene], parameters))
    return gram(rows.whole())
