"""Meta-learning over known scenes as tasks: parameters from which few gradient steps generalise within each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.func import functional_call

from iamm.constraints import Count, Positive
from iamm.dataset.base import SceneBatch
from iamm.engine.freezing import matches
from iamm.model.scene_network import SceneNetwork
from iamm.transfer.base import Batches, Material, Transfer, descend, task_loss

Values = Mapping[str, Tensor]
"""Parameters by their names."""


class MamlTransfer(Transfer):
    """θ ← AdamW(θ, ∇_θ mean_s L_s(θ'_s; query)) with θ'_s = θ − α ∇L_s(θ; support), `inner` times: MAML.

    A step takes `tasks` of the known scenes in turn; support and query are two batches of the scene's training split,
    drawn one after the other. Afterwards θ_t = θ − α ∇L_t(θ), `steps` times, over the target's k labels a class. With
    `first_order` ∇_θ takes θ' − θ for constant. Source: Finn et al. 2017, algorithm 2 and §5.2. Ours: θ begins from the
    source run's model, which was trained on all known scenes together (there: untrained), and classes are as frequent
    in a batch as in its scene.

    Args:
        rounds: steps of AdamW.
        tasks: scenes of each; all where there are fewer.
        inner: gradient steps to θ'.
        first_order: leave second derivatives out.
        outer_rate: of AdamW.
        steps: gradient steps on the target.
        rate: α.
        batch: examples of a gradient step; fewer where there are fewer.
    """

    adapts = "*"
    """A pattern of the parameters that gradient steps move, as in `freeze` of a phase."""

    def __init__(
        self,
        *,
        rounds: Count = 100,
        tasks: Count = 4,
        inner: Count = 3,
        first_order: bool = True,
        outer_rate: Positive = 1e-3,
        steps: Count = 10,
        rate: Positive = 3e-2,
        batch: Count = 16,
    ) -> None:
        self.steps, self.rate, self.batch = steps, rate, batch
        self.rounds, self.tasks, self.inner = rounds, tasks, inner
        self.first_order, self.outer_rate = first_order, outer_rate

    def adapt(self, model: SceneNetwork, material: Material) -> None:
        moved = {name: values for name, values in model.named_parameters() if matches(name, self.adapts)}
        scenes = material.known_batches(model, self.batch)
        tasks = min(self.tasks, len(scenes))

        def loss(step: int) -> Tensor:
            turns = [divmod(step * tasks + number, len(scenes)) for number in range(tasks)]
            return torch.stack([self.query_loss(model, moved, scenes[task], turn) for turn, task in turns]).mean()

        descend(model, list(model.parameters()), loss, self.rounds, self.outer_rate)
        if material.labelled:
            batch = material.batches("train", self.batch)
            learnt = adapted(moved, lambda values, step: loss_at(model, values, batch(step)), self.rate, self.steps)
            with torch.no_grad():
                for name, values in moved.items():
                    values.copy_(learnt[name])

    def query_loss(self, model: SceneNetwork, moved: Values, batch: Batches, turn: int) -> Tensor:
        """L_s(θ'_s; query).  # ()"""
        support, query = batch(2 * turn), batch(2 * turn + 1)

        def loss(values: Values, _: int) -> Tensor:
            return loss_at(model, values, support)

        nearer = adapted(moved, loss, self.rate, self.inner, first_order=self.first_order)
        return loss_at(model, nearer, query)


def adapted(
    parameters: Values, loss: Callable[[Values, int], Tensor], rate: float, steps: int, *, first_order: bool = True
) -> dict[str, Tensor]:
    """θ' = θ − α ∇L(θ), `steps` times; those that L does not depend on stay.

    Args:
        parameters: θ, of which θ' is a function.
        loss: parameters and step → loss.
        rate: α.
        steps: their number.
        first_order: the derivative of θ' is that of θ alone.
    """
    moved = dict(parameters)
    for step in range(steps):
        gradients = torch.autograd.grad(
            loss(moved, step), list(moved.values()), create_graph=not first_order, allow_unused=True
        )
        moved = {
            name: values if gradient is None else values - rate * gradient
            for (name, values), gradient in zip(moved.items(), gradients, strict=True)
        }
    return moved


def loss_at(model: SceneNetwork, values: Values, batch: dict[str, SceneBatch]) -> Tensor:
    """The loss of a batch with these parameters in place of the model's.  # ()

    Modules that scenes share are one object under several names, so parameters are replaced under their first name
    alone: `tie_weights=True` would replace them twice, and put back what it replaced first.
    """
    return task_loss(functional_call(model, dict(values), (batch,), tie_weights=False))
