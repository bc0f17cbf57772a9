"""Sweeps, tables and searches through Hydra's own launchers and sweepers, in their local modes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import warnings
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.errors import MissingConfigException

from iamm.config.explain import mistake_of
from iamm.errors import BadDataError
from iamm.record.run_folder import RunFolder
from iamm.run.planned import Cell, read_cell, write_cell
from iamm.sweep.launch import PLANNED, launcher_words, planned_file, prepared, reason, split
from iamm.sweep.sweep import watch

pytestmark = pytest.mark.long

LAUNCHERS = {
    "joblib": ("hydra.launcher.n_jobs=1",),
    "submitit_local": ("hydra.launcher.timeout_min=20",),
    "ray": ("hydra.launcher.ray.init.num_cpus=1", "hydra.launcher.ray.init.include_dashboard=false"),
}
BAD = """
import os

from iamm.weighting.equal import EqualWeighting


def aborts(scenes):
    os.abort()


def tells(scenes):
    print("told", os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"])
    return EqualWeighting(scenes)
"""
TABLE = """# Two rows.
title: Two rows
about: Generated shapes.
shared: [{shared}]
rows: {{one: [], other: [fusion=none]}}
columns: {{accuracy: {{scene: shapes_image, measure: accuracy}}}}
seeds: [0]
budget: {{epochs: 1}}
test: t
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """`--config-dir` of a weighting that aborts, and one that tells in which environment it is."""
    (tmp_path / "bad.py").write_text(BAD)
    folder = tmp_path / "mine" / "weighting"
    folder.mkdir(parents=True)
    for name in ("aborts", "tells"):
        (folder / f"{name}.yaml").write_text(f"# Of a test.\n_target_: bad.{name}\n_partial_: true\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("IAMM_ALLOW", "bad")
    return tmp_path / "mine"


def need(plugin: str) -> None:
    if find_spec(f"hydra_plugins.hydra_{plugin}") is None:
        pytest.skip(f"needs an extra of the project's: hydra_{plugin} is not installed")


def runs(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob("*/config.yaml"))


def result(run: Path) -> dict:
    return json.loads((run / "result.json").read_text())


def records(run: Path) -> list:
    """All that is recorded but times."""
    lines = (run / "records.jsonl").read_text().splitlines()
    return [(r["kind"], r["step"], r["values"]) for r in map(json.loads, lines[:-1])]  # the last one seals


def a_cell(tmp_path: Path, **more: object) -> Cell:
    values = {"seed": 1, "output_dir": str(tmp_path / "outputs"), "rerun": False, **more}
    return Cell(values, {"model": "iamm", "dataset": "shapes"})


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_a_sweep_by_a_launcher(launcher, process, command, small, mine, tmp_path, monkeypatch):
    """The bits of a run by itself; what aborts leaves the others and the launcher alone, and is told with why."""
    need(f"{launcher.split('_')[0]}_launcher")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")  # else Ray writes a token into the home folder
    words = ("-m", "--config-dir=mine", f"hydra/launcher={launcher}", *LAUNCHERS[launcher], *small)
    answer = process(*words, "weighting=aborts,tells")
    assert answer.code == 3
    assert launcher == "ray" or answer.err == ""
    assert f"2 runs by --config-dir=mine hydra/launcher={launcher}" in answer.out
    assert "[1/2] done    weighting=tells  validation " in answer.out
    said = answer.out[answer.out.index("1 of 2 runs failed:") :]
    assert "killed by SIGABRT" in said
    states = {run.name: RunFolder(run).state() for run in (tmp_path / "outputs").glob("iamm-*")}
    assert sorted(states.values()) == [("failed", "killed by SIGABRT"), ("finished", "")]
    (whole,) = runs(tmp_path / "outputs")
    assert (whole / "log.txt").read_text().startswith("told passive 3000\n")
    assert command(*small, "output_dir=alone").code == 0
    (alone,) = runs(tmp_path / "alone")
    assert result(whole)["test"] == result(alone)["test"]
    assert records(whole) == records(alone)


def test_a_link_in_place_of_a_run_folder_takes_no_other_run(process, command, small, tmp_path):
    need("joblib_launcher")
    words = (*small, "dataset=shapes", "model=fam", "steps=1")
    assert command(*words, "seed=0").code == 0
    (linked,) = runs(tmp_path / "outputs")
    linked.rename(tmp_path / "away")
    linked.symlink_to(tmp_path / "away")
    answer = process("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1", *words, "seed=0,1")
    assert (answer.code, answer.err) == (3, "")
    assert "[1/2] failed  seed=0  A run folder must be a plain one. Found outputs/fam-shapes-seed0-" in answer.out
    assert "[2/2] done    seed=1  validation " in answer.out
    assert "1 of 2 runs failed:" in answer.out


def test_a_table_by_a_launcher(small, mine, tmp_path):
    """Its runs are handed to the launcher once, then it is built from what is there."""
    need("joblib_launcher")
    (mine / "table").mkdir()
    shared = ", ".join(f"'{word}'" for word in small if not word.startswith(("epochs", "device")))
    (mine / "table" / "two.yaml").write_text(TABLE.format(shared=shared))
    words = ("--config-dir=mine", "table=two", "hydra/launcher=joblib", "hydra.launcher.n_jobs=1")
    for ran in (True, False):
        call = [sys.executable, "-m", "iamm.cli.table", *words]
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, timeout=600)
        assert (done.returncode, done.stderr) == (0, "")
        assert ("2 runs by --config-dir=mine hydra/launcher=joblib hydra.launcher.n_jobs=1" in done.stdout) is ran
    assert len(runs(tmp_path / "outputs")) == 2
    table = (tmp_path / "outputs" / "tables" / "two" / "table.md").read_text()
    assert "\n| one " in table
    assert "\n| other " in table


def test_a_search(process, small, tmp_path):
    """Optuna hears what was reached on validation: asked and told the same by hand, it proposes the same."""
    need("optuna_sweeper")
    sampler = ("hydra.sweeper.sampler.seed=5", "hydra.sweeper.sampler.n_startup_trials=1")
    words = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=3", "hydra.sweeper.n_jobs=1", *sampler)
    answer = process("-m", *words, *small, "optimizer.lr=tag(log, interval(1e-4, 1e-1))")
    assert answer.code == 0
    assert answer.out.count("done    model=iamm dataset=shapes ") == 3
    found = {result(run)["config"]["optimizer"]["lr"]: result(run) for run in runs(tmp_path / "outputs")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna

        sampler = optuna.samplers.TPESampler(seed=5, n_startup_trials=1, multivariate=False)
        study = optuna.create_study(sampler=sampler, direction="maximize")
        for _ in range(3):
            trial = study.ask()
            study.tell(trial, found[trial.suggest_float("optimizer.lr", 1e-4, 1e-1, log=True)]["validation_quality"])
    told = yaml.safe_load((tmp_path / "outputs" / "sweeps" / "optimization_results.yaml").read_text())
    assert told["best_params"] == study.best_params
    assert told["best_value"] == study.best_value == max(one["validation_quality"] for one in found.values())


def test_a_search_that_fails(process, small, mine):
    need("optuna_sweeper")
    words = ("hydra/sweeper=optuna", "hydra.sweeper.n_trials=2", "hydra.sweeper.n_jobs=1", "--config-dir=mine")
    answer = process("-m", *words, *small, "weighting=aborts", "optimizer.lr=interval(0.001,0.1)")
    assert answer.code == 3
    assert answer.err.endswith("\niamm-train: killed by SIGABRT\n")
    assert answer.out.count("failed  model=iamm dataset=shapes ") == 1


@pytest.mark.filterwarnings("ignore")  # of Optuna's own imports
@pytest.mark.parametrize(
    ("word", "mistake"),
    [
        ("hydra.sweeper.direction=minimize", "A search maximises the quality on validation. Found hydra.sweeper.dir"),
        ("mode=eval", "A search trains. Found mode=eval"),
    ],
)
def test_what_a_search_is_not(command, small, word, mistake):
    need("optuna_sweeper")
    answer = command("-m", "hydra/sweeper=optuna", *small, "optimizer.lr=interval(0.001,0.1)", word)
    assert answer.code == 2
    assert f"\niamm-train: {mistake}" in answer.err


def test_a_launcher_that_breaks(command, small, mine, tmp_path):
    """What it says stands at each run that it did not come to; the runs are planned before."""
    (mine / "hydra" / "launcher").mkdir(parents=True)
    (mine / "hydra" / "launcher" / "broken.yaml").write_text("# Of a test.\n_target_: bad.Nothing\n")
    answer = command("-m", "--config-dir", "mine", "hydra/launcher=broken", *small, "seed=0,1")
    assert (answer.code, answer.err) == (3, "")
    assert "2 of 2 runs failed:" in answer.out
    assert answer.out.count(": RuntimeError: Invalid plugin 'bad.Nothing': not the hydra_plugins package\n") == 2
    assert len(list((tmp_path / "outputs").glob(f"*/{PLANNED}"))) == 2


def test_mistakes_are_said_before_anything_is_launched(command, small, tmp_path):
    answer = command("-m", "hydra/launcher=basic", *small, "dropout=2,3")
    assert answer.code == 2
    assert answer.err.count("iamm-train: `dropout` must be") == 2
    answer = command("-m", "hydra/launcher=jobli", *small)
    assert answer.code == 2
    assert answer.err.startswith("iamm-train: `hydra/launcher` must be one of its choices. Found jobli. Did you mean ")
    assert not list((tmp_path / "outputs").glob("*/log.txt"))


def test_words():
    hydra = ["hydra/launcher=joblib", "+hydra.launcher.n_jobs=2"]
    assert split(["-m", "seed=0,1", *hydra, "dim=8"]) == (["-m", "seed=0,1", "dim=8"], tuple(hydra))
    assert launcher_words(["--config-dir", "mine", *hydra, "dim=8"]) == ("--config-dir=mine", *hydra)
    assert launcher_words(["--config-dir=mine", "dim=8"]) == ()
    for shown in (["dim=8", *hydra], ["-m", "--cfg", "hydra", *hydra], ["-m", "hydra/sweeper=mine", *hydra]):
        assert split(shown) == (shown, ())
    search = ["-m", "hydra/sweeper=optuna", *hydra]
    assert split(search) == ([*search, "hydra.sweeper.direction=maximize"], ())
    said = [*search, "hydra.sweeper.direction=minimize"]
    assert split(said) == (said, ())


def test_a_part_that_is_not_installed():
    found = mistake_of(MissingConfigException("In 'config': Could not find 'hydra/launcher/submitit_slurm'\n"))
    assert found.exit_code == 69
    assert str(found) == (
        "`hydra/launcher=submitit_slurm` needs an optional package. Found no hydra-submitit-launcher: "
        "install it with: pip install 'iamm[submitit]' (docs/submitit.md tells more)."
    )
    found = mistake_of(MissingConfigException("Could not find 'hydra/sweeper/optunna'"))
    assert found.exit_code == 2
    assert str(found) == (
        '`hydra/sweeper` must be one of its choices. Found optunna. Did you mean "optuna"? Choices: basic, optuna.'
    )
    for part in ("joblib", "submitit", "ray", "optuna"):
        assert (Path(__file__).parents[2] / "docs" / f"{part}.md").exists()


EXTRAS = [
    ("hydra/launcher=joblib", "hydra-joblib-launcher", "joblib"),
    ("hydra/launcher=submitit_local", "hydra-submitit-launcher", "submitit"),
    ("hydra/launcher=submitit_slurm", "hydra-submitit-launcher", "submitit"),
    ("hydra/launcher=ray", "hydra-ray-launcher", "ray"),
    ("hydra/sweeper=optuna", "hydra-optuna-sweeper", "optuna"),
]


@pytest.mark.parametrize(("word", "package", "extra"), EXTRAS)
def test_a_part_that_is_not_installed_says_what_to_install(word, package, extra, command, monkeypatch, tmp_path):
    """As where the package is not there, whose plugin would have told Hydra of its configuration."""
    group, name = word.removeprefix("hydra/").split("=")
    Plugins.instance()
    monkeypatch.delitem(ConfigStore.instance().repo["hydra"].get(group, {}), f"{name}.yaml", raising=False)
    answer = command("-m", word, "seed=0,1")
    assert answer.code == 69
    assert answer.err == (
        f"iamm-train: `{word}` needs an optional package. Found no {package}: "
        f"install it with: pip install 'iamm[{extra}]' (docs/{extra}.md tells more).\n"
    )
    assert not list(tmp_path.glob("outputs/*/log.txt"))


def test_extras_are_those_of_the_project():
    """Each has a package of the name that is told."""
    told = {extra: package for _, package, extra in EXTRAS}
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    for extra, package in told.items():
        assert re.search(rf'^{extra} = \[\s*"{package}>=', project, flags=re.MULTILINE)


def test_a_run_that_starts_anew_is_cleared_once(tmp_path):
    cell = a_cell(tmp_path, rerun=True)
    cell.folder.path.mkdir(parents=True)
    cell.folder.result.write_text("{}")
    fresh = prepared(cell)
    assert not cell.folder.finished()
    assert (fresh.name, fresh.values["rerun"]) == (cell.name, False)
    assert prepared(fresh) is fresh
    assert read_cell(cell.path / PLANNED) == fresh


def test_planned_runs_are_files(tmp_path, monkeypatch):
    cell = a_cell(tmp_path)
    monkeypatch.chdir(tmp_path)
    relative = a_cell(tmp_path, output_dir="outputs")
    assert planned_file(relative) == planned_file(cell) == cell.path / PLANNED


def test_a_run_whose_folder_is_refused_is_an_outcome(tmp_path):
    (tmp_path / "file").write_text("")
    outcome = prepared(a_cell(tmp_path, output_dir=str(tmp_path / "file")))
    assert outcome.code == 73
    assert outcome.reason.startswith("A run folder must be writable. Found ")
    busy = a_cell(tmp_path, rerun=True)
    with busy.folder.held():
        assert prepared(busy).code == 75


def test_a_machine_that_does_not_see_the_run_folders(tmp_path):
    from omegaconf import OmegaConf

    from iamm.sweep.launch import planned_job

    places = {"planned": str(tmp_path / "nowhere.json"), "working_dir": str(tmp_path)}
    with pytest.raises(BadDataError, match=r"Every machine of a sweep must see its run folders. Found .*nowhere.json"):
        planned_job(OmegaConf.create(places))


def test_reasons(tmp_path):
    """The run's own words before the launcher's, the launcher's before what only the folder shows."""
    cell = a_cell(tmp_path)
    cell.folder.path.mkdir(parents=True)
    assert reason(cell, "") == "missing"
    assert reason(cell, "no cluster") == "no cluster"
    cell.folder.last.touch()
    assert reason(cell, "") == "interrupted"
    with cell.folder.held():
        assert reason(cell, "") == "running in another process"
    cell.folder.write_status("failed", error="its words")
    assert reason(cell, "no cluster") == "its words"


def test_results_are_told_as_they_appear(tmp_path):
    from threading import Event, Thread

    cells = [a_cell(tmp_path, seed=seed) for seed in (1, 2)]
    for cell in cells:
        cell.folder.path.mkdir(parents=True)
        write_cell(cell.folder.path / PLANNED, cell)
    told, seen, over = [], Event(), Event()

    def tell(outcome):
        told.append(outcome)
        seen.set()

    watcher = Thread(target=watch, args=(cells, tell, over))
    watcher.start()
    cells[1].folder.result.write_text("{}")
    assert seen.wait(30)
    over.set()
    watcher.join(30)
    assert not watcher.is_alive()
    assert [(outcome.cell, outcome.code) for outcome in told] == [(cells[1], 0)]
