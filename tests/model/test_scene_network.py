from __future__ import annotations

import pytest
import torch
from torch import nn, tensor

from iamm.dataset.base import Scene, SceneBatch
from iamm.dataset.fields import CLASS, Field
from iamm.encoder.base import Encoder, Features
from iamm.fusion.base import Fused, Fusion
from iamm.head.base import AttentionMap, Head
from iamm.measure import LOSS, Measure
from iamm.model.scene_network import SceneNetwork, mean_scene_weights

NAMES = ("left", "right")


class Doubling(Encoder):
    """x → 2x, a place of its own for each number."""

    def forward(self, inputs, present):
        numbers = inputs["number"]
        return Features(2 * numbers.unsqueeze(-1), present[:, None].expand(numbers.shape))

    def attention_map(self, inputs, present):
        return [inputs["number"][:, None, None] * present[:, None, None, None]]


class Adding(Fusion):
    """x'_s = x_s + Σ of the group; the weight of scene s is (s + 1) / 3."""

    gives_scene_weights = True

    def __init__(self, scenes, dim):
        super().__init__(scenes, dim)
        self.shift = nn.Parameter(torch.zeros(dim))

    def forward(self, features):
        total = sum(scene.values for scene in features.values()) + self.shift
        fused = {name: Features(scene.values + total, scene.allow) for name, scene in features.items()}
        shares = tensor([1.0, 2.0]) / 3
        return Fused(fused, {name: shares.expand(len(scene.values), -1) for name, scene in features.items()})

    def attention_map(self, features):
        return {name: scene.values.expand(-1, 1, 2) for name, scene in features.items()}


class Summing(Head):
    """Loss: the sum of the features of present rows. Quality: the number of present rows, tenth by tenth."""

    measures = (Measure("share"), LOSS)

    def loss(self, features, batch):
        return features.values[batch.present].sum()

    def observe(self, features, batch):
        return {"rows": features.values[batch.present].sum(dim=(1, 2)).tolist()}

    def attention_map(self, features):
        return AttentionMap(features.values.unsqueeze(1), [["x"]] * len(features.values))

    def measure(self, outputs):
        rows = [row for part in outputs for row in part["rows"]]
        return {"share": len(rows) / 10, "loss": sum(rows)}


class Silent(Summing):
    def attention_map(self, features):
        return None


def scene(name: str, task: str = "sum", kind: str = "number") -> Scene:
    return Scene(name, kind, task, {}, {kind: Field("numbers")}, CLASS)


@pytest.fixture
def network() -> SceneNetwork:
    scenes = [scene("left"), scene("right", "silence")]
    return SceneNetwork(
        scenes, 1, encoder={"number": Doubling}, fusion=Adding, head={"sum": Summing, "silence": Silent}
    )


@pytest.fixture
def batch() -> dict[str, SceneBatch]:
    none = torch.zeros(2, dtype=torch.int64)
    return {
        "left": SceneBatch({"number": tensor([[1.0], [3.0]])}, none, tensor([True, True])),
        "right": SceneBatch({"number": tensor([[10.0], [20.0]])}, none, tensor([True, False])),
    }


def test_encoder_fusion_head_by_hand(network, batch):
    """left: 2 + (2 + 20) = 24 and 6 + (6 + 40) = 52; right: 20 + 22 = 42, its second row being absent."""
    outcome = network(batch)
    assert {name: loss.item() for name, loss in outcome.losses.items()} == {"left": 76.0, "right": 42.0}
    for name in NAMES:
        torch.testing.assert_close(outcome.scene_weights[name], tensor([1.0, 2.0]) / 3)


def test_evidence_and_scene_weights_of_present_rows(network, batch):
    noted, seen = network.observe(batch)
    assert noted == {"left": {"rows": [24.0, 52.0]}, "right": {"rows": [42.0]}}
    assert {name: tuple(weights.shape) for name, weights in seen.items()} == {"left": (2, 2), "right": (1, 2)}


def test_qualities_are_the_heads_own(network, batch):
    noted, _ = network.observe(batch)
    measures, qualities = network.measure({"left": [noted["left"]] * 3, "right": [noted["right"]]})
    assert measures == {"left": {"share": 0.6, "loss": 228.0}, "right": {"share": 0.1, "loss": 42.0}}
    assert qualities == {"left": 0.6, "right": 0.1}


def test_each_part_is_looked_at_where_it_stands(network, batch):
    """A head behind the fusion, an encoder at the inputs, a fusion at the encoded features."""
    attention_map = network.head_attention(batch, "left")
    assert attention_map.queries == [["x"], ["x"]]
    assert attention_map.weights.flatten().tolist() == [24.0, 52.0]
    assert network.head_attention(batch, "right") is None
    (layer,) = network.encoder_attention(batch, "right")
    assert layer.flatten().tolist() == [10.0, 0.0]
    scenes = network.fusion_attention(batch)
    assert {name: weights[:, 0].tolist() for name, weights in scenes.items()} == {
        "left": [[2.0, 2.0], [6.0, 6.0]],
        "right": [[20.0, 20.0], [40.0, 40.0]],
    }


def test_parts_without_attention_show_nothing(network, batch):
    assert Encoder.attention_map(network.encoder("left"), batch["left"].inputs, batch["left"].present) == []
    assert Fusion.attention_map(network.fusion, network.encoded(batch)) == {}


def test_shared_are_the_fusions_parameters(network):
    (shared,) = network.shared_parameters([NAMES])
    assert shared is network.fusion.shift
    assert network.names == NAMES


@pytest.mark.parametrize("wrong", [scene("odd", task="ranking"), scene("odd", kind="sound")], ids=["task", "kind"])
def test_refuses_a_scene_that_nobody_can_read_or_answer(wrong):
    message = (
        rf"A scene needs an encoder of its kind and a head of its task\. Found odd \({wrong.kind}, {wrong.task}\), "
        r"encoders \['number'\] and heads \['sum'\]: choose a model with both\."
    )
    with pytest.raises(ValueError, match=message):
        SceneNetwork([wrong], 1, encoder={"number": Doubling}, fusion=Adding, head={"sum": Summing})


def test_mean_scene_weights_by_hand():
    weights = tensor([[0.2, 0.8], [0.6, 0.4], [9.0, 9.0]], requires_grad=True)
    found = mean_scene_weights(weights, tensor([True, True, False]))
    torch.testing.assert_close(found, tensor([0.4, 0.6]))
    assert not found.requires_grad
    torch.testing.assert_close(mean_scene_weights(weights, torch.zeros(3, dtype=torch.bool)), torch.zeros(2))
