"""What every schedule of configs/schedule keeps."""

from __future__ import annotations

import inspect
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from hydra.errors import InstantiationException
from hydra.utils import get_class, instantiate
from omegaconf import OmegaConf

CONFIGS = Path(__file__).parents[2] / "configs" / "schedule"
TOTAL = 211


@pytest.fixture(params=sorted(path.stem for path in CONFIGS.glob("*.yaml")))
def config(request):
    return OmegaConf.load(CONFIGS / f"{request.param}.yaml")


def factors(config, total=TOTAL, **own):
    schedule = instantiate(config, **own)
    return [schedule(step, total) for step in range(total)]


def test_yaml_shows_every_keyword_with_its_default(config):
    parameters = inspect.signature(get_class(config._target_)).parameters
    shown = {key: value for key, value in OmegaConf.to_container(config).items() if not key.startswith("_")}
    defaults = {key: parameter.default for key, parameter in parameters.items()}
    assert shown == {key: list(value) if isinstance(value, tuple) else value for key, value in defaults.items()}


@pytest.mark.parametrize("warmup", [0, 1, 17])
def test_factors_lie_in_zero_to_one(config, warmup):
    found = factors(config, warmup=warmup)
    assert all(isinstance(factor, float) and 0 < factor <= 1 for factor in found)
    assert max(found) == 1


def test_warmup_rises_linearly(config):
    torch.testing.assert_close(factors(config, warmup=17)[:17], [(step + 1) / 17 for step in range(17)])


@pytest.mark.parametrize("warmup", [0, 17])
def test_after_the_warmup_it_never_rises(config, warmup):
    assert all(now >= later for now, later in pairwise(factors(config, warmup=warmup)[warmup:]))


def test_after_the_run_it_stays(config):
    schedule = instantiate(config, warmup=17)
    assert [schedule(TOTAL + more, TOTAL) for more in (0, 1, 1000)] == [schedule(TOTAL, TOTAL)] * 3


@pytest.mark.parametrize("warmup", [TOTAL, 1000])
def test_a_run_no_longer_than_its_warmup_only_rises(config, warmup):
    torch.testing.assert_close(factors(config, warmup=warmup)[:100], [(step + 1) / warmup for step in range(100)])


def test_a_factor_depends_on_the_step_alone(config):
    schedule = instantiate(config, warmup=17)
    backwards = [schedule(step, TOTAL) for step in reversed(range(TOTAL))]
    assert backwards[::-1] == factors(config, warmup=17)


def test_refuses_a_negative_warmup(config):
    with pytest.raises(InstantiationException, match=r"`warmup` must be a whole number at least 0\. Found -1\."):
        instantiate(config, warmup=-1)
