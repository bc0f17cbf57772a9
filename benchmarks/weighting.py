"""CPU time of a training step with each weighting, logged, against a bare loop over the mean of the losses.

    python benchmarks/weighting.py                       # every weighting; the MLP and the CNN, 2 and 4 scenes
    python benchmarks/weighting.py nash gradient_surgery # only these
    python benchmarks/weighting.py ragged                # 32 scenes, half of the labels missing

Networks: an MLP 256-256-256-128 and a small CNN on 3×32×32 that all scenes share, a 10-class head each, batch 64,
Adam. Same network, batches and optimizer in all; in turns in one process, so that the machine's noise meets all alike.
Ours does what the training loop does: backward, finish, sums, and a record with TensorBoard every 20 steps. Rounds are
whole multiples of 8 steps, for `every=8`. All of it takes half an hour, two names five minutes.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from hydra.utils import instantiate
from measuring import cpu_seconds
from omegaconf import OmegaConf
from torch import Tensor, nn
from torch.nn import functional

from iamm.engine.observer import BatchResult, StepResult, Totals
from iamm.engine.plan import RunState
from iamm.record.recorder import Recorder
from iamm.record.run_folder import RunFolder
from iamm.weighting.base import Paths, Weighting

CONFIGS = Path(__file__).parents[1] / "configs" / "weighting"
BATCH, CLASSES, EVERY = 64, 10, 20
CPU = torch.device("cpu")


def mlp() -> tuple[nn.Module, tuple[int, ...]]:
    layers = (nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 128), nn.ReLU())
    return nn.Sequential(*layers), (256,)


def cnn() -> tuple[nn.Module, tuple[int, ...]]:
    stages = [
        layer
        for inputs, outputs in ((3, 32), (32, 64), (64, 128))
        for layer in (nn.Conv2d(inputs, outputs, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    ]
    return nn.Sequential(*stages, nn.AdaptiveAvgPool2d(1), nn.Flatten()), (3, 32, 32)


class Job:
    """A network with S heads on one trunk, its data and its optimizer."""

    def __init__(self, trunk: Callable[[], tuple[nn.Module, tuple[int, ...]]], scenes: int, missing: float) -> None:
        torch.manual_seed(0)
        self.trunk, shape = trunk()
        self.heads = nn.ModuleList(nn.Linear(128, CLASSES) for _ in range(scenes))
        self.inputs = torch.randn(BATCH, *shape)
        self.targets = torch.randint(0, CLASSES, (scenes, BATCH))
        self.present = torch.rand(scenes, BATCH) >= missing
        self.ragged = missing > 0
        self.parameters = [*self.trunk.parameters(), *self.heads.parameters()]

    def losses(self) -> tuple[Tensor, list[Tensor]]:
        z = self.trunk(self.inputs)
        return z, [self.loss(head(z), scene) for scene, head in enumerate(self.heads)]

    def loss(self, logits: Tensor, scene: int) -> Tensor:
        if not self.ragged:
            return functional.cross_entropy(logits, self.targets[scene])
        each = functional.cross_entropy(logits, self.targets[scene], reduction="none")
        return (each * self.present[scene]).sum() / self.present[scene].sum().clamp(min=1)


def adam(groups: Any) -> torch.optim.Optimizer:
    return torch.optim.Adam(groups, lr=1e-3, fused=True)


def bare(job: Job) -> Callable[[], None]:
    optimizer = adam(job.parameters)

    def step() -> None:
        optimizer.zero_grad()
        torch.stack(job.losses()[1]).mean().backward()
        optimizer.step()

    return step


def floor(job: Job) -> Callable[[], None]:
    """A plain backward pass a scene, nothing made of it: what a rule over gradients cannot go below."""
    optimizer = adam(job.parameters)

    def step() -> None:
        optimizer.zero_grad()
        losses = job.losses()[1]
        for place, loss in enumerate(losses):
            loss.backward(retain_graph=place < len(losses) - 1)
        optimizer.step()

    return step


def ours(job: Job, weighting: Weighting, recorder: Recorder) -> Callable[[], None]:
    scenes = len(job.heads)
    names = [f"scene{scene}" for scene in range(scenes)]
    trunk = list(job.trunk.parameters())
    heads = [list(head.parameters()) for head in job.heads]
    optimizer = adam([{"params": job.parameters}, *weighting.parameter_groups()])
    state, totals = RunState(), Totals(names, CPU)
    norm = torch.zeros(())

    def step() -> None:
        nonlocal totals
        optimizer.zero_grad()
        z, losses = job.losses()
        observed = torch.stack([present.any() for present in job.present])
        attended = torch.full((scenes,), 1 / scenes) if weighting.needs_scene_weights else None
        paths = Paths([z] * scenes, [z], heads, trunk, [])
        weighting.backward(losses, observed=observed, paths=paths, scene_weights=attended)
        weights = weighting.finish()
        optimizer.step()
        part = BatchResult(torch.stack(losses).detach(), observed, None, None, {})
        totals.add(StepResult.joined([part], weights, norm))
        state.step += 1
        if state.step % EVERY == 0:
            recorder.trained(totals.interval(state, 1000, 1e-3))
            totals = Totals(names, CPU)

    return step


def build(name: str, scenes: int, extra: dict[str, Any]) -> Weighting:
    config = OmegaConf.load(CONFIGS / f"{name}.yaml")
    given = {"seed": 0, "values": [1 / scenes] * scenes}
    known = {key: value for key, value in given.items() if key in list(config)}
    return instantiate(OmegaConf.merge(config, known, extra))(scenes)


def rivals(chosen: list[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Label → weighting and its keys: each as it stands, rules over gradients in their other modes too."""
    names = [path.stem for path in sorted(CONFIGS.glob("*.yaml")) if not chosen or path.stem in chosen]
    rules = [name for name in names if over_gradients(name)]
    table: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in names}
    table |= {f"{name}, every=8": (name, {"every": 8}) for name in rules}
    return table | {f"{name}, wrt=representation": (name, {"wrt": "representation"}) for name in rules}


def over_gradients(name: str) -> bool:
    return "wrt" in list(OmegaConf.load(CONFIGS / f"{name}.yaml"))


def measure(
    title: str, trunk: Any, scenes: int, rounds: int, steps: int, chosen: list[str], missing: float = 0.0
) -> None:
    """Each in turn with the bare loop, so that the machine's moods meet both alike."""
    base = bare(Job(trunk, scenes, missing))
    with tempfile.TemporaryDirectory() as folder:
        recorder = Recorder(RunFolder(Path(folder)))
        works = {"bare, another": bare(Job(trunk, scenes, missing)), "floor": floor(Job(trunk, scenes, missing))}
        for label, (name, extra) in rivals(chosen).items():
            works[label] = ours(Job(trunk, scenes, missing), build(name, scenes, extra), recorder)
        ratios: dict[str, list[float]] = {label: [] for label in works}
        seconds: list[float] = []
        for number in range(rounds + 1):
            for label, work in works.items():
                first, second = (cpu_seconds(lambda w=w: [w() for _ in range(steps)]) for w in (base, work))
                if number:  # the first round warms up
                    seconds.append(first / steps)
                    ratios[label].append(second / first)
        recorder.close()
    print(f"\n{title}, {scenes} scenes: bare {1000 * statistics.median(seconds):.2f} ms CPU a step; ratios to it")
    print(f"(median, quartiles; {rounds} rounds of {steps} steps, one thread)")
    for label, found in ratios.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"  {label:45s} {middle:.2f}  ({low:.2f} to {high:.2f})", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    chosen = sys.argv[1:]
    if chosen == ["ragged"]:
        one_pass = [path.stem for path in CONFIGS.glob("*.yaml") if not over_gradients(path.stem)]
        return measure("MLP, half of the labels missing", mlp, 32, 15, 10, one_pass, missing=0.5)
    for scenes in (2, 4):
        measure("MLP", mlp, scenes, 15, 24, chosen)
    for scenes in (2, 4):
        measure("CNN", cnn, scenes, 5, 8, chosen)


if __name__ == "__main__":
    main()
