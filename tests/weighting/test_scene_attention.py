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


def test_no_gradient_reaches_the_attention(leaves):
    scores, made = torch.zeros(2, requires_grad=True), leaves([1.0, 5.0])
    seen = {"observed": tensor([True, True]), "paths": made.paths}
    weighting = SceneAttentionWeighting(2)
    weighting.backward(made.losses, **seen, scene_weights=torch.softmax(scores, dim=0))
    assert not weighting.finish().requires_grad
    assert scores.grad is None
    torch.testing.assert_close(made.slopes.tolist(), [0.5, 0.5])


def test_accumulated_batches_are_weighted_by_their_mean_attention(leaves):
    """(0.2, 0.8) and (0.6, 0.4): (0.4, 0.6) for both batches."""
    weighting, made = SceneAttentionWeighting(2), leaves([4.0, 1.0])
    for given in ([0.2, 0.8], [0.6, 0.4]):
        seen = {"observed": tensor([True, True]), "paths": made.paths}
        weighting.backward(made.losses, **seen, scene_weights=tensor(given, dtype=torch.float64), share=0.5)
    torch.testing.assert_close(weighting.finish().tolist(), [0.4, 0.6])
    torch.testing.assert_close(made.slopes.tolist(), [0.4, 0.6])


def test_says_that_it_needs_scene_weights(step):
    assert SceneAttentionWeighting.needs_scene_weights
    with pytest.raises(ValueError, match="weighting=scene_attention needs a fusion that weighs the scenes"):
        step(SceneAttentionWeighting(2), [1.0, 5.0])
