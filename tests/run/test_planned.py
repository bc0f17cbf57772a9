"""The name of a planned run, and which runs differ."""

from __future__ import annotations

import pytest

from iamm.errors import ConfigError
from iamm.run.planned import Cell, distinct

VALUES = {
    "seed": 1,
    "output_dir": "outputs",
    "data_dir": "A",
    "threads": 1,
    "nonfinite": "stop",
    "device": "cpu",
    "log": {"every": 20},
    "checkpoint": {"epochs": 1},
    "dataset": {"mnist": {"data_dir": "A"}},
}


def cell(**values):
    return Cell({**VALUES, **values}, {"model": "cnn", "dataset": "mnist"})


def test_the_same_run_is_counted_once():
    assert distinct([cell(), cell(seed=2), cell(), cell(seed=2)]) == [cell(), cell(seed=2)]


def test_other_folders_are_other_runs():
    found = [cell(), cell(data_dir="B", output_dir="others")]
    assert distinct(found) == found


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"data_dir": "B", "dataset": {"mnist": {"data_dir": "B"}}}, "`data_dir` alone to differ, A and B"),
        ({"nonfinite": "skip"}, "`nonfinite` alone to differ, stop and skip"),
        ({"threads": 2}, "`threads` alone to differ, 1 and 2"),
        ({"device": "cuda"}, "`device` alone to differ, cpu and cuda"),
        ({"checkpoint": {"epochs": 2}}, r"`checkpoint\.epochs` alone to differ, 1 and 2"),
        ({"log": {"every": 7}}, r"`log\.every` alone to differ, 20 and 7"),
    ],
)
def test_runs_that_would_share_a_folder(values, said):
    with pytest.raises(ConfigError, match=rf"^Runs side by side must compute different things\. Found {said}, which"):
        distinct([cell(), cell(**values)])


def test_a_key_that_is_null_is_in_no_address():
    assert cell(permuted=None).name == cell().name
    assert cell(permuted={"mnist": 0.5}).name not in (cell().name, cell(permuted={"mnist": 0.25}).name)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ((), "iamm-shapes-seed0-"),
        (("fusion=interest_guidance",), "iamm-shapes-seed0-"),
        (("fusion=none",), "iamm-fusion_none-shapes-seed0-"),
        (("model=multi_task", "fusion=none", "seed=3"), "multi_task-fusion_none-shapes-seed3-"),
        (("model=cnn", "dataset=[digits]"), "cnn-digits-seed0-"),
        (("model=fam", "fusion=shared", "attention=additive"), "fam-fusion_shared-shapes-seed0-"),
        (("model=seq2seq", "encoder@encoder.text=transformer"), "seq2seq-encoder_transformer-shapes-seed0-"),
    ],
)
def test_the_name_tells_which_choices_are_not_the_models_own(planned, words, name):
    assert planned(*words).name[:-8] == name


def test_settings_are_what_the_words_set():
    values = {"seed": 3, "optimizer": {"lr": 0.25}, "log": {"every": 7}, "encoder": {"channels": [8, 8]}}
    words = ("+experiment=image", "fusion=none", "optimizer.lr=2.5e-1", "log.every=7", "encoder.channels=[8,8]")
    made = Cell(values, {"model": "iamm", "dataset": "a+b", "fusion": "none"}, words)
    assert made.settings == {
        **{"model": "iamm", "dataset": "a+b", "experiment": "image", "fusion": "none", "optimizer.lr": 0.25},
        **{"encoder.channels": "[8,8]", "seed": 3},
    }
