"""Attacks by hand: on linear models, whose gradients are known, and on what no attack may touch."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iamm.dataset.base import SceneBatch
from iamm.engine.freezing import begin_training
from iamm.engine.technique.adversarial import Attack


class Linear(nn.Module):
    """Loss of a picture: w · x; of a text: u · Σ_t e_t, e the embeddings; the mean over the examples."""

    def __init__(self) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict({"image": Pixels(), "text": Words()})
        self.read: list[torch.Tensor] = []
        self.modes: list[bool] = []

    def forward(self, batch):
        self.modes.append(self.training)
        values = {name: self.encoders[name](part.inputs, part.present) for name, part in batch.items()}
        self.read.extend(value.detach().clone() for value in values.values())
        return Losses(
            {name: (value * self.encoders[name].slope).flatten(1).sum(dim=1).mean() for name, value in values.items()}
        )


class Losses:
    def __init__(self, losses) -> None:
        self.losses = losses


class Pixels(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([[2.0, -1.0], [0.0, 3.0]]))

    def forward(self, inputs, present):
        return inputs["image"][:, 0]


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.tensor([3.0, 4.0]))
        self.embedding = nn.Embedding(3, 2)
        with torch.no_grad():
            self.embedding.weight.copy_(torch.tensor([[0.0, 0.0], [3.0, 0.0], [0.0, 4.0]]))

    def forward(self, inputs, present):
        return self.embedding(inputs["text"])


PICTURES = torch.tensor([[0.5, 0.5, 0.5, 0.95], [0.0, 0.05, 1.0, 0.5], [0.2, 0.2, 0.2, 0.2]]).view(3, 1, 2, 2)
PRESENT = torch.ones(3, dtype=torch.bool)


@pytest.fixture
def model() -> Linear:
    return Linear().train()


@pytest.fixture
def pictures() -> dict[str, SceneBatch]:
    return {"image": SceneBatch({"image": PICTURES}, torch.zeros(3), PRESENT)}


def read_under(attack: Attack, model: Linear, batch, share: float = 1.0) -> torch.Tensor:
    """What the model reads of the batch under the attack."""
    with attack.on(model, [batch], share):
        model(batch)
    return model.read[-1]


@pytest.mark.parametrize("steps", [1, 3])
def test_pictures_by_hand(steps, model, pictures):
    """x + 0.1 · sign(w), cut to [0, 1]; where w = 0 nothing changes. A linear loss has its worst corner at once."""
    expected = PICTURES[:, 0] + 0.1 * torch.tensor([[1.0, -1.0], [0.0, 1.0]])
    read = read_under(Attack(0.1, None, steps, 1.0), model, pictures)
    torch.testing.assert_close(read, expected.clamp(0, 1))


def test_embeddings_by_hand(model):
    """e = (3, 0), (0, 4) has the norm 5; g ∝ (3, 4, 3, 4) that of √50; so r = 0.1 · 5 / √50 · (3, 4, 3, 4)."""
    batch = {"text": SceneBatch({"text": torch.tensor([[1, 2]])}, torch.zeros(1), PRESENT[:1])}
    expected = torch.tensor([[[3.0, 0.0], [0.0, 4.0]]]) + 0.5 / 50**0.5 * torch.tensor([3.0, 4.0])
    for steps in (1, 4):
        torch.testing.assert_close(read_under(Attack(None, 0.1, steps, 1.0), model, batch), expected)


def test_only_what_is_asked_for(model, pictures):
    batch = {**pictures, "text": SceneBatch({"text": torch.tensor([[1, 2]])}, torch.zeros(1), PRESENT[:1])}
    with Attack(None, 0.1, 1, 1.0).on(model, [batch]):
        model(batch)
    torch.testing.assert_close(model.read[-2], PICTURES[:, 0], rtol=0, atol=0)


def test_a_share_of_the_examples(model, pictures):
    clean = PICTURES[:, 0]
    changed = [
        (read_under(Attack(0.1, None, 1, 0.0), model, pictures, share) != clean).flatten(1).any(dim=1).tolist()
        for share in (1, 0.67, 0.34, 0)
    ]
    assert changed == [[True, True, True], [False, True, True], [False, False, True], [False, False, False]]


def test_the_model_is_as_before(model, pictures):
    """r is computed in evaluation mode; no parameter has a gradient; after the attack nothing is added."""
    read_under(Attack(0.1, None, 2, 1.0), model, pictures)
    assert model.modes == [False, False, True]
    assert model.training
    assert all(parameter.grad is None for parameter in model.parameters())
    model(pictures)
    torch.testing.assert_close(model.read[-1], PICTURES[:, 0], rtol=0, atol=0)


def test_a_frozen_batch_norm_stays_in_evaluation(model, pictures):
    model.norm = nn.BatchNorm2d(1).requires_grad_(False)
    begin_training(model)
    read_under(Attack(0.1, None, 1, 1.0), model, pictures)
    assert (model.training, model.norm.training) == (True, False)


def test_a_curved_loss_needs_several_steps(model, pictures):
    """The loss of each step is no smaller, as a naive loop of the same steps finds it."""
    model.encoders["image"] = Curved()
    naive = torch.zeros_like(PICTURES)
    for _ in range(5):
        r = naive.clone().requires_grad_()
        values = (PICTURES + r).clamp(0, 1)
        gradient = torch.autograd.grad((Curved()({"image": values}, PRESENT)).flatten(1).sum(1).mean(), r)[0]
        naive = (naive + 2.5 * 0.2 / 5 * gradient.sign()).clamp(-0.2, 0.2)
    expected = Curved()({"image": (PICTURES + naive).clamp(0, 1)}, PRESENT)
    torch.testing.assert_close(read_under(Attack(0.2, None, 5, 1.0), model, pictures), expected)
    assert expected.sum() > Curved()({"image": PICTURES}, PRESENT).sum()


class Curved(Pixels):
    """sin(20 x): the way up turns."""

    def __init__(self) -> None:
        super().__init__()
        self.slope = nn.Parameter(torch.ones(2, 2))

    def forward(self, inputs, present):
        return (20 * inputs["image"][:, 0]).sin()
