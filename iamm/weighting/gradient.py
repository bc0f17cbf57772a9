"""The base class of weightings by a rule over the scenes' gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from iamm import processes
from iamm.constraints import Count, OneOf
from iamm.errors import NonFiniteError
from iamm.weighting.base import Paths, StepLosses, Weighting
from iamm.weighting.scene_gradients import Rows, add_gradients, add_zeros, gradients, gram

Place = Annotated[str, OneOf(("parameters", "representation"))]


class SceneGradient(NamedTuple):
    """A scene's gradients: ∂L_i/∂features_i, None if everything in front is frozen; and those of the shared heads'
    parameters, None for parameters that L_i does not reach."""

    features: Tensor | None
    heads: Sequence[Tensor | None]


SceneGradients = dict[int, SceneGradient]
"""Gradients by the number of the scene."""


class GradientWeighting(Weighting):
    """θ_shared steps along Σ_i a_i g_i, with a found from the Gram matrix G_ij = g_i · g_j.

    The weights a apply to the parameters that several scenes share. A scene's private parameters, those of its head and
    of an encoder that no other scene reads, are trained by its own loss with weight 1/S, since a_i may be 0 or
    negative. `finish` returns a.

    `wrt="parameters"`: g_i = ∂L_i/∂θ of the parameters that several scenes share; one pass through the trunk a scene.
    `wrt="representation"`: g_i = ∂L_i/∂z of the encoder outputs that several scenes read; one pass in all (Sener and
    Koltun 2018, §3.3). By the chain rule |∂L_i/∂θ| ≤ |∂z/∂θ| |∂L_i/∂z|, so that gradients that cancel at z cancel at θ;
    but angles and norms are equal only where ∂z/∂θ preserves them. This detects scenes that pull the same features in
    different directions, but no conflicts in the parameters of the fusion. The lengths at z depend on the batch size:
    G is divided by its mean diagonal.

    `every=k`: the weights are computed in each k-th step and reused in between, where one pass is enough. A scene
    that is not observed when they are computed keeps its weight.

    Args:
        scenes: S, the number of losses.
        wrt: `parameters` or `representation`.
        every: k, optimizer steps.

    Raises:
        ValueError: an unknown `wrt`; `every` below 1.
        NonFiniteError: a gradient that is not finite.
    """

    needs_shared = "parameters"

    def __init__(self, scenes: int, *, wrt: Place = "parameters", every: Count = 1) -> None:
        super().__init__(scenes)
        self.needs_shared, self.every = wrt, every
        self.shared: Sequence[nn.Parameter] = ()
        self.rows = Rows(scenes)
        self.found: Tensor
        self.register_buffer("found", torch.full((scenes,), 1 / scenes))
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def rule(self, gram: np.ndarray) -> np.ndarray:
        """a for the n scenes observed, from their Gram matrix (n, n); 1/n each where gradients are orthonormal."""
        raise NotImplementedError

    def shared_weights(self, gram: np.ndarray, losses: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """a for all S scenes: the rule for the n observed, times n/S.  # (S,)"""
        weights = np.zeros(self.scenes)
        if observed.all():
            weights[:] = self.rule(gram)
        elif observed.any():
            weights[observed] = self.rule(gram[np.ix_(observed, observed)]) * observed.mean()
        return weights

    def private_weights(self) -> Sequence[float]:
        """The weight of each scene's loss for its private parameters."""
        return [1 / self.scenes] * self.scenes

    def backward(
        self,
        losses: Sequence[Tensor],
        *,
        observed: Tensor,
        paths: Paths,
        scene_weights: Tensor | None = None,
        share: float = 1.0,
    ) -> None:
        joined = torch.stack([loss.detach() for loss in losses])
        self.parts.append(StepLosses(joined, observed.to(joined), None).everywhere())
        present = [scene for scene, here in enumerate(observed.tolist()) if here]
        for scene in set(range(self.scenes)) - set(present):
            add_zeros((*paths.heads[scene], *paths.private))
        by_scene = self.backward_heads(losses, present, paths, share)
        if int(self.steps) % self.every:
            self.backward_trunk(by_scene, paths, self.found)
        elif self.needs_shared == "parameters":
            self.store_trunk(by_scene, paths)
        elif share < 1:
            raise ValueError(
                "`wrt=representation` must see a step whole. Found accumulated batches: wrt=parameters can."
            )
        else:
            self.backward_trunk(by_scene, paths, self.solve(self.representation_gram(by_scene, paths)))

    def backward_heads(
        self, losses: Sequence[Tensor], present: Sequence[int], paths: Paths, share: float
    ) -> SceneGradients:
        """Add the gradients of each observed scene's head; return its gradients of features and shared heads."""
        weights, by_scene = self.private_weights(), dict[int, SceneGradient]()
        for scene in present:
            head, loss = paths.heads[scene], losses[scene]
            features, *pieces = gradients(
                loss,
                (paths.features[scene], *head, *paths.shared_heads),
                loss.new_full((), share),
                retain=scene != present[-1],  # heads may share parts of their graphs
            )
            add_gradients(head, pieces[: len(head)], weights[scene])
            by_scene[scene] = SceneGradient(features, pieces[len(head) :])
        return by_scene

    def store_trunk(self, by_scene: SceneGradients, paths: Paths) -> None:
        """Store each scene's gradients of shared parameters, and add those of private ones; one pass for each scene."""
        weights, trunk, last = self.private_weights(), (*paths.shared, *paths.private), len(by_scene) - 1
        several, count = (*paths.shared, *paths.shared_heads), len(paths.shared)
        self.shared = [parameter for parameter in several if parameter.requires_grad]
        self.rows.begin(self.shared)
        for place, (scene, gradient) in enumerate(by_scene.items()):
            pieces: Sequence[Tensor | None] = [None] * len(trunk)
            if gradient.features is not None:
                pieces = gradients(paths.features[scene], trunk, gradient.features, retain=place < last)
            pairs = zip((*pieces[:count], *gradient.heads), several, strict=True)
            self.rows.add(scene, [piece for piece, parameter in pairs if parameter.requires_grad])
            add_gradients(paths.private, pieces[count:], weights[scene])
            del pieces  # the next pass then works in the same memory

    def backward_trunk(self, by_scene: SceneGradients, paths: Paths, weights: Tensor) -> None:
        """Add Σ_i a_i g_i of the shared parameters in one pass, and the gradients of private ones in another."""
        features = [paths.features[scene] for scene, gradient in by_scene.items() if gradient.features is not None]
        if features and paths.private:
            self.backward_features(features, by_scene, self.private_weights(), paths.private, retain=bool(paths.shared))
        if features and paths.shared:
            self.backward_features(features, by_scene, weights.tolist(), paths.shared)
        for scene, gradient in by_scene.items():
            add_gradients(paths.shared_heads, gradient.heads, float(weights[scene]))
        self.applied.append(weights * self.parts[-1].share)

    def backward_features(
        self,
        features: Sequence[Tensor],
        by_scene: SceneGradients,
        weights: Sequence[float],
        parameters: Sequence[nn.Parameter],
        *,
        retain: bool = False,
    ) -> None:
        """Add the gradients of the weighted losses to the parameters; with `retain` the graph is kept."""
        scaled = [
            gradient.features * weights[scene] for scene, gradient in by_scene.items() if gradient.features is not None
        ]
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if trained:
            torch.autograd.backward(features, scaled, inputs=trained, retain_graph=retain)

    def representation_gram(self, by_scene: SceneGradients, paths: Paths) -> Tensor:
        """G of ∂L_i/∂z over all processes, divided by the mean of its diagonal.  # (S, S)"""
        z, rows = paths.representation, Rows(self.scenes)
        rows.begin(z)
        for scene, gradient in by_scene.items():
            if gradient.features is not None:
                rows.add(scene, gradients(paths.features[scene], z, gradient.features))
        products = processes.mean(gram(rows.local())) / processes.count()
        lengths = products.diagonal()
        return products / (lengths.sum() / (lengths > 0).sum()).nan_to_num(1.0)

    def solve(self, products: Tensor) -> Tensor:
        """Compute a from G (S, S), and store it for the steps until the next computation.  # (S,)"""
        step = StepLosses.joined(self.parts)
        numbers, losses, share = (part.cpu().numpy() for part in (products, step.losses.double(), step.share))
        if not np.isfinite(numbers).all():
            nonfinite = [scene for scene, norm in enumerate(numbers.diagonal()) if not np.isfinite(norm)]
            raise NonFiniteError("gradient", nonfinite)
        weights = torch.from_numpy(self.shared_weights(numbers, losses, share > 0)).to(self.found)
        self.found.copy_(torch.where(step.observed, weights, self.found))
        return weights

    def finish(self) -> Tensor:
        if not self.applied:
            weights = self.solve(gram(self.rows.mean()))
            self.rows.write(self.shared, weights)
            self.applied.append(weights * StepLosses.joined(self.parts).share)
        self.steps += 1
        return self.applied_weights()

    def reset(self) -> None:
        super().reset()
        self.rows.clear()
