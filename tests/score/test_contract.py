"""What every score of configs/score keeps."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import Tensor

CONFIGS = Path(__file__).parents[2] / "configs" / "score"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
B, H, Q, K, E = 2, 3, 5, 7, 11
HALF = [torch.float16, torch.bfloat16]


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def score(name):
    """In float64, with what it learns away from its start."""
    torch.manual_seed(0)
    score = instantiate(OmegaConf.load(CONFIGS / f"{name}.yaml"))(E, H).double()
    with torch.no_grad():
        for parameter in score.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    return score


@pytest.fixture
def query():
    generator = torch.Generator().manual_seed(1)
    return torch.randn(B, H, Q, E, generator=generator, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def key():
    generator = torch.Generator().manual_seed(2)
    return torch.randn(B, H, K, E, generator=generator, dtype=torch.float64, requires_grad=True)


DISTANCE = torch.arange(K) - torch.arange(2, 2 + Q)[:, None]


def scored(score, query: Tensor, key: Tensor, distance: Tensor | None = DISTANCE) -> Tensor:
    return score(score.query(query), score.key(key), distance)


def result_and_gradients(score, query: Tensor, key: Tensor) -> list[Tensor]:
    scores = scored(score, query, key)
    probe = torch.linspace(-1, 2, scores.numel(), dtype=scores.dtype).view_as(scores)
    return [scores, *torch.autograd.grad((scores * probe).sum(), [query, key, *score.parameters()])]


def test_yaml_shows_every_keyword_with_its_default(name):
    config = OmegaConf.load(CONFIGS / f"{name}.yaml")
    parameters = inspect.signature(get_class(config._target_)).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert {key: value for key, value in config.items() if not key.startswith("_")} == defaults
    assert config._partial_


def test_shapes(score, query, key):
    assert score.query(query).shape == (B, H, Q, score.width)
    assert score.key(key).shape == (B, H, K, score.width)
    assert scored(score, query, key).shape == (B, H, Q, K)


@pytest.mark.parametrize(("queries", "keys"), [(0, 3), (3, 0), (1, 1)])
def test_any_number_of_places(score, query, key, queries, keys):
    found = scored(score, query[:, :, :queries], key[:, :, :keys], DISTANCE[:queries, :keys])
    torch.testing.assert_close(found, scored(score, query, key)[:, :, :queries, :keys])


def test_pairs_know_nothing_of_each_other(score, query, key):
    """What patterns rest on: any block of pairs may be computed by itself."""
    together = scored(score, query, key)
    block = scored(score, query[1:, :, 2:5], key[1:, :, 1:4], DISTANCE[2:5, 1:4])
    torch.testing.assert_close(block, together[1:, :, 2:5, 1:4])


def test_everything_learnt_counts(score, query, key):
    for gradient in result_and_gradients(score, query, key)[1:]:
        assert gradient.isfinite().all()
        assert gradient.abs().max() > 1e-6


def test_an_inner_product_is_one(score, query, key):
    if score.inner_product:
        expected = score.query(query) @ score.key(key).transpose(-2, -1)
        torch.testing.assert_close(scored(score, query, key), expected)


def test_a_positive_score_is_never_below_zero(score, query, key):
    lowest = min(scored(score, size * query, -size * key).min().item() for size in (0.1, 1.0, 100.0))
    assert lowest >= 0 if score.positive else lowest < 0


def test_distances_count_where_the_score_says_so(score, query, key):
    near, far, none = (scored(score, query, key, distance) for distance in (DISTANCE, DISTANCE - 1, None))
    if score.positional:
        assert (near - far).abs().max() > 1e-3
    else:
        torch.testing.assert_close((far, none), (near, near), rtol=0, atol=0)


def test_two_calls_give_the_same_bits(score, query, key):
    first, second = (result_and_gradients(score, query, key) for _ in range(2))
    torch.testing.assert_close(first, second, rtol=0, atol=0)


@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_rows_of_zeros_give_finite_scores_and_gradients(score, query, key):
    """As padding does, which is cleared before it is projected."""
    query = query.detach().index_fill(2, torch.tensor(1), 0.0).requires_grad_()
    key = key.detach().index_fill(2, torch.tensor(4), 0.0).requires_grad_()
    with torch.autograd.detect_anomaly():
        found = result_and_gradients(score, query, key)
    assert all(each.isfinite().all() for each in found)


@pytest.mark.parametrize("dtype", HALF)
def test_half_precision(score, query, key, dtype):
    query, key = (each.detach().to(dtype).requires_grad_() for each in (query, key))
    for parameter in score.parameters():
        parameter.data = parameter.data.to(dtype).double()
    expected = result_and_gradients(score, *(each.detach().double().requires_grad_() for each in (query, key)))
    found = result_and_gradients(score.to(dtype), query, key)
    assert found[0].dtype == score.query(query).dtype
    for coarse, exact in zip(found, expected, strict=True):
        torch.testing.assert_close(coarse.double(), exact, rtol=0, atol=2e-2 * exact.abs().max().item())


def test_compiles_in_one_piece(score, query, key):
    torch.compiler.reset()

    def both(query: Tensor, key: Tensor) -> Tensor:
        return scored(score, query, key)

    compiled = torch.compile(both, backend="aot_eager", fullgraph=True)
    torch.testing.assert_close(compiled(query, key), both(query, key))
    slopes = [torch.autograd.grad(f(query, key).square().sum(), [query, key]) for f in (compiled, both)]
    torch.testing.assert_close(*slopes)
