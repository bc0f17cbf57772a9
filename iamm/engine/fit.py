"""The training loop: one for every model, fusion, weighting and data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from iamm import processes
from iamm.dataset.base import Dataset
from iamm.engine.checkpointer import Checkpointer
from iamm.engine.collate import Augment, collate
from iamm.engine.evaluate import Batch, Evaluation, Network, evaluate
from iamm.engine.finite import diverged, finite_losses, finite_norm, unchanged
from iamm.engine.forward import add_penalties, forward, portions
from iamm.engine.freezing import trained, trained_paths
from iamm.engine.observer import Observer, Part, Stepped, Totals
from iamm.engine.plan import Plan, RunState
from iamm.engine.sampler import Sampler
from iamm.errors import NonFiniteError
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
    checkpointer: Checkpointer | None = None,
) -> RunState:
    """Train until the plan's end or until validation stops improving; the state at the end.

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
        checkpointer: is asked after each step whether to keep the state; None keeps nothing.

    Raises:
        DivergedError: a loss, gradient or measure became infinite or not a number; such a step was not applied.
    """
    state, checkpointer = state or RunState(), checkpointer or Checkpointer()
    samplers = [Sampler(dataset, seed) for dataset in datasets]
    for sampler, saved in zip(samplers, state.samplers, strict=False):
        sampler.load_state_dict(saved)
    parts = (model, datasets, samplers, weighting, optimizer, schedule, plan, seed, device, augment or {}, observers)
    (loop := Loop(*parts, checkpointer)).go_on(state)
    while state.phase_epoch < plan.epochs and not (plan.patience is not None and state.waited >= plan.patience):
        loop.run_epoch(state)
        found = evaluate(model, datasets, "validation", device, partial(loop.rest, state))
        loop.end_epoch(state, found)
    loop.note(state)
    checkpointer.save(state)
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
    checkpointer: Checkpointer

    def __post_init__(self) -> None:
        self.rows: list[tuple[str, Tensor]] = []  # of the step's batches
        self.total = self.plan.total_steps(self.samplers)
        self.base_rates = [group.setdefault("base_lr", group["lr"]) for group in self.optimizer.param_groups]
        self.parameters = trained(self.model.parameters())
        groups = [[scene.name for scene in dataset.scenes] for dataset in self.datasets]
        self.order = [name for group in groups for name in group]
        self.columns = torch.tensor([self.model.names.index(name) for name in self.order], device=self.device)
        self.heads, self.shared, self.private = trained_paths(self.model, groups)
        self.shared_heads = trained(self.model.shared_head_parameters())

    def go_on(self, state: RunState) -> None:
        """Take up what an interrupted epoch had summed up; its time begins anew."""
        self.started = time.perf_counter()
        self.begin_totals()
        for totals, saved in zip((self.interval, self.whole), state.totals, strict=False):
            totals.load_state_dict(saved)

    def begin_totals(self) -> None:
        self.interval, self.whole = Totals(self.order, self.device), Totals(self.order, self.device)

    def run_epoch(self, state: RunState) -> None:
        """The steps that are left of the epoch."""
        self.model.train()
        steps = self.plan.epoch_steps(state.phase_epoch, self.samplers)
        while state.done < steps:
            rate = self.set_rate(state.phase_step)
            self.model.set_progress(state.phase_step / self.total)
            telling = (state.step + 1) % self.plan.log_every == 0 or state.done + 1 == steps
            done = self.try_step(state, conflict=telling and self.plan.conflict)
            state.step, state.done = state.step + 1, state.done + 1
            if done is not None:
                self.interval.add(done)
                self.whole.add(done)
            if telling and self.interval.steps:
                self.tell(state, rate)
            self.rest(state)

    def end_epoch(self, state: RunState, found: Evaluation) -> None:
        """What validation says of it; a run that is left during validation has changed nothing yet."""
        self.weighting.end_epoch(self.whole.mean_losses())
        self.weighting.end_validation(torch.tensor([found.qualities[name] for name in self.order], device=self.device))
        better = found.quality > state.best_quality
        state.epoch, state.done = state.epoch + 1, 0
        state.waited = 0 if better else state.waited + 1
        if better:
            state.best_quality, state.best_epoch = found.quality, state.epoch
        self.begin_totals()
        self.note(state)
        for observer in self.observers:
            observer.validated(state, found)
        if better:
            self.checkpointer.save_best(state)
        self.rest(state)

    def rest(self, state: RunState) -> None:
        """Between two steps, or two batches of validation: where a run can be kept, and left."""
        if self.checkpointer.due(state):
            self.note(state)
            self.checkpointer.save(state)

    def note(self, state: RunState) -> None:
        """Complete the state by what changes in every step."""
        before, self.started = self.started, time.perf_counter()
        state.seconds += self.started - before
        state.samplers = [sampler.state_dict() for sampler in self.samplers]
        state.totals = [self.interval.state_dict(), self.whole.state_dict()]

    def set_rate(self, step: int) -> float:
        factor = self.schedule(step, self.total)
        for group, base in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = base * factor
        return self.optimizer.param_groups[0]["lr"]

    def try_step(self, state: RunState, *, conflict: bool) -> Stepped | None:
        """A step; None where it was left out.

        Raises:
            DivergedError: it is not finite, and such steps are not to be left out.
        """
        try:
            with unchanged(self.weighting, self.plan.nonfinite == "skip"):
                return self.step(state.phase_epoch, conflict=conflict)
        except NonFiniteError as error:
            if self.plan.nonfinite != "skip":
                raise diverged(error, self.order, state.step + 1, self.rows) from error
            state.skipped += 1
            return None

    def step(self, epoch: int, *, conflict: bool = False) -> Stepped:
        """One optimizer step."""
        self.optimizer.zero_grad(set_to_none=True)
        parts = self.accumulated(epoch, conflict=conflict)
        weights = self.weighting.finish()
        penalties = add_penalties(self.model.penalties())
        learnt = list(self.weighting.parameters())
        processes.average_gradients((*self.parameters, *learnt))
        norm = self.shape_gradients()
        finite_norm(learnt)
        self.optimizer.step()
        return Stepped.joined(parts, weights, norm, penalties)

    def accumulated(self, epoch: int, *, conflict: bool) -> list[Part]:
        """The gradients of `accumulate` batches of every data set."""
        self.rows.clear()
        sources = list(zip(self.datasets, self.samplers, strict=True))
        drawn = [[self.next_batch(*source, epoch) for source in sources] for _ in range(self.plan.accumulate)]
        return [
            self.add_gradients(batches, portion, conflict=conflict and batches is drawn[-1])
            for batches, portion in zip(drawn, portions(self.model, drawn), strict=True)
        ]

    def add_gradients(self, batches: Sequence[Batch], portion: Tensor, *, conflict: bool) -> Part:
        """Forward and backward of one batch of every data set; with `conflict`, the scenes' Gram matrix too."""
        share = 1.0 / self.plan.accumulate
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.plan.precision == "bf16"):
            made = forward(self.model, batches, portion)
        finite_losses(made.losses)
        attended = None if made.scene_weights is None else made.scene_weights[:, self.columns]
        products = scene_gram(made.losses, made.observed, [*self.shared, *self.shared_heads]) if conflict else None
        penalties = add_penalties(made.penalties, share)
        self.weighting.backward(
            made.losses,
            observed=made.observed,
            paths=Paths(made.features, made.representation, self.heads, self.shared, self.private, self.shared_heads),
            scene_weights=None if attended is None else attended.mean(dim=0),
            share=share,
        )
        return Part(torch.stack(made.losses).detach(), made.observed, attended, products, penalties)

    def next_batch(self, dataset: Dataset, sampler: Sampler, epoch: int) -> Batch:
        rows = sampler.next(self.plan.growth_at(epoch))
        self.rows.append((dataset.name, rows))
        return collate(dataset, "train", rows, self.device, augment=self.augment, seed=self.seed, epoch=sampler.visited)

    def shape_gradients(self) -> Tensor:
        """Regularise, then clip; the norm of all gradients before clipping.  # ()

        Raises:
            NonFiniteError: it is not finite.
        """
        with torch.no_grad():
            for parameter in self.parameters if self.plan.l1 or self.plan.l2 else ():
                if parameter.grad is not None:
                    parameter.grad.add_(parameter, alpha=self.plan.l2).add_(parameter.sign(), alpha=self.plan.l1)
        norm = finite_norm(self.parameters)
        if self.plan.clip is not None:
            nn.utils.clip_grads_with_norm_(self.parameters, self.plan.clip, norm)
        return norm

    def tell(self, state: RunState, rate: float) -> None:
        told = self.interval.interval(state, state.step - state.phase_step + self.total, rate)
        self.interval = Totals(self.order, self.device)
        for observer in self.observers:
            observer.trained(told)
