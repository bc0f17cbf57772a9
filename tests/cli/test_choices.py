"""Every choice of every group: composed as the command composes it, checked, built, and trained for a step."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from iamm.config.check.values import check_values
from iamm.engine.checkpointer import FileCheckpointer
from iamm.engine.fit import fit
from iamm.engine.plan import RunState
from iamm.errors import ConfigError, MissingDataError
from iamm.run.build import build, build_datasets
from tests.composing import few, values_of

CONFIGS = Path(__file__).parents[2] / "configs"
OTHER_DECODER = ["+attention@mine=multi_head", "head.generation.self_attention=${mine}"]  # one that can be causal
NEEDS = {
    "weighting=fixed": ["weighting.values=[0.5,0.25]"],
    "attention=low_rank": OTHER_DECODER,
    "attention=ridge": OTHER_DECODER,
    "pattern@attention.pattern=low_rank": OTHER_DECODER,
    "pattern@attention.pattern=linear": ["score@attention.score=kernel", "normaliser@attention.normaliser=sum"],
    "normaliser@attention.normaliser=sum": ["score@attention.score=kernel"],
}
"""What a choice needs beside it."""
SHRUNK = [
    *("dataset.shapes.train=24", "dataset.shapes.validation=5", "dataset.shapes.test=3", "batch_size=12"),
    *("dim=8", "epochs=1", "steps=1", "threads=1", "encoder.image.channels=[8,8]", "head.generation.max_length=2"),
]


def names(group: str) -> list[str]:
    return sorted(path.stem for path in (CONFIGS / group).glob("*.yaml"))


def composed(*words: str, checked: bool = True) -> dict[str, Any]:
    more = [extra for word in words for extra in NEEDS.get(word, ())]
    others = {name: part for name, part in values_of(*words, *more)["dataset"].items() if name != "shapes"}
    config = values_of(*SHRUNK, *words, *more, *few(others))
    if checked:
        check_values(config)
    return config


@cache
def shapes() -> list:
    return build_datasets(composed())


def trained(config: dict[str, Any]) -> None:
    parts = build(config, shapes())
    before = {name: value.clone() for name, value in parts.model.named_parameters()}
    options = {"seed": 0, "device": parts.device, "augment": parts.augment}
    state = fit(parts.model, shapes(), parts.weighting, parts.optimizer, parts.schedule, parts.plan, **options)
    assert state.step == config["steps"]
    changed = [name for name, value in parts.model.named_parameters() if not torch.equal(value, before[name])]
    assert len(changed) > 0.8 * len(before)


@pytest.mark.parametrize(
    "choice",
    [
        f"{group}={name if group != 'augment' else f'[{name}]'}"
        for group in ("attention", "augment", "fusion", "optimizer", "schedule")
        for name in names(group)
    ],
)
def test_a_choice_trains_a_step(choice):
    warm = ["schedule.warmup=5"] if choice == "schedule=inverse_square_root" else []
    trained(composed(choice, *warm))


@pytest.mark.parametrize("optimizer", names("optimizer"))
def test_an_optimizer_meets_parameters_whose_first_gradient_comes_late(optimizer):
    """A scene that training hides as unknown has no gradient in that step."""
    trained(composed(f"optimizer={optimizer}", "fusion=feature_augmentation", "fusion.scene_dropout=0.7", "steps=8"))


LONGER = ["epochs=2", "steps=3"]
ALIKE = re.compile("multi30k_(?!de_en$)")  # other languages of one data set
LISTS = {"augment": "[{}]", "dataset": "[shapes,{}]"}
OWN_FILES = [
    f"dataset={name}" for name in names("dataset") if "???" in (CONFIGS / "dataset" / f"{name}.yaml").read_text()
]
EVERY = [
    f"{group}={LISTS.get(group, '{}').format(name)}"
    for group in ("attention", "augment", "dataset", "fusion", "optimizer", "schedule", "weighting")
    for name in names(group)
    if not ALIKE.match(name) and f"{group}={name}" not in {"dataset=shapes", *OWN_FILES}
]


class LeftAfterFour(FileCheckpointer):
    """Is asked to leave in the second epoch."""

    def due(self, state: RunState) -> bool:
        return state.step == 4


@pytest.mark.long
@pytest.mark.parametrize("choice", EVERY)
def test_a_choice_goes_on_to_the_same_bits(choice, tmp_path):
    """Left after the fourth of six steps, and taken up by parts that are built anew."""
    warm = ["schedule.warmup=5"] if choice == "schedule=inverse_square_root" else []
    config = composed(choice, *LONGER, *warm)
    try:
        datasets = build_datasets(config) if "dataset" in choice else shapes()
    except MissingDataError as error:
        pytest.skip(str(error))
    files = [tmp_path / f"{name}.pt" for name in ("last", "previous", "best")]

    def train(kind: type[FileCheckpointer]) -> tuple[dict, RunState]:
        parts = build(config, datasets)
        kept = {"model": parts.model, "optimizer": parts.optimizer, "weighting": parts.weighting}
        checkpointer = kind(*files, kept, stop_requested=lambda: kind is LeftAfterFour)
        options = {"seed": 0, "device": parts.device, "augment": parts.augment, "checkpointer": checkpointer}
        options["state"] = checkpointer.restore()[0]
        try:
            state = fit(parts.model, datasets, parts.weighting, parts.optimizer, parts.schedule, parts.plan, **options)
        except KeyboardInterrupt:
            return {}, checkpointer.restore()[0]
        return {name: part.state_dict() for name, part in kept.items()}, state

    whole, end = train(FileCheckpointer)
    for file in files:
        file.unlink(missing_ok=True)
    left = train(LeftAfterFour)[1]
    assert (left.step, left.epoch, left.done) == (4, 1, 1)
    again, late = train(FileCheckpointer)
    assert (late.step, late.best_epoch, late.best_quality) == (end.step, end.best_epoch, end.best_quality)
    torch.testing.assert_close(again, whole, rtol=0, atol=0, equal_nan=True)


@pytest.mark.long
@pytest.mark.parametrize("model", names("model"))
@pytest.mark.parametrize("weighting", names("weighting"))
def test_a_model_with_a_weighting_trains_a_step(model, weighting):
    """Or is refused before anything is built, by what is known without torch; what is built refuses it as well."""
    steps = 2 if model == "linear_text" else 1  # its first features are zero
    words = f"model={model}", f"weighting={weighting}", f"steps={steps}"
    config = composed(*words, checked=False)
    fusion = config["fusion"]["_target_"].rsplit(".")[-1]
    weightless = weighting == "scene_attention" and fusion != "InterestGuidanceFusion"
    if not ("wrt" in config["weighting"] and fusion == "NoneFusion") and not weightless:
        return trained(composed(*words))
    with pytest.raises(ConfigError) as known:
        check_values(config)
    with pytest.raises(ConfigError) as built:
        build(config, shapes())
    assert str(built.value).split(". Found")[0] == str(known.value).split(". Found")[0]


@pytest.mark.parametrize(
    "part", [f"{room}@attention.{room}={name}" for room in ("score", "normaliser", "pattern") for name in names(room)]
)
def test_a_part_in_heads_trains_a_step(part):
    trained(composed("attention=multi_head", part, "attention.heads=2"))
