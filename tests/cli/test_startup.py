"""What answers at once imports nothing heavy: seen from outside, in real processes."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

HEAVY = {"torch", "numpy", "rich", "jinja2", "scipy", "sklearn", "matplotlib", "pandas", "tensorboard"}
HYDRA = ("hydra", "hydra_plugins")
ALL = (*HYDRA, "omegaconf", "yaml")
QUICK = [  # the module, the words, the exit code, what is said, what may not be imported
    ("train", ["--help"], 0, "iamm-train -m fusion=none", ALL),
    ("train", ["--completion=bash"], 0, "complete -F", ALL),
    ("train", ["--complete", "iamm-train attention=ad"], 0, "attention=additive", ALL),
    ("train", ["--cfg", "job", "attention=additive"], 0, "SingleAttention", HYDRA),
    ("train", ["epoch=3"], 2, 'Did you mean "epochs"?', HYDRA),
    ("train", ["epochs=x"], 2, "`epochs` must be a whole number", HYDRA),
    ("train", ["attention=additve"], 2, 'Did you mean "additive"?', HYDRA),
    ("train", ["experiment=multiscene"], 2, "write +experiment=…", HYDRA),
    ("train", ["epochs=${epohcs}"], 2, "Found ${epohcs}", HYDRA),
    ("train", ["attention.heads=3", "seed=1"], 2, "must divide `dim`", HYDRA),
    ("train", ["+epochs=3"], 2, "Found +epochs=…: write epochs=…", HYDRA),
    ("train", ["seed=1,2"], 2, "add -m", ()),
    ("train", ["epochs=[3"], 2, "must read key=value", ()),
    ("train", ["-m", "seed=0,1", "attention=additive,additve"], 2, "Found additve", ()),
    ("train", ["--cfg", "hydra"], 0, "BasicLauncher", ()),
    ("train", ["--experimental-rerun", "x.pickle"], 2, "not from a pickle", HYDRA),
    ("table", ["--help"], 0, "iamm-table table=image", ALL),
    ("table", ["--experimental-rerun=x.pickle", "table=image"], 2, "not from a pickle", HYDRA),
    ("table", ["table=image", "lisst=true"], 2, 'Did you mean "list"?', HYDRA),
    ("table", ["table=imag"], 2, 'Did you mean "image"?', HYDRA),
    ("table", ["table=image", "run=maybe"], 2, "`run` must be true or false", HYDRA),
    ("table", [], 2, "Found none: add table=…", HYDRA),
    ("table", ["table=image", "--cfg", "job"], 0, "silence: 3600", HYDRA),
]


@pytest.mark.parametrize(("module", "words", "code", "said", "barred"), QUICK, ids=lambda each: str(each)[:40])
def test_at_once(module, words, code, said, barred, tmp_path):
    call = [sys.executable, "-X", "importtime", "-m", f"iamm.cli.{module}", *words]
    done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ""})
    modules = {name.split(".")[0] for name in re.findall(r"^import time:.*\| +(\S+)$", done.stderr, flags=re.MULTILINE)}
    told = done.stdout + "".join(line for line in done.stderr.splitlines() if not line.startswith("import time:"))
    assert done.returncode == code, told
    assert said in told
    assert "iamm" in modules
    assert not modules & {*HEAVY, *barred}
    assert list(tmp_path.iterdir()) == []


def test_a_sweep_is_planned_without_torch(tmp_path):
    """500 jobs, composed and checked; the last one's value is wrong, and no run begins in this process."""
    script = (
        "import sys\n"
        "from iamm.config.compose import composed\nfrom iamm.sweep.jobs import checked\n"
        "from iamm.config.command_line import Line\n"
        "found = composed(Line(('attention=additive,gated', 'seed=range(250)'), sweeping=True))\n"
        "names = {checked(each).name for each in found}\n"
        "print(len(names), 'torch' in sys.modules, 'numpy' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "500 False False\n"
