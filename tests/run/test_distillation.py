"""Distillation in whole runs: from which teacher, into what loss, and to which bits."""

from __future__ import annotations

import shutil
from types import SimpleNamespace

import pytest
import torch

from iamm.engine.checkpoint import load_saved, save_model
from iamm.errors import BadDataError, ConfigError, MissingDataError
from iamm.head.base import Head
from iamm.head.classifier import ClassifierHead
from iamm.record.run_folder import read_result
from iamm.run.job import train_job
from tests.run.test_phases import leave, same

PICTURES = ("dataset.shapes.views=[image]", "model=fam", "steps=1")
WORDS = (*PICTURES, "epochs=2", "log.every=1", "checkpoint.steps=1")


@pytest.fixture
def teacher(planned):
    """A finished run of twice the width."""
    cell = planned(*PICTURES, "dim=16", "seed=1", "output_dir=teachers")
    train_job(cell)
    return cell.folder


def test_left_and_resumed_the_same(planned, teacher):
    words = (*WORDS, f"distill.from={teacher.path}", "distill.attention=0.5")
    whole, cell = planned(*words, "output_dir=whole"), planned(*words)
    train_job(whole)
    leave(cell, 1)
    train_job(cell)
    same(whole.folder, cell.folder)
    result = read_result(cell.folder.path)
    assert result["distill"]["run"] == teacher.path.name
    assert len(result["distill"]["sha256"]) == 64


def test_without_a_share_the_teacher_changes_nothing(planned, teacher):
    """To the last bit, random streams included; with one it does."""
    plain, without, taught = (
        planned(*WORDS, *words)
        for words in ((), (f"distill.from={teacher.path}", "distill.share=0"), (f"distill.from={teacher.path}",))
    )
    for cell in (plain, without, taught):
        train_job(cell)
    same(plain.folder, without.folder)
    name = "heads.shapes_image.output.weight"
    weights = [load_saved(cell.folder.best)["model"][name] for cell in (plain, taught)]
    assert not torch.equal(*weights)


def test_the_address_is_that_of_the_teacher(planned, teacher, tmp_path):
    """Not of the place where it lies; and the options of a distillation without a teacher are in no address."""
    moved = tmp_path / "elsewhere" / teacher.path.name
    shutil.copytree(teacher.path, moved)
    names = {planned(f"distill.from={path}").name for path in (teacher.path, moved)}
    assert len(names) == 1
    plain = planned()
    assert planned("distill.temperature=2").name == plain.name not in names
    assert planned(f"distill.from={teacher.path}", "distill.temperature=2").name not in names


def test_what_is_no_teacher(planned, teacher, monkeypatch):
    """Missing, of other scenes, without classes: one line each, and nothing is written."""
    cell = planned("distill.from=nowhere")
    with pytest.raises(MissingDataError, match=r"^`distill.from` must name the folder of a finished run"):
        train_job(cell)
    other = planned(f"distill.from={teacher.path}")
    with pytest.raises(ConfigError, match=r"^A teacher must have the scenes of the run\. Found others in "):
        train_job(other)
    monkeypatch.setattr(ClassifierHead, "term_logits", Head.term_logits)
    silent = planned(*PICTURES, f"distill.from={teacher.path}")
    with pytest.raises(ConfigError, match=r"^A teacher must answer by classes or words\. Found shapes_image, which"):
        train_job(silent)
    assert not any(one.folder.path.exists() for one in (cell, other, silent))


def test_attention_needs_the_same_places(planned, teacher):
    """A picture of 16 · 16 pixels that is halved once more has a quarter of the places."""
    words = (f"distill.from={teacher.path}", "encoder.image.channels=[8,8,8]")
    cell = planned(*PICTURES, *words, "distill.attention=1")
    with pytest.raises(ConfigError, match=r"^`distill.attention` compares the places of features\. Found \{"):
        train_job(cell)
    assert not cell.folder.path.exists()


def test_another_teacher_is_refused_on_the_way(planned, teacher):
    cell = planned(*WORDS, f"distill.from={teacher.path}")
    leave(cell, 1)
    weights = load_saved(teacher.best)["model"]
    weights["heads.shapes_image.output.bias"] += 1
    save_model(teacher.best, SimpleNamespace(state_dict=lambda: weights), 1)
    with pytest.raises(BadDataError, match=r"^A run goes on with the teacher that it began with\. Found "):
        train_job(cell)
