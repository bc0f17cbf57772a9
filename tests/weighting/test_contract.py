"""What every weighting of configs/weighting keeps, in each of its modes."""

from __future__ import annotations

import itertools
import math
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn, tensor

from iamm.weighting.gradient import GradientWeighting

CONFIGS = Path(__file__).parents[2] / "configs" / "weighting"
SCENES, WIDTH = 3, 5
REQUIRED = {"fixed": {"values": [0.7, 0.1, 0.4]}}
MODES = {"every": {"every": 2}, "wrt": {"wrt": "representation"}}  # of those that have this argument
OWN_SCALE = {"fixed", "uncertainty", "random", "scene_attention", "conflict_averse"}  # not 1/S where scenes are alike

ORDER = tuple(range(SCENES))
ALL = [True] * SCENES
PATTERNS = [list(pattern) for pattern in itertools.product([True, False], repeat=SCENES)]
CENTRES = torch.randn(SCENES, WIDTH, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
FACTORS = torch.rand(SCENES, WIDTH, generator=torch.Generator().manual_seed(6), dtype=torch.float64) * 2
OFFSETS = tensor([0.5, -1.5, 1.0], dtype=torch.float64)  # of the heads from where their losses are 0
ATTENDED = tensor([0.5, 0.2, 0.3], dtype=torch.float64)
QUALITIES = tensor([0.3, 0.6, 0.8], dtype=torch.float64)


def variants():
    """Each YAML as it stands, and with each mode that it has an argument for."""
    for path in sorted(CONFIGS.glob("*.yaml")):
        modes = [mode for argument, mode in MODES.items() if argument in OmegaConf.load(path)]
        for mode in ({}, *modes):
            yield pytest.param((path, mode), id="-".join([path.stem, *map(str, mode.values())]))


@pytest.fixture(params=variants())
def variant(request):
    return request.param


@cache
def maker(path, **mode):
    """As the command makes it, but for what a user must give."""
    config = OmegaConf.merge(OmegaConf.load(path), mode, REQUIRED.get(path.stem, {}))
    return instantiate(OmegaConf.create({"seed": 7, "weighting": config}).weighting)


@pytest.fixture
def build(variant):
    path, mode = variant

    def fresh(order=ORDER):
        own = {key: [values[scene] for scene in order] for key, values in REQUIRED.get(path.stem, {}).items()}
        return maker(path, **mode)(SCENES, **own).double()

    return fresh


@pytest.fixture
def problem(common):
    """The shared problem for an order of the scenes, curvatures scaled by factors (S, P)."""

    def fresh(order=ORDER, factors=None, dtype=torch.float64):
        order = list(order)
        curvatures = torch.ones_like(CENTRES) if factors is None else factors[order]
        made = common(CENTRES[order].to(dtype), curvatures.to(dtype))
        for place, (head, offset) in enumerate(zip(made.heads, OFFSETS[order].tolist(), strict=True)):
            nn.init.constant_(head, place + offset)
        return made

    return fresh


@torch.no_grad()
def descend(parameters, rate=0.1):
    for parameter in parameters:
        if parameter.grad is not None:
            parameter -= rate * parameter.grad


@pytest.fixture
def train(shared_step):
    """A step for each pattern of observed scenes, an epoch with its validation every two; gives weights, ∂L/∂x."""

    def run(weighting, made, patterns, order=ORDER):
        order, applied = list(order), []
        for number, observed in enumerate(patterns, start=1):
            weighting.zero_grad()
            given = ATTENDED[order].to(made.x)
            weights, slope, _ = shared_step(weighting, made, [observed[i] for i in order], scene_weights=given)
            applied.append((weights, slope))
            descend([made.x, *made.heads, *weighting.parameters()])
            if number % 2 == 0:
                weighting.end_epoch(torch.stack(made.losses()[0]).detach())
                weighting.end_validation(QUALITIES[order].to(made.x) / number)
        weighting.zero_grad()
        return applied

    return run


@pytest.fixture
def used(build, problem, train):
    """A weighting in the midst of a training: three steps, one epoch behind it."""
    weighting = build()
    train(weighting, problem(), [ALL] * 3)
    return weighting


def slopes(weighting, made):
    """All gradients; 0 where none came."""
    parameters = [made.x, *made.heads, *weighting.parameters()]
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in parameters]


def take(weighting, batches, observed=(ALL, ALL, ALL, ALL)):
    """One accumulated step of batches over one x and its heads; gives the weights and all gradients."""
    first = batches[0]
    for parameter in (first.x, *first.heads, *weighting.parameters()):
        parameter.grad = None
    for made, seen in zip(batches, observed, strict=False):
        made.x, made.heads = first.x, first.heads
        losses, paths = made.losses()
        losses = [loss * present for loss, present in zip(losses, seen, strict=True)]
        given = {"observed": tensor(seen), "scene_weights": ATTENDED, "share": 1 / len(batches)}
        weighting.backward(losses, paths=paths, **given)
    return weighting.finish(), slopes(weighting, first)


def head_weights(weighting, weights):
    """What the heads' losses weigh in the next step, where `weights` are what the scenes' losses do."""
    if isinstance(weighting, GradientWeighting):
        return tensor(list(weighting.private_weights()), dtype=torch.float64)
    return weights.double()


def test_the_weights_told_are_those_applied(used, problem, shared_step):
    made = problem()
    for observed in (ALL, [True, False, True], [False, True, False], [False, True, True]):
        before = deepcopy(used)
        weights, slope, heads = shared_step(used, made, observed, scene_weights=ATTENDED)
        assert not weights.requires_grad
        torch.testing.assert_close(slope, weights @ made.gradients(), atol=1e-6, rtol=1e-6)
        expected = head_weights(before, weights) * tensor(observed) * OFFSETS
        torch.testing.assert_close(heads, expected, atol=1e-6, rtol=1e-6)
        unseen = ~tensor(observed)
        assert (weights[unseen] == 0).all()
        assert (heads[unseen] == 0).all()


def test_an_unseen_scene_leaves_what_is_learnt_of_it(used, problem, shared_step):
    before = deepcopy(dict(used.named_parameters()))
    shared_step(used, problem(), [True, False, True], scene_weights=ATTENDED)
    for name, parameter in used.named_parameters():
        assert parameter.grad is None or parameter.grad[1] == 0
        torch.testing.assert_close(parameter, before[name], rtol=0, atol=0)


def test_a_lone_scene_is_trained(build, used, problem, shared_step):
    for weighting in (build(), used):
        weights, *_ = shared_step(weighting, problem(), [False, True, False], scene_weights=ATTENDED)
        assert 0 < weights[1] < math.inf
        if weighting.follows_step and not weighting.needs_scene_weights:
            torch.testing.assert_close(weights[1].item(), 1 / SCENES)


@pytest.mark.parametrize("start", [0, 7])
def test_ragged_steps_stay_finite(build, problem, train, start):
    """Every pattern of observed scenes, none at all last or first."""
    patterns = PATTERNS[start:] + PATTERNS[:start]
    for (weights, slope), observed in zip(train(build(), problem(), patterns), patterns, strict=True):
        assert weights.isfinite().all()
        assert (weights[~tensor(observed)] == 0).all()
        assert slope is None or slope.isfinite().all()
        assert slope is not None or not any(observed)


def test_scenes_that_are_alike_weigh_the_same(variant, build, common, shared_step):
    """Equal losses, orthonormal gradients: 1/S each, so that one learning rate means the same for all."""
    made = common(torch.eye(SCENES, WIDTH, dtype=torch.float64))
    for place, head in enumerate(made.heads):
        nn.init.constant_(head, place)
    weights, *_ = shared_step(build(), made, scene_weights=ATTENDED)
    if variant[0].stem not in OWN_SCALE:
        torch.testing.assert_close(weights.tolist(), [1 / SCENES] * SCENES)
    assert (weights > 0).all()


def test_a_permutation_of_the_scenes_permutes_the_weights(variant, build, problem, train):
    if "seed" in OmegaConf.load(variant[0]):
        pytest.skip("what is drawn belongs to the place")
    order, patterns = (2, 0, 1), [ALL, ALL, [True, False, True], ALL, ALL]
    expected = train(build(), problem(), patterns)
    found = train(build(order), problem(order), patterns, order)
    for (weights, slope), (others, other) in zip(expected, found, strict=True):
        torch.testing.assert_close(others, weights[list(order)])
        torch.testing.assert_close(other, slope)


def test_accumulated_batches_are_one_step(variant, used, problem):
    """Halves whose mean is the whole, each scene's gradient turned in its own way."""
    other = deepcopy(used)
    halves = [problem(factors=FACTORS), problem(factors=2 - FACTORS)]
    if used.needs_shared == "representation":
        with pytest.raises(ValueError, match=r"`wrt=representation` must see a step whole\. Found accumulated"):
            take(other, halves)
        return
    for _ in range(3):
        weights, gradients = take(used, [problem()])
        accumulated, others = take(other, halves)
        torch.testing.assert_close(accumulated, weights)
        torch.testing.assert_close(others, gradients)


def test_accumulated_batches_may_be_ragged(used, problem):
    """Two scenes, each in one of two batches, then none in either."""
    if used.needs_shared == "representation":
        pytest.skip("must see a step whole")
    batches = [problem(), problem()]
    weights, (slope, *heads) = take(used, batches, ([True, False, False], [False, True, False]))
    assert (weights[:2] > 0).all()
    assert slope.isfinite().all()
    torch.testing.assert_close(slope, weights @ batches[0].gradients())
    assert [bool(head != 0) for head in heads[:SCENES]] == [True, True, False]
    weights, gradients = take(used, batches, ([False] * SCENES, [False] * SCENES))
    assert weights.tolist() == [0] * SCENES
    torch.testing.assert_close(gradients, [torch.zeros_like(slope) for slope in gradients])


def test_share_is_for_the_gradients_alone(used, problem):
    if isinstance(used, GradientWeighting):
        pytest.skip("sees the gradients of a step as they are")
    other = deepcopy(used)
    weights, gradients = take(used, [problem()])
    quarter, others = take(other, [problem()] * 4)
    torch.testing.assert_close(quarter, weights)
    torch.testing.assert_close(others, gradients)


def test_gradients_are_added_to_what_is_there(used, problem):
    other, made = deepcopy(used), problem()
    _, gradients = take(used, [problem()])
    for parameter in (made.x, *made.heads, *other.parameters()):
        parameter.grad = torch.full_like(parameter, 3.0)
    losses, paths = made.losses()
    other.backward(losses, observed=tensor(ALL), paths=paths, scene_weights=ATTENDED)
    other.finish()
    torch.testing.assert_close(slopes(other, made), [slope + 3 for slope in gradients])


def test_works_in_float32(build, problem, train):
    patterns = [ALL, ALL, [True, False, True], ALL]
    made = problem(dtype=torch.float32)
    expected, found = train(build(), problem(), patterns), train(build().float(), made, patterns)
    for (weights, slope), (single, other) in zip(expected, found, strict=True):
        assert single.dtype == other.dtype == torch.float32
        torch.testing.assert_close(single.double(), weights, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(other.double(), slope, atol=1e-4, rtol=1e-4)


def test_a_saved_state_goes_on_to_the_same_bits(build, used, problem, train):
    loaded = build()
    loaded.load_state_dict(deepcopy(used.state_dict()), strict=True)
    patterns = [[True, True, False], *PATTERNS, ALL]
    expected, found = train(used, problem(), patterns), train(loaded, problem(), patterns)
    torch.testing.assert_close(found, expected, rtol=0, atol=0)
    torch.testing.assert_close(loaded.state_dict(), used.state_dict(), rtol=0, atol=0, equal_nan=True)


def test_state_keeps_its_shapes(build, used):
    fresh = {key: (value.shape, value.dtype) for key, value in build().state_dict().items()}
    assert fresh == {key: (value.shape, value.dtype) for key, value in used.state_dict().items()}


@pytest.mark.parametrize("nothing", [0.0, math.nan])
def test_an_epoch_without_a_scene_leaves_all_weights_finite(used, problem, shared_step, nothing):
    used.end_epoch(tensor([1.0, nothing, 2.0], dtype=torch.float64))
    weights, *_ = shared_step(used, problem(), scene_weights=ATTENDED)
    assert weights.isfinite().all()
