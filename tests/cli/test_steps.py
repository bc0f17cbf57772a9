"""What a step of the real loop gives to every parameter, against autograd, scene by scene and batch by batch."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf
from torch import Tensor, nn

from iamm.dataset.base import Dataset
from iamm.engine.checkpointer import Checkpointer
from iamm.engine.fit import Loop
from iamm.engine.forward import portions
from iamm.engine.gradients import set_rates, shaped
from iamm.engine.sampler import Sampler
from iamm.run.build import Parts, build, build_datasets
from iamm.weighting.gradient import GradientWeighting
from tests.composing import values_of

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.stem for path in (CONFIGS / "weighting").glob("*.yaml"))
RULES = [name for name in NAMES if "wrt" in OmegaConf.load(CONFIGS / "weighting" / f"{name}.yaml")]
SMALL = (
    *("dataset.shapes.train=24", "dataset.shapes.validation=5", "dataset.shapes.test=3", "batch_size=3", "dropout=0"),
    *(
        "dim=8",
        "threads=1",
        "device=cpu",
        "encoder.image.channels=[8,8]",
        "optimizer=sgd",
        "optimizer.lr=0.02",
        "fusion.recognition=0",
    ),
)
PAIRED = ("dataset=[shapes]",)
RAGGED = ("dataset=[digits,shapes]", "dataset.shapes.missing=1", "accumulate=2")  # shapes: one view an instance
CASES = [
    *((name, PAIRED) for name in NAMES),
    *((name, RAGGED) for name in NAMES),
    *((name, (*RAGGED, "weighting.every=2")) for name in RULES),
    *((name, (*PAIRED, "weighting.wrt=representation")) for name in RULES),
]


def composed(name: str, words: tuple[str, ...]) -> dict[str, Any]:
    values = {PAIRED: "[0.7,0.1]", RAGGED: "[0.7,0.1,0.4]"}
    given = [f"weighting.values={values[words]}"] if name == "fixed" else []
    return values_of(f"weighting={name}", *SMALL, *words, *given)


@cache
def loaded(words: tuple[str, ...]) -> list[Dataset]:
    return build_datasets(composed("equal", words))


def looped(parts: Parts, datasets: list[Dataset]) -> Loop:
    samplers = [Sampler(dataset, 0) for dataset in datasets]
    built = (parts.model.train(), datasets, samplers, parts.weighting, parts.optimizer, parts.schedule, parts.plan)
    return Loop(*built, 0, parts.device, {}, (), Checkpointer())


def slopes(loss: Tensor, parameters: list[nn.Parameter]) -> list[Tensor]:
    found = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
    return [torch.zeros_like(p) if slope is None else slope for slope, p in zip(found, parameters, strict=True)]


def taken(loop: Loop, conflict: bool = False) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """A step: its gradients; those that its weights, as told, and autograd make of its batches; the mean gradients."""
    batches: list = []
    hook = loop.model.register_forward_hook(lambda module, given, found: batches.append(given[0]))
    parameters, weighting = list(loop.model.parameters()), loop.weighting
    own = list(weighting.private_weights()) if isinstance(weighting, GradientWeighting) else None
    loop.optimizer.zero_grad(set_to_none=True)
    parts = loop.accumulated(0, conflict=conflict)
    told = weighting.finish()
    hook.remove()
    found = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
    share = torch.stack([part.observed for part in parts]).float().mean(dim=0)
    several = set(loop.shared)
    expected = [torch.zeros_like(p) for p in parameters]
    groups = len(batches) // len(parts)
    drawn = [batches[first : first + groups] for first in range(0, len(batches), groups)]
    for portion, batch in ((p, b) for p, group in zip(portions(loop.model, drawn), drawn, strict=True) for b in group):
        for name, loss in loop.model(batch).losses.items():
            scene = loop.order.index(name)
            for place, (parameter, slope) in enumerate(zip(parameters, slopes(loss, parameters), strict=True)):
                shared = own is None or parameter in several
                weight = float(told[scene] / share[scene].clamp(min=1e-9)) if shared else own[scene]
                expected[place] += weight * slope * portion.terms[scene] / len(parts)
    return found, expected, [part.observed for part in parts]


@pytest.mark.parametrize(("name", "words"), CASES, ids=lambda value: value if isinstance(value, str) else value[-1])
def test_gradients_are_those_of_the_reported_weights(name, words):
    datasets = loaded(PAIRED if words[: len(PAIRED)] == PAIRED else RAGGED)
    config = composed(name, words)
    loop = looped(build(config, datasets), datasets)
    for step in range(2):
        set_rates(loop.optimizer, loop.schedule(step, loop.total))
        found, expected, observed = taken(loop)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5 * max(1.0, float(other.abs().max())))
        assert any(part.any() for part in observed)
        shaped(loop.parameters, loop.plan)
        loop.optimizer.step()
    assert max(float(gradient.abs().max()) for gradient in found) > 1e-3


@pytest.mark.parametrize("name", ["equal", "dynamic_average", "conflict_averse"])
def test_one_step_however_it_is_accumulated(name):
    """Sentences of unlike length, and batches of unlike size: each token counts as in one batch of 16."""
    found = []
    for size, count in ((16, 1), (8, 2), (2, 8), (1, 16)):
        words = (*PAIRED, f"batch_size={size}", f"accumulate={count}", "dataset.shapes.word_drop=0.4")
        config = composed(name, words)
        datasets = build_datasets(config)
        loop = looped(build(config, datasets), datasets)
        set_rates(loop.optimizer, loop.schedule(0, loop.total))
        stepped = loop.step(0)
        found.append([stepped.losses, *(parameter.detach().clone() for parameter in loop.parameters)])
    for other in found[1:]:
        for one, same in zip(other, found[0], strict=True):
            torch.testing.assert_close(one, same, rtol=1e-4, atol=1e-6)


def test_the_ragged_case_is_ragged():
    """A scene is missing from some batch, and the scenes of digits have an encoder that no other scene reads."""
    datasets = loaded(RAGGED)
    loop = looped(build(composed("equal", RAGGED), datasets), datasets)
    observed = torch.stack([part for _ in range(4) for part in taken(loop)[2]])
    assert not observed.all()
    names = {id(parameter): name for name, parameter in loop.model.named_parameters()}
    assert {names[id(parameter)].split(".")[1] for parameter in loop.private} == {"digits"}


def test_conflict_is_that_of_the_last_batch():
    """Norms and cosines of the mean gradients of the shared parameters, worked out apart."""
    datasets = loaded(PAIRED)
    loop = looped(build(composed("equal", PAIRED), datasets), datasets)
    batches: list = []
    hook = loop.model.register_forward_hook(lambda module, given, found: batches.append(given[0]))
    part = loop.accumulated(0, conflict=True)[-1]
    loop.weighting.finish()
    hook.remove()
    rows = [slopes(loss, loop.shared) for loss in loop.model(batches[0]).losses.values()]
    flat = torch.stack([torch.cat([slope.flatten() for slope in row]) for row in rows]).double()
    torch.testing.assert_close(part.gram, flat @ flat.T, rtol=1e-5, atol=1e-9)
