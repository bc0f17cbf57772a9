"""A user's own package beside `--config-dir`, as README says: real commands, without PYTHONPATH."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch

from iamm.encoder.base import Features
from iamm.own import code_state

GOOD = """from iamm.weighting.equal import EqualWeighting


class MineWeighting(EqualWeighting):
    def weights(self, step):
        return super().weights(step)
"""
WORDS = ("--config-dir=my_configs", "weighting=mine", "dataset=shapes")


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The module of a weighting, in an allowed package beside the folder of its YAML."""
    package, configs = tmp_path / "my_package", tmp_path / "my_configs" / "weighting"
    package.mkdir()
    configs.mkdir(parents=True)
    (configs / "mine.yaml").write_text("# Mine.\n_target_: my_package.mine.MineWeighting\n_partial_: true\n")
    monkeypatch.setenv("IAMM_ALLOW", "my_package")
    monkeypatch.delenv("PYTHONPATH", raising=False)
    (package / "mine.py").write_text(GOOD)
    for name in ("my_package", "my_package.mine"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    code_state.cache_clear()
    return package / "mine.py"


def test_changed_code_is_no_finished_run(module, command, small):
    assert command(*WORDS, *small).code == 0
    assert "This run is finished; rerun=true starts it anew.\ntest" in command(*WORDS, *small).out
    module.write_text(GOOD + "# changed\n")
    code_state.cache_clear()
    answer = command(*WORDS, *small)
    assert (answer.code, answer.out) == (65, "")
    assert re.fullmatch(
        r"iamm-train: A finished run holds for the code that it was made with\. Found my_package changed since "
        r"outputs/iamm-shapes-seed0-\w{8}: bring the code back, start anew with rerun=true, or set output_dir=… "
        r"elsewhere\.\n",
        answer.err,
    )
    assert command(*WORDS, *small, "rerun=true").code == 0


def test_a_sweep_imports_it_too(module, process, small):
    answer = process("-m", *WORDS, *small, "seed=0,1")
    assert (answer.code, answer.out.count("] done    seed=")) == (0, 2)


MISTAKES = {
    "in a method": (GOOD.replace("super()", "self.nothing"), "AttributeError in my_package/mine.py, line 6: "),
    "at import": ("1 / 0\n" + GOOD, "ZeroDivisionError in my_package/mine.py, line 1: division by zero ("),
    "in the syntax": (GOOD + "x = (\n", "SyntaxError in my_package/mine.py, line 7: '(' was never closed ("),
    "a package": ("import nowhere\n", "ModuleNotFoundError in my_package/mine.py, line 1: No module named 'nowhere' ("),
    "another base": (
        GOOD.replace("(EqualWeighting)", "").replace("from iamm.weighting.equal import EqualWeighting\n", ""),
        "A class of your own must inherit the base class of its group. Found my_package.mine.MineWeighting for "
        "`weighting`: inherit iamm.weighting.base.Weighting.",
    ),
    "another name": (GOOD.replace("Mine", "Yours"), "A class of your own must be importable. Found my_package.mine."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(mistake, module, command, small):
    text, line = MISTAKES[mistake]
    module.write_text(text)
    answer = command(*WORDS, *small)
    assert answer.code in (1, 2)
    assert answer.err.count("\n") == 1
    assert answer.err.startswith(f"iamm-train: {line}")


def test_the_fusion_of_the_documentation(module, command, small, tmp_path):
    """It runs, and gives what its line says."""
    page = (Path(__file__).parents[2] / "docs" / "variants.md").read_text(encoding="utf-8")
    module.with_name("sum.py").write_text(re.search(r"^```python\n(.*?)^```$", page, re.S | re.M)[1])
    (tmp_path / "my_configs" / "fusion").mkdir()
    text = "# Mine.\n_target_: my_package.sum.SumFusion\n_partial_: true\nshare: 0.5\n"
    (tmp_path / "my_configs" / "fusion" / "sum.yaml").write_text(text)
    assert command("--config-dir=my_configs", "fusion=sum", "dataset=shapes", *small).code == 0
    fusion = sys.modules["my_package.sum"].SumFusion(["a", "b"], 1, share=0.5)
    here, gone = torch.tensor([[True], [True]]), torch.tensor([[True], [False]])
    given = {
        "a": Features(torch.tensor([[[2.0]], [[2.0]]]), here),
        "b": Features(torch.tensor([[[6.0]], [[9.0]]]), gone),
    }
    assert fusion(given).features["a"].values.flatten().tolist() == [4.0, 3.0]


def test_the_traceback_on_request(module, process, small, monkeypatch):
    module.write_text("1 / 0\n")
    monkeypatch.setenv("IAMM_TRACEBACK", "1")
    answer = process(*WORDS, *small)
    assert answer.code == 1
    assert "\nZeroDivisionError: division by zero\n" in answer.err
    assert answer.err.startswith("Traceback")


def test_only_what_is_allowed_is_imported(module, process, small, tmp_path, monkeypatch):
    (tmp_path / "secret.py").write_text("open('imported', 'w')\n")
    module.write_text("import secret\n" + GOOD)
    answer = process(*WORDS, *small)
    assert "ModuleNotFoundError in my_package/mine.py, line 1: No module named 'secret'" in answer.err
    monkeypatch.delenv("IAMM_ALLOW")
    assert "allow its package by name: IAMM_ALLOW=my_package in the environment" in process(*WORDS, *small).err
    assert not (tmp_path / "imported").exists()


def test_the_yaml_of_a_data_set_stands_below_a_name(module, command, tmp_path):
    folder = tmp_path / "my_configs" / "dataset"
    folder.mkdir()
    (folder / "mine.yaml").write_text("_target_: my_package.mine.MineDataset\n")
    answer = command("--config-dir=my_configs", "dataset=mine")
    assert answer.code == 2
    assert "Found _target_ without: write `mine:` above it" in answer.err
