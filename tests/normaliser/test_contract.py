"""What every normaliser of configs/normaliser keeps."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class, instantiate
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf
from torch import Tensor, tensor

from iamm.normaliser.sink import SinkNormaliser

CONFIGS = Path(__file__).parents[2] / "configs" / "normaliser"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
NOT_BY_DIFFERENCE = {"sigmoid", "sink", "sum"}  # a number added to all scores changes the weights
B, H, Q, K, E = 2, 3, 5, 7, 11
HALF = [torch.float16, torch.bfloat16]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


def made(name: str, heads: int = H):
    """In float64, with what it learns away from its start and other for each head."""
    normaliser = instantiate(OmegaConf.load(CONFIGS / f"{name}.yaml"))(E, heads).double()
    with torch.no_grad():
        for parameter in normaliser.parameters():
            parameter += torch.linspace(-0.3, 0.5, parameter.numel(), dtype=parameter.dtype).view_as(parameter)
    return normaliser


@pytest.fixture
def normaliser(name):
    return made(name)


def suited(normaliser, scores: Tensor) -> Tensor:
    return scores.abs() if normaliser.needs_positive else scores


@pytest.fixture
def scores(normaliser, case):
    return suited(normaliser, case[0].detach()).requires_grad_()


@pytest.fixture
def allow(case):
    return case[1]


def result_and_gradients(normaliser, scores: Tensor, allow: Tensor | None) -> list[Tensor]:
    weights = normaliser(scores, allow)
    probe = torch.linspace(-1, 2, weights.numel(), dtype=weights.dtype).view_as(weights)
    return [weights, *torch.autograd.grad((weights * probe).sum(), [scores, *normaliser.parameters()])]


def test_yaml_shows_every_keyword_with_its_default(name):
    config = OmegaConf.load(CONFIGS / f"{name}.yaml")
    parameters = inspect.signature(get_class(config._target_)).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert {key: value for key, value in config.items() if not key.startswith("_")} == defaults
    assert config._partial_


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 3), st.integers(1, 17)),
    shared=st.lists(st.booleans(), min_size=4, max_size=4),
    share=st.floats(0, 1),
    size=st.sampled_from([1e-3, 1.0, 30.0, 1e4]),
    seed=st.integers(0, 2**31),
)
def test_hidden_places_are_as_good_as_absent(name, shape, shared, share, size, seed):
    """Of a mask of any broadcast shape: zero there, and elsewhere what a row of the places in sight alone gives."""
    normaliser, generator = made(name, heads=shape[1]), torch.Generator().manual_seed(seed)
    scores = suited(normaliser, size * torch.randn(shape, generator=generator, dtype=torch.float64)).requires_grad_()
    mask_shape = [1 if one else length for one, length in zip(shared, shape, strict=True)]
    allow = torch.rand(mask_shape, generator=generator) < share
    weights, slope, *others = result_and_gradients(normaliser, scores, allow)
    seen = allow.expand(shape)
    assert weights.shape == shape
    assert (weights >= 0).all()
    assert (weights <= 1 + 1e-9).all()
    assert (weights[~seen] == 0).all()
    assert (slope[~seen] == 0).all()
    assert all(gradient.isfinite().all() for gradient in (slope, *others))
    if normaliser.sums_to_one:
        torch.testing.assert_close(weights.sum(-1), seen.any(-1).double())
    for b, h, q in torch.cartesian_prod(*(torch.arange(length) for length in shape[:3])).tolist():
        alone = torch.zeros(1, shape[1], 1, int(seen[b, h, q].sum()), dtype=torch.float64)
        alone[0, h, 0] = scores[b, h, q][seen[b, h, q]].detach()
        torch.testing.assert_close(weights[b, h, q][seen[b, h, q]], normaliser(alone, None)[0, h, 0])


@pytest.mark.parametrize("garbage", [math.nan, math.inf, -math.inf, 1e300])
def test_what_is_hidden_leaks_nowhere(normaliser, scores, allow, garbage):
    plain = result_and_gradients(normaliser, scores, allow)
    spoilt = scores.detach().masked_fill(~allow, garbage).requires_grad_()
    torch.testing.assert_close(result_and_gradients(normaliser, spoilt, allow), plain, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_an_empty_row_is_zero_and_has_no_nan_on_the_way_back(normaliser, scores, allow):
    with torch.autograd.detect_anomaly():
        weights, slope, *others = result_and_gradients(normaliser, scores, allow)
    assert (weights[1, :, 2] == 0).all()
    assert (slope[1, :, 2] == 0).all()
    assert all(gradient.isfinite().all() for gradient in (slope, *others))


def test_a_place_alone_in_sight_has_the_weight(normaliser, scores, allow):
    weights = normaliser(scores, allow)[0, :, 1]
    sink = normaliser.theta.flatten() if isinstance(normaliser, SinkNormaliser) else 0.0
    alone = torch.sigmoid(scores[0, :, 1, 3] - sink)
    expected = torch.ones_like(alone) if normaliser.sums_to_one else alone
    torch.testing.assert_close(weights[:, 3], expected)


def test_a_mask_of_all_is_no_mask(normaliser, scores):
    everything = torch.ones(Q, K, dtype=torch.bool)
    found, expected = (result_and_gradients(normaliser, scores, mask) for mask in (everything, None))
    torch.testing.assert_close(found, expected)


def test_the_order_of_the_keys_does_not_matter(normaliser, scores, allow):
    order = tensor([3, 0, 6, 2, 5, 1, 4])
    found = normaliser(scores[..., order], allow[..., order])
    torch.testing.assert_close(found, normaliser(scores, allow)[..., order])


def test_a_higher_score_never_weighs_less(normaliser, scores):
    order = scores.argsort(dim=-1)
    assert (normaliser(scores, None).gather(-1, order).diff(dim=-1) >= 0).all()


@pytest.mark.parametrize("shift", [-100.0, 3.0, 1e4])
def test_only_differences_of_scores_count(name, normaliser, scores, allow, shift):
    found, expected = normaliser(scores.abs() + abs(shift), allow), normaliser(scores.abs(), allow)
    if name in NOT_BY_DIFFERENCE:
        assert (found - expected).abs().max() > 1e-3
    else:
        torch.testing.assert_close(normaliser(scores + shift, allow), normaliser(scores, allow))


def test_rows_know_nothing_of_each_other(normaliser, scores, allow):
    together = normaliser(scores, allow)
    torch.testing.assert_close(normaliser(scores[1:], allow[1:]), together[1:])
    torch.testing.assert_close(normaliser(scores[:, :, 2:4], allow[:, :, 2:4]), together[:, :, 2:4])


def test_two_calls_give_the_same_bits(normaliser, scores, allow):
    first, second = (result_and_gradients(normaliser, scores, allow) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision(normaliser, scores, allow, dtype):
    coarse = scores.detach().to(dtype).requires_grad_()
    expected = result_and_gradients(normaliser, coarse.detach().double().requires_grad_(), allow)
    found = result_and_gradients(normaliser.float(), coarse, allow)
    assert found[0].dtype == dtype
    torch.testing.assert_close([each.double() for each in found], expected, rtol=2e-2, atol=2e-2)
    assert (found[0].masked_select(~allow) == 0).all()


@pytest.mark.parametrize("dtype", [*HALF, torch.float32])
def test_the_largest_scores_give_finite_weights(normaliser, dtype, allow):
    largest = torch.finfo(dtype).max / 100
    scores = suited(normaliser, largest * torch.linspace(-1, 1, K)).to(dtype).expand(B, H, Q, K)
    found = result_and_gradients(normaliser.float(), scores.clone().requires_grad_(), allow)
    assert all(each.isfinite().all() for each in found)
    assert (found[0].masked_select(allow[:, :, :, -1:] & (torch.arange(K) == K - 1)) > 0).all()


@pytest.mark.parametrize("mask", [None, torch.zeros(Q, 0, dtype=torch.bool), torch.ones(Q, 1, dtype=torch.bool)])
def test_no_keys_at_all(normaliser, mask):
    assert normaliser(torch.zeros(B, H, Q, 0, dtype=torch.float64), mask).shape == (B, H, Q, 0)


def test_compiles_in_one_piece(normaliser, scores, allow):
    torch.compiler.reset()
    compiled = torch.compile(normaliser, backend="aot_eager", fullgraph=True)
    found, expected = (result_and_gradients(module, scores, allow) for module in (compiled, normaliser))
    torch.testing.assert_close(found, expected)
