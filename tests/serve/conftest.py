"""Small runs, trained once for all tests of this room."""

from __future__ import annotations

import sys

import pytest
import torch

from iamm.config.check.values import check_composed
from iamm.config.command_line import plain_line
from iamm.config.compose import composed, named_choices
from iamm.run.job import train_job
from iamm.run.planned import Cell

SMALL = ("dim=8", "epochs=2", "log.pictures=0", "threads=1", "device=cpu")
DIGITS = ("dataset=[digits]", "model=fam", "encoder.image.channels=[8,8]")
REVIEWS = (
    *("dataset=[reviews]", "dataset.reviews.train=128", "dataset.reviews.validation=16", "dataset.reviews.test=64"),
    "fusion=none",
)
SHAPES = (
    *("dataset.shapes.train=64", "dataset.shapes.validation=16", "dataset.shapes.test=16"),
    *("encoder.image.channels=[8,8]", "head.generation.max_length=3"),
)
WRITTEN = ("dataset=[shapes]", "dataset.shapes.views=[text]", "model=seq2seq_attention", *SHAPES)


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """Overrides → the planned run, trained."""
    folder, made = tmp_path_factory.mktemp("runs"), {}

    def train(*words: str) -> Cell:
        if words not in made:
            (found,) = composed(plain_line([*SMALL, f"output_dir={folder}", *words]))
            check_composed(found.values, found.overrides)
            made[words] = Cell(found.values, named_choices(found.chosen, found.values))
            deterministic = torch.are_deterministic_algorithms_enabled()
            train_job(made[words])
            torch.use_deterministic_algorithms(deterministic)
        return made[words]

    return train


@pytest.fixture
def digits(trained):
    return trained(*DIGITS)


@pytest.fixture
def reviews(trained):
    return trained(*REVIEWS)


@pytest.fixture
def written(trained):
    return trained(*WRITTEN)


@pytest.fixture
def shapes(trained):
    return trained(*SHAPES)


@pytest.fixture
def prices(trained, tmp_path_factory):
    """A regression of own texts: 42 flats, each number of rooms in each street, from 300,000 on."""
    path = tmp_path_factory.mktemp("flats") / "flats.csv"
    rows = [f"{n % 6} rooms in street {n // 6},{300_000 + 9_000 * (n % 6)}" for n in range(42)]
    path.write_text("\n".join(["text,price", *rows]))
    own = (f"dataset.text_file.path={path}", "dataset.text_file.number=price")
    return trained("dataset=[text_file]", "fusion=none", *own)


@pytest.fixture
def command_of(monkeypatch, capfd, tmp_path):
    """Name and entry point of a command → words → exit code, output and the line of a mistake, in a new directory."""
    monkeypatch.chdir(tmp_path)

    def of(name, main):
        def run(*words):
            monkeypatch.setattr(sys, "argv", [name, *map(str, words)])
            capfd.readouterr()
            try:
                main()
                code = 0
            except SystemExit as left:
                code = left.code
            return code, *capfd.readouterr()

        return run

    return of
