"""Names of what is frozen."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iamm.engine.freezing import begin_training, freeze, train_only, trained, trained_names
from iamm.errors import ConfigError


@pytest.fixture
def model():
    parts = {"encoders": {"digits": nn.Linear(2, 3), "texts": nn.Linear(2, 3)}, "heads": {"digits": nn.Linear(3, 5)}}
    network = nn.ModuleDict({name: nn.ModuleDict(each) for name, each in parts.items()})
    network["fusion"] = nn.Linear(3, 3)
    return network


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("encoder", ["encoders.digits", "encoders.texts"]),
        ("head.digits", ["heads.digits"]),
        ("*.digits", ["encoders.digits", "heads.digits"]),
        ("fusion", ["fusion"]),
    ],
)
def test_a_part_by_its_name(model, pattern, names):
    freeze(model, [pattern])
    frozen = {name for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {f"{name}.{leaf}" for name in names for leaf in ("weight", "bias")}


def test_a_frozen_batch_norm_keeps_its_statistics(model):
    """Where its scale is frozen; the one that is trained and dropout are in training."""
    model["encoders"]["digits"] = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.5))
    model["encoders"]["texts"] = nn.BatchNorm1d(2)
    freeze(model, ["encoder.digits"])
    begin_training(model)
    (frozen, dropout), trained_one = model["encoders"]["digits"], model["encoders"]["texts"]
    assert (frozen.training, dropout.training, trained_one.training) == (False, True, True)


def test_a_shared_part_has_the_name_of_each_of_its_scenes(model):
    model["encoders"]["texts"] = model["encoders"]["digits"]
    freeze(model, ["encoder.texts"])
    assert not any(parameter.requires_grad for parameter in model["encoders"].parameters())


def test_back_and_forth(model):
    """What is trained again, and no old gradient."""
    whole = trained_names(model)
    freeze(model, ["*.bias", "fusion.weight"])
    assert len(trained(model.parameters())) == 3
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    train_only(model, whole)
    assert (trained_names(model), len(whole)) == (whole, 8)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_what_is_not_there(model):
    with pytest.raises(ConfigError, match=r"`freeze` must name parameters\. Found fusio, which .* mean \"fusion\""):
        freeze(model, ["fusio"])


def test_nothing_is_left(model):
    with pytest.raises(ConfigError, match=r"must train something\. Found all frozen by encoder, head, fusion"):
        freeze(model, ["encoder", "head", "fusion"])
