"""What all rules over gradients have in common."""

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


class Slope(NamedTuple):
    """A scene's gradients: ∂L_i/∂features_i, None where all before is frozen; and piece by piece those of heads in
    common, None for what L_i does not reach."""

    features: Tensor | None
    heads: Sequence[Tensor | None]


Slopes = dict[int, Slope]
"""By the scene's number."""


class GradientWeighting(Weighting):
    """θ_shared steps along Σ_i a_i g_i, with a found from the Gram matrix G_ij = g_i · g_j.

    The weights a are for the parameters that several scenes share. A scene's own, its head and an encoder that no other
    scene reads, are trained by its own loss, weighted 1/S: a_i may be 0 or below, and what one scene alone needs must
    neither stop nor be unlearnt. What `finish` tells is a.

    `wrt="parameters"`: g_i = ∂L_i/∂θ of the parameters that several scenes share; one pass through the trunk a scene.
    `wrt="representation"`: g_i = ∂L_i/∂z of what the encoders give to several scenes; one pass in all (Sener and Koltun
    2018, §3.3). By the chain rule |∂L_i/∂θ| ≤ |∂z/∂θ| |∂L_i/∂z|, so that what cancels at z cancels at θ; but angles
    and norms at z are those at θ only where ∂z/∂θ keeps them. Exact enough to tell scenes that pull the same features
    apart; blind to what happens behind z, in the fusion. How long gradients are at z says nothing of θ (it falls with
    the batch's size), so that G is divided by its mean diagonal.

    `every=k`: the weights are found in each k-th step and kept in between, where one pass is enough. A scene that is
    not observed when they are found keeps those it had.

    Args:
        scenes: S, how many losses there are.
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

    def own_weights(self) -> Sequence[float]:
        """What each scene's loss weighs for its own parameters."""
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
        here = [scene for scene, seen in enumerate(observed.tolist()) if seen]
        for scene in set(range(self.scenes)) - set(here):
            add_zeros((*paths.heads[scene], *paths.private))
        slopes = self.pull_heads(losses, here, paths, share)
        if int(self.steps) % self.every:
            self.pull_trunk(slopes, paths, self.found)
        elif self.needs_shared == "parameters":
            self.keep_trunk(slopes, paths)
        elif share < 1:
            raise ValueError(
                "`wrt=representation` must see a step whole. Found accumulated batches: wrt=parameters can."
            )
        else:
            self.pull_trunk(slopes, paths, self.find(self.representation_gram(slopes, paths)))

    def pull_heads(self, losses: Sequence[Tensor], here: Sequence[int], paths: Paths, share: float) -> Slopes:
        """Give each scene's own head its gradients; what the rest of this batch's gradients is made of, for each scene
        that is here."""
        weights, slopes = self.own_weights(), dict[int, Slope]()
        for scene in here:
            head, loss = paths.heads[scene], losses[scene]
            slope, *found = gradients(
                loss,
                (paths.features[scene], *head, *paths.shared_heads),
                loss.new_full((), share),
                retain=scene != here[-1],  # heads may have parts of their graphs in common
            )
            add_gradients(head, found[: len(head)], weights[scene])
            slopes[scene] = Slope(slope, found[len(head) :])
        return slopes

    def keep_trunk(self, slopes: Slopes, paths: Paths) -> None:
        """Each scene's gradients of what is shared, apart, and those of its own; a pass a scene."""
        weights, trunk, last = self.own_weights(), (*paths.shared, *paths.private), len(slopes) - 1
        several, count = (*paths.shared, *paths.shared_heads), len(paths.shared)
        self.shared = [parameter for parameter in several if parameter.requires_grad]
        self.rows.begin(self.shared)
        for place, (scene, slope) in enumerate(slopes.items()):
            found: Sequence[Tensor | None] = [None] * len(trunk)
            if slope.features is not None:
                found = gradients(paths.features[scene], trunk, slope.features, retain=place < last)
            pairs = zip((*found[:count], *slope.heads), several, strict=True)
            self.rows.add(scene, [piece for piece, parameter in pairs if parameter.requires_grad])
            add_gradients(paths.private, found[count:], weights[scene])
            del found  # the next pass then works in the same memory

    def pull_trunk(self, slopes: Slopes, paths: Paths, weights: Tensor) -> None:
        """Σ_i a_i g_i of what is shared in one pass, and what is each scene's own in another, if there is such."""
        features = [paths.features[scene] for scene, slope in slopes.items() if slope.features is not None]
        if features and paths.private:
            self.push(features, slopes, self.own_weights(), paths.private, more=bool(paths.shared))
        if features and paths.shared:
            self.push(features, slopes, weights.tolist(), paths.shared)
        for scene, slope in slopes.items():
            add_gradients(paths.shared_heads, slope.heads, float(weights[scene]))
        self.applied.append(weights * self.parts[-1].share)

    def push(
        self,
        features: Sequence[Tensor],
        slopes: Slopes,
        weights: Sequence[float],
        parameters: Sequence[nn.Parameter],
        *,
        more: bool = False,
    ) -> None:
        """Add to the parameters' gradients those of the weighted losses; with `more` the graph stays."""
        scaled = [slope.features * weights[scene] for scene, slope in slopes.items() if slope.features is not None]
        trained = [parameter for parameter in parameters if parameter.requires_grad]
        if trained:
            torch.autograd.backward(features, scaled, inputs=trained, retain_graph=more)

    def representation_gram(self, slopes: Slopes, paths: Paths) -> Tensor:
        """G of ∂L_i/∂z, divided by the mean of its diagonal; the processes' parts of the batch together.  # (S, S)"""
        z, rows = paths.representation, Rows(self.scenes)
        rows.begin(z)
        for scene, slope in slopes.items():
            if slope.features is not None:
                rows.add(scene, gradients(paths.features[scene], z, slope.features))
        products = processes.mean(gram(rows.local())) / processes.count()
        lengths = products.diagonal()
        return products / (lengths.sum() / (lengths > 0).sum()).nan_to_num(1.0)

    def find(self, products: Tensor) -> Tensor:
        """a from G (S, S); kept for the steps until it is found anew.  # (S,)"""
        seen = StepLosses.joined(self.parts)
        numbers, losses, share = (part.cpu().numpy() for part in (products, seen.losses.double(), seen.share))
        if not np.isfinite(numbers).all():
            lost = [scene for scene, norm in enumerate(numbers.diagonal()) if not np.isfinite(norm)]
            raise NonFiniteError("gradient", lost)
        weights = torch.from_numpy(self.shared_weights(numbers, losses, share > 0)).to(self.found)
        self.found.copy_(torch.where(seen.observed, weights, self.found))
        return weights

    def finish(self) -> Tensor:
        if not self.applied:
            weights = self.find(gram(self.rows.whole()))
            self.rows.write(self.shared, weights)
            self.applied.append(weights * StepLosses.joined(self.parts).share)
        self.steps += 1
        return self.applied_weights()

    def reset(self) -> None:
        super().reset()
        self.rows.clear()
