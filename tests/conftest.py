"""What tests of several rooms share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import settings
from torch import Tensor

from iamm.attention.single import SingleAttention
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.scaled_dot_product import ScaledDotProductScore

settings.register_profile("same", derandomize=True)  # the same examples each time; others: --hypothesis-profile=default
settings.load_profile("same")

ONE_OF_EACH = ("additive", "gated", "hierarchical", "linear", "low_rank", "mixed", "multi_head", "null")
"""Attentions with which heads, encoders and fusions are held to their whole contracts."""
WITH_EVERY_ONE = ("test_batch_mates_are_invisible", "test_gradients_reach_every_parameter")
"""What they are held to with all others, in the long tier."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What every attention keeps is held by the attentions' own contract; a part that takes one is tried with a few."""
    items[:] = [item for item in items if not of_another_attention(item) or item.originalname in WITH_EVERY_ONE]
    for item in filter(of_another_attention, items):
        item.add_marker(pytest.mark.long)


def of_another_attention(item) -> bool:
    """Whether it is a contract's test of a part with none of those attentions."""
    params = item.callspec.params if hasattr(item, "callspec") else {}
    case = params.get("case", params.get("fusion"))
    return item.path.name == "test_contract.py" and isinstance(case, tuple) and case[1] not in ONE_OF_EACH


@pytest.fixture
def agree():
    """Two results are equal, and so are their gradients with respect to `leaves`."""

    def check(found: Tensor, expected: Tensor, leaves: list[Tensor]) -> None:
        torch.testing.assert_close(found, expected)
        probe = torch.linspace(-1, 1, found.numel(), dtype=found.dtype).view_as(found)
        gradients = [torch.autograd.grad((result * probe).sum(), leaves) for result in (found, expected)]
        torch.testing.assert_close(*gradients)

    return check


@pytest.fixture
def attention_with():
    """An attention of given parts, plain where none is given, in float64."""

    def make(dim: int, arrangement=SingleAttention, **parts):
        plain = {"score": ScaledDotProductScore, "pattern": FullPattern, "normaliser": SoftmaxNormaliser}
        return arrangement(dim, **{**plain, **parts}).double()

    return make


def naive(
    score: Callable[[Tensor, Tensor], Tensor], query: Tensor, key: Tensor, value: Tensor, allow: Tensor
) -> Tensor:
    """context_bq = Σ_k exp(s_bqk) v_bk / Σ_k exp(s_bqk) over the allowed k, else 0. allow: (B, Q, K)"""
    rows = []
    for b in range(query.shape[0]):
        for q in range(query.shape[1]):
            seen = [k for k in range(key.shape[1]) if allow[b, q, k]]
            powers = [torch.exp(score(query[b, q], key[b, k])) for k in seen]
            terms = [power / sum(powers) * value[b, k] for power, k in zip(powers, seen, strict=True)]
            rows.append(sum(terms, start=torch.zeros_like(value[b, 0])))
    return torch.stack(rows).unflatten(0, query.shape[:2])


@pytest.fixture
def naive_attention():
    """The reference that every attention is held against: one pair at a time, in Python, in float64."""
    return naive


@pytest.fixture
def case():
    """query (2, 3, 6), key and value (2, 5, 6) in float64 with graph; allow (2, 3, 5), one row of it empty."""
    generator = torch.Generator().manual_seed(0)
    shapes = ((2, 3, 6), (2, 5, 6), (2, 5, 6))
    tensors = [torch.randn(s, generator=generator, dtype=torch.float64, requires_grad=True) for s in shapes]
    allow = torch.rand((2, 3, 5), generator=generator) < 0.6
    allow[1, 2] = False
    return *tensors, allow


@pytest.fixture
def may_rest():
    """Whether a learnt part of an attention may be without effect in some place.

    Distances and spans are those of one sequence, not of a memory apart; `mixed` has a reader for each of the two;
    gates that start alike make no difference between scenes; one sentence alone has the weight 1.
    """
    places = (".relative", ".share", ".self_attention.", ".cross_attention.", ".gamma", ".r.", ".sentence.")

    def check(name: str) -> bool:
        return any(place in f".{name}" for place in places)

    return check


@pytest.fixture(autouse=True)
def plain_torch():
    """Building a run settles torch's global switches: put back what a test found."""
    deterministic, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    yield
    torch.use_deterministic_algorithms(deterministic)
    torch.set_num_threads(threads)
