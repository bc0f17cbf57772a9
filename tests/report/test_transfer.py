from __future__ import annotations

import pytest

from iamm.report.transfer import transfer


def result(quality, seed=0, views=("image", "text"), **changed):
    data = {"shapes": {"seed": seed, "train": 50, "views": list(views), **changed.pop("data", {})}}
    budget = {"seed": seed, "epochs": 3, "steps": None, "batch_size": 8, "accumulate": 1, "growth": 1.0}
    budget |= {"growth_every": 1, "patience": None, **changed}
    return {"quality": quality, "config": {**budget, "dataset": data}}


def test_by_hand():
    """The picture gains 0.5, the text loses a quarter; runs of another seed are not looked at."""
    together = result({"a": 0.75, "b": 0.5})
    alone = [result({"a": 0.25}, views=["image"]), result({"b": 0.75}, views=["text"]), result({"b": 0.9}, seed=1)]
    assert transfer(together, alone) == {"a": 0.5, "b": -0.25}


@pytest.mark.parametrize(
    "other", [{"seed": 1}, {"epochs": 4}, {"batch_size": 4}, {"steps": 9}, {"data": {"train": 40}}], ids=str
)
def test_only_runs_of_the_same_seed_budget_and_data_count(other):
    with pytest.raises(
        ValueError, match=r"^Transfer needs each scene run alone once, .* Found 0 such runs of a with seed 0"
    ):
        transfer(result({"a": 0.75, "b": 0.5}), [result({"a": 0.25}, **other)])


def test_two_runs_of_one_scene_alone_are_one_too_many():
    alone = [result({"a": 0.25}), result({"a": 0.5})]
    with pytest.raises(ValueError, match="Found 2 such runs of a"):
        transfer(result({"a": 0.75}), alone)
