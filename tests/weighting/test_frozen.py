"""What is frozen gets no gradient, in no rule and in no way of accumulating; what is not frozen gets its own."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from torch import nn, tensor

from iamm.weighting.base import Paths, scene_gram

CONFIGS = Path(__file__).parents[2] / "configs" / "weighting"
GIVEN = {"fixed": {"values": [0.5, 0.5]}}
ATTENDED = tensor([0.75, 0.25])


@cache
def maker(name: str):
    config = OmegaConf.merge(OmegaConf.load(CONFIGS / f"{name}.yaml"), GIVEN.get(name, {}))
    return instantiate(OmegaConf.create({"seed": 7, "weighting": config}).weighting)


class Trunk(nn.Module):
    """Two scenes over one layer: an encoder for each, a fusion for both, a head for each."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(3)
        self.encoders = nn.ModuleList(nn.Linear(3, 5) for _ in range(2))
        self.fusion = nn.Linear(5, 5)
        self.heads = nn.ModuleList(nn.Linear(5, 2) for _ in range(2))

    def forward(self):
        inputs = torch.arange(21.0).view(7, 3) / 21
        encoded = [encoder(inputs) for encoder in self.encoders]
        features = [self.fusion(values).tanh() for values in encoded]
        losses = [head(f).square().mean() + i for i, (head, f) in enumerate(zip(self.heads, features, strict=True))]
        heads = [list(head.parameters()) for head in self.heads]
        private = list(self.encoders.parameters())
        return losses, Paths(features, encoded, heads, list(self.fusion.parameters()), private)


def step(name: str, model: Trunk, batches: int) -> torch.Tensor:
    weighting = maker(name)(2)
    for _ in range(batches):
        losses, paths = model()
        here = tensor([True, True])
        weighting.backward(losses, observed=here, paths=paths, scene_weights=ATTENDED, share=1 / batches)
    return weighting.finish()


FROZEN = {
    "a bias": lambda model: [model.fusion.bias],
    "an encoder": lambda model: list(model.encoders[0].parameters()),
    "the encoders": lambda model: list(model.encoders.parameters()),
    "a head": lambda model: list(model.heads[1].parameters()),
    "all before the heads": lambda model: [*model.encoders.parameters(), *model.fusion.parameters()],
    "all of a scene": lambda model: [*model.encoders[0].parameters(), *model.heads[0].parameters()],
}


@pytest.mark.parametrize("batches", [1, 2])
@pytest.mark.parametrize("what", FROZEN)
@pytest.mark.parametrize("name", sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def test_each_rule_leaves_out_what_is_frozen(name, what, batches):
    """Where something is shared; and the heads' gradients are the same as when nothing before them is frozen."""
    model, whole = Trunk(), Trunk()
    if what == "all before the heads" and maker(name)(2).needs_shared:
        pytest.skip("such a run is refused when it is built")
    frozen = FROZEN[what](model)
    for parameter in frozen:
        parameter.requires_grad_(False)
    weights, expected = step(name, model, batches), step(name, whole, batches)
    assert all(parameter.grad is None for parameter in frozen)
    left = {key: value for key, value in model.named_parameters() if value.requires_grad}
    assert all(value.grad is not None and value.grad.isfinite().all() for value in left.values())
    if not torch.equal(weights, expected):
        assert maker(name)(2).needs_shared  # the Gram matrix is of what is left
        return
    for key, value in whole.named_parameters():
        if key in left:
            torch.testing.assert_close(left[key].grad, value.grad)


def test_conflict_of_what_is_left():
    """The Gram matrix of two losses over a shared layer, its bias frozen, by hand."""
    model = Trunk()
    model.fusion.bias.requires_grad_(False)
    losses, paths = model()
    rows = torch.stack(
        [torch.autograd.grad(loss, model.fusion.weight, retain_graph=True)[0].ravel() for loss in losses]
    )
    gram = scene_gram(losses, tensor([True, True]), paths.shared)
    torch.testing.assert_close(gram, (rows.double() @ rows.double().T), atol=1e-9, rtol=1e-6)


@pytest.mark.parametrize("name", ["nash", "multiple_gradient_descent", "gradient_norm"])
def test_at_the_representation(name):
    model = Trunk()
    for parameter in model.encoders[0].parameters():
        parameter.requires_grad_(False)
    weighting = instantiate(OmegaConf.load(CONFIGS / f"{name}.yaml"), wrt="representation")(2)
    losses, paths = model()
    weighting.backward(losses, observed=tensor([True, True]), paths=paths)
    assert weighting.finish().isfinite().all()
    assert all(parameter.grad is None for parameter in model.encoders[0].parameters())
    assert all(parameter.grad is not None for parameter in model.encoders[1].parameters())
