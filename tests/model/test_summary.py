"""The summary of a network: parts, shapes, and parameters counted by hand."""

from __future__ import annotations

import torch
from torch import nn

from iamm.engine.collate import collate
from iamm.model.summary import Part, first_tensor, output_shapes, parameters, summary
from tests.model.conftest import built, loaded


def parts_of(model: str, data: str) -> tuple[nn.Module, dict[str, Part]]:
    network = built(model, data)
    batches = [collate(dataset, "train", torch.arange(2), torch.device("cpu")) for dataset in loaded(data)]
    return network, {part.name: part for part in summary(network, batches)}


def test_by_hand():
    """Two stages halve pictures of 8 × 8; a convolution of 3 × 3 has 9 · in · out weights and out biases."""
    network, parts = parts_of("cnn", "single")
    assert parts["encoders.digits"][1:3] == ("ConvolutionalEncoder", (2, 4, 8))
    assert parts["encoders.digits.project"][1:] == ("Conv2d", (2, 8, 2, 2), 9 * 8 * 8 + 8)
    assert parts["heads.digits.norm"][1:] == ("LayerNorm", (2, 8), 2 * 8)
    assert parts["heads.digits.output"][1:] == ("Linear", (2, 10), 8 * 10 + 10)
    assert parts["heads.digits"].shape is None  # the loss calls its parts, not itself
    assert not any(module._forward_hooks for module in network.modules())


def test_parts_add_up():
    network, parts = parts_of("iamm", "unpaired")
    assert parts["fusion"].shape is not None
    assert sum(parts[name].parameters for name in ("encoders", "fusion", "heads")) == parameters(network)
    scenes = [part.parameters for name, part in parts.items() if name.startswith("heads.") and name.count(".") == 1]
    assert len(scenes) == 3
    assert sum(scenes) == parts["heads"].parameters


def test_scenes_that_share_a_part_are_counted():
    network = built("iamm", "unpaired")
    first, second = list(network.heads)[:2]
    network.heads[second] = network.heads[first]
    parts = {part.name: part for part in summary(network, [])}
    assert parts[f"heads.{first}"].kind == "ClassifierHead, 2 scenes"
    assert f"heads.{second}" not in parts
    assert "scenes" not in "".join(part.kind for name, part in parts.items() if name != f"heads.{first}")


def test_a_fusion_that_reads_all_scenes_gets_them_together():
    network, met = built("iamm", "unpaired"), []
    network.reads_all_scenes = True
    network.forward = lambda batch: met.append(sorted(batch))
    output_shapes(network, [{"a": None}, {"b": None}])
    assert met == [["a", "b"]]


def test_the_first_tensor():
    tensor = torch.ones(2, 3)
    assert first_tensor({"a": (None, (tensor, torch.zeros(1)))}) is tensor
    assert first_tensor(({}, "text", None)) is None
