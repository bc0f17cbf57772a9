from __future__ import annotations

import pytest
import torch
from torch import tensor

from iamm.weighting.scene_attention import SceneAttentionWeighting


def test_by_hand(step):
    """The weights of D0 §4.6, as the fusion gives them."""
    given = tensor([0.018, 0.982], dtype=torch.float64)
    weights, gradient = step(SceneAttentionWeighting(2), [4.0, 1.0], scene_weights=given)
    torch.testing.assert_close(weights, given)
    torch.testing.assert_close(gradient, given)


def test_no_gradient_reaches_the_attention():
    scores = torch.zeros(2, requires_grad=True)
    losses = tensor([1.0, 5.0], requires_grad=True)
    SceneAttentionWeighting(2).backward(
        losses, observed=tensor([True, True]), scene_weights=torch.softmax(scores, dim=0)
    )
    assert scores.grad is None
    torch.testing.assert_close(losses.grad, tensor([0.5, 0.5]))


def test_says_that_it_needs_scene_weights():
    assert SceneAttentionWeighting.needs_scene_weights
    losses = tensor([1.0, 5.0], requires_grad=True)
    with pytest.raises(ValueError, match="weighting=scene_attention needs a fusion that weighs the scenes"):
        SceneAttentionWeighting(2).backward(losses, observed=tensor([True, True]))
