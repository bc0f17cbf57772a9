"""The target's statistics in batch norm."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn

from iamm.engine.collate import collate
from iamm.run.build import build_datasets, build_model
from iamm.transfer.base import material_of
from iamm.transfer.batch_norm import BatchNormTransfer
from tests.composing import values_of

WORDS = (
    *("dataset=shape_domains", "dataset.shape_domains.train=60", "dataset.shape_domains.validation=5"),
    *("dataset.shape_domains.test=24", "target=grey", "dim=8", "threads=1", "share.encoder=kind", "share.head=kind"),
    *("encoder@encoder.image=whitened", "encoder.image.channels=[4]"),
)


def test_statistics_are_those_of_the_target_without_labels():
    """Against the pictures of all training examples at once: they are one batch."""
    config = values_of(*WORDS)
    target, *known = build_datasets(config)
    model = build_model(config, [scene for dataset in known for scene in dataset.scenes])
    model.add_scene(target.scenes[0], [scene for dataset in known for scene in dataset.scenes])
    parameters = {name: values.detach().clone() for name, values in model.named_parameters()}
    material = material_of(target, known, 0, 0, 7, torch.device("cpu"), {})
    BatchNormTransfer().adapt(model, material)
    encoder = model.encoder(material.name)
    batch = collate(target, "train", torch.arange(60), torch.device("cpu"))
    pictures = batch[material.name].inputs["image"]
    convolution, pool, norm, gelu, second, last, _ = encoder.blocks[0]
    x = pool(convolution(nn.functional.gelu(nn.functional.conv2d(pictures, encoder.filters, encoder.shift))))
    torch.testing.assert_close(norm.running_mean, x.mean(dim=(0, 2, 3)))
    torch.testing.assert_close(norm.running_var, x.var(dim=(0, 2, 3)))
    mean, variance = (f(x, dim=(0, 2, 3), keepdim=True) for f in (torch.mean, partial(torch.var, correction=0)))
    normed = (x - mean) / (variance + norm.eps).sqrt()
    y = second(gelu(normed * norm.weight[:, None, None] + norm.bias[:, None, None]))
    torch.testing.assert_close(last.running_mean, y.mean(dim=(0, 2, 3)), rtol=1e-4, atol=1e-5)
    assert all(values.equal(parameters[name]) for name, values in model.named_parameters())
    assert not any(module.training for module in model.modules())
    assert norm.momentum is not None
    assert BatchNormTransfer.reads_unlabelled
    assert not BatchNormTransfer.reads_labels


def test_it_needs_batch_norm(task):
    made = task()
    with pytest.raises(ValueError, match=r"with batch norm\. Found RecurrentEncoder without: choose"):
        BatchNormTransfer().check(made.model, made.material(0))
