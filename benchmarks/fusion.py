"""CPU time of a training step with each fusion, as a ratio to plain multi-task learning (`shared`).

    python benchmarks/fusion.py                             # every fusion; paired scenes, then unpaired ones
    python benchmarks/fusion.py star progressive_extraction # only these, and `shared`

Same data, encoders, heads, batches and optimizer in all; in turns in one process, one thread, so that the machine's
noise meets all alike. A step is forward, backward and the optimizer's step, of all scenes. `alone` counts the fusion
by itself, forward and backward on what the encoders give. All of it takes some ten minutes, two names two.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from hydra import compose, initialize_config_module
from measuring import in_turns
from omegaconf import OmegaConf

from iamm.encoder.base import Features
from iamm.engine.collate import collate
from iamm.model.scene_network import Batch, SceneNetwork
from iamm.run.build import build_datasets, build_model

FUSIONS = sorted(path.stem for path in (Path(__file__).parents[1] / "configs" / "fusion").glob("*.yaml"))
DATA = {
    "paired: a picture and a text of each shape": ["dataset=[shapes]"],
    "unpaired: digits, and the shapes": ["dataset=[digits,shapes]"],
}
BASE, BATCH, ROUNDS, STEPS = "shared", 64, 7, 2
CPU = torch.device("cpu")


def composed(fusion: str, data: list[str]) -> dict[str, Any]:
    words = [f"fusion={fusion}", "threads=1", "dataset.shapes.train=256", *data]
    config: Any = OmegaConf.to_container(compose("train", overrides=words), resolve=True)
    return config


def train_step(model: SceneNetwork, batches: list[Batch]) -> Callable[[], None]:
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        outcomes = [model(batch) for batch in batches]
        losses = [loss for outcome in outcomes for loss in outcome.losses.values()]
        penalties = [penalty for outcome in outcomes for penalty in outcome.penalties.values()]
        (torch.stack(losses).mean() + sum(penalties)).backward()
        optimizer.step()
        model.end_step()

    return step


def fusion_alone(model: SceneNetwork, batches: list[Batch]) -> Callable[[], None]:
    with torch.no_grad():
        encoded = [model.encoded(batch) for batch in batches]
    groups = [{name: Features(x.requires_grad_(), allow) for name, (x, allow) in each.items()} for each in encoded]

    def step() -> None:
        for group in groups:
            fused = model.fusion(group)
            sums = [scene.values.sum() for scene in fused.features.values()]
            torch.stack([*sums, *fused.penalties.values()]).sum().backward()
        model.end_step()

    return step


def repeated(step: Callable[[], None]) -> Callable[[], None]:
    return lambda: [step() for _ in range(STEPS)] and None


def measure(title: str, data: list[str], chosen: list[str]) -> None:
    datasets = build_datasets(composed(BASE, data))
    scenes = [scene for dataset in datasets for scene in dataset.scenes]
    batches = [collate(dataset, "train", torch.arange(BATCH), CPU) for dataset in datasets]
    models = {name: build_model(composed(name, data), scenes).train() for name in chosen}
    steps = {name: repeated(train_step(model, batches)) for name, model in models.items()}
    alone = {name: repeated(fusion_alone(model, batches)) for name, model in models.items()}
    whole, parts = in_turns(steps, ROUNDS), in_turns(alone, ROUNDS)
    print(f"\n{title}: a step with {BASE} takes {1000 * whole[BASE] / STEPS:.1f} ms CPU, its fusion alone", end=" ")
    print(f"{1000 * parts[BASE] / STEPS:.2f} ms; medians of {ROUNDS} rounds of {STEPS} steps of {BATCH} examples")
    print(f"{'fusion':24s} {'step':>6s} {'alone':>6s} {'parameters':>11s}")
    for name, model in models.items():
        count = sum(parameter.numel() for parameter in model.fusion.parameters())
        ratio = parts[name] / parts[BASE]
        print(f"{name:24s} {whole[name] / whole[BASE]:6.2f} {ratio:6.2f} {count:11,}", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    chosen = [BASE, *(name for name in sys.argv[1:] or FUSIONS if name != BASE)]
    with initialize_config_module("iamm.configs", version_base="1.3"):
        for title, data in DATA.items():
            measure(title, data, chosen)


if __name__ == "__main__":
    main()
