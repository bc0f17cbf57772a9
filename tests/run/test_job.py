from __future__ import annotations

from pathlib import Path

import pytest

from iamm.errors import BadDataError
from iamm.measure import LOSS, Measure
from iamm.record.checksummed import write_checksummed
from iamm.run.finished import require_release
from iamm.run.job import evaluate_job, interest_lines
from iamm.run.verify import KEYS, verify_job


def test_a_run_of_an_earlier_release_is_refused_by_one_line(tmp_path):
    """Its model's parameters have other names; it lacks the keys that came later."""
    config = {"dataset": {}, "seed": 0}
    values = {"run": str(tmp_path), "device": "cpu", "data_dir": None, "output_dir": "."}
    keys = ("choices", "device", "versions", "instructions", "commit", *KEYS)
    write_checksummed(tmp_path / "result.json", {**{key: {} for key in keys}, "config": config})
    for job in (evaluate_job, verify_job):
        with pytest.raises(
            BadDataError, match=r"Found .* of an earlier one, without .*share\.encoder, share\.head"
        ) as error:
            job(values, moved=False)
        assert "\n" not in str(error.value)


def test_a_run_of_this_release_is_read():
    from hydra import compose, initialize_config_module
    from omegaconf import OmegaConf

    with initialize_config_module("iamm.configs", version_base="1.3"):
        config = OmegaConf.to_container(compose("train"), resolve=True)
    require_release(config, Path("run"))
    del config["share"]["head"]
    with pytest.raises(BadDataError, match=r"without share\.head: take"):
        require_release(config, Path("run"))


def test_interest_is_one_line_a_scene():
    declared = {"digits": {"accuracy": Measure("accuracy"), "loss": LOSS}}
    effects = {
        "uniform": {"digits": {"accuracy": -0.142, "loss": 0.3}},
        "absent": {"digits": {"accuracy": -0.31, "loss": 1.0}},
    }
    (line,) = interest_lines({"effects": effects, "scenes": {"digits": {"examples": 40.0}}}, declared)
    assert line == "without interest  digits accuracy  uniform -14.20  absent -31.00  n=40"
    assert not list(interest_lines({}, declared))
