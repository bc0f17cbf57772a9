"""The training loop: one for every model, fusion, weighting and data set."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iamm import processes
from iamm.dataset.base import Dataset
from iamm.engine.collate import Augment, collate
from iamm.engine.evaluate import Network, evaluate
from iamm.engine.observer import Observer, Part, Stepped, Totals
from iamm.engine.plan import Plan, RunState
from iamm.engine.sampler import Sampler
from iamm.errors import DivergedError
from iamm.weighting.base import Paths, Weighting, scene_gram


def fit(
    model: Network,
    datasets: Sequence[Dataset],
    weighting: Weighting,
    optimizer: torch.optim.Optimizer,
    schedule: Callable[[int, int], float],
    plan: Plan,
    *,
    seed: int,
    device: torch.device,
    augment: Mapping[str, Augment] | None = None,
    observers: Sequence[Observer] = (),
    state: RunState | None = None,
    keep: Callable[[RunState, bool], None] = lambda state, best: None,
) -> RunState:
    """Train until the plan's end or until validation stops improving.

    Args:
        model: a `SceneNetwork`.
        datasets: each step sees one batch of every one.
        weighting: makes one backward pass of the scenes' losses.
        optimizer: over the model's and the weighting's parameters; its learning rates are the base rates.
        schedule: (step, total steps) → factor on the base rates.
        plan: how long and how.
        seed: orders the data and draws dropout and augmentation.
        device: of the model.
        augment: per kind of input.
        observers: are told of intervals and validations.
        state: where an interrupted run stood; None begins.
        keep: called after each epoch with the state and whether it is the best so far; saves checkpoints.

    Returns:
        the state at the end.

    Raises:
        DivergedError: a loss or gradient became infinite or not a number.
    """
    state = state or RunState()
    samplers = [Sampler(dataset, seed) for dataset in datasets]
    for sampler, saved in zip(samplers, state.samplers, strict=False):
        sampler.load_state_dict(saved)
    loop = Loop(model, datasets, samplers, weighting, optimizer, schedule, plan, seed, device, augment or {}, observers)
    while state.epoch < plan.epochs and not (plan.patience is not None and state.waited >= plan.patience):
        started = time.perf_counter()
        loop.run_epoch(state)
        found = evaluate(model, datasets, "validation", device)
        weighting.end_validation(torch.tensor([found.qualities[name] for name in loop.order], device=device))
        better = found.quality > state.best_quality
        state.epoch += 1
        state.waited = 0 if better else state.waited + 1
        if better:
            state.best_quality, state.best_epoch = found.quality, state.epoch
        state.samplers = [sampler.state_dict() for sampler in samplers]
        state.seconds += time.perf_counter() - started
        for observer in observers:
            observer.validated(state, found)
        keep(state, better)
    return state


@dataclass
class Loop:
    """The parts of one training, so that an epoch and a step each fit on a screen."""

    model: Network
    datasets: Sequence[Dataset]
    samplers: Sequence[Sampler]
    weighting: Weighting
    optimizer: torch.optim.Optimizer
    schedule: Callable[[int, int], float]
    plan: Plan
    seed: int
    device: torch.device
    augment: Mapping[str, Augment]
    observers: Sequence[Observer]

    def __post_init__(self) -> None:
        self.total = self.plan.total_steps(self.samplers)
        self.base_rates = [group.setdefault("base_lr", group["lr"]) for group in self.optimizer.param_groups]
        self.parameters = [p for p in self.model.parameters() if p.requires_grad]
        groups = [[scene.name for scene in dataset.scenes] for dataset in self.datasets]
        self.order = [name for group in groups for name in group]
        self.heads, self.shared = self.model.head_parameters(), self.model.shared_parameters(groups)
        several = set(self.shared)
        self.private = [parameter for parameter in self.model.trunk_parameters() if parameter not in several]

    def run_epoch(self, state: RunState) -> None:
        self.model.train()
        interval, whole = Totals(self.order, self.device), Totals(self.order, self.device)
        steps = self.plan.epoch_steps(state.epoch, self.samplers)
        for number in range(1, steps + 1):
            rate = self.set_rate(state.step)
            telling = (state.step + 1) % self.plan.log_every == 0 or number == steps
            done = self.step(state.epoch, conflict=telling and self.plan.conflict)
            interval.add(done)
            whole.add(done)
            state.step += 1
            if telling:
                self.tell(state, interval, rate)
                interval = Totals(self.order, self.device)
        self.weighting.end_epoch(whole.mean_losses())

    def set_rate(self, step: int) -> float:
        factor = self.schedule(step, self.total)
        for group, base in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = base * factor
        return self.optimizer.param_groups[0]["lr"]

    def step(self, epoch: int, *, conflict: bool = False) -> Stepped:
        """One optimizer step, from the gradients of `accumulate` batches of every data set."""
        self.optimizer.zero_grad(set_to_none=True)
        last = self.plan.accumulate - 1
        parts = [self.add_gradients(epoch, conflict=conflict and part == last) for part in range(last + 1)]
        weights = self.weighting.finish()
        processes.average_gradients((*self.parameters, *self.weighting.parameters()))
        norm = self.shape_gradients()
        self.optimizer.step()
        return Stepped.joined(parts, weights, norm)

    def add_gradients(self, epoch: int, *, conflict: bool) -> Part:
        """Forward and backward of one batch of every data set; with `conflict`, the scenes' Gram matrix too."""
        losses: list[Tensor] = []
        observed: list[Tensor] = []
        seen: list[Tensor] = []
        features: list[Tensor] = []
        representation: list[Tensor] = []
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.precision == "bf16"):
            for dataset, sampler in zip(self.datasets, self.samplers, strict=True):
                rows = sampler.next(self.plan.growth_at(epoch))
                batch = collate(
                    dataset, "train", rows, self.device, augment=self.augment, seed=self.seed, epoch=sampler.visited
                )
                outcome = self.model(batch)
                losses += outcome.losses.values()
                features += outcome.features.values()
                representation += outcome.representation
                observed += [part.present.any() for part in batch.values()]
                seen += [] if outcome.scene_weights is None else outcome.scene_weights.values()
        losses, here = [loss.float() for loss in losses], torch.stack(observed)
        attended = torch.stack(seen).float() if seen else None
        products = scene_gram(losses, here, self.shared) if conflict else None
        self.weighting.backward(
            losses,
            observed=here,
            paths=Paths(features, representation, self.heads, self.shared, self.private),
            scene_weights=None if attended is None else attended.mean(dim=0),
            share=1.0 / self.plan.accumulate,
        )
        return Part(torch.stack(losses).detach(), here, attended, products)

    def shape_gradients(self) -> Tensor:
        """Regularise, then clip; return the norm of all gradients before clipping (0 where there is no clipping)."""
        with torch.no_grad():
            for parameter in self.parameters if self.plan.l1 or self.plan.l2 else ():
                if parameter.grad is not None:
                    parameter.grad.add_(parameter, alpha=self.plan.l2).add_(parameter.sign(), alpha=self.plan.l1)
        if self.plan.clip is None:
            return torch.zeros((), device=self.device)
        return nn.utils.clip_grad_norm_(self.parameters, self.plan.clip)

    def tell(self, state: RunState, totals: Totals, rate: float) -> None:
        told = totals.interval(state, self.total, rate)
        for name, number in {**told.losses, "the gradients": told.gradient_norm}.items():
            if not math.isfinite(number):
                raise DivergedError(
                    f"Losses and gradients must stay finite. Found {number} in {name} by step {state.step}: "
                    "lower optimizer.lr, set clip=1, or use precision=fp32."
                )
        for observer in self.observers:
            observer.trained(told)
