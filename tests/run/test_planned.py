"""The name of a planned run."""

from __future__ import annotations

import pytest


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
