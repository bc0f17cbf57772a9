"""What every data set of the room must be, for each YAML in its folder."""

from __future__ import annotations

import functools
import inspect
import os
from pathlib import Path

import hydra
import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf import OmegaConf

from iamm.dataset.base import SPLITS, Dataset, Scene, Split
from iamm.dataset.fields import CLASS, PIXELS, TOKENS
from iamm.dataset.vocabulary import BOS, EOS, PAD
from iamm.errors import MissingDataError

FOLDER = Path(__file__).parents[2] / "configs" / "dataset"
VARIANTS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SMALL = 997  # training examples, where a data set can be shortened


def choice(variant: str):
    return OmegaConf.load(FOLDER / f"{variant}.yaml")


def built(variant: str, seed: int = 5) -> Dataset:
    data_dir = os.environ.get("IAMM_DATA_DIR")
    config = OmegaConf.create({"seed": seed, "batch_size": 13, "data_dir": data_dir, "dataset": choice(variant)})
    if "train" in config.dataset[variant]:
        config.dataset[variant].train = SMALL
    try:
        return hydra.utils.instantiate(config.dataset[variant])
    except InstantiationException as error:
        if not isinstance(error.__cause__, MissingDataError):
            raise
        pytest.skip(str(error.__cause__))


once = functools.cache(built)


def scenes_and_splits(variant: str) -> list[tuple[Scene, Split]]:
    return [(scene, scene.splits[split]) for scene in once(variant).scenes for split in SPLITS]


def rows(tensor: torch.Tensor) -> list[tuple[int, ...]]:
    """Each row without the zeros behind it, in plain Python."""
    result = []
    for row in tensor.flatten(1).tolist():
        while row and row[-1] == 0:
            row.pop()
        result.append(tuple(row))
    return result


def test_the_room_has_its_data_sets():
    assert {"shapes", "digits", "mnist", "fashion_mnist"} <= set(VARIANTS)
    assert sum(variant.startswith("multi30k_") for variant in VARIANTS) == 12


@pytest.mark.parametrize("variant", VARIANTS)
def test_yaml_says_what_it_is_and_offers_every_argument_with_its_default(variant):
    comment = (FOLDER / f"{variant}.yaml").read_text(encoding="utf-8").splitlines()[0]
    assert comment.startswith("# ")
    assert comment.endswith(".")
    config = choice(variant)
    assert list(config) == [variant]
    arguments = OmegaConf.to_container(config[variant], resolve=False)
    parameters = dict(inspect.signature(hydra.utils.get_class(arguments.pop("_target_"))).parameters)
    assert arguments.keys() == parameters.keys()
    for name, parameter in parameters.items():
        if parameter.default is not inspect.Parameter.empty and name != "batch_size":
            default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert arguments[name] == default, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_names(variant):
    dataset = once(variant)
    assert dataset.name == variant
    assert dataset.batch_size == 13
    names = [scene.name for scene in dataset.scenes]
    assert len(set(names)) == len(names)
    assert all(name == variant or name.startswith(f"{variant}_") for name in names)


@pytest.mark.parametrize("variant", VARIANTS)
def test_splits_are_aligned_tensors_of_the_promised_kind(variant):
    dataset = once(variant)
    for scene, split in scenes_and_splits(variant):
        assert split.inputs[scene.kind].dtype == {"image": torch.uint8, "text": torch.int64}[scene.kind]
        assert split.inputs[scene.kind].dim() == {"image": 4, "text": 2}[scene.kind]
        assert split.targets.dtype == torch.int64
        assert split.targets.dim() == {"classification": 1, "generation": 2}[scene.task]
        assert set(scene.fields) == set(split.inputs)
        assert scene.fields[scene.kind] == {"image": PIXELS, "text": TOKENS}[scene.kind]
        assert scene.target_field == {"classification": CLASS, "generation": TOKENS}[scene.task]
        assert split.present.dtype == torch.bool
        assert len(split) == len(split.targets) == len(split.present)
        assert split.present.any()
    for split in SPLITS:
        assert {len(scene.splits[split]) for scene in dataset.scenes} == {dataset.size(split)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_pictures_of_all_splits_have_one_size(variant):
    for scene in once(variant).scenes:
        sizes = {scene.splits[split].inputs[scene.kind].shape[1:] for split in SPLITS}
        assert len(sizes) == 1 or scene.kind == "text"


@pytest.mark.parametrize("variant", VARIANTS)
def test_targets_and_ids_are_in_range(variant):
    for scene, split in scenes_and_splits(variant):
        size = len(scene.classes) if scene.task == "classification" else len(scene.target)
        assert split.targets.min() >= 0
        assert split.targets.max() < size
        if scene.kind == "text":
            assert split.inputs[scene.kind].min() >= 0
            assert split.inputs[scene.kind].max() < len(scene.source)
    for scene in once(variant).scenes:
        if scene.task == "classification":
            assert set(scene.splits["train"].targets.tolist()) == set(range(len(scene.classes)))
            assert len(set(scene.classes)) == len(scene.classes)


@pytest.mark.parametrize("variant", VARIANTS)
def test_texts_are_framed_and_padded_behind(variant):
    for scene, split in scenes_and_splits(variant):
        if scene.task == "generation":
            for row in rows(split.targets):
                assert row[0] == BOS
                assert row[-1] == EOS
                assert not {PAD, BOS, EOS} & set(row[1:-1])
        if scene.kind == "text":
            for row, present in zip(rows(split.inputs[scene.kind]), split.present.tolist(), strict=True):
                assert bool(row) == present
                assert not {PAD, BOS, EOS} & set(row)


@pytest.mark.parametrize("variant", VARIANTS)
def test_splits_share_no_example_or_tell_how_many(variant):
    dataset = once(variant)
    expected = []
    for scene in dataset.scenes:
        seen = {}
        for name in SPLITS:
            split = scene.splits[name]
            targets = split.targets if scene.task == "generation" else split.targets[:, None]
            triples = zip(rows(split.inputs[scene.kind]), rows(targets), split.present.tolist(), strict=True)
            seen[name] = {(source, target) for source, target, present in triples if present}
        for one, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
            if count := len(seen[one] & seen[other]):
                part = f"{count:,} of {len(seen[one]):,} distinct {one} examples also stand in {other}."
                expected.append(f"{scene.name}: {part}")
    assert [notice for notice in dataset.notices if " examples also stand in " in notice] == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_arguments_give_the_same_data_and_another_seed_gives_other(variant):
    checksum = once(variant).checksum()
    assert built(variant).checksum() == checksum
    if "seed" in choice(variant)[variant]:
        assert built(variant, seed=6).checksum() != checksum


def test_translation_choices_differ_in_their_languages_only():
    configs = {variant: choice(variant)[variant] for variant in VARIANTS if variant.startswith("multi30k_")}
    for variant, config in configs.items():
        assert variant == f"multi30k_{config.source}_{config.target}"
        first = OmegaConf.to_container(next(iter(configs.values())))
        assert OmegaConf.to_container(config) == {**first, "source": config.source, "target": config.target}
