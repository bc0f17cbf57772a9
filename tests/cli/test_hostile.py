"""A folder of YAML files that means harm: one line, exit code 2, and nothing of it has run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

CALL = "{_target_: os.system, command: touch harmed}"
BOMB = "\n".join(
    [
        "a0: &a0 [x, x, x, x, x, x, x, x, x, x]",
        *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)),
    ]
)
DEEP = "a: " + "[" * 5_000 + "]" * 5_000

WEIGHTING = {  # weighting/mine.yaml
    "os.system": "_target_: os.system\ncommand: touch harmed\n",
    "subprocess": "_target_: subprocess.run\nargs: [touch, harmed]\n",
    "eval": '_target_: builtins.eval\n_args_: [\'open("harmed", "w")\']\n',
    "through a module": "_target_: iamm.run.build.os.system\ncommand: touch harmed\n",
    "through a room": "_target_: iamm.weighting.fixed.torch.os.system\ncommand: touch harmed\n",
    "a helper of a room": "_target_: iamm.dataset.files.read_packed\ndata_dir: .\nname: harmed\n",
    "a writer of the project": "_target_: iamm.record.run_folder.write_text\npath: harmed\ntext: ''\n",
    "torch.load": "_target_: torch.load\nf: payload.pt\nweights_only: false\n",
    "torch.hub": "_target_: torch.hub.load\nrepo_or_dir: .\nmodel: harmed\nsource: local\n",
    "a compiler": "_target_: torch.utils.cpp_extension.load\nname: harmed\nsources: []\n",
    "pickle": "_target_: pickle.loads\n_args_: ['']\n",
    "hydra's own gadget": "_target_: hydra.utils.call\nconfig: {_target_: os.system, command: touch harmed}\n",
    "dots": "_target_: ..os.system\ncommand: touch harmed\n",
    "no text": "_target_: [os.system]\n",
    "in an argument": f"_target_: iamm.weighting.fixed.FixedWeighting\n_partial_: true\nvalues: {CALL}\n",
    "deep in a list": f"_target_: iamm.weighting.fixed.FixedWeighting\n_partial_: true\nvalues: [[{{a: [{CALL}]}}]]\n",
    "by a reference": "_target_: ${.name}\nname: os.system\ncommand: touch harmed\n",
    "resolved twice": (
        "_target_: iamm.weighting.fixed.FixedWeighting\n_partial_: true\n"
        "values: '\\${oc.create:\"{_target_: os.system, command: touch harmed}\"}'\n"
    ),
    "a tag of Python's": "_target_: !!python/object/apply:os.system ['touch harmed']\n",
    "positional": "_target_: iamm.weighting.fixed.FixedWeighting\n_args_: [2]\n",
}
EXPERIMENT = {  # experiment/mine.yaml, of the whole configuration
    "a data set": f"dataset:\n  mine: {CALL}\n",
    "an augmentation": f"augment:\n  image: {CALL}\n",
    "beside all": f"mine: {CALL}\n",
    "a callback": f"hydra:\n  callbacks:\n    mine: {CALL}\n",
    "a log's factory": (
        "hydra:\n  job_logging:\n    version: 1\n    root: {handlers: [mine]}\n"
        "    handlers:\n      mine: {'()': os.system, command: touch harmed}\n"
    ),
    "another log's factory": (
        "hydra:\n  hydra_logging:\n    version: 1\n    root: {handlers: [mine]}\n"
        "    handlers:\n      mine: {class: logging.FileHandler, filename: harmed}\n"
    ),
    "a launcher": f"hydra:\n  launcher: {CALL}\n",
    "a sweeper": f"hydra:\n  sweeper: {CALL}\n",
    "an environment": "hydra:\n  job:\n    env_set: {LD_PRELOAD: harmed.so, IAMM_ALLOW: os}\n",
    "a place for Hydra": "hydra:\n  output_subdir: .\n  run: {dir: yours}\n",
    "a place by a reference": "yours: {dir: yours}\nhydra:\n  run: ${yours}\n",
    "a place of a sweep": "hydra:\n  sweep: {dir: yours}\n",
    "aliases": BOMB,
    "an alias in itself": "a: &a [*a]\n",
    "depth": DEEP,
    "a circle": "mine: ${yours}\nyours: ${mine}\n",
    "a huge number": "dim: 1" + "0" * 5_000 + "\n",
    "not text": "\x00\x01\x02",
    "another encoding": "dim: \udce9",
}


def one_line(text: str) -> str:
    assert "Traceback" not in text
    assert re.fullmatch(r"iamm-train: [^\n]+\n", text), text
    return text


def written(group: str, content: str) -> None:
    folder = Path("mine") / group
    folder.mkdir(parents=True)
    (folder / "mine.yaml").write_bytes(content.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize("multirun", [(), ("-m",)], ids=["one", "sweep"])
@pytest.mark.parametrize("content", WEIGHTING.values(), ids=WEIGHTING)
def test_of_a_part(content, multirun, command):
    written("weighting", content)
    answer = command(*multirun, "--config-dir=mine", "weighting=mine")
    assert not Path("harmed").exists()
    assert answer.code in ((2, 3) if multirun else (2,))
    assert one_line(answer.err)


@pytest.mark.parametrize("multirun", [(), ("-m",)], ids=["one", "sweep"])
@pytest.mark.parametrize("content", EXPERIMENT.values(), ids=EXPERIMENT)
def test_of_the_whole(content, multirun, command):
    written("experiment", f"# @package _global_\n{content}")
    answer = command(*multirun, "--config-dir=mine", "+experiment=mine")
    assert not Path("harmed").exists()
    assert answer.code in ((2, 3) if multirun else (2,))
    assert one_line(answer.err)


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("utf-8-sig", "begins without a byte-order mark. Found one in mine/experiment/mine.yaml: save it as UTF-8"),
        ("latin-1", "in UTF-8. Found byte 0xe9 at 27 of mine/experiment/mine.yaml: save it as UTF-8."),
        ("utf-16", "in UTF-8. Found byte 0xff at 0 of mine/experiment/mine.yaml: save it as UTF-8."),
    ],
)
def test_of_another_encoding(encoding, said, command):
    (Path("mine") / "experiment").mkdir(parents=True)
    (Path("mine") / "experiment" / "mine.yaml").write_text(
        "# @package _global_\n# A caf\u00e9.\ndim: 8\n", encoding=encoding
    )
    answer = command("--config-dir=mine", "+experiment=mine")
    assert answer.code == 2
    assert said in one_line(answer.err)


def test_of_a_folder_like_a_file(command):
    (Path("mine") / "experiment" / "mine.yaml").mkdir(parents=True)
    answer = command("--config-dir=mine", "+experiment=mine")
    assert answer.code == 2
    assert "What ends in .yaml must be a file. Found mine/experiment/mine.yaml" in one_line(answer.err)


def test_nothing_allows_itself(command):
    """Only the environment of the command does."""
    written("weighting", "_target_: mine_own.Thing\n")
    answer = command("--config-dir=mine", "weighting=mine", "+allow=[mine_own]")
    said = "allow its package by name: IAMM_ALLOW=mine_own in the environment. From: weighting._target_, "
    assert f"{said}mine/weighting/mine.yaml, line 1." in one_line(answer.err)
    assert answer.code == 2


def test_nobody_is_led_to_allow_everything(command):
    written("weighting", "_target_: os.system\ncommand: touch harmed\n")
    assert "Found os.system. Leave it out: it can do anything" in command("--config-dir=mine", "weighting=mine").err


def test_what_is_allowed_by_name_must_lie_there(command, monkeypatch, tmp_path):
    (tmp_path / "mine_own.py").write_text(
        "import os\nfrom os import system\n\n\ndef weighting(scenes):\n    raise ValueError('Mine.')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("IAMM_ALLOW", "other, mine_own")
    small = ("dataset.shapes.train=8", "dataset.shapes.validation=8", "dataset.shapes.test=8", "dim=8", "threads=1")
    written("weighting", "_target_: mine_own.os.system\n_partial_: true\ncommand: touch harmed\n")
    answer = command("--config-dir=mine", "weighting=mine", *small)
    assert "must be importable. Found mine_own.os.system: No module named 'mine_own.os'" in one_line(answer.err)
    (Path("mine") / "weighting" / "mine.yaml").write_text("_target_: mine_own.system\n_partial_: true\n")
    answer = command("--config-dir=mine", "weighting=mine", *small)
    assert "must be of an allowed package. Found mine_own.system, of posix." in one_line(answer.err)
    assert not Path("harmed").exists()
    (Path("mine") / "weighting" / "mine.yaml").write_text("_target_: mine_own.weighting\n_partial_: true\n")
    assert command("--config-dir=mine", "weighting=mine", *small).err == "iamm-train: Mine.\n"


@pytest.mark.parametrize("package", ["torch", "hydra.utils", "builtins", "iamm.record", "mine,subprocess"])
def test_packages_that_are_nobodys_own_are_not_allowed(package, command, monkeypatch):
    """They load and run any file."""
    target = f"{package.split(',')[-1]}.load"
    written("weighting", f"_target_: {target}\nf: payload.pt\n")
    answer = command("--config-dir=mine", "weighting=mine")
    assert "IAMM_ALLOW" not in one_line(answer.err)
    monkeypatch.setenv("IAMM_ALLOW", package)
    answer = command("--config-dir=mine", "weighting=mine")
    assert f"names packages of your own. Found {package.split(',')[-1]}, which" in one_line(answer.err)
    assert answer.code == 2


def test_a_sweep_imports_nothing_from_the_current_folder(script, tmp_path, small):
    """Neither its fork server, nor what that preloads, nor Python's own tracker of resources."""
    for module in ("sacrebleu", "torch", "queue", "random", "socket", "selectors"):
        (tmp_path / f"{module}.py").write_text("open('harmed', 'w')\nraise SystemExit\n")
    answer = script("-m", "seed=0,1", *small)
    assert (answer.code, answer.err) == (0, "")
    assert not (tmp_path / "harmed").exists()


def test_optimizers_of_torch_are_welcome(command, small):
    words = ("optimizer=adamw", "optimizer._target_=torch.optim.RAdam", "~optimizer.fused")
    assert command(*small, *words).code == 0
    answer = command(*small, "optimizer._target_=torch.optim.lr_scheduler.os.system")
    assert (answer.code, answer.err.count("\n")) == (2, 1)
