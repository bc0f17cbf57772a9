"""What every attention of configs/attention keeps, in each place that takes one."""

from __future__ import annotations

import inspect
import math
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import get_class, instantiate
from omegaconf import DictConfig
from torch import Tensor, tensor

from iamm.attention.base import Attention
from iamm.attention.state import AttentionState
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern
from tests.composing import config_of

CONFIGS = Path(__file__).parents[2] / "configs"
NOT_ALONE = {("pattern", "linear"), ("normaliser", "sum")}  # need score=kernel, see attention=linear
NAMES = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))
CASES = [[f"attention={name}"] for name in NAMES]
CASES += [
    ["attention=multi_head", f"{room}@attention.{room}={path.stem}"]
    for room, usual in (("score", "scaled_dot_product"), ("pattern", "full"), ("normaliser", "softmax"))
    for path in sorted((CONFIGS / room).glob("*.yaml"))
    if path.stem != usual and (room, path.stem) not in NOT_ALONE
]
B, Q, K, D = 3, 5, 7, 12
REAL = tensor(
    [[True] * 7, [True, True, True, True, False, False, False], [False, True, True, False, True, True, False]]
)
REAL_QUERY = tensor([[True] * 5, [True, True, True, False, False], [True, False, True, True, False]])


@cache
def composed(*overrides: str):
    return config_of(*overrides).attention


@pytest.fixture(params=CASES, ids=lambda case: " ".join(part.split("=")[1] for part in case))
def overrides(request):
    return request.param


@pytest.fixture
def attention(overrides):
    torch.manual_seed(0)
    return instantiate(composed(*overrides))(D).double()


@pytest.fixture
def query():
    return torch.randn(B, Q, D, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


@pytest.fixture
def memory():
    return torch.randn(B, K, D, generator=torch.Generator().manual_seed(2), dtype=torch.float64)


def gradients(attention, context: Tensor, *inputs: Tensor) -> list[Tensor]:
    """Of a sum that weighs every number differently, with respect to inputs and parameters."""
    probe = torch.linspace(-1, 1, context.numel(), dtype=context.dtype).view_as(context)
    leaves = [*inputs, *attention.parameters()]
    found = torch.autograd.grad((context * probe).sum(), leaves, allow_unused=True)
    return [torch.zeros_like(leaf) if slope is None else slope for leaf, slope in zip(leaves, found, strict=True)]


@pytest.fixture
def causal_attention(attention):
    if attention.no_causal:
        pytest.skip(f"not causal: {attention.no_causal}")
    return attention


@pytest.fixture
def pairwise_attention(attention):
    if attention.no_pairwise:
        pytest.skip(f"no pairs: {attention.no_pairwise}")
    return attention


@pytest.mark.parametrize("name", NAMES)
def test_yaml_shows_every_keyword_with_its_default(name):
    config = composed(f"attention={name}")
    parameters = inspect.signature(get_class(config._target_)).parameters
    keywords = {key for key, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    assert set(config) - {"_target_", "_partial_"} == keywords
    defaults = {
        key: parameters[key].default for key in keywords if parameters[key].default is not inspect.Parameter.empty
    }
    named = {key: f"{part.__module__}.{part.__name__}" for key, part in defaults.items() if isinstance(part, type)}
    assert {key: config[key]._target_ if key in named else config[key] for key in defaults} == {**defaults, **named}


@pytest.mark.parametrize("queries", [1, Q])
def test_shapes_over_a_memory(attention, query, memory, queries):
    context, weights, state = attention(query[:, :queries], memory, need_weights=True)
    assert context.shape == (B, queries, D)
    assert weights.shape == (B, attention.heads, queries, K)
    assert state is None
    assert attention(query, memory).weights is None


def test_shapes_of_self_attention(attention, query):
    context, weights, _ = attention(query, need_weights=True)
    assert context.shape == (B, Q, D)
    assert weights.shape == (B, attention.heads, Q, Q)


def test_weights_times_values_is_the_context(attention, query, memory):
    state = attention.remember(memory, key_allow=REAL)
    context, weights, _ = attention(query, state=state, need_weights=True)
    if all(part.sums_to_one for part in attention.modules() if isinstance(part, (Attention, Normaliser, Pattern))):
        torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)))
    assert (weights.masked_select(~REAL[:, None, None]) == 0).all()
    torch.testing.assert_close(attention.merge(weights @ state.value), context)


def test_weights_times_values_is_the_context_of_self_attention(attention, query):
    context, weights, _ = attention(query, need_weights=True)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(query)), context)


def test_asking_for_weights_changes_nothing(attention, query, memory):
    plain, asked = (attention(query, memory, key_allow=REAL, need_weights=need).context for need in (False, True))
    torch.testing.assert_close(plain, asked)


def test_two_calls_give_the_same_bits(overrides, query, memory):
    def once() -> Tensor:
        torch.manual_seed(0)
        return instantiate(composed(*overrides))(D).double()(query, memory).context

    torch.testing.assert_close(once(), once(), rtol=0, atol=0)


@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e30])
def test_padding_of_a_memory_is_invisible(attention, query, memory, garbage):
    found = []
    for filling in (0.0, garbage):
        filled = memory.masked_fill(~REAL.unsqueeze(-1), filling).requires_grad_()
        context = attention(query, filled, key_allow=REAL).context
        found.append((context, *gradients(attention, context, filled)))
    torch.testing.assert_close(*found)
    assert (found[1][1][~REAL] == 0).all()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("garbage", [math.nan, math.inf, 1e30])
def test_padding_of_a_sequence_is_invisible(attention, query, garbage, causal):
    if causal and attention.no_causal:
        pytest.skip(f"not causal: {attention.no_causal}")
    found = []
    for filling in (0.0, garbage):
        filled = query.masked_fill(~REAL_QUERY.unsqueeze(-1), filling).requires_grad_()
        context = attention(filled, key_allow=REAL_QUERY, causal=causal).context[REAL_QUERY]
        found.append((context, *gradients(attention, context, filled)))
    torch.testing.assert_close(*found)
    assert (found[1][1][~REAL_QUERY] == 0).all()


def test_padding_equals_a_shorter_memory(attention, query, memory):
    padded = attention(query[1:2], memory[1:2], key_allow=REAL[1:2]).context
    torch.testing.assert_close(padded, attention(query[1:2], memory[1:2, :4]).context)


def test_batch_mates_are_invisible(attention, query, memory):
    together = attention(query, memory, key_allow=REAL).context
    alone = [attention(query[b, None], memory[b, None], key_allow=REAL[b, None]).context for b in range(B)]
    torch.testing.assert_close(together, torch.cat(alone))


def test_causal_looks_at_no_later_token(causal_attention, query):
    query.requires_grad_()
    for last in range(Q):
        context = causal_attention(query, causal=True).context
        torch.testing.assert_close(context[:, : last + 1], causal_attention(query[:, : last + 1], causal=True).context)
        (slope,) = torch.autograd.grad(context[:, last].square().sum(), query)
        assert (slope[:, last + 1 :] == 0).all()
        assert (slope[:, : last + 1] != 0).any(-1).all()


def test_a_query_that_may_see_nothing_reads_zero(pairwise_attention, query, memory):
    allow = torch.ones(Q, K, dtype=torch.bool)
    allow[2] = False
    key_allow = REAL & tensor([True, True, False])[:, None]
    memory.requires_grad_()
    context, weights, _ = pairwise_attention(query, memory, allow=allow, key_allow=key_allow, need_weights=True)
    assert (context[:, 2] == 0).all()
    assert (context[2] == 0).all()
    assert (weights[:, :, 2] == 0).all()
    assert (context[:2, [0, 1, 3, 4]] != 0).any(-1).all()
    for slope in gradients(pairwise_attention, context, memory):
        assert slope.isfinite().all()


@pytest.mark.parametrize("chunks", [(1, 1, 1, 1, 1), (2, 1, 2), (5,)])
@pytest.mark.parametrize("key_allow", [None, REAL_QUERY], ids=["all", "padded"])
def test_step_by_step_equals_all_at_once(causal_attention, query, chunks, key_allow):
    full = causal_attention(query, causal=True, key_allow=key_allow).context
    state, parts, start = causal_attention.empty_state(query), [], 0
    for length in chunks:
        new = slice(start, start + length)
        seen = None if key_allow is None else key_allow[:, new]
        context, _, state = causal_attention(query[:, new], causal=True, key_allow=seen, state=state)
        parts.append(context)
        start += length
    torch.testing.assert_close(torch.cat(parts, dim=1), full)


def test_a_mask_that_begins_later_leaves_the_past_in_sight(causal_attention, query):
    _, _, state = causal_attention(query[:, :3], causal=True, state=causal_attention.empty_state(query))
    allow = REAL_QUERY.clone()
    allow[:, :3] = True
    found = causal_attention(query[:, 3:], causal=True, key_allow=allow[:, 3:], state=state).context
    torch.testing.assert_close(found, causal_attention(query, causal=True, key_allow=allow).context[:, 3:])


def test_a_memory_projected_once_equals_the_direct_call(attention, query, memory):
    state = attention.remember(memory, key_allow=REAL)
    direct = attention(query, memory, key_allow=REAL).context
    found, _, returned = attention(query, state=state)
    assert returned is state
    torch.testing.assert_close(found, direct)
    steps = [attention(query[:, q, None], state=state).context for q in range(Q)]
    torch.testing.assert_close(torch.cat(steps, dim=1), direct)


def test_a_value_apart_from_the_key(attention, query, memory):
    value = memory.flip(1) + 1
    found = attention(query, memory, value, key_allow=REAL).context
    state = attention.remember(memory, value, key_allow=REAL)
    torch.testing.assert_close(found, attention(query, state=state).context)
    assert (found - attention(query, memory, key_allow=REAL).context).abs().max() > 1e-3
    spoilt = value.masked_fill(~REAL.unsqueeze(-1), math.nan)
    torch.testing.assert_close(attention(query, memory, spoilt, key_allow=REAL).context, found)


@pytest.mark.parametrize("rows", [[2, 0], [1, 1, 0, 2], []])
def test_select_gives_the_state_of_those_rows(attention, query, memory, rows):
    index = tensor(rows, dtype=torch.int64)
    fixed = attention.remember(memory, key_allow=REAL).select(index)
    expected = attention(query[index], memory[index], key_allow=REAL[index]).context
    torch.testing.assert_close(attention(query[index], state=fixed).context, expected)


@pytest.mark.parametrize("rows", [[2, 0], [1, 1, 0, 2], []])
def test_select_gives_the_past_of_those_rows(causal_attention, query, rows):
    attention, index = causal_attention, tensor(rows, dtype=torch.int64)
    _, _, past = attention(query[:, :4], causal=True, state=attention.empty_state(query))
    found = attention(query[index, 4:], causal=True, state=past.select(index)).context
    torch.testing.assert_close(found, attention(query, causal=True).context[index, 4:])


def drop_half(config) -> None:
    """Set every `dropout`, however deep; of words not: sentences are weighed by what became of them."""
    for key, value in config.items():
        if key == "dropout":
            config[key] = 0.5
        elif isinstance(value, DictConfig) and key != "word":
            drop_half(value)


def test_dropout_is_for_training_and_spares_the_weights_handed_out(overrides, query):
    torch.manual_seed(0)
    config = deepcopy(composed(*overrides))
    drop_half(config)
    if config.get("pattern", {}).get("_target_", "").endswith("LinearPattern"):
        with pytest.raises(ValueError, match="This pattern takes no `dropout`: it never forms the weights"):
            instantiate(config)(D)
        return
    attention = instantiate(config)(D).double()
    trained = attention(query, need_weights=True)
    evaluated = attention.eval()(query, need_weights=True)
    torch.testing.assert_close(trained.weights, evaluated.weights)
    assert (trained.context - evaluated.context).abs().max() > 1e-3
    torch.testing.assert_close(evaluated.context, attention(query).context, rtol=0, atol=0)


def test_a_bias_moves_the_weights(pairwise_attention, query, memory):
    bias = torch.zeros(Q, K, dtype=torch.float64)
    bias[:, 3] = 1e4
    weights = pairwise_attention(query, memory, bias=bias, need_weights=True).weights
    assert (weights[..., 3] > 0.99).all()


def test_bf16_is_near_to_fp32(overrides, query, memory):
    torch.manual_seed(0)
    attention = instantiate(composed(*overrides))(D)
    query, memory = query.float() / 3, memory.float() / 3
    key_allow = REAL & tensor([True, True, False])[:, None]
    expected = attention(query, memory, key_allow=key_allow).context
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attention(query, memory, key_allow=key_allow).context
    torch.testing.assert_close(found.float(), expected, atol=2e-2, rtol=2e-2)
    assert (found[2] == 0).all()


def test_refuses_masks_that_are_not_boolean(attention, query, memory):
    with pytest.raises(TypeError, match=r"`key_allow` must be boolean, True = may attend\. Found torch\.float64"):
        attention(query, memory, key_allow=REAL.double())
    with pytest.raises(TypeError, match=r"`allow` must be boolean"):
        attention(query, memory, allow=torch.zeros(Q, K))
    with pytest.raises(TypeError, match=r"`key_allow` must be boolean"):
        attention.remember(memory, key_allow=REAL.long())


def test_refuses_masks_of_another_shape(attention, query, memory):
    with pytest.raises(ValueError, match=r"`key_allow` must be \(B, K\), as the keys are\. Found \(3, 1\)"):
        attention(query, memory, key_allow=REAL[:, :1])


def test_refuses_pairs_that_do_not_fit(pairwise_attention, query, memory):
    attention = pairwise_attention
    with pytest.raises(ValueError, match=r"`allow` must be broadcastable to \(B, H, Q, K\) = \(3, \d+, 5, 7\)"):
        attention(query, memory, allow=torch.ones(Q, K + 1, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"`allow` must be \(Q, K\) or \(B, H, Q, K\)\. Found 3 axes"):
        attention(query, memory, allow=torch.ones(B, Q, K, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"`bias` must be \(Q, K\) or \(B, H, Q, K\)\. Found 3 axes"):
        attention(query, memory, bias=torch.ones(B, Q, K))
    with pytest.raises(ValueError, match=r"`bias` must be broadcastable to \(B, H, Q, K\)"):
        attention(query, memory, bias=torch.ones(B, 7, Q, K))
    with pytest.raises(TypeError, match=r"`bias` must be of a float type\. Found torch\.bool: a mask goes to `allow`"):
        attention(query, memory, bias=torch.ones(Q, K, dtype=torch.bool))


def test_refuses_another_batch(attention, query, memory):
    with pytest.raises(ValueError, match=r"Queries and keys must be as many\. Found B=1 and 3"):
        attention(query[:1], memory)
    with pytest.raises(ValueError, match=r"Queries and keys must be as many\. Found B=1 and 3"):
        attention(query[:1, :1], memory)


def test_refuses_what_it_would_have_to_ignore(attention, query, memory):
    fixed, past = attention.remember(memory), attention.empty_state(query)
    with pytest.raises(ValueError, match=r"`causal` needs keys at the query's own positions\. Found a fixed memory"):
        attention(query, causal=True, state=fixed)
    with pytest.raises(ValueError, match=r"`causal` needs keys at the query's own positions\. Found a separate `key`"):
        attention(query, memory, causal=True)
    for state in (fixed, past):
        with pytest.raises(ValueError, match=r"A state brings its own keys\. Found `key` beside it"):
            attention(query, memory, state=state)
    with pytest.raises(ValueError, match=r"A fixed memory brings its own values and mask"):
        attention(query, state=fixed, key_allow=REAL)


def test_state_is_never_kept_on_the_module(attention, query, memory):
    before = {name: value for name, value in vars(attention).items() if not name.startswith("_")}
    attention(query, state=attention.remember(memory))
    attention(query, state=attention.empty_state(query))
    assert {name: value for name, value in vars(attention).items() if not name.startswith("_")} == before
    assert not any(isinstance(value, AttentionState) for value in vars(attention).values())
