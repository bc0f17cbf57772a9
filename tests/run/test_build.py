"""What a part refuses on purpose is the user's mistake; whatever else goes wrong in it is a defect and shows as one."""

from __future__ import annotations

import re

import pytest
import torch

from iamm.config.instantiate import check_parts, own_mistakes
from iamm.engine.observer import Totals
from iamm.errors import ConfigError
from iamm.run.build import build, build_datasets, chosen_device
from iamm.weighting.fixed import FixedWeighting
from tests.composing import values_of


def test_a_refusal_is_a_mistake():
    with (
        pytest.raises(ConfigError, match=r"^`values` must hold one number for each scene\. Found 1"),
        own_mistakes(),
    ):
        FixedWeighting(2, values=[1.0])


@pytest.mark.parametrize("name", ["Muon", "Adafactor", "AdamW"])
def test_optimizers_of_torch(name):
    """The first two say that their module is `torch.optim` itself."""
    config = values_of()
    config["optimizer"] = {"_target_": f"torch.optim.{name}", "_partial_": True, "lr": 0.001}
    check_parts(config)


def test_what_an_optimizer_refuses_is_a_mistake():
    with pytest.raises(ConfigError, match="Muon only supports 2D parameters"), own_mistakes():
        torch.optim.Muon([torch.nn.Parameter(torch.zeros(3))])


@pytest.mark.parametrize("wrong", ["a", None, []], ids=str)
def test_an_error_by_accident_is_none(wrong):
    """`int("a")` raises a ValueError in a file of the project."""
    totals = Totals(("a",), torch.device("cpu"))
    with pytest.raises((ValueError, TypeError)) as found, own_mistakes():
        totals.load_state_dict({**totals.state_dict(), "steps": wrong})
    assert not isinstance(found.value, ConfigError)


def test_of_a_data_set(monkeypatch):
    config = values_of("dataset=[shapes]")
    monkeypatch.setattr("iamm.dataset.shapes.worlds_of_splits", lambda seed: {}["missing"])
    with pytest.raises(Exception, match="missing") as found:
        build_datasets(config)
    assert not isinstance(found.value, ConfigError)


def test_what_a_run_folder_names_is_held_too():
    """A configuration that was never composed here."""
    config = values_of()
    config["weighting"] = {"_target_": "os.system", "command": "true"}
    with pytest.raises(ConfigError, match=r"`weighting\._target_` must be a class .* Found os\.system"):
        check_parts(config)
    with pytest.raises(ConfigError, match=r"Found os\.system"):
        build_datasets(config)
    config["weighting"] = {"_target_": "iamm.weighting.fixed.FixedWeighting", "values": "\\${oc.env:HOME}"}
    with pytest.raises(ConfigError, match=r"`weighting\.values` must be a plain value in the end"):
        check_parts(config)


def test_keys_of_a_class_of_ones_own(monkeypatch, tmp_path):
    text = "import math\nfrom iamm.weighting.base import Weighting\n"
    text += "class Part(Weighting):\n    def __init__(self, numerator): pass\n"
    (tmp_path / "my_own.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("IAMM_ALLOW", "my_own")
    config = values_of()
    config["weighting"] = {"_target_": "my_own.Part", "numerator": 1}
    check_parts(config)
    config["weighting"] = {"_target_": "my_own.Part", "numerater": 1}
    with pytest.raises(ConfigError, match=r"A part must know its keys\. Found my_own\.Part: .*numerater"):
        check_parts(config)
    config["weighting"] = {"_target_": "my_own.math.floor"}
    with pytest.raises(ConfigError, match=r"must be importable\. Found my_own\.math\.floor: No module"):
        check_parts(config)


def test_permuted_targets_are_those_of_training_alone():
    config = values_of("dataset=[digits]", "model=cnn", "dim=8", "threads=1", "permuted={digits:1}")
    (dataset,) = build_datasets(config)
    (built,) = build(config, [dataset]).datasets
    true, trained = (
        {name: split.targets for name, split in made.scenes[0].splits.items()} for made in (dataset, built)
    )
    assert (true["train"] != trained["train"]).double().mean() > 0.8
    assert true["train"].bincount().equal(trained["train"].bincount())
    assert all(true[name].equal(trained[name]) for name in ("validation", "test"))
    with pytest.raises(ConfigError, match=r"^`permuted` must name scenes of the run. Found digit."):
        build(values_of("dataset=[digits]", "model=cnn", "permuted={digit:1}"), [dataset])


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("gpu", "`device` must be auto, cpu, cuda or cuda:<number>. Found 'gpu'."),
        ("cuda:99", "`device` must be there. Found cuda:99, but torch sees"),
    ],
)
def test_a_device_that_is_not_there(name, rule):
    with pytest.raises(ConfigError, match=re.escape(rule)):
        chosen_device(name)
