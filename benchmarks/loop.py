"""CPU time of a training step: ours (with records, TensorBoard and progress) against a bare PyTorch loop.

    python benchmarks/loop.py                                  # dataset=[shapes], one thread
    python benchmarks/loop.py dataset=[digits] model=cnn       # any overrides
    python benchmarks/loop.py +experiment=recommendation model=din     # log of a recommender

Same model, batches and optimizer in both, in turns in one process, so that the machine's noise meets both alike.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from hydra import compose, initialize_config_module
from measuring import cpu_seconds
from omegaconf import OmegaConf
from rich.console import Console

from iamm.dataset.base import Dataset, SceneBatch
from iamm.engine.checkpointer import Checkpointer
from iamm.engine.fit import Loop
from iamm.engine.plan import RunState
from iamm.engine.sampler import Sampler
from iamm.record.recorder import Recorder
from iamm.record.run_folder import RunFolder
from iamm.run.build import build, build_datasets
from iamm.run.progress import ProgressLine

ROUNDS, STEPS = 15, 40


def bare_batch(dataset: Dataset, rows: torch.Tensor) -> dict[str, SceneBatch]:
    """What anybody would write: index, scale pictures, cut padding."""
    batch = {}
    for scene in dataset.scenes:
        part = scene.splits["train"]
        inputs, targets = {name: values[rows] for name, values in part.inputs.items()}, part.targets[rows]
        for name, values in inputs.items():
            if name == "image":
                inputs[name] = values.float() / 255
            elif values.dim() == 2:
                padding = -1 if name == "ages" else 0
                inputs[name] = values[:, : int((values != padding).sum(1).max())]
        if targets.dim() == 2:
            targets = targets[:, : int((targets != 0).sum(1).max())]
        batch[scene.name] = SceneBatch(inputs, targets, part.present[rows])
    return batch


def bare_steps(parts, datasets, samplers, steps: int) -> None:  # type: ignore[no-untyped-def]
    """The bare loop: forward, mean of the losses, backward, clip, step."""
    for _ in range(steps):
        parts.optimizer.zero_grad()
        losses = []
        for dataset, sampler in zip(datasets, samplers, strict=True):
            losses += parts.model(bare_batch(dataset, sampler.next(1.0))).losses.values()
        torch.stack(losses).mean().backward()
        if parts.plan.clip is not None:
            torch.nn.utils.clip_grad_norm_(parts.model.parameters(), parts.plan.clip)
        parts.optimizer.step()


def timed(overrides: Sequence[str], steps: int, rounds: int) -> tuple[list[float], list[float]]:
    """Of each round, how many times the bare loop's CPU time ours takes, and the bare loop's seconds a step."""
    with initialize_config_module("iamm.configs", version_base="1.3"):
        composed = compose("train", overrides=["threads=1", f"steps={steps}", "epochs=1000", *overrides])
    config = OmegaConf.to_container(composed, resolve=True)
    datasets = build_datasets(config)
    ours, bare = build(config, datasets), build(config, datasets)
    mine, theirs = ([Sampler(dataset, 0) for dataset in datasets] for _ in range(2))
    with (
        tempfile.TemporaryDirectory() as folder,
        ProgressLine(Console(file=open(os.devnull, "w")), 1000, ours.model.declared_measures()) as line,
    ):
        recorder = Recorder(RunFolder(Path(folder)))
        loop = Loop(
            ours.model, datasets, mine, ours.weighting, ours.optimizer, ours.schedule, ours.plan, 0, ours.device,
            ours.augment, (recorder, line), Checkpointer(),
        )  # fmt: skip
        state, ratios, seconds = RunState(), [], []
        loop.restore_totals(state)
        bare.model.train()
        for number in range(rounds + 1):
            mine_took = cpu_seconds(lambda: loop.run_epoch(state))
            state.epoch, state.done = state.epoch + 1, 0
            bare_took = cpu_seconds(lambda: bare_steps(bare, datasets, theirs, steps))
            if number:  # the first round warms up
                ratios.append(mine_took / bare_took)
                seconds.append(bare_took / steps)
        recorder.close()
    return ratios, seconds


def main() -> None:
    ratios, seconds = timed(sys.argv[1:], STEPS, ROUNDS)
    low, middle, high = statistics.quantiles(ratios, n=4)
    print(f"bare loop {1000 * statistics.median(seconds):.1f} ms CPU a step; ours {middle:.3f} times that", end=" ")
    print(f"(quartiles {low:.3f} to {high:.3f}, {ROUNDS} rounds of {STEPS} steps, one thread)")


if __name__ == "__main__":
    main()
