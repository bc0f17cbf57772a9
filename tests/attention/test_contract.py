"""What every attention of configs/attention keeps, in each place that takes one."""

from __future__ import annotations

import inspect
import math
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.utils import get_class, instantiate
from torch import Tensor, tensor

from iamm.attention.base import AttentionState

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))
CASES = [[f"+attention={name}"] for name in NAMES]
SCORES = sorted(path.stem for path in (CONFIGS / "score").glob("*.yaml"))
CASES += [["+attention=multi_head", f"score@attention.score={score}"] for score in SCORES]
B, Q, K, D = 3, 5, 7, 12
REAL = tensor(
    [[True] * 7, [True, True, True, True, False, False, False], [False, True, True, False, True, True, False]]
)
REAL_QUERY = tensor([[True] * 5, [True, True, True, False, False], [True, False, True, True, False]])


@cache
def composed(*overrides: str):
    with initialize_config_dir(version_base="1.3", config_dir=str(CONFIGS)):
        return compose(overrides=list(overrides)).attention


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
    return list(torch.autograd.grad((context * probe).sum(), [*inputs, *attention.parameters()]))


@pytest.mark.parametrize("name", NAMES)
def test_yaml_shows_every_keyword_with_its_default(name):
    config = composed(f"+attention={name}")
    parameters = inspect.signature(get_class(config._target_)).parameters
    keywords = {key for key, parameter in parameters.items() if parameter.kind is parameter.KEYWORD_ONLY}
    assert set(config) - {"_target_", "_partial_"} == keywords
    defaults = {
        key: parameters[key].default for key in keywords if parameters[key].default is not inspect.Parameter.empty
    }
    assert {key: config[key] for key in defaults} == defaults


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
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)))
    assert (weights.masked_select(~REAL[:, None, None]) == 0).all()
    torch.testing.assert_close(attention.merge(weights @ state.value), context)


def test_weights_times_values_is_the_context_of_self_attention(attention, query):
    context, weights, _ = attention(query, need_weights=True)
    torch.testing.assert_close(attention.merge(weights @ attention.project_value(query)), context)


def test_asking_for_weights_changes_nothing(attention, query, memory):
    plain, asked = (attention(query, memory, key_allow=REAL, need_weights=need).context for need in (False, True))
    torch.testing.assert_close(plain, asked, rtol=0, atol=0)


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


def test_causal_looks_at_no_later_token(attention, query):
    query.requires_grad_()
    for last in range(Q):
        context = attention(query, causal=True).context
        torch.testing.assert_close(context[:, : last + 1], attention(query[:, : last + 1], causal=True).context)
        (slope,) = torch.autograd.grad(context[:, last].square().sum(), query)
        assert (slope[:, last + 1 :] == 0).all()
        assert (slope[:, : last + 1] != 0).any(-1).all()


def test_a_query_that_may_see_nothing_reads_zero(attention, query, memory):
    allow = torch.ones(Q, K, dtype=torch.bool)
    allow[2] = False
    key_allow = REAL & tensor([True, True, False])[:, None]
    memory.requires_grad_()
    context, weights, _ = attention(query, memory, allow=allow, key_allow=key_allow, need_weights=True)
    assert (context[:, 2] == 0).all()
    assert (context[2] == 0).all()
    assert (weights[:, :, 2] == 0).all()
    assert (context[:2, [0, 1, 3, 4]] != 0).any(-1).all()
    for slope in gradients(attention, context, memory):
        assert slope.isfinite().all()


@pytest.mark.parametrize("chunks", [(1, 1, 1, 1, 1), (2, 1, 2), (5,)])
@pytest.mark.parametrize("key_allow", [None, REAL_QUERY], ids=["all", "padded"])
def test_step_by_step_equals_all_at_once(attention, query, chunks, key_allow):
    full = attention(query, causal=True, key_allow=key_allow).context
    state, parts, start = attention.empty_state(query), [], 0
    for length in chunks:
        new = slice(start, start + length)
        seen = None if key_allow is None else key_allow[:, new]
        context, _, state = attention(query[:, new], causal=True, key_allow=seen, state=state)
        parts.append(context)
        start += length
    torch.testing.assert_close(torch.cat(parts, dim=1), full)


def test_a_mask_that_begins_later_leaves_the_past_in_sight(attention, query):
    _, _, state = attention(query[:, :3], causal=True, state=attention.empty_state(query))
    allow = REAL_QUERY.clone()
    allow[:, :3] = True
    found = attention(query[:, 3:], causal=True, key_allow=allow[:, 3:], state=state).context
    torch.testing.assert_close(found, attention(query, causal=True, key_allow=allow).context[:, 3:])


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
    _, _, past = attention(query[:, :4], causal=True, state=attention.empty_state(query))
    found = attention(query[index, 4:], causal=True, state=past.select(index)).context
    torch.testing.assert_close(found, attention(query, causal=True).context[index, 4:])


def test_dropout_is_for_training_and_spares_the_weights_handed_out(overrides, query):
    torch.manual_seed(0)
    attention = instantiate(composed(*overrides, "attention.dropout=0.5"))(D).double()
    trained = attention(query, need_weights=True)
    evaluated = attention.eval()(query, need_weights=True)
    torch.testing.assert_close(trained.weights, evaluated.weights)
    assert (trained.context - evaluated.context).abs().max() > 1e-3
    torch.testing.assert_close(evaluated.context, attention(query).context, rtol=0, atol=0)


def test_a_bias_moves_the_weights(attention, query, memory):
    bias = torch.zeros(Q, K, dtype=torch.float64)
    bias[:, 3] = 1e4
    weights = attention(query, memory, bias=bias, need_weights=True).weights
    torch.testing.assert_close(weights[..., 3], torch.ones_like(weights[..., 3]))


def test_bf16_is_near_to_fp32(overrides, query, memory):
    torch.manual_seed(0)
    attention = instantiate(composed(*overrides))(D)
    query, memory = query.float() / 3, memory.float() / 3
    key_allow = REAL & tensor([True, True, False])[:, None]
    expected = attention(query, memory, key_allow=key_allow).context
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = attention(query, memory, key_allow=key_allow).context
        _, _, state = attention(query[:, :2], causal=True, state=attention.empty_state(query))
        assert attention(query[:, 2:], causal=True, state=state).context.isfinite().all()
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
    with pytest.raises(ValueError, match=r"`allow` must be \(Q, K\) or \(B, H, Q, K\)\. Found 3 axes"):
        attention(query, memory, allow=torch.ones(B, Q, K, dtype=torch.bool))
    with pytest.raises(ValueError, match=r"`bias` must be \(Q, K\) or \(B, H, Q, K\)\. Found 3 axes"):
        attention(query, memory, bias=torch.ones(B, Q, K))


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
    attention(query, causal=True, state=attention.empty_state(query))
    assert {name: value for name, value in vars(attention).items() if not name.startswith("_")} == before
    assert not any(isinstance(value, AttentionState) for value in vars(attention).values())
