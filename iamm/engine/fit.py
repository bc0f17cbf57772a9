"""The training loop: one for every model, fusion, weighting and data set."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor

from iamm import processes
from iamm.dataset.base import Dataset
from iamm.engine.checkpointer import Checkpointer
from iamm.engine.collate import Augment, own_batch
from iamm.engine.evaluate import Batch, Evaluation, Network, evaluate, require_split
from iamm.engine.finite import diverged, finite_losses, finite_norm, unchanged
from iamm.engine.forward import Portion, add_penalties, forward, portions
from iamm.engine.freezing import begin_training, trained, trained_paths
from iamm.engine.gradients import autocast, scale_gradients, set_rates, shaped, unscaled
from iamm.engine.observer import BatchResult, Observer, StepResult, Totals
from iamm.engine.plan import Plan, RunState
from iamm.engine.sampler import Sampler, samplers_of
from iamm.engine.technique.techniques import Techniques
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
    techniques: Techniques | None = None,
    state: RunState | None = None,
    checkpointer: Checkpointer | None = None,
) -> RunState:
    """Train until the plan's end or until validation stops improving, and return the state at the end.

    Args:
        model: a `SceneNetwork`.
        datasets: each step reads one batch of every one.
        weighting: makes one backward pass of the scenes' losses.
        optimizer: over the model's and the weighting's parameters; its learning rates are the base rates.
        schedule: (step, total steps) → factor on the base rates.
        plan: length and options of the training.
        seed: orders the data and draws dropout and augmentation.
        device: of the model.
        augment: name → augmentation of the fields of one kind.
        observers: receive each interval and each validation.
        techniques: averaging and others; None means none.
        state: of an interrupted run; None starts a new one.
        checkpointer: saves the state after a step where it is due; None saves nothing.

    Raises:
        BadDataError: a scene has no example to train on, or none to validate with.
        DivergedError: a loss, gradient or measure became infinite or not a number; such a step was not applied.
    """
    state, checkpointer = state or RunState(), checkpointer or Checkpointer()
    require_split(datasets, "validation")
    samplers = samplers_of(datasets, seed, state.samplers)
    parts = (model, datasets, samplers, weighting, optimizer, schedule, plan, seed, device, augment or {}, observers)
    (loop := Loop(*parts, checkpointer, techniques or Techniques())).restore_totals(state)
    with unscaled(loop.parameters if plan.precision == "fp16" else (), lambda: loop.loss_scale):
        while state.phase_epoch < plan.epochs and not (plan.patience is not None and state.waited >= plan.patience):
            loop.run_epoch(state)
            evaluated, due = loop.techniques.evaluated(model), partial(loop.checkpoint_if_due, state)
            loop.end_epoch(state, evaluate(evaluated, datasets, "validation", device, due))
    loop.update_state(state)
    checkpointer.save(state)
    return state


@dataclass
class Loop:
    """The parts of one training, and the methods that run an epoch and a step of it."""

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
    techniques: Techniques = field(default_factory=Techniques)

    def __post_init__(self) -> None:
        self.rows: list[tuple[str, Tensor]] = []  # of the batches of the current step
        self.growths, self.loss_scale = 0, 1.0  # as in the state
        self.total = self.plan.total_steps(self.samplers)
        self.parameters = trained(self.model.parameters())
        groups = [[scene.name for scene in dataset.scenes] for dataset in self.datasets]
        self.order = [name for group in groups for name in group]
        self.columns = torch.tensor([self.model.names.index(name) for name in self.order], device=self.device)
        self.heads, self.shared, self.private = trained_paths(self.model, groups)
        self.shared_heads = trained(self.model.shared_head_parameters())

    def restore_totals(self, state: RunState) -> None:
        """Restore the totals of an interrupted epoch and restart the clock."""
        self.started = time.perf_counter()
        self.reset_totals()
        for totals, saved in zip((self.interval_totals, self.epoch_totals), state.totals, strict=False):
            totals.load_state_dict(saved)

    def reset_totals(self) -> None:
        self.interval_totals, self.epoch_totals = (Totals(self.order, self.device) for _ in range(2))

    def run_epoch(self, state: RunState) -> None:
        """Run the remaining steps of the epoch."""
        begin_training(self.model)
        self.growths = state.growths
        steps = self.plan.epoch_steps(state.phase_epoch, self.samplers)
        while state.done < steps:
            rate = set_rates(self.optimizer, self.schedule(state.phase_step, self.total))
            self.model.set_progress(state.phase_step / self.total)
            reporting = (state.step + 1) % self.plan.log_every == 0 or state.done + 1 == steps
            done = self.try_step(state, conflict=reporting and self.plan.conflict)
            processes.average_statistics(self.model)
            state.step, state.done = state.step + 1, state.done + 1
            self.techniques.end_step(self.model, state.phase_step / self.total, epoch_ends=state.done == steps)
            if done is not None:
                self.interval_totals.add(done)
                self.epoch_totals.add(done)
            if reporting and self.interval_totals.steps:
                self.report(state, rate)
            self.checkpoint_if_due(state)

    def end_epoch(self, state: RunState, evaluation: Evaluation) -> None:
        """Update the weighting and the state by the validation; before it, nothing has changed."""
        self.weighting.end_epoch(self.epoch_totals.mean_losses())
        qualities = torch.tensor([evaluation.qualities[name] for name in self.order], device=self.device)
        self.weighting.end_validation(qualities)
        ready = self.techniques.ready(state.phase_step / self.total)
        better = ready and evaluation.quality > state.best_quality
        state.end_epoch(better or not ready, self.plan.growth_patience)
        if better:
            state.best_quality, state.best_epoch = evaluation.quality, state.epoch
            state.best_weights = {scene: dict(weights) for scene, weights in evaluation.scene_weights.items()}
        self.reset_totals()
        self.update_state(state)
        for observer in self.observers:
            observer.validated(state, evaluation)
        if better:
            self.checkpointer.save_best(state, self.techniques.evaluated(self.model))
        self.model.end_validation(evaluation.qualities)
        self.checkpoint_if_due(state)

    def checkpoint_if_due(self, state: RunState) -> None:
        """Save the run, and stop it if requested; called between two steps or two batches of validation."""
        if processes.of_first(self.checkpointer.due(state)):
            self.update_state(state)
            self.checkpointer.save(state)

    def update_state(self, state: RunState) -> None:
        """Update the time, the samplers and the totals in the state."""
        before, self.started = self.started, time.perf_counter()
        state.seconds += self.started - before
        state.samplers = [sampler.state_dict() for sampler in self.samplers]
        state.totals = [self.interval_totals.state_dict(), self.epoch_totals.state_dict()]

    def try_step(self, state: RunState, *, conflict: bool) -> StepResult | None:
        """Run a step; None if it was skipped.

        Raises:
            DivergedError: the step is not finite, and the plan does not skip such steps.
        """
        scaled = self.plan.precision == "fp16"
        self.loss_scale = state.loss_scale if scaled else 1.0
        try:
            with unchanged(self.weighting, scaled or self.plan.nonfinite == "skip"):
                done = self.step(state.phase_epoch, conflict=conflict)
            if scaled:
                state.count_finite()
            return done
        except NonFiniteError as error:
            if not (scaled and error.what == "gradient" and state.scale_down()) and self.plan.nonfinite != "skip":
                raise diverged(error, self.order, state.step + 1, self.rows) from error
            state.skipped += 1
            self.model.end_step(applied=False)
            return None

    def step(self, epoch: int, *, conflict: bool = False) -> StepResult:
        """Run one optimizer step."""
        self.optimizer.zero_grad(set_to_none=True)
        parts = self.accumulated(epoch, conflict=conflict)
        weights = self.weighting.finish()
        penalties = add_penalties(self.model.penalties(), 1.0, self.loss_scale)
        processes.average_gradients((*self.parameters, *self.weighting.parameters()))
        norm = shaped(self.parameters, self.plan)
        finite_norm(list(self.weighting.parameters()))
        self.optimizer.step()
        self.model.end_step()
        return StepResult.joined(parts, weights, norm, penalties)

    def accumulated(self, epoch: int, *, conflict: bool) -> list[BatchResult]:
        """Accumulate the gradients of `accumulate` batches of every data set."""
        self.rows.clear()
        sources = list(zip(self.datasets, self.samplers, strict=True))
        drawn = [[self.next_batch(*source, epoch) for source in sources] for _ in range(self.plan.accumulate)]
        return [
            self.add_gradients(batches, portion, conflict=conflict and batches is drawn[-1])
            for batches, portion in zip(drawn, portions(self.model, drawn), strict=True)
        ]

    def add_gradients(self, batches: Sequence[Batch], portion: Portion, *, conflict: bool) -> BatchResult:
        """Run forward and backward on one batch of every data set; with `conflict`, compute the scenes' Gram matrix."""
        share = 1.0 / self.plan.accumulate
        with self.techniques.attacked(self.model, batches), autocast(self.device, self.plan.precision):
            out = forward(self.model, batches, portion)
        scale_gradients(out.losses, self.loss_scale)
        losses = processes.mean(torch.stack(out.losses).detach())
        finite_losses(losses)
        attended = None if out.scene_weights is None else processes.mean(out.scene_weights[:, self.columns])
        products = scene_gram(out.losses, portion.observed, [*self.shared, *self.shared_heads]) if conflict else None
        penalties = add_penalties(out.penalties, share, self.loss_scale)
        self.weighting.backward(
            out.losses,
            observed=portion.observed,
            paths=Paths(out.features, out.representation, self.heads, self.shared, self.private, self.shared_heads),
            scene_weights=None if attended is None else attended.mean(dim=0),
            share=share,
        )
        return BatchResult(losses, portion.observed, attended, products, penalties)

    def next_batch(self, dataset: Dataset, sampler: Sampler, epoch: int) -> Batch:
        rows = sampler.next(self.plan.growth_at(epoch, self.growths))
        self.rows.append((dataset.name, rows))
        options = {"augment": self.augment, "seed": self.seed, "epoch": sampler.visited}
        return self.techniques.taught(own_batch(dataset, rows, self.device, **options))

    def report(self, state: RunState, rate: float) -> None:
        """Pass the interval's means to the observers, and begin the next interval."""
        total = state.step - state.phase_step + self.total
        interval = self.interval_totals.interval(state, total, rate, self.techniques.values())
        self.interval_totals = Totals(self.order, self.device)
        for observer in self.observers:
            observer.trained(interval)
