"""What is known of variants without torch, against the classes themselves."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
from hydra.utils import get_class
from omegaconf import OmegaConf

from iamm.config.check.facts import FACTS, SCENES, facts, scenes_of
from iamm.config.parts import known_targets, name_of
from iamm.normaliser.sum import SumNormaliser
from iamm.score.dot_product import DotProductScore
from iamm.score.kernel import KernelScore

CONFIGS = Path(__file__).parents[2] / "configs"
OWN = sorted(target for target in known_targets() if target.startswith("iamm."))
FLAGS = ("mixes_memory", "no_causal", "no_dropout", "needs_positive", "positive", "gives_scene_weights", "mixes_views")
DIM = 8


def told(target: str) -> frozenset[str]:
    return facts({"_target_": target})


@pytest.mark.parametrize("target", OWN)
def test_flags_are_those_of_the_class(target):
    cls = get_class(target)
    for flag in FLAGS:
        if isinstance(cls.__dict__.get(flag, getattr(cls, flag, None)), (bool, str)):
            assert bool(getattr(cls, flag)) is (flag in told(target)), flag


def test_no_facts_of_what_is_not_there():
    assert set(FACTS) <= {".".join(name_of(target)) for target in OWN}
    known = {*FLAGS, "lowers_scores", "needs_kernel", "needs_even_dim", "needs_attention", "has_parameters"}
    assert {fact for found in FACTS.values() for fact in found} <= {*known, "needs_scene_weights"}


@pytest.mark.parametrize("target", [target for target in OWN if ".pattern." in target])
def test_of_patterns(target):
    pattern = get_class(target)(DIM, 1)
    assert refused(pattern, KernelScore(DIM, 1), SumNormaliser(DIM, 1)) is ("lowers_scores" in told(target))
    if "lowers_scores" not in told(target):
        assert refused(pattern, DotProductScore(DIM, 1), SumNormaliser(DIM, 1)) is ("needs_kernel" in told(target))


def refused(pattern, score, normaliser) -> bool:
    try:
        pattern.check(score, normaliser)
    except ValueError:
        return True
    return False


@pytest.mark.parametrize("target", [target for target in OWN if target.split(".")[1] == "score"])
def test_a_positive_score_is_an_inner_product(target):
    """So that one fact is enough for the linear pattern."""
    assert get_class(target).inner_product or "positive" not in told(target)


@pytest.mark.parametrize("target", [target for target in OWN if target.split(".")[1] in ("encoder", "head", "fusion")])
def test_an_attention_that_is_needed_has_no_default(target):
    parameter = inspect.signature(get_class(target)).parameters.get("attention")
    needed = parameter is not None and parameter.default is inspect.Parameter.empty
    assert needed is ("needs_attention" in told(target))


@pytest.mark.parametrize("target", [target for target in OWN if target.split(".")[1] in ("encoder", "head")])
def test_of_an_even_width(target):
    assert ("`dim` must be even" in inspect.getsource(get_class(target))) is ("needs_even_dim" in told(target))


@pytest.mark.parametrize("target", [target for target in OWN if target.split(".")[1] == "fusion"])
def test_of_what_fusions_share(target, single_attention):
    words = {"attention": single_attention} if "needs_attention" in told(target) else {}
    fusion = get_class(target)(("a", "b"), DIM, **words)
    assert bool(list(fusion.parameters())) is ("has_parameters" in told(target))


@pytest.fixture
def single_attention():
    from functools import partial

    from iamm.attention.single import SingleAttention
    from iamm.normaliser.softmax import SoftmaxNormaliser
    from iamm.pattern.full import FullPattern

    parts = {"score": DotProductScore, "pattern": FullPattern, "normaliser": SoftmaxNormaliser}
    return partial(SingleAttention, **parts)


@pytest.mark.parametrize("target", [target for target in OWN if target.split(".")[1] == "weighting"])
def test_of_weightings(target):
    parameters = inspect.signature(get_class(target)).parameters
    words = {"values": [1.0, 1.0]} if "values" in parameters else {}
    words |= {"seed": 0} if "seed" in parameters else {}
    weighting = get_class(target)(2, **words)
    assert bool(weighting.needs_scene_weights) is ("needs_scene_weights" in told(target))
    assert bool(weighting.needs_shared) is ("at" in known_targets()[target])


def test_every_data_set_has_its_scenes():
    assert set(SCENES) == {name_of(target).variant for target in OWN if target.split(".")[1] == "dataset"}


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
    known = [(s.name, s.kind, s.task, s.side) for s in scenes_of({"_target_": target, **more})]
    assert [scene[:3] for scene in found] == [scene[:3] for scene in known]
    assert [scene[3] for scene in found if scene[1] == "image"] == [scene[3] for scene in known if scene[1] == "image"]


@pytest.mark.parametrize("file", sorted((CONFIGS / "dataset").glob("*.yaml")), ids=lambda file: file.stem)
def test_a_scene_has_its_data_sets_name(file):
    part = OmegaConf.to_container(OmegaConf.load(file))[file.stem]
    names = [scene.name for scene in scenes_of(part)]
    assert names == [file.stem] or all(name.startswith(f"{file.stem}_") for name in names)


SAID = {  # in the files that read them: kind and task of the scenes that need data to be built
    "ag_news": '"text", "classification"',
    "fashion_mnist": '"image", "classification"',
    "mnist": '"image", "classification"',
    "multi30k": '"text", "generation"',
}


@pytest.mark.parametrize("name", SAID)
def test_scenes_that_need_files(name):
    import iamm.dataset.ag_news
    import iamm.dataset.idx
    import iamm.dataset.multi30k

    module = {"ag_news": iamm.dataset.ag_news, "multi30k": iamm.dataset.multi30k}.get(name, iamm.dataset.idx)
    assert SAID[name] in inspect.getsource(module)
    assert {f'"{scene.kind}", "{scene.task}"' for scene in SCENES[name]} == {SAID[name]}
