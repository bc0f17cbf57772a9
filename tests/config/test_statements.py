"""What is read from the text of variants, without torch, against the classes themselves."""

from __future__ import annotations

import inspect
from dataclasses import is_dataclass
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from iamm import constrained, constraints
from iamm.config.check.scenes import scenes_of
from iamm.config.check.statements import PartOf, statements
from iamm.config.parts import known_targets, name_of
from iamm.dataset.fields import target_of
from iamm.normaliser.sum import SumNormaliser
from iamm.score.dot_product import DotProductScore
from iamm.score.kernel import KernelScore

CONFIGS = Path(__file__).parents[2] / "configs"
OWN = sorted(target for target in known_targets() if target.startswith("iamm."))
DIM = 8


def traits(target: str) -> dict:
    return statements(target).traits


def of_room(*rooms: str) -> list[str]:
    return [target for target in OWN if target.split(".")[1] in rooms]


@pytest.mark.parametrize("target", OWN)
def test_traits_are_those_of_the_class(target):
    """Those that are plain values; a class that takes one from another attention does so when it is built."""
    cls, found = get_class(target), traits(target)
    assert found
    for name, value in found.items():
        assert getattr(cls, name) == value, name


@pytest.mark.parametrize("target", OWN)
def test_constraints_are_those_of_the_class(target):
    """The text and the constructor say the same of each argument."""
    known = {}
    for cls in reversed(get_class(target).__mro__):
        known |= constrained.stated(cls.__init__) if "__init__" in vars(cls) and cls.__module__[:5] == "iamm." else {}
        known |= constrained.stated(cls) if is_dataclass(cls) else {}
    found = {key: rule for key, rule in statements(target).arguments.items() if rule and not holds_part(rule)}
    parameters = inspect.signature(get_class(target)).parameters
    assert found or not parameters
    assert found == {key: known[key] for key in found}
    assert set(found) <= {*parameters, *known}
    assert {key for key in known if key in parameters} <= set(found)


def holds_part(rule) -> bool:
    return isinstance(rule.other if isinstance(rule, constraints.OrNull) else rule, PartOf)


@pytest.mark.parametrize("target", of_room("pattern"))
def test_of_patterns(target):
    pattern = get_class(target)(DIM, 1)
    assert refused(pattern, KernelScore(DIM, 1), SumNormaliser(DIM, 1)) is traits(target)["lowers_scores"]
    if not traits(target)["lowers_scores"]:
        assert refused(pattern, DotProductScore(DIM, 1), SumNormaliser(DIM, 1)) is traits(target)["needs_kernel"]


def refused(pattern, score, normaliser) -> bool:
    try:
        pattern.check(score, normaliser)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("target", of_room("score"))
def test_a_positive_score_is_one_of_log_features(target):
    """So that one fact is enough for the linear pattern."""
    assert get_class(target).log_features or not traits(target)["positive"]


@pytest.mark.parametrize("target", of_room("fusion"))
def test_of_what_fusions_share(target, single_attention):
    places = {"attention", "guide", "local", "pool"} & set(statements(target).arguments)
    fusion = get_class(target)(("a", "b"), DIM, **dict.fromkeys(places, single_attention))
    assert bool(list(fusion.parameters())) is traits(target)["has_parameters"]


@pytest.fixture
def single_attention():
    from functools import partial

    from iamm.attention.single import SingleAttention
    from iamm.normaliser.softmax import SoftmaxNormaliser
    from iamm.pattern.full import FullPattern

    parts = {"score": DotProductScore, "pattern": FullPattern, "normaliser": SoftmaxNormaliser}
    return partial(SingleAttention, **parts)


@pytest.mark.parametrize("target", of_room("weighting"))
def test_of_weightings(target):
    parameters = inspect.signature(get_class(target)).parameters
    words = {"values": [1.0, 1.0]} if "values" in parameters else {}
    words |= {"seed": 0} if "seed" in parameters else {}
    weighting = get_class(target)(2, **words)
    assert bool(weighting.needs_scene_weights) is traits(target)["needs_scene_weights"]
    assert bool(weighting.needs_shared) is ("wrt" in known_targets()[target])


def test_every_data_set_has_its_scenes():
    assert all(traits(target)["provides"] for target in of_room("dataset"))


SMALL = {
    "digits": {},
    "reviews": {"train": 4, "validation": 4, "test": 4},
    "shapes": {"train": 4, "validation": 4, "test": 4},
}


@pytest.mark.parametrize("more", [{}, {"views": ["text"]}, {"views": ["text", "image"]}], ids=str)
@pytest.mark.parametrize("name", SMALL)
def test_scenes_are_those_of_the_data_set(name, more):
    if more and name != "shapes":
        return
    target = OmegaConf.load(CONFIGS / "dataset" / f"{name}.yaml")[name]._target_
    dataset = get_class(target)(seed=0, **SMALL[name], **more)
    found = [(s.name, s.kind, s.task, s.splits["train"].inputs[s.kind].shape[-1]) for s in dataset.scenes]
    known = [(s.name, s.kind, s.task, s.side) for s in scenes_of(name, {"_target_": target, **more})]
    assert [scene[:3] for scene in found] == [scene[:3] for scene in known]
    assert [scene[3] for scene in found if scene[1] == "image"] == [scene[3] for scene in known if scene[1] == "image"]


@pytest.mark.parametrize("file", sorted((CONFIGS / "dataset").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_scene_has_its_data_sets_name(file):
    content = OmegaConf.to_container(OmegaConf.load(file))
    names = [scene.name for scene in scenes_of(file.stem, content.get(file.stem, content))]
    assert names == [file.stem] or all(name.startswith(f"{file.stem}_") for name in names)


def test_scenes_of_ones_own_are_named_by_the_key_and_by_a_column():
    part = {"_target_": "iamm.dataset.text_file.TextFileDataset", "scene": None, "scenes": None}
    assert [scene.name for scene in scenes_of("mail", part)] == ["mail"]
    assert scenes_of("mail", {**part, "scene": "box"}) == []
    named = scenes_of("mail", {**part, "scene": "box", "scenes": ["in", "Home & Garden", "bücher"]})
    assert [scene.name for scene in named] == ["mail_in", "mail_Home_Garden", "mail_bücher"]


def provided(name):
    (target,) = {target for target in of_room("dataset") if name_of(target).variant == name}
    return traits(target)["provides"]


SAID = {  # in the files that read them: kind and task of the scenes that need data to be built
    "ag_news": '"text", "classification"',
    "fashion_mnist": '"image", "classification"',
    "cifar10": '"image", "classification"',
    "fdu_mtl": '"text", "classification"',
    "newsgroups": '"text", "classification"',
    "digit_domains": '"image", "classification"',
    "mnist": '"image", "classification"',
    "multi30k": '"text", "generation"',
}


@pytest.mark.parametrize("name", SAID)
def test_scenes_that_need_files(name):
    import iamm.dataset.ag_news
    import iamm.dataset.idx
    import iamm.dataset.labelled_text
    import iamm.dataset.translation

    modules = {"ag_news": iamm.dataset.ag_news, "multi30k": iamm.dataset.translation}
    module = {**modules, **dict.fromkeys(("fdu_mtl", "newsgroups"), iamm.dataset.labelled_text)}.get(
        name, iamm.dataset.idx
    )
    kind, task = SAID[name].split(", ")
    source = inspect.getsource(module)
    assert SAID[name] in source or (f"{kind}, task" in source and task == f'"{target_of(("a", "b"))[0]}"')
    assert {f'"{scene["kind"]}", "{scene["task"]}"' for scene in provided(name)} == {SAID[name]}
