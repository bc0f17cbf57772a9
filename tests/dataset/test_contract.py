"""What every data set of the room must be, for each YAML in its folder."""

from __future__ import annotations

import functools
import inspect
import itertools
import os
from pathlib import Path

import hydra
import pytest
import torch
from hydra.errors import InstantiationException
from omegaconf import OmegaConf
from PIL import Image

from iamm.config.groups import headline
from iamm.dataset.base import SPLITS, Dataset, Scene, Split
from iamm.dataset.fields import CLASS, ID, ITEMS, NUMBER, PIXELS, TOKENS
from iamm.dataset.vocabulary import BOS, EOS, PAD
from iamm.errors import MissingDataError

FOLDER = Path(__file__).parents[2] / "configs" / "dataset"
VARIANTS = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SMALL, USERS = 997, 23  # training examples, and users that are evaluated, where a data set can be shortened
FIELDS = {
    "image": {"image": PIXELS},
    "text": {"text": TOKENS},
    "behaviour": {"history": ITEMS, "candidate": ID, "user": NUMBER},
}
TARGETS = {"classification": CLASS, "generation": TOKENS, "ranking": CLASS}
DIMENSIONS = {"image": 4, "text": 2, "history": 2, "ages": 2, "values": 2, "candidate": 1, "user": 1}


OWN: dict[str, dict[str, str]] = {}
"""Choice of one's own data → its paths here, of invented files."""


@pytest.fixture(scope="module", autouse=True)
def own_files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    os.environ.setdefault("IAMM_CACHE_DIR", str(folder / "cache"))
    texts = "".join(f"{'ab'[n % 2]}\tthis is text {n} of {'ab'[n % 2]}\n" for n in range(100))
    (folder / "texts.txt").write_text(texts)
    for n in range(100):
        file = folder / "pictures" / "ab"[n % 2] / f"{n}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (5, 7), (n, 40 * (n % 2), 255 - n)).save(file)
    OWN["image_folder"] = {"path": str(folder / "pictures")}
    (folder / "pairs.tsv").write_text("".join(f"this is pair {n}\tpaire {n}\n" for n in range(100)))
    OWN["parallel_text"] = {"source_path": str(folder / "pairs.tsv")}
    clicks = "".join(f"u{n % 20},i{n % 7 + n % 3},{n}\n" for n in range(200))
    (folder / "clicks.csv").write_text(f"user,item,time\n{clicks}")
    OWN["interaction_file"] = {"path": str(folder / "clicks.csv")}
    OWN["text_file"] = {"path": str(folder / "texts.txt")}


def choice(variant: str):
    """A choice by its name; one's own data, which bear the name of their key, as if it were their own."""
    content = OmegaConf.to_container(OmegaConf.load(FOLDER / f"{variant}.yaml"))
    if "_target_" in content:
        content = {variant: {"name": variant, **content, **OWN[variant]}}
    return OmegaConf.create(content)


def built(variant: str, seed: int = 5) -> list[Dataset]:
    """All that a choice makes: one data set, or several."""
    data_dir = os.environ.get("IAMM_DATA_DIR")
    given = {"seed": seed, "batch_size": 13, "data_dir": data_dir}
    config = OmegaConf.create({**given, "dataset": choice(variant)})
    if "train" in config.dataset[variant]:
        config.dataset[variant].train = SMALL
    if "evaluated" in config.dataset[variant]:
        config.dataset[variant].evaluated = USERS
    try:
        made = hydra.utils.instantiate(config.dataset[variant])
    except InstantiationException as error:
        if not isinstance(error.__cause__, MissingDataError):
            raise
        pytest.skip(str(error.__cause__))
    return made if isinstance(made, list) else [made]


def scenes(variant: str) -> list[Scene]:
    return [scene for dataset in once(variant) for scene in dataset.scenes]


once = functools.cache(built)


def scenes_and_splits(variant: str) -> list[tuple[Scene, Split]]:
    return [(scene, scene.splits[split]) for scene in scenes(variant) for split in SPLITS]


def rows(tensor: torch.Tensor) -> list[tuple[int, ...]]:
    """Each row without the zeros behind it, in plain Python."""
    result = []
    for row in tensor.reshape(len(tensor), -1).tolist():
        while row and row[-1] == 0:
            row.pop()
        result.append(tuple(row))
    return result


def test_the_room_has_its_data_sets():
    assert {"shapes", "digits", "mnist", "fashion_mnist"} <= set(VARIANTS)
    assert sum(variant.startswith("multi30k_") for variant in VARIANTS) == 12


@pytest.mark.parametrize("variant", VARIANTS)
def test_yaml_says_what_it_is_and_offers_every_argument_with_its_default(variant):
    comment = headline(FOLDER / f"{variant}.yaml")
    assert comment[0].isupper()
    assert comment.endswith(".")
    config = choice(variant)
    assert list(config) == [variant]
    arguments = OmegaConf.to_container(config[variant], resolve=False)
    parameters = dict(inspect.signature(hydra.utils.get_class(arguments.pop("_target_"))).parameters)
    for given in ("name", "known"):  # by the key, and by a run with a target
        arguments.pop(given, None)
        parameters.pop(given, None)
    assert arguments.keys() == parameters.keys()
    for name, parameter in parameters.items():
        referring = name == "batch_size"
        if parameter.default is not inspect.Parameter.empty and not referring and name not in OWN.get(variant, ()):
            default = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
            assert arguments[name] == default, name


@pytest.mark.parametrize("variant", VARIANTS)
def test_names(variant):
    datasets = once(variant)
    for dataset in datasets:
        views = [scene.name for scene in dataset.scenes]
        assert all(name == dataset.name or name.startswith(f"{dataset.name}_") for name in views)
    assert all(dataset.name == variant or dataset.name.startswith(f"{variant}_") for dataset in datasets)
    assert {dataset.batch_size for dataset in datasets} == {13}
    names = [scene.name for scene in scenes(variant)]
    assert len(set(names)) == len(names)
    assert all(name == variant or name.startswith(f"{variant}_") for name in names)


@pytest.mark.parametrize("variant", VARIANTS)
def test_splits_are_aligned_tensors_of_the_promised_kind(variant):
    for scene, split in scenes_and_splits(variant):
        for name, values in split.inputs.items():
            assert values.dtype == (torch.uint8 if name == "image" else torch.int64)
            assert values.dim() == DIMENSIONS[name]
        assert split.targets.dtype == torch.int64
        assert split.targets.dim() == (2 if scene.task == "generation" else 1)
        assert set(scene.fields) == set(split.inputs)
        assert FIELDS[scene.kind].items() <= scene.fields.items()
        assert scene.target_field == TARGETS[scene.task]
        assert split.present.dtype == torch.bool
        assert len(split) == len(split.targets) == len(split.present)
        assert split.present.any()
    for split, dataset in itertools.product(SPLITS, once(variant)):
        assert {len(scene.splits[split]) for scene in dataset.scenes} == {dataset.size(split)}


@pytest.mark.parametrize("variant", VARIANTS)
def test_pictures_of_all_splits_have_one_size(variant):
    for scene in scenes(variant):
        if scene.kind == "image":
            assert len({scene.splits[split].inputs["image"].shape[1:] for split in SPLITS}) == 1


@pytest.mark.parametrize("variant", VARIANTS)
def test_targets_and_ids_are_in_range(variant):
    for scene, split in scenes_and_splits(variant):
        size = len(scene.target) if scene.task == "generation" else len(scene.classes)
        assert split.targets.min() >= 0
        assert split.targets.max() < size
        for name in {"text", "history", "candidate"} & split.inputs.keys():
            assert split.inputs[name].min() >= 0
            assert split.inputs[name].max() < len(scene.source)
    for scene in scenes(variant):
        if scene.task != "generation":
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
    expected = []
    for scene in scenes(variant):
        seen = {}
        for name in SPLITS:
            split = scene.splits[name]
            targets = split.targets if scene.task == "generation" else split.targets[:, None]
            inputs = [rows(split.inputs[key] - (field.padding or 0)) for key, field in scene.fields.items()]
            contents = zip(*inputs, rows(targets), split.present.tolist(), strict=True)
            seen[name] = {tuple(content) for *content, present in contents if present}
        for one, other in (("validation", "train"), ("test", "train"), ("test", "validation")):
            if count := len(seen[one] & seen[other]):
                part = f"{count:,} of {len(seen[one]):,} distinct {one} examples also stand in {other}."
                expected.append(f"{scene.name}: {part}")
    notices = [notice for dataset in once(variant) for notice in dataset.notices]
    assert [notice for notice in notices if " examples also stand in " in notice] == expected


@pytest.mark.parametrize("variant", VARIANTS)
def test_same_arguments_give_the_same_data_and_another_seed_gives_other(variant):
    checksums = [dataset.checksum() for dataset in once(variant)]
    assert [dataset.checksum() for dataset in built(variant)] == checksums
    if "seed" in choice(variant)[variant]:
        others = [dataset.checksum() for dataset in built(variant, seed=6)]
        assert all(one != other for one, other in zip(checksums, others, strict=True))


def test_translation_choices_differ_in_their_languages_only():
    configs = {variant: choice(variant)[variant] for variant in VARIANTS if variant.startswith("multi30k_")}
    for variant, config in configs.items():
        assert variant == f"multi30k_{config.source}_{config.target}"
        first = OmegaConf.to_container(next(iter(configs.values())))
        assert OmegaConf.to_container(config) == {**first, "source": config.source, "target": config.target}
