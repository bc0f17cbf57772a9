"""A run in phases: each phase is a training by itself; stopped anywhere, it goes on to the same bits."""

from __future__ import annotations

import json

import pytest
import torch

from iamm.engine.checkpoint import load_saved
from iamm.engine.fit import Loop
from iamm.errors import BadDataError, ConfigError
from iamm.record.run_folder import RunFolder, read_result
from iamm.run.build import build_datasets
from iamm.run.course import Course, build_phases
from iamm.run.job import train_job
from iamm.run.planned import Cell

PHASES = "phases={alone:{scenes:[shapes_image],epochs:2},both:{freeze:[encoder.shapes_image,head],epochs:2,steps:3}}"
WORDS = ("steps=2", "log.every=1", "checkpoint.steps=1", "weighting=uncertainty", "augment=[image]", PHASES)


def records(folder: RunFolder) -> list[dict]:
    return [json.loads(line) for line in folder.records.read_bytes().splitlines()[:-1]]


def moved(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> set[str]:
    """The first two words of the names of tensors that differ."""
    return {".".join(name.split(".")[:2]) for name in one if not torch.equal(one[name], other[name])}


def same(one: RunFolder, other: RunFolder) -> None:
    results = [read_result(folder.path) for folder in (one, other)]
    keys = ("test", "quality", "validation_quality", "best_epoch", "steps", "epochs", "phases")
    assert [results[0].get(key) for key in keys] == [results[1].get(key) for key in keys]
    weights, others = load_saved(one.best)["model"], load_saved(other.best)["model"]
    torch.testing.assert_close(weights, others, rtol=0, atol=0)
    assert [r["values"] for r in records(one)] == [r["values"] for r in records(other)]


def leave(cell: Cell, steps: int) -> None:
    """Train so many steps, then leave as one who was asked to."""
    count, step = 0, Loop.step

    def counted(self, *given, **named):
        nonlocal count
        count += 1
        return step(self, *given, **named)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Loop, "step", counted)
        patch.setattr("iamm.interruption.requested", lambda: count >= steps)
        with pytest.raises(KeyboardInterrupt):
            train_job(cell)
    assert cell.folder.state()[0] == "interrupted"


def test_two_phases(planned):
    cell = planned(*WORDS)
    train_job(cell)
    found, result = records(cell.folder), read_result(cell.folder.path)
    train = [(r["step"], r["epoch"], r["phase"]) for r in found if r["kind"] == "train"]
    first = [(1, 1), (2, 1), (3, 2), (4, 2)]
    second = [(5, 3), (6, 3), (7, 3), (8, 4), (9, 4), (10, 4)]
    assert train == [*((*place, "alone") for place in first), *((*place, "both") for place in second)]
    losses = [[tag for tag in r["values"] if tag.startswith("train/loss")] for r in found if r["kind"] == "train"]
    assert losses[0] == ["train/loss/shapes_image"]
    assert losses[-1] == ["train/loss/shapes_image", "train/loss/shapes_text"]
    assert [set(r["values"]) & {"val/loss/shapes_text"} for r in found if r["kind"] == "val"][:2] == [set(), set()]
    rates = [r["values"]["train/learning_rate"] for r in found if r["kind"] == "train"]
    assert rates[0] == rates[4] == max(rates)  # each phase has a schedule of its own
    assert [one["phase"] for one in result["phases"]] == ["alone", "both"]
    assert [(one["step"], one["epoch"]) for one in result["phases"]] == [(4, 2), (10, 4)]
    assert result["best_epoch"] == result["phases"][1]["best_epoch"] > 2
    for one, scenes in zip(result["phases"], (["shapes_image"], ["shapes_image", "shapes_text"]), strict=True):
        (best,) = (r["values"] for r in found if (r["kind"], r["epoch"]) == ("val", one["best_epoch"]))
        assert list(one["scene_weights"]) == scenes
        for scene, row in one["scene_weights"].items():
            assert row == {other: best[f"val/scene_weight/{scene}/{other}"] for other in row}
    assert set(result["test"]) == {"shapes_image", "shapes_text"}


def test_what_is_frozen_stays_as_the_best_model_before_had_it(planned):
    """Also under weight decay; what is not frozen moves."""
    cell = planned(*WORDS, "optimizer.weight_decay=0.5")
    train_job(cell)
    one, other = load_saved(cell.folder.best_of("alone"))["model"], load_saved(cell.folder.best)["model"]
    changed = moved(one, other)
    assert {"encoders.shapes_text"} <= changed
    assert any(name.startswith("fusion.") for name in changed)
    assert not any(name.startswith(("heads.", "encoders.shapes_image")) for name in changed)


def test_parts_of_other_scenes_are_left_out(planned):
    """No rule gives them a gradient of zero, which weight decay would follow."""
    cell = planned(*WORDS)
    alone, both = build_phases(cell.values, build_datasets(cell.values))
    parts = {".".join(name.split(".")[:2]) for name in alone.trained}
    assert {name for name in parts if not name.startswith("fusion")} == {"encoders.shapes_image", "heads.shapes_image"}
    assert {name.split(".")[0] for name in both.trained} == {"encoders", "fusion"}
    assert len(alone.optimizer.param_groups[0]["params"]) == len(alone.trained)


def test_one_phase_is_the_run_without_phases(planned):
    """To the last bit."""
    plain, one = planned("epochs=2", "steps=2"), planned("phases={only:{epochs:2}}", "steps=2")
    for cell in (plain, one):
        train_job(cell)
    assert plain.name != one.name
    results = [read_result(cell.folder.path) for cell in (plain, one)]
    assert results[0]["test"] == results[1]["test"]
    assert "phases" not in results[0]
    weights, others = load_saved(plain.folder.best)["model"], load_saved(one.folder.best)["model"]
    torch.testing.assert_close(weights, others, rtol=0, atol=0)
    assert not any("phase" in record for record in records(plain.folder))


@pytest.mark.parametrize("steps", [1, 3, 4, 5, 7, 9])
def test_left_and_resumed_the_same(planned, steps):
    """In the first phase, between the two (4 steps), in the second."""
    whole, cell = planned(*WORDS, "output_dir=whole"), planned(*WORDS)
    train_job(whole)
    leave(cell, steps)
    train_job(cell)
    same(whole.folder, cell.folder)


def test_killed_between_two_phases(planned):
    """And after the second one has begun, before it is kept."""
    whole, cell, run_epoch = planned(*WORDS, "output_dir=whole"), planned(*WORDS), Loop.run_epoch
    train_job(whole)

    def at_once(*_):
        raise KeyboardInterrupt

    def in_the_second(self, state):
        return at_once() if state.history else run_epoch(self, state)

    for moment, killed in (((Course, "load_start"), at_once), ((Loop, "run_epoch"), in_the_second)):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(*moment, killed)
            with pytest.raises(KeyboardInterrupt):
                train_job(cell)
    train_job(cell)
    same(whole.folder, cell.folder)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("{}", "`phases` must be null or hold phases by name. Found {}"),
        ("{a:3}", "A phase must have a name of letters and digits, and hold keys. Found a: 3."),
        ("{a:{epoch:3}}", 'A phase has no key `phases.a.epoch`. Did you mean "epochs"?'),
        ("{a:{epochs:0}}", "`phases.a.epochs` must be a whole number at least 1. Found 0."),
        ("{a:{scenes:[]}}", "`phases.a.scenes` must be a list of names. Found []."),
        ("{a:{scenes:[shapes_txt]}}", "`phases.a.scenes` must name scenes of the run. Found shapes_txt. Did you mean"),
        ("{a:{start:a}}", "`phases.a.start` must name an earlier phase. Found 'a'."),
    ],
)
def test_what_cannot_be_a_phase(planned, wrong, line):
    with pytest.raises(ConfigError) as found:
        planned(f"phases={wrong}")
    assert str(found.value).startswith(line)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("phases={a:{freeze:[encoders.shapes]}}",), "`freeze` must name parameters. Found encoders.shapes, which"),
        (
            ("phases={a:{freeze:[encoder,fusion]}}", "weighting=nash"),
            "A rule over gradients, and log.conflict, need parameters",
        ),
        (("phases={a:{},b:{freeze:['*']}}",), "A phase must train something. Found all frozen by *: leave"),
    ],
)
def test_what_cannot_be_frozen(planned, words, line):
    """Nothing is written."""
    cell = planned(*words)
    with pytest.raises(ConfigError) as found:
        train_job(cell)
    assert str(found.value).startswith(line)
    assert not cell.folder.path.exists()


def test_a_phase_may_begin_from_any_earlier_one(planned):
    """The second phase is thrown away: the third, which is as long, ends as it did but for its own random draws."""
    phases = "phases={a:{epochs:1},b:{epochs:1},c:{epochs:1,start:a,freeze:[encoder,head,fusion.*.bias]}}"
    cell = planned("steps=2", phases)
    train_job(cell)
    a, b, c = (load_saved(cell.folder.best_of(name))["model"] for name in ("a", "b", ""))
    assert not any(name.startswith(("heads", "encoders")) for name in moved(a, c))
    assert any(name.startswith("encoders") for name in moved(b, c))


def test_a_damaged_model_of_the_phase_before(planned):
    cell = planned(*WORDS)
    leave(cell, 4)
    file = cell.folder.best_of("alone")
    file.write_bytes(file.read_bytes()[:-1] + b"x")
    with pytest.raises(BadDataError, match=r"Found .*best-alone\.pt missing or damaged: bring it back"):
        train_job(cell)


def test_rerun_forgets_the_phases_models(planned):
    cell = planned(*WORDS)
    train_job(cell)
    cell.folder.clear()
    assert not list(cell.folder.path.glob("*.pt"))
