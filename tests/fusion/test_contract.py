"""What every fusion of configs/fusion keeps, for paired and unpaired groups, with every attention."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor, nn, tensor

from iamm.encoder.base import Features
from iamm.fusion.base import Fused, Fusion
from iamm.fusion.by_scene import BySceneFusion
from tests.composing import config_of

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.stem for path in (CONFIGS / "fusion").glob("*.yaml"))
ATTENTIONS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))
TAKES_ATTENTION = {name for name in NAMES if "${attention}" in (CONFIGS / "fusion" / f"{name}.yaml").read_text()}
TAKES_ATTENTION |= {"interest_guidance"}  # by which places choose among several interest vectors
CASES = [(name, kind) for name in NAMES for kind in (ATTENTIONS if name in TAKES_ATTENTION else ["multi_head"])]
SCENES = ("a", "b", "c")
GROUPS = ("ab", "c")
D = 12


@cache
def composed(name: str, attention: str):
    overrides = [f"fusion={name}", f"attention={attention}", "dropout=0.0"]
    guided = ["fusion.interests=2", f"attention@fusion.guide={attention}"] if name == "interest_guidance" else []
    return config_of(*overrides, *guided)


def test_the_page_of_fusions_has_a_row_for_each():
    page = (CONFIGS.parent / "docs" / "fusion.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^\| `(\w+)`", page, flags=re.MULTILINE)) == NAMES


def made(name: str, attention: str, scenes: tuple[str, ...]) -> Fusion:
    """A fusion in which no scene is hidden by chance, and nothing that begins as zero holds back a gradient."""
    torch.manual_seed(0)
    fusion = instantiate(composed(name, attention).fusion)(scenes, D).double()
    if isinstance(fusion, BySceneFusion):
        fusion.scene_dropout = 0.0
    for parameter in fusion.parameters():
        if not parameter.any():
            nn.init.normal_(parameter, std=0.1)
    return fusion


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def fusion(request, features) -> Fusion:
    """After a step in which each scene has written what it keeps of its own examples."""
    fusion = made(*request.param, SCENES).train()
    for group in GROUPS:
        fusion(features(group, D))
    fusion.end_step()
    return fusion


def gradients(fused: Fused, leaves: list[Tensor], names: str) -> list[Tensor]:
    """Of the penalties, and of the real places of the named scenes, each number with a weight of its own."""
    total = sum((each.sum() for each in fused.penalties.values()), start=torch.zeros((), dtype=torch.float64))
    for name in names:
        values, allow = fused.features[name]
        probe = torch.linspace(-1, 1, values.numel(), dtype=torch.float64).view_as(values)
        total = total + (values * probe).masked_fill(~allow.unsqueeze(-1), 0.0).sum()
    if not leaves:
        return []
    return list(torch.autograd.grad(total, leaves, allow_unused=True, materialize_grads=True, retain_graph=True))


def rows(given: dict[str, Features], kept: list[int]) -> dict[str, Features]:
    return {name: Features(values[kept], allow[kept]) for name, (values, allow) in given.items()}


@pytest.mark.parametrize("group", GROUPS)
def test_features_leave_in_the_shape_they_came_in(fusion, features, group):
    given = features(group, D)
    fused = fusion(given).features
    assert list(fused) == list(group)
    for name, (values, allow) in given.items():
        assert fused[name].values.shape == values.shape
        assert fused[name].allow.tolist() == allow.tolist()
        assert fused[name].values.isfinite().all()


@pytest.mark.parametrize("group", GROUPS)
def test_scene_weights_sum_to_one_where_there_are_any(fusion, features, group):
    given = features(group, D)
    weights = fusion(given).scene_weights
    assert (weights is not None) == fusion.gives_scene_weights
    assert weights is None or list(weights) == list(group)
    for shares in (weights or {}).values():
        assert shares.shape == (4, len(SCENES))
        assert (shares >= 0).all()
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(4, dtype=torch.float64))
        for view, (_, allow) in given.items():
            assert (shares[~allow.any(dim=1), SCENES.index(view)] == 0).all()


def test_nothing_known_weighs_nothing(features):
    """With two scenes, both views of one instance and both absent (row 3), there is nothing to attend to."""
    for name, attention in CASES:
        fusion = made(name, attention, ("a", "b"))
        weights = fusion(features("ab", D)).scene_weights or {}
        for shares in weights.values():
            torch.testing.assert_close(shares.sum(dim=1), tensor([1.0, 1.0, 1.0, 0.0], dtype=torch.float64))


@pytest.mark.parametrize("group", GROUPS)
def test_what_stands_where_nothing_is_allowed_changes_nothing(fusion, features, group):
    """Absent views and padding alike, in outputs and gradients."""
    given, spoilt = features(group, D), features(group, D)
    for values, allow in spoilt.values():
        values.data[~allow] = 1e3 * torch.randn(int((~allow).sum()), D, dtype=torch.float64)
    leaves = list(fusion.parameters())
    before, after = fusion(given), fusion(spoilt)
    for name, (values, allow) in before.features.items():
        torch.testing.assert_close(after.features[name].values[allow], values[allow])
    torch.testing.assert_close(after.scene_weights, before.scene_weights)
    torch.testing.assert_close(gradients(after, leaves, group), gradients(before, leaves, group))
    reached = gradients(after, [values for values, _ in spoilt.values()], group)
    for gradient, (_, allow) in zip(reached, spoilt.values(), strict=True):
        assert (gradient[~allow] == 0).all()


@pytest.mark.parametrize("group", GROUPS)
def test_batch_mates_are_invisible(fusion, features, group):
    given = features(group, D)
    together = fusion.train()(given)
    for row in range(4):
        alone = fusion(rows(given, [row]))
        for name in group:
            torch.testing.assert_close(alone.features[name].values[0], together.features[name].values[row])
            if together.scene_weights is not None:
                torch.testing.assert_close(alone.scene_weights[name][0], together.scene_weights[name][row])


def test_examples_of_other_groups_have_no_influence(fusion, features):
    """Neither before nor after, within a step: what a fusion keeps of examples, it writes at the end of the step."""
    expected = fusion.train()(features("c", D)).features["c"].values
    fusion(features("ab", D))
    torch.testing.assert_close(fusion(features("c", D)).features["c"].values, expected, rtol=0, atol=0)


@pytest.mark.parametrize("group", GROUPS)
def test_each_scene_teaches_what_is_shared(fusion, features, group):
    """From every scene's output alone, shared parameters get a finite gradient that is not zero."""
    leaves = list(fusion.parameters())
    for name in group:
        found = gradients(fusion(features(group, D)), leaves, name)
        assert all(gradient.isfinite().all() for gradient in found)
        assert not leaves or any((gradient != 0).any() for gradient in found)


def test_gradients_reach_every_parameter(fusion, features, may_rest):
    leaves = list(fusion.parameters())
    parts = [gradients(fusion(features(group, D)), leaves, group) for group in GROUPS]
    for (name, _), paired, alone in zip(fusion.named_parameters(), *parts, strict=True):
        assert (paired.abs() + alone.abs()).max() > 0 or may_rest(name) or is_for_unknown_scenes(name), name


def is_for_unknown_scenes(parameter: str) -> bool:
    return "unknown" in parameter.split(".")


def test_the_order_of_the_group_does_not_matter(fusion, features):
    one, other = fusion(features("ab", D)), fusion(features("ba", D))
    for name in "ab":
        torch.testing.assert_close(other.features[name].values, one.features[name].values)


@pytest.mark.parametrize("group", ["b", "ab", "bc"])
@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_a_scene_that_the_run_did_not_name_is_answered(case, group, features):
    """b is unknown: alone, beside a scene of the run, beside another unknown one. Its places differ, and so do rows."""
    fusion = made(*case, ("a", "d")).eval()
    given = features(group, D)
    fused = fusion(given)
    values, allow = fused.features["b"]
    places = values[allow]  # (N, D)
    assert places.isfinite().all()
    assert (places.std(dim=0) > 1e-3).all()
    for name, shares in (fused.scene_weights or {}).items():
        assert shares.shape == (4, 2), name
    alone = fusion(rows(given, [2])).features["b"].values[0]
    torch.testing.assert_close(alone, values[2])


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_an_unknown_scene_uses_what_is_kept_for_it(case, features, may_rest):
    """Its outputs reach all parameters for unknown scenes."""
    fusion = made(*case, ("a", "d")).eval()
    leaves = list(fusion.parameters())
    found = gradients(fusion(features("b", D)), leaves, "b")
    for (name, _), gradient in zip(fusion.named_parameters(), found, strict=True):
        assert gradient.any() or may_rest(name) or not is_for_unknown_scenes(name), name
        assert gradient.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_scene_is_added_to_a_trained_fusion(name):
    """All that two scenes have learnt fits into a fusion of three, in any order; only the third's is new."""
    old, new = made(name, "multi_head", ("a", "b")), made(name, "multi_head", ("d", "b", "a"))
    missing, unexpected = new.load_state_dict(old.state_dict(), strict=False)
    assert unexpected == []
    assert all("d" in entry.split(".") for entry in missing)
