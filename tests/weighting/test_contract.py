"""What every weighting of configs/weighting keeps."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import tensor

CONFIGS = Path(__file__).parents[2] / "configs" / "weighting"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
SCENES = 3
SCENE_WEIGHTS = tensor([0.5, 0.2, 0.3], dtype=torch.float64)
REQUIRED = {"values": [0.7, 0.1, 0.4]}
NORMALISED = {"equal", "dynamic_average", "scene_attention"}


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def build(name):
    def fresh():
        config = OmegaConf.load(CONFIGS / f"{name}.yaml")
        missing = {key: REQUIRED[key] for key in OmegaConf.missing_keys(config)}
        return instantiate(OmegaConf.merge(config, missing))(SCENES).double()

    return fresh


@pytest.fixture
def used(build, step):
    """A weighting in the midst of a training: two epochs behind it, its parameters moved."""
    weighting = build()
    train(weighting, step, [[2.0, 3.0, 5.0], [1.0, 2.5, 1.0]])
    weighting.zero_grad()
    return weighting


def train(weighting, step, epochs):
    """An epoch a row of losses, one step each; gives the weights applied."""
    optimizer = torch.optim.SGD([*weighting.parameters(), torch.nn.Parameter(torch.zeros(()))], lr=0.3)
    applied = []
    for losses in epochs:
        optimizer.zero_grad()
        applied.append(step(weighting, losses, scene_weights=SCENE_WEIGHTS)[0])
        optimizer.step()
        weighting.end_epoch(tensor(losses, dtype=torch.float64))
    return torch.stack(applied)


def test_weights_are_the_gradient_of_what_is_minimised(used, step):
    weights, gradient = step(used, [0.9, 2.0, 0.5], scene_weights=SCENE_WEIGHTS)
    assert not weights.requires_grad
    torch.testing.assert_close(weights, gradient, atol=1e-6, rtol=0)
    assert (weights > 0).all()


def test_normalised_weights_sum_to_one(name, used, step):
    weights, _ = step(used, [0.9, 2.0, 0.5], scene_weights=SCENE_WEIGHTS)
    assert (abs(weights.sum().item() - 1) < 1e-6) == (name in NORMALISED)


def test_scale_is_for_the_gradients_alone(used, step):
    weights, gradient = step(used, [0.9, 2.0, 0.5], scene_weights=SCENE_WEIGHTS)
    slopes = [parameter.grad.clone() for parameter in used.parameters()]
    used.zero_grad()
    scaled, quarter = step(used, [0.9, 2.0, 0.5], scene_weights=SCENE_WEIGHTS, scale=0.25)
    torch.testing.assert_close(scaled, weights)
    torch.testing.assert_close(quarter, gradient / 4)
    torch.testing.assert_close([parameter.grad for parameter in used.parameters()], [slope / 4 for slope in slopes])


def test_gradients_are_added_to_what_is_there(used, step):
    losses = tensor([0.9, 2.0, 0.5], dtype=torch.float64, requires_grad=True)
    for _ in range(2):
        weights = used.backward(losses, observed=torch.ones(3, dtype=torch.bool), scene_weights=SCENE_WEIGHTS)
    torch.testing.assert_close(losses.grad, 2 * weights)


def test_a_scene_out_of_sight_weighs_nothing_and_moves_no_other(used, step):
    everyone, _ = step(used, [0.9, 0.0, 0.5], scene_weights=SCENE_WEIGHTS)
    used.zero_grad()
    weights, gradient = step(used, [0.9, 0.0, 0.5], observed=[True, False, True], scene_weights=SCENE_WEIGHTS)
    torch.testing.assert_close(weights, everyone * tensor([1.0, 0.0, 1.0]).double())
    torch.testing.assert_close(gradient, weights)
    for parameter in used.parameters():
        assert parameter.grad[1] == 0
        assert (parameter.grad[[0, 2]] != 0).all()


def test_a_saved_state_goes_on_to_the_same_weights(build, used, step):
    loaded = build()
    loaded.load_state_dict(deepcopy(used.state_dict()), strict=True)
    rest = [[0.9, 2.0, 0.5], [0.7, 1.9, 0.5], [0.3, 1.5, 0.4]]
    torch.testing.assert_close(train(loaded, step, rest), train(used, step, rest), rtol=0, atol=0)


def test_state_keeps_its_shapes(build, used):
    fresh = {key: value.shape for key, value in build().state_dict().items()}
    assert fresh == {key: value.shape for key, value in used.state_dict().items()}


def test_an_epoch_without_a_scene_leaves_all_weights_finite(used, step):
    for nothing in (0.0, float("nan")):
        used.end_epoch(tensor([1.0, nothing, 2.0], dtype=torch.float64))
        weights, _ = step(used, [0.9, 2.0, 0.5], scene_weights=SCENE_WEIGHTS)
        assert weights.isfinite().all()
