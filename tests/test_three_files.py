"""A variant is a YAML, a module and a test: help, completion, checks, sweeps and tables find it, with no list to edit.

A variant of every room, each with a key of its own, in a package outside the project and inside a copy of it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from multiprocessing import forkserver
from pathlib import Path
from typing import NamedTuple

import pytest

from iamm.cli.completion import completed
from iamm.cli.help import help_text

ROOT = Path(__file__).parents[1]
PACKAGE = "variants_of_mine"
SMALL = (
    *("dataset.shapes.train=64", "dataset.shapes.validation=16", "dataset.shapes.test=16", "steps=2"),
    *("dim=8", "epochs=1", "log.pictures=0", "threads=1", "device=cpu"),
    *("encoder.image.channels=[8,8]", "head.generation.max_length=3"),
)
PARTS = """defaults:
  - /score@score: scaled_dot_product
  - /pattern@pattern: full
  - /normaliser@normaliser: softmax
  - _self_

"""
FUSION = """
    def __init__(self, scenes, dim, *, knob: Width = 3, way: Way = "left"):
        super().__init__(scenes, dim)
        self.layer = nn.Linear(dim, dim)

    def forward(self, features, *_, **__):
        return Fused({name: each._replace(values=self.layer(each.values)) for name, each in features.items()}, None)
"""
KNOBS = """
    def __init__(self, *given, knob: Width = 3, way: Way = "left", **more):
        super().__init__(*given, **more)
"""
FIELDS = """
    knob: Width = 3
    way: Way = "left"
"""


class Variant(NamedTuple):
    """A variant of a room.

    Args:
        base: the class that it extends, of a module of its room.
        choice: how a user chooses it.
        place: where its keys stand.
        body: of its class.
        head: of its YAML, in front of `_target_`.
    """

    base: str
    choice: str
    place: str
    body: str = KNOBS
    head: str = ""


VARIANTS = {
    "attention": Variant("multi_head.MultiHeadAttention", "attention=mine", "attention", head=PARTS),
    "augment": Variant("text.TextAugment", "augment=[mine]", "augment.text", head="text:\n"),
    "dataset": Variant("reviews.ReviewsDataset", "dataset=[mine]", "dataset.mine", head="mine:\n"),
    "encoder": Variant("recurrent.RecurrentEncoder", "encoder@encoder.text=mine", "encoder.text"),
    "fusion": Variant("base.Fusion", "fusion=mine", "fusion", FUSION),
    "head": Variant("classifier.ClassifierHead", "head@head.classification=mine", "head.classification"),
    "normaliser": Variant("softmax.SoftmaxNormaliser", "normaliser@attention.normaliser=mine", "attention.normaliser"),
    "pattern": Variant("full.FullPattern", "pattern@attention.pattern=mine", "attention.pattern"),
    "schedule": Variant("constant.ConstantSchedule", "schedule=mine", "schedule", FIELDS),
    "score": Variant("scaled_dot_product.ScaledDotProductScore", "score@attention.score=mine", "attention.score"),
    "weighting": Variant("equal.EqualWeighting", "weighting=mine", "weighting"),
}
CALLED_LATE = {"augment", "dataset", "schedule"} ^ set(VARIANTS)
WRONG = "must be a whole number at least 1 and at most 65536. Found 0."


def write_module(room: str, folder: Path) -> None:
    module, base = VARIANTS[room].base.split(".")
    lines = [
        "from __future__ import annotations",
        "from dataclasses import dataclass",
        "from typing import Annotated",
        "from torch import nn",
        "from iamm.constraints import OneOf, Width",
        f"from iamm.{room}.{module} import {base}",
        *(["from iamm.fusion.base import Fused"] if room == "fusion" else []),
        'Way = Annotated[str, OneOf(("left", "right"))]',
        *(["@dataclass(frozen=True, kw_only=True)"] if VARIANTS[room].body == FIELDS else []),
        f"class Mine{room.capitalize()}({base}):",
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mine.py").write_text("\n".join(lines) + VARIANTS[room].body)


def write_yaml(room: str, target: str, configs: Path) -> None:
    """With every key of the class that it extends which a run must give."""
    more = {"dataset": "seed: ${seed}\nbatch_size: ${batch_size}\ntrain: 64\nvalidation: 16\ntest: 16\n"}
    own = f"_target_: {target}\n{'_partial_: true' if room in CALLED_LATE else ''}\n{more.get(room, '')}"
    own += "knob: 3\nway: left\n"
    head = VARIANTS[room].head
    if head.count("\n") == 1:
        own = "".join(f"  {line}\n" for line in own.splitlines())
    (configs / room).mkdir(parents=True, exist_ok=True)
    (configs / room / "mine.yaml").write_text(f"# A {room} of mine, for a test\n{head}{own}")


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A folder with `configs`, and a package of variants that the environment allows."""
    for room in VARIANTS:
        write_module(room, tmp_path / PACKAGE / room)
        write_yaml(room, f"{PACKAGE}.{room}.mine.Mine{room.capitalize()}", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IAMM_ALLOW", PACKAGE)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.fixture
def inside(tmp_path):
    """A copy of the project with a variant more in every room."""
    for folder in ("iamm", "configs"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for room in VARIANTS:
        write_module(room, tmp_path / "more" / room)
        (tmp_path / "more" / room / "mine.py").rename(tmp_path / "iamm" / room / "mine.py")
        write_yaml(room, f"iamm.{room}.mine.Mine{room.capitalize()}", tmp_path / "configs")
    return tmp_path


CHECK = """
import contextlib, io, json, sys
from iamm.cli.train import main
answers = {}
for name, words in json.loads(sys.argv[1]).items():
    sys.argv, said = ["iamm-train", *words], io.StringIO()
    with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
        try:
            code = main()
        except SystemExit as end:
            code = end.code
    answers[name] = [code, said.getvalue()]
print(json.dumps([answers, sorted(name for name in sys.modules if name in ("torch", "numpy", "variants_of_mine"))]))
"""


def answers(folder: Path, calls: dict[str, tuple[str, ...]]) -> tuple[dict[str, tuple[int, str]], list[str]]:
    """Exit code and words of each call, all in one process in a folder, and what it has imported of the heavy."""
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", CHECK, json.dumps(calls)], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    said, imported = json.loads(done.stdout)
    return {name: tuple(answer) for name, answer in said.items()}, imported


@pytest.mark.parametrize("where", ["outside", "inside"])
def test_a_wrong_value_is_one_line_without_torch(where, request):
    folder = request.getfixturevalue(where)
    more = ("--config-dir=configs",) if where == "outside" else ()
    calls = {room: (*more, one.choice, f"{one.place}.knob=0") for room, one in VARIANTS.items()}
    calls |= {f"{room} word": (*more, one.choice, f"{one.place}.way=lft") for room, one in VARIANTS.items()}
    found, imported = answers(folder, calls)
    for room, one in VARIANTS.items():
        code, said = found[room]
        assert (code, said.count("\n")) == (2, 1), (room, said)
        assert f"iamm-train: `{one.place}.knob` {WRONG} From: {one.place}.knob, the command line.\n" == said
        code, said = found[f"{room} word"]
        assert (code, said.count("\n")) == (2, 1), (room, said)
        assert f"`{one.place}.way` must be one of left, right. Found 'lft'. Did you mean \"left\"?" in said
    assert imported == []


def test_help_and_completion_find_it(outside, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["iamm-train", "--config-dir=configs", "--help", "all"])
    shown = [" ".join(line.split()) for line in help_text().splitlines()]
    for room, one in VARIANTS.items():
        assert f"mine A {room} of mine, for a test" in shown
        begun = one.choice.removesuffix("]").removesuffix("e")
        line = f"iamm-train --config-dir=configs {begun}"
        assert [word.rstrip("]") for word in completed(line)] == [one.choice.rstrip("]")]
        chosen = f"iamm-train --config-dir=configs {one.choice} {one.place}"
        assert completed(f"{chosen}.way=") == [f"{one.place}.way=left", f"{one.place}.way=right"]
    assert completed("iamm-train --config-dir=configs fusion=mine fusion.kn") == ["fusion.knob="]


def run(command, *words: str) -> int:
    """In this process."""
    sys.argv[:] = [command.__module__, "--config-dir=configs", *words]
    try:
        return command() or 0
    except SystemExit as end:
        return int(end.code or 0)


def test_a_new_fusion_trains_with_a_rule_over_gradients(outside, monkeypatch, capfd):
    """Beside one of every other room but a data set; in a sweep, whose fork server is older than the variable."""
    from iamm.cli.train import main

    monkeypatch.delenv("IAMM_ALLOW")
    forkserver.ensure_running()
    monkeypatch.setenv("IAMM_ALLOW", PACKAGE)
    monkeypatch.setattr(sys, "argv", [])
    others = [one.choice for room, one in VARIANTS.items() if room not in ("fusion", "dataset", "weighting")]
    words = ("-m", *SMALL, *others, "fusion=mine,shared", "weighting=nash")
    code = run(main, *words)
    shown = capfd.readouterr()
    assert code == 0, shown.err
    assert len(list(outside.glob("outputs/*/result.json"))) == 2


def test_a_table_plans_it(outside, monkeypatch, capfd):
    from iamm.cli.table import main

    monkeypatch.setattr(sys, "argv", [])
    rows = "".join(f'  {room}: ["{one.choice}"]\n' for room, one in VARIANTS.items() if room not in ("dataset",))
    (outside / "configs" / "table").mkdir()
    (outside / "configs" / "table" / "mine.yaml").write_text(
        f"# A table of mine\ntitle: Mine\nabout: Variants.\nrows:\n  plain: []\n{rows}"
        "shared: [model=iamm]\ncolumns:\n  Mean: {measure: quality}\nseeds: [0]\nbudget: {epochs: 1}\ntest: t\n"
    )
    assert run(main, "table=mine", "list=true") == 0, capfd.readouterr().err
    shown = capfd.readouterr().out
    assert all(room in shown for room in VARIANTS if room != "dataset")
