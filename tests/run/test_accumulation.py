"""One step over 64 real sentences is the same step, however many batches it is accumulated from."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector

from iamm.dataset.base import Dataset
from iamm.engine.fit import fit
from iamm.errors import MissingDataError
from iamm.run.build import build, build_datasets
from tests.composing import values_of

WORDS = (
    *("dataset=[multi30k_en_de]", "model=seq2seq_attention", "dim=32", "dropout=0", "optimizer=sgd"),
    *("optimizer.lr=0.5", "clip=null", "schedule=constant", "epochs=1", "steps=1", "threads=1", "device=cpu"),
)


@pytest.fixture(scope="module")
def data() -> Dataset:
    """Multi30k with four sentences to validate with, which this test does not need."""
    try:
        (whole,) = build_datasets(values_of(*WORDS, f"data_dir={os.environ.get('IAMM_DATA_DIR') or 'null'}"))
    except MissingDataError as error:
        pytest.skip(str(error))
    (scene,) = whole.scenes
    few = scene.splits["validation"].rows(torch.arange(4))
    return Dataset(whole.name, (replace(scene, splits={**scene.splits, "validation": few}),))


def step(data: Dataset, batch_size: int, accumulate: int) -> tuple[Tensor, Tensor]:
    """The parameters after one step, and their way from the start."""
    config = values_of(*WORDS, f"batch_size={batch_size}", f"accumulate={accumulate}")
    parts = build(config, [Dataset(data.name, data.scenes, batch_size)])
    before = parameters_to_vector(parts.model.parameters()).detach().clone()
    given = (parts.model, parts.datasets, parts.weighting, parts.optimizer, parts.schedule, parts.plan)
    fit(*given, seed=config["seed"], device=parts.device)
    after = parameters_to_vector(parts.model.parameters()).detach()
    return after, after - before


@pytest.mark.long
@pytest.mark.parametrize(("batch_size", "accumulate"), [(16, 4), (4, 16), (1, 64)])
def test_one_step_of_multi30k(data, batch_size, accumulate):
    """Measured: 3e-10 of the parameters, 6e-7 to 8e-7 of the step, which rounding in float32 explains."""
    whole, way = step(data, 64, 1)
    parts, _ = step(data, batch_size, accumulate)
    assert way.norm() > 1e-4 * whole.norm()
    assert (parts - whole).norm() < 1e-8 * whole.norm()
    assert (parts - whole).norm() < 3e-6 * way.norm()
