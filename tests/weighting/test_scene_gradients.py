from __future__ import annotations

import torch
from torch import nn, tensor

from iamm.weighting.base import scene_gram
from iamm.weighting.scene_gradients import BLOCK, Rows, gram


def test_gram_by_hand():
    torch.testing.assert_close(
        gram(tensor([[3.0, 4.0], [-4.0, 3.0], [6.0, 8.0]])),
        tensor([[25.0, 0.0, 50.0], [0.0, 25.0, 0.0], [50.0, 0.0, 100.0]], dtype=torch.float64),
    )


def test_gram_in_blocks():
    """Whole blocks and what is left of them, against float64; a million products lose no digit that float32 has."""
    generator = torch.Generator().manual_seed(0)
    for size in (1, BLOCK - 1, BLOCK, BLOCK + 1, 250 * BLOCK + 17):
        rows = torch.randn(3, size, generator=generator)
        rows[2] = rows[0] + 1e-3 * rows[1]
        exact = rows.double() @ rows.double().T
        lengths = exact.diagonal().sqrt()
        error = (gram(rows) - exact).abs() / lengths.outer(lengths)
        assert error.max() < 2e-7, size


def test_rows_of_missing_pieces_and_scenes_are_zero():
    rows, like = Rows(3), [torch.zeros(2), torch.zeros(1, 1)]
    for _ in range(2):  # the memory is used again, what stood there is not
        rows.begin(like)
        rows.add(0, [tensor([1.0, 2.0]), None])
        rows.add(2, [None, tensor([[5.0]])])
        rows.add(2, [tensor([1.0, 1.0]), tensor([[-1.0]])])
        assert rows.mean().tolist() == [[1.0, 2.0, 0.0], [0.0, 0.0, 0.0], [1.0, 1.0, 4.0]]
        rows.clear()
    rows.begin(like)
    assert not rows.mean().any()
    rows.begin([torch.zeros(1)])
    assert rows.mean().shape == (3, 1)


def test_written_gradients_by_hand():
    """2 (1, 2, ·) − (3, −1, 5), added to what stands in x.grad."""
    x, y = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(()))
    x.grad = tensor([10.0, 0.0])
    rows = Rows(2)
    rows.begin([x, y])
    rows.add(0, [tensor([1.0, 2.0]), None])
    rows.add(1, [tensor([3.0, -1.0]), tensor(5.0)])
    rows.write([x, y], tensor([2.0, -1.0]))
    torch.testing.assert_close(x.grad, tensor([10.0 + 2 - 3, 4.0 + 1]))
    torch.testing.assert_close(y.grad, tensor(-5.0))


def test_gram_of_losses_leaves_the_graphs():
    """L = (3x, x², ‖x‖⁴) at x = (1, 2): g = (3, 3), (2, 4), and the third is not observed."""
    x = nn.Parameter(tensor([1.0, 2.0]))
    losses = [3 * x.sum(), x.square().sum(), x.square().sum() ** 2]
    found = scene_gram(losses, tensor([True, True, False]), [x])
    torch.testing.assert_close(found, tensor([[18.0, 18.0, 0.0], [18.0, 20.0, 0.0], [0.0] * 3], dtype=torch.float64))
    assert x.grad is None
    sum(losses).backward()


def test_rows_of_bf16_are_summed_in_float32():
    """65,536 ones: in bf16 a sum of ones ends at 256."""
    rows, ones = Rows(1), torch.ones(1 << 16, dtype=torch.bfloat16)
    rows.begin([ones])
    rows.add(0, [ones])
    rows.add(0, [ones])
    assert gram(rows.mean()).tolist() == [[4.0 * (1 << 16)]]
