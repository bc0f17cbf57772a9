"""What every pattern of configs/pattern keeps, on sequences long enough to be cut."""

from __future__ import annotations

import inspect
import math
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf
from torch import Tensor

from iamm.attention.composed import ComposedAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.normaliser.sum import SumNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.kernel import KernelScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

CONFIGS = Path(__file__).parents[2] / "configs" / "pattern"
NAMES = sorted(path.stem for path in CONFIGS.glob("*.yaml"))
PARTS = ((ScaledDotProductScore, SoftmaxNormaliser), (KernelScore, SumNormaliser))
B, H, T, K, D = 3, 2, 191, 89, 6

place = torch.arange(T)
REAL = torch.stack((place < T, (place < 97) & (place != 5) & (place != 40), place < 0))  # the last one is all padding


@pytest.fixture(params=NAMES)
def name(request):
    return request.param


@pytest.fixture
def attention(name):
    return made(name)


def made(name: str) -> ComposedAttention:
    """With the first score and normaliser that go together with it."""
    torch.manual_seed(0)
    pattern = instantiate(OmegaConf.load(CONFIGS / f"{name}.yaml"))
    for score, normaliser in PARTS:
        try:
            return ComposedAttention(D, heads=H, score=score, pattern=pattern, normaliser=normaliser).double()
        except ValueError:
            continue
    raise AssertionError(f"{name} goes with none of {PARTS}")


@pytest.fixture
def causal(attention):
    """True where the pattern can be."""
    return not attention.no_causal


@pytest.fixture
def places():
    return torch.randn(B, T, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def memory():
    return torch.randn(B, K, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def gradients(attention, context: Tensor, *inputs: Tensor) -> list[Tensor]:
    probe = torch.linspace(-1, 1, context.numel(), dtype=context.dtype).view_as(context)
    leaves = [*inputs, *attention.parameters()]
    found = torch.autograd.grad((context * probe).sum(), leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, found, strict=True)]


def test_yaml_shows_every_keyword_with_its_default(name):
    config = OmegaConf.load(CONFIGS / f"{name}.yaml")
    parameters = inspect.signature(get_class(config._target_)).parameters.values()
    defaults = {each.name: each.default for each in parameters if each.kind is each.KEYWORD_ONLY}
    assert {key: value for key, value in config.items() if not key.startswith("_")} == defaults
    assert config._partial_


def test_causal_looks_at_no_later_place(attention, causal, places):
    if not causal:
        with pytest.raises(ValueError, match=attention.no_causal):
            attention(places, causal=True)
        return
    places.requires_grad_()
    for last in (0, 7, 31, 32, 64, 190):
        context = attention(places, causal=True).context
        torch.testing.assert_close(context[:, : last + 1], attention(places[:, : last + 1], causal=True).context)
        (slope,) = torch.autograd.grad(context[:, last].square().sum(), places)
        assert (slope[:, last + 1 :] == 0).all()
        assert (slope[:, last] != 0).any()


def test_padding_is_invisible(attention, causal, places):
    found = []
    for filling in (0.0, math.nan):
        filled = places.masked_fill(~REAL.unsqueeze(-1), filling).requires_grad_()
        context = attention(filled, key_allow=REAL, causal=causal).context[REAL]
        found.append((context, *gradients(attention, context, filled)))
    torch.testing.assert_close(*found)
    assert (found[1][1][~REAL] == 0).all()
    assert found[1][1][REAL].abs().sum(-1).min() > 0


def test_padding_equals_a_shorter_sequence(attention, places):
    padded = attention(places, key_allow=place.expand(B, T) < 103).context[:, :103]
    torch.testing.assert_close(padded, attention(places[:, :103]).context)


def test_batch_mates_are_invisible(attention, places):
    together = attention(places, key_allow=REAL).context
    alone = [attention(places[b, None], key_allow=REAL[b, None]).context for b in range(B)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_a_query_that_may_see_nothing_reads_zero(attention, places):
    places.requires_grad_()
    context, weights, _ = attention(places, key_allow=REAL, need_weights=True)
    assert (context[2] == 0).all()
    assert (weights[2] == 0).all()
    assert all(slope.isfinite().all() for slope in gradients(attention, context, places))


def test_pairs_can_be_hidden(attention, places):
    allow = torch.rand(B, H, T, T, generator=torch.Generator().manual_seed(3)) < 0.5
    allow[:, :, 70] = False
    if attention.pattern.no_pairwise:
        with pytest.raises(ValueError, match=attention.pattern.no_pairwise):
            attention(places, allow=allow)
        return
    places.requires_grad_()
    context, weights, _ = attention(places, allow=allow, need_weights=True)
    assert (weights.masked_select(~allow) == 0).all()
    assert (context[:, 70] == 0).all()
    assert all(slope.isfinite().all() for slope in gradients(attention, context, places))
    everything = attention(places, allow=torch.ones(T, T, dtype=torch.bool)).context
    torch.testing.assert_close(attention(places).context, everything)


@pytest.mark.parametrize("key_allow", [None, REAL], ids=["all", "padded"])
def test_step_by_step_equals_all_at_once(attention, causal, places, key_allow):
    if not causal:
        pytest.skip(attention.no_causal)
    full = attention(places, causal=True, key_allow=key_allow).context
    state, parts, start = attention.empty_state(places), [], 0
    for length in (1, 1, 40, 130, 1, 17, 1):
        new = slice(start, start + length)
        seen = None if key_allow is None else key_allow[:, new]
        context, _, state = attention(places[:, new], causal=True, key_allow=seen, state=state)
        parts.append(context)
        start += length
    torch.testing.assert_close(torch.cat(parts, dim=1), full)


@pytest.mark.parametrize("key_allow", [None, REAL], ids=["all", "padded"])
def test_weights_times_values_is_the_context(attention, causal, places, key_allow):
    context, weights, _ = attention(places, causal=causal, key_allow=key_allow, need_weights=True)
    cleared = places if key_allow is None else places.masked_fill(~key_allow.unsqueeze(-1), 0.0)
    assert weights.shape == (B, H, T, T)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(cleared)), context)
    if attention.pattern.sums_to_one:
        torch.testing.assert_close(weights.sum(-1), (weights != 0).any(-1).double())


def test_asking_for_weights_changes_nothing(attention, causal, places):
    places.requires_grad_()
    found = []
    for need in (False, True):
        context = attention(places, causal=causal, key_allow=REAL, need_weights=need).context
        found.append([context, *gradients(attention, context, places)])
    torch.testing.assert_close(*found)


def test_a_memory_apart_has_no_places(attention, places, memory):
    """Every key counts for every query, however far; the memory may be projected once."""
    memory.requires_grad_()
    context, weights, _ = attention(places, memory, key_allow=REAL[:, :K], need_weights=True)
    assert (weights[:2].masked_select(REAL[:2, None, None, :K]) != 0).all()
    assert all(slope.isfinite().all() for slope in gradients(attention, context, memory))
    state = attention.remember(memory, key_allow=REAL[:, :K])
    torch.testing.assert_close(attention(places, state=state).context, context)
    torch.testing.assert_close(attention(places[:, 100:101], state=state).context, context[:, 100:101])


def test_a_memory_apart_is_read_in_full_where_that_is_promised(attention, places, memory):
    """Other code may then compute it by itself, as pooling does."""
    promised = attention.pattern.full_apart
    found = attention(places, memory, key_allow=REAL[:, :K]).context
    attention.pattern = FullPattern(D // H, H)
    away = (attention(places, memory, key_allow=REAL[:, :K]).context - found).abs().max()
    assert away < 1e-12 if promised else away > 1e-3


def test_no_example_at_all(attention, places):
    assert attention(places[:0], key_allow=REAL[:0]).context.shape == (0, T, D)


def test_two_calls_give_the_same_bits(name, places):
    places.requires_grad_()
    found = []
    for _ in range(2):
        attention = made(name)
        context = attention(places, key_allow=REAL).context
        found.append([context, *gradients(attention, context, places)])
    torch.testing.assert_close(*found, rtol=0, atol=0)


def test_compiles_in_one_piece(attention, causal, places):
    torch.compiler.reset()
    compiled = torch.compile(attention, backend="aot_eager", fullgraph=True)
    with torch.no_grad():
        found, expected = (call(places, key_allow=REAL, causal=causal).context for call in (compiled, attention))
    torch.testing.assert_close(found, expected)
