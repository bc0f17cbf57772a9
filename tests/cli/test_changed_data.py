"""A finished run holds for its data: others are noticed before it is shown, counted or gone on with."""

from __future__ import annotations

import gzip
import os
import shutil
from pathlib import Path

import pytest

WORDS = (
    *("dataset=[mnist]", "model=cnn", "dim=8", "encoder.image.channels=[8,8]", "epochs=1", "steps=1", "threads=1"),
    *("dataset.mnist.validation=3", "batch_size=8", "log.pictures=0", "device=cpu"),
)
TABLE = f"""# A table of pictures.
title: Small
about: Pictures.
shared: [{", ".join(repr(word) for word in (*WORDS[3:4], *WORDS[7:9], "dataset=[mnist]", "model=cnn", "dim=8"))}]
rows:
  one: []
  other: [dropout=0.5]
columns:
  accuracy: {{scene: mnist, measure: accuracy}}
seeds: [0]
budget: {{epochs: 1, steps: 1}}
test: t
"""


def idx(shape: tuple[int, ...], values: bytes) -> bytes:
    return bytes([0, 0, 8, len(shape)]) + b"".join(length.to_bytes(4, "big") for length in shape) + values


@pytest.fixture
def data(tmp_path) -> Path:
    """Folder A: pictures in the form of MNIST. B: the same but for a label. C: A's content, packed otherwise."""
    folder = tmp_path / "A" / "mnist"
    folder.mkdir(parents=True)
    for part, count in (("train", 13), ("t10k", 7)):
        pixels = bytes(index * 7 % 251 for index in range(count * 28 * 28))
        labels = bytes(index % 10 for index in range(count))
        for name, content in (
            (f"{part}-images-idx3", idx((count, 28, 28), pixels)),
            (f"{part}-labels-idx1", idx((count,), labels)),
        ):
            (folder / f"{name}-ubyte.gz").write_bytes(gzip.compress(content))
    for other in "BC":
        shutil.copytree(tmp_path / "A", tmp_path / other)
    label_file = tmp_path / "B" / "mnist" / "t10k-labels-idx1-ubyte.gz"
    label_file.write_bytes(gzip.compress(idx((7,), bytes([9, 1, 2, 3, 4, 5, 6]))))
    for file in (tmp_path / "C" / "mnist").iterdir():
        file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), 1, mtime=7))
    return tmp_path


def test_another_data_folder_is_not_the_same_run(command, data):
    assert command(*WORDS, "data_dir=A").code == 0
    other = command(*WORDS, "data_dir=B")
    assert (other.code, other.out) == (65, "")
    assert other.err.startswith(
        "iamm-train: A finished run holds for the data that it was made with. "
        "Found mnist/t10k-labels-idx1-ubyte.gz changed since outputs/cnn-mnist-seed0-"
    )
    assert other.err.count("\n") == 1
    for same in ("C", "nowhere"):  # what is not there cannot be compared
        assert "This run is finished" in command(*WORDS, f"data_dir={same}").out
    assert command(*WORDS, "data_dir=B", "rerun=true").code == 0
    assert command(*WORDS, "data_dir=B").code == 0


def test_a_sweep_does_not_count_it(command, data):
    assert command(*WORDS, "data_dir=A").code == 0
    answer = command("-m", *WORDS, "data_dir=B", "seed=0")
    assert answer.code == 3
    assert "[1/1] failed" in answer.out
    assert "A finished run holds for the data" in answer.out
    assert "[1/1] reused" in command("-m", *WORDS, "data_dir=C", "seed=0").out


def test_a_table_does_not_mix_them(table_command, data):
    path = Path("mine", "table", "small.yaml")
    path.parent.mkdir(parents=True)
    path.write_text(TABLE, encoding="utf-8")
    words = ("--config-dir=mine", "table=small", "data_dir=A", "sweep.jobs=1")
    assert table_command(*words).code == 0
    label_file = Path("A", "mnist", "t10k-labels-idx1-ubyte.gz")
    shutil.copy(Path("B", "mnist", label_file.name), label_file)
    os.utime(label_file, (1, 1))
    for more in ((), ("table.seeds=[0,1]",), ("list=true",), ("run=false",)):
        answer = table_command(*words, *more)
        assert answer.code == 65
        assert "Found mnist/t10k-labels-idx1-ubyte.gz changed since outputs/" in answer.err
    label_file.unlink()
    assert table_command(*words).code == 0
