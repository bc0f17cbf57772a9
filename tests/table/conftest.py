"""Plans, finished runs and tables."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from iamm.record.checksummed import write_checksummed
from iamm.record.run_folder import RunFolder, read_result
from iamm.table.aggregate import build_table
from iamm.table.plan import Claims, Column, PlannedRun, TablePlan
from iamm.table.selection import read_needed
from iamm.table.table import Table


@pytest.fixture(autouse=True)
def any_folder(monkeypatch):
    """The runs of these tests lie in folders with names of their own, without a digest of the configuration."""
    monkeypatch.setattr("iamm.table.selection.read_own", lambda folder, values, keys: read_result(folder.path, keys))


@pytest.fixture
def make_plan():
    """Changes → the plan of a small table: rows `ours` and `rival`, accuracy and BLEU, two rates, three seeds."""

    def make(**changes: Any) -> TablePlan:
        rows, seeds, rates = ("ours", "rival"), (0, 1, 2), (0.001, 0.002)
        values: dict[str, Any] = {
            "name": "small",
            "title": "A small table",
            "about": "Pictures and sentences, made up.",
            "rows": rows,
            "columns": (Column("accuracy", "accuracy", "a", "both"), Column("BLEU", "bleu", "b", "both")),
            "settings": ("both",),
            "seeds": seeds,
            "rates": rates,
            "choose_seeds": len(seeds),
            "budget": {"epochs": 3},
            "tolerance": 0.1,
            "test": "t",
            "seconds": 10.0,
            "claims": Claims("D0 §5", {"ours": {"accuracy": 88.7, "BLEU": 30.2}, "rival": {"accuracy": 85.3}}),
            **changes,
        }
        runs = [
            PlannedRun(row, setting, rate, seed, f"{row}-{setting}-{rate:g}-seed{seed}".replace("/", "_"))
            for setting in values["settings"]
            for seed in values["seeds"]
            for row in values["rows"]
            for rate in values["rates"]
        ]
        return TablePlan(**{**values, "runs": tuple(runs), **changes})

    return make


@pytest.fixture
def finish():
    """(output folder, planned run, scene → (measure, value), …) → its finished run folder, three validations long."""

    def write(output_dir: Path, planned: PlannedRun, test: dict[str, dict[str, float]], **changes: Any) -> RunFolder:
        folder = RunFolder(output_dir / planned.folder)
        folder.path.mkdir(parents=True)
        config = {"seed": planned.seed, "optimizer": {"lr": planned.rate}, "dataset": {"small": {"seed": planned.seed}}}
        budget = {"epochs": 3, "steps": None, "batch_size": 4, "accumulate": 1, "growth": 1.0, "growth_every": 1}
        quality = {scene: measures.get("accuracy", measures.get("bleu", 0.0)) for scene, measures in test.items()}
        content = {
            "test": test,
            "quality": quality,
            "scene_weights": {},
            "validation_quality": sum(quality.values()) / len(quality),
            "best_epoch": 3,
            "epochs": 3,
            "steps": 30,
            "parameters": 1000,
            "seconds": 12.5,
            "peak_memory_mib": 300.0,
            "seed": planned.seed,
            "threads": 1,
            "device": "cpu",
            "choices": {"model": planned.row, "dataset": "small"},
            "notices": [],
            "data": {"small": f"sum of seed {planned.seed}"},
            "versions": {"python": "3.11.0", "torch": "2.13.0", "iamm": "0.1.0"},
            "commit": "0123456789abcdef",
            "config": {**config, **budget, "patience": None},
            **changes,
        }
        for step in (10, 20, 30):
            values = {f"train/loss/{scene}": 1 / step for scene in test}
            folder.append({"kind": "train", "step": step, "epoch": step // 10, "values": values, "time": {}})
            values = {
                f"val/{name}/{scene}": value * step / 30
                for scene, measures in test.items()
                for name, value in measures.items()
            }
            values["val/quality"] = content["validation_quality"] * step / 30
            folder.append({"kind": "val", "step": step, "epoch": step // 10, "values": values, "time": {}})
        folder.end_records()
        write_checksummed(folder.result, content)
        return folder

    return write


@pytest.fixture
def make_table(make_plan, finish, tmp_path):
    """Changes of the plan and what became of each run → its table.

    `outcome` says of a planned run: scene → (measure, value), … if it is finished; why it failed; None: it is missing.
    `result` says what else stands in the run's result.
    """

    def make(
        outcome: Callable[[PlannedRun], dict[str, dict[str, float]] | str | None] = worked,
        result: Callable[[PlannedRun], dict[str, Any]] = lambda run: {},
        **changes: Any,
    ) -> Table:
        plan = make_plan(**changes)
        for run in plan.runs:
            measures = outcome(run)
            if isinstance(measures, str):
                failed = RunFolder(tmp_path / run.folder)
                failed.path.mkdir(parents=True)
                failed.write_status("failed", error=measures)
            elif measures is not None:
                finish(tmp_path, run, measures, **result(run))
        return build_table(plan, read_needed(plan, tmp_path))

    return make


WORKED = {
    ("ours", 0.001): ((0.50, 0.30), (0.60, 0.30), (0.70, 0.33)),
    ("ours", 0.002): ((0.10, 0.10), (0.10, 0.10), (0.10, 0.10)),
    ("rival", 0.001): ((0.05, 0.05), (0.05, 0.05), (0.05, 0.05)),
    ("rival", 0.002): ((0.40, 0.30), (0.50, 0.33), (0.55, 0.30)),
}
"""Accuracy and BLEU by row, learning rate and seed: accuracy separates the rows (t = −7, p = 0.0198), BLEU does not."""


def worked(run: PlannedRun) -> dict[str, dict[str, float]]:
    accuracy, bleu = WORKED[run.row, run.rate][run.seed]
    return {"a": {"accuracy": accuracy}, "b": {"bleu": bleu}}
