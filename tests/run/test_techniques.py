"""Techniques of a training in whole runs: left anywhere and resumed, a run ends with the same bits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import iamm
from iamm.engine.checkpoint import load_saved
from iamm.errors import ConfigError
from iamm.record.run_folder import read_result
from iamm.run.job import evaluate_job, train_job
from iamm.run.training import evaluate_again
from tests.run.test_phases import leave, records, same

WORDS = ("epochs=2", "steps=2", "log.every=1", "checkpoint.steps=1", "dataset.shapes.views=[image]", "model=fam")


LEFT = [
    *((["average=0.5", "attack.pictures=0.1"], 1), (["average=swa"], 4)),
    *((["prune=0.6"], 3), (["prune_heads=0.5"], 3)),
]


@pytest.mark.parametrize(("techniques", "steps"), LEFT)
def test_left_and_resumed_the_same(techniques, steps, planned):
    """After the first step, at the end of the last epoch before its validation, and between."""
    whole, cell = planned(*WORDS, *techniques, "output_dir=whole"), planned(*WORDS, *techniques)
    train_job(whole)
    leave(cell, steps)
    train_job(cell)
    same(whole.folder, cell.folder)


def test_learnt_synonyms_are_in_the_checkpoint(planned):
    """Left in the second epoch, which reads the neighbours of the first."""
    words = ("dataset=[reviews]", "model=fam", "dataset.reviews.train=64", "dataset.reviews.test=16")
    lengths = ("dataset.reviews.validation=16", "epochs=2", "steps=3", "log.every=1", "checkpoint.steps=1")
    learnt = ("augment=[text]", "augment.text.replace=0.5", "augment.text.synonyms=learnt")
    whole, cell = planned(*words, *lengths, *learnt, "output_dir=whole"), planned(*words, *lengths, *learnt)
    train_job(whole)
    leave(cell, 4)
    train_job(cell)
    same(whole.folder, cell.folder)
    bags = planned(*words, *lengths, *learnt, "encoder@encoder.text=ngrams")
    with pytest.raises(ConfigError, match=r"^Learnt synonyms need an encoder with an embedding of words\. Found"):
        train_job(bags)
    assert not bags.folder.path.exists()


def test_an_average_changes_what_is_saved_and_not_what_is_trained(planned):
    plain, averaged = planned(*WORDS), planned(*WORDS, "average=0.5")
    for cell in (plain, averaged):
        train_job(cell)
    assert plain.name != averaged.name
    saved = [load_saved(cell.folder.best)["model"] for cell in (plain, averaged)]
    assert not torch.equal(*(one["heads.shapes_image.output.weight"] for one in saved))
    trained = [load_trained(cell.folder) for cell in (plain, averaged)]
    torch.testing.assert_close(*trained, rtol=0, atol=0)


def test_a_pruned_run(planned):
    """60 % of the weights of the chosen model are 0: that of the one epoch that ends in the last quarter."""
    cell = planned(*WORDS, "prune=0.6")
    train_job(cell)
    result = read_result(cell.folder.path)
    weights = [values for name, values in load_saved(cell.folder.best)["model"].items() if is_weight(name, values)]
    zeros, count = sum(int((values == 0).sum()) for values in weights), sum(values.numel() for values in weights)
    assert zeros == round(0.6 * count)
    assert result["sparsity"] == pytest.approx(zeros / count)
    assert result["best_epoch"] == 2
    logged = [r["values"]["train/sparsity"] for r in records(cell.folder) if r["kind"] == "train"]
    assert logged == pytest.approx([0.6 * (1 - (2 / 3) ** 3), 0.6 * (1 - (1 / 3) ** 3), 0.6, 0.6], abs=1e-3)


def is_weight(name: str, values: torch.Tensor) -> bool:
    """No bias or norm, and no statistic of the pixels."""
    return values.dim() > 1 and not name.endswith((".mean", ".deviation"))


@pytest.mark.parametrize("prune", ["prune", "prune_heads"])
@pytest.mark.parametrize("other", ["average=0.9", "phases={one:{epochs:1}}", "target=shapes", "prune"])
def test_pruning_goes_with_one_training(prune, other, planned):
    """A known scene beside the target lets the check come as far."""
    words = ["prune=0.5", "prune_heads=0.5"] if other == "prune" else [f"{prune}=0.5", other]
    with pytest.raises(ConfigError, match=r"^`\w+` and `\w+` do not go together: .*Found both: leave one out"):
        planned(*words, "dataset=[shapes,digits]")


def load_trained(folder) -> dict[str, torch.Tensor]:
    """The trained weights of the last checkpoint."""
    return torch.load(folder.last, weights_only=True)["model"]


def test_an_attack_lowers_what_is_measured(planned):
    """The sum of the losses, which it raises; a plain training is the same without it, to the last bit."""
    attack = ("attack.pictures=0.3", "attack.embeddings=0.5", "attack.share=0")
    plain, measured = planned("steps=2"), planned("steps=2", *attack)
    for cell in (plain, measured):
        train_job(cell)
    same(plain.folder, measured.folder)
    result = read_result(measured.folder.path)
    attacked, clean = (
        sum(measures[name] for measures in result[key].values())
        for key, name in (("attacked", "loss_attacked"), ("test", "loss"))
    )
    assert attacked > clean
    assert "attacked" not in read_result(plain.folder.path)


def test_an_attack_needs_what_it_changes(planned):
    cell = planned(*WORDS, "attack.embeddings=0.1")
    with pytest.raises(
        ConfigError, match=r"^`attack.embeddings` needs scenes with embeddings. Found none: leave it out"
    ):
        train_job(cell)


def test_test_time_augmentation(planned, capsys):
    """It is measured beside the same training, or of the finished run; a run without pictures refuses it."""
    plain, measured = planned(*WORDS), planned(*WORDS, "log.augmented=mirror", "output_dir=other")
    for cell in (plain, measured):
        train_job(cell)
    assert plain.name == measured.name
    result = read_result(measured.folder.path)
    assert result["test"] == read_result(plain.folder.path)["test"]
    (scene,) = result["augmented"]
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("mean answer")]
    assert line == f"mean answer  {scene} accuracy {100 * result['augmented'][scene]['accuracy_augmented']:.2f}"
    log = {**plain.values["log"], "augmented": "mirror"}
    evaluate_job({**plain.values, "run": str(plain.folder.path), "log": log}, moved=False)
    assert line in capsys.readouterr().out.splitlines()
    (again,) = evaluate_again({**plain.values, "log": log}, plain.folder, result["data"])
    assert again.augmented == result["augmented"]
    words = planned("dataset=[reviews]", "model=fam", "log.augmented=mirror")
    with pytest.raises(ConfigError, match=r"^`log.augmented` needs scenes of pictures"):
        train_job(words)
    assert not words.folder.path.exists()


def test_options_that_change_nothing_are_in_no_address(planned):
    assert planned("attack.steps=3", "distill.share=0.1").name == planned().name
    assert planned("attack.pictures=0.1", "attack.steps=3").name != planned("attack.pictures=0.1").name


def test_a_run_with_integers(planned, capsys):
    """Smaller, with nearly the same measures, and the same without integers to the last digit."""
    cell = planned(*WORDS)
    train_job(cell)
    recorded = read_result(cell.folder.path)
    plain, whole = evaluate_again(recorded["config"], cell.folder, recorded["data"], ("fp32", "int8"))
    assert plain.measures == recorded["test"]
    assert whole.size < plain.size
    for scene, measures in whole.measures.items():
        assert measures["loss"] == pytest.approx(recorded["test"][scene]["loss"], rel=0.02)
        assert measures["loss"] != recorded["test"][scene]["loss"]
    capsys.readouterr()
    evaluate_job({**cell.values, "run": str(cell.folder.path), "precision": "int8"}, moved=False)
    assert "int8 " in capsys.readouterr().out
    trained = [iamm.load(cell.folder.path, "cpu", precision) for precision in ("fp32", "int8")]
    size = trained[0].scene("shapes_image").splits["train"].inputs["image"].shape[1:]
    picture = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    one, other = (next(each.predict([picture], "shapes_image"))["probabilities"] for each in trained)
    assert one == pytest.approx(other, abs=0.05)
    assert one != other


def test_integers_are_for_evaluation(planned):
    with pytest.raises(
        ConfigError, match=r"^`precision=int8` evaluates a finished run. Found mode=train: add mode=eval run=<folder>"
    ):
        planned("precision=int8")
