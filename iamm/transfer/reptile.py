"""Meta-learning over known scenes as tasks: parameters that a few steps bring close to each of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from iamm.constraints import Count, Positive, Share
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Batches, Material, descend, task_loss
from iamm.transfer.fine_tune import FineTuneTransfer


class ReptileTransfer(FineTuneTransfer):
    """θ ← θ + ε (θ̃ − θ), θ̃ = `inner` steps of Adam from θ on a known scene: Reptile (Nichol et al. 2018, algorithm 1).

    The known scenes take turns, ε falls linearly to 0, and Adam has β₁ = 0, begun anew each time. Afterwards all
    parameters are trained on the target's k labels a class by the same Adam. Ours: θ begins from the source run's
    model, which was trained on all known scenes together (there: untrained).

    Args:
        rounds: visits to a scene.
        inner: steps of each visit.
        epsilon: ε of the first round.
        steps: on the target.
        rate: of Adam.
        batch: examples a step; fewer where there are fewer.
    """

    momentum = 0.0

    def __init__(
        self,
        *,
        rounds: Count = 60,
        inner: Count = 8,
        epsilon: Share = 1.0,
        steps: Count = 50,
        rate: Positive = 1e-3,
        batch: Count = 16,
    ) -> None:
        super().__init__(parameters=["*"], steps=steps, rate=rate, batch=batch)
        self.rounds, self.inner, self.epsilon = rounds, inner, epsilon

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        tasks = material.known_batches(model, self.batch)
        for number in range(self.rounds):
            turn, task = divmod(number, len(tasks))
            loss = task_losses(model, tasks[task], first=turn * self.inner)
            visit(model, loss, self.inner, self.rate, self.epsilon * (1 - number / self.rounds))
        super().adapt(model, material)


def task_losses(model: SceneNetwork, batch: Batches, first: int) -> Callable[[int], Tensor]:
    """A function: step → the loss of the task's batch `first` + step."""
    return lambda step: task_loss(model(batch(first + step)))


def visit(model: SceneNetwork, loss: Callable[[int], Tensor], steps: int, rate: float, epsilon: float) -> None:
    """θ ← θ + ε (θ̃ − θ), θ̃ after `steps` steps of Adam with β₁ = 0.

    θ are all parameters, and what is written from examples: prototypes, the statistics of batch norm.
    """
    state = [values for values in (*model.parameters(), *model.buffers()) if values.is_floating_point()]
    before = [values.detach().clone() for values in state]
    descend(model, list(model.parameters()), loss, steps, rate, momentum=ReptileTransfer.momentum)
    with torch.no_grad():
        for values, old in zip(state, before, strict=True):
            values.copy_(old.lerp(values, epsilon))
