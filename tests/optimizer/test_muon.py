from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from iamm.optimizer.muon import MuonOptimizer, orthogonalised


def made(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def polynomial(value: float) -> float:
    return 3.4445 * value - 4.7750 * value**3 + 2.0315 * value**5


@pytest.mark.parametrize("shape", [(3, 7), (7, 3), (5, 5)])
def test_the_polynomial_acts_on_singular_values(shape):
    matrix = made(*shape)
    u, sigma, vt = torch.linalg.svd(matrix, full_matrices=False)
    values = [value / math.sqrt(sum(s**2 for s in sigma.tolist())) for value in sigma.tolist()]
    for _ in range(3):
        values = [polynomial(value) for value in values]
    expected = u @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ vt
    torch.testing.assert_close(orthogonalised(matrix, 3), expected)


def test_five_iterations_bring_singular_values_near_one():
    sigma = torch.linalg.svdvals(orthogonalised(made(5, 11), 5))
    assert sigma.min() > 0.6
    assert sigma.max() < 1.3


def test_a_gradient_of_zeros_gives_no_step():
    torch.testing.assert_close(orthogonalised(torch.zeros(3, 5), 3), torch.zeros(3, 5))


@pytest.mark.parametrize("shape", [(3, 2, 2, 2), (11, 2, 2, 1)])
def test_agrees_with_torch_on_flattened_filters(shape):
    """Over three steps; torch's matrix products are in bfloat16, of 8 binary digits."""
    start = made(*shape).float()
    filters, matrix = nn.Parameter(start.clone()), nn.Parameter(start.flatten(1).clone())
    ours = MuonOptimizer([filters], lr=0.03, momentum=0.9, iterations=5, weight_decay=0.1)
    theirs = torch.optim.Muon([matrix], lr=0.03, momentum=0.9, weight_decay=0.1)
    for step in range(3):
        gradient = made(*shape, seed=step + 1).float()
        filters.grad, matrix.grad = gradient.clone(), gradient.flatten(1).clone()
        ours.step()
        theirs.step()
    moved = matrix.detach() - start.flatten(1)
    assert moved.norm() > 0.05
    torch.testing.assert_close(filters.detach().flatten(1) - start.flatten(1), moved, atol=2e-3, rtol=0.02)


def test_two_steps_by_the_formula():
    start, first, second = (made(3, 2, 2, 1, seed=seed) for seed in range(3))
    filters = nn.Parameter(start.clone())
    optimizer = MuonOptimizer([filters], lr=0.5, momentum=0.25, iterations=2, weight_decay=0.1)
    expected, past = start.flatten(1), torch.zeros(3, 4, dtype=torch.float64)
    for gradient in (first.flatten(1), second.flatten(1)):
        filters.grad = gradient.view_as(start).clone()
        optimizer.step()
        past = 0.25 * past + gradient
        expected = (1 - 0.05) * expected - 0.5 * orthogonalised(gradient + 0.25 * past, 2)
    torch.testing.assert_close(filters.detach().flatten(1), expected)


def test_all_others_take_steps_of_adamw():
    parameters = [nn.Parameter(made(3, 5)), nn.Parameter(made(7))]
    same = [nn.Parameter(each.detach().clone()) for each in parameters]
    ours = MuonOptimizer([*parameters, nn.Parameter(made(2, 3, 2, 2))], adam_lr=0.01, weight_decay=0.1)
    theirs = torch.optim.AdamW(same, lr=0.01, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(3):
        for mine, other in zip(parameters, same, strict=True):
            mine.grad = made(*mine.shape, seed=step)
            other.grad = mine.grad.clone()
        ours.step()
        theirs.step()
    torch.testing.assert_close(parameters, same)


def test_groups_have_their_own_options_and_rates():
    filters, vector, weight = nn.Parameter(made(2, 3, 2, 2)), nn.Parameter(made(5)), nn.Parameter(made(3))
    groups = [{"params": [filters, vector]}, {"params": [weight], "weight_decay": 0.0}]
    optimizer = MuonOptimizer(groups, lr=0.3, adam_lr=0.02, weight_decay=0.1)
    found = [(group["params"], group["lr"], group["weight_decay"]) for group in optimizer.param_groups]
    assert found == [([filters], 0.3, 0.1), ([vector], 0.02, 0.1), ([weight], 0.02, 0.0)]


def test_resumed_from_its_state_the_steps_are_the_same():
    def run(steps: int, resume_at: int | None) -> list[Tensor]:
        parameters = [nn.Parameter(made(3, 2, 2, 2)), nn.Parameter(made(5))]
        optimizer = MuonOptimizer(parameters)
        for step in range(steps):
            if step == resume_at:
                saved, optimizer = optimizer.state_dict(), MuonOptimizer(parameters)
                optimizer.load_state_dict(saved)
            for parameter in parameters:
                parameter.grad = made(*parameter.shape, seed=step)
            optimizer.step()
        return [parameter.detach() for parameter in parameters]

    torch.testing.assert_close(run(5, 3), run(5, None), rtol=0, atol=0)


@pytest.mark.parametrize(("name", "value"), [("lr", 0.0), ("momentum", 1.0), ("iterations", 0), ("adam_lr", -1.0)])
def test_refuses_values_out_of_range(name, value):
    with pytest.raises(ValueError, match=rf"`{name}` must be .* Found {value}"):
        MuonOptimizer([nn.Parameter(made(3))], **{name: value})
