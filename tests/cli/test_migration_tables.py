"""The project's tables of migrations, from nothing to the report, on two targets and a few examples."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

CONFIGS = Path(__file__).parents[2] / "configs"
REVIEWS = [f"dataset.review_domains.{key}" for key in ("train=40", "validation=10", "test=14")]
DATA = Path(os.environ.get("IAMM_DATA_DIR", "data"))


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "rows", "small", "folder"),
    [
        ("migration", ("by attention", "fine-tuning"), REVIEWS, "."),
        ("migration_text", ("by attention", "linear"), ["dataset.fdu_mtl.train=40"], "fdu-mtl"),
        ("migration_digits", ("by attention", "MCC"), ["dataset.digit_domains.train=400", "steps=2"], "mnist-m"),
    ],
)
def test_a_shortened_table_is_run_and_built(name, rows, small, folder, table_command):
    if not (DATA / folder).exists() and folder != ".":
        pytest.skip(f"there is no {DATA / folder}")
    table: Any = OmegaConf.to_container(OmegaConf.load(CONFIGS / "table" / f"{name}.yaml"))
    shots = table["shots"][:2]
    rates = table["budget"].get("learning_rates")
    first, other = (table["rows"][row] for row in rows)
    chosen = {rows[0]: first, rows[1]: [*other, "transfer.steps=2"] if rates else other}
    changes = {
        **{"rows": chosen, "shared": [*table["shared"], *small], "targets": table["targets"][:2], "shots": shots},
        **{"seeds": [0], "budget": {**table["budget"], "epochs": 1, "row_learning_rates": {}}},
    }
    mine = Path("mine", "table", "small.yaml")
    mine.parent.mkdir(parents=True)
    mine.write_text(f"# Small.\n{json.dumps({**table, **changes})}\n", encoding="utf-8")
    answer = table_command("--config-dir=mine", "table=small", f"data_dir={DATA}", "device=cpu", "sweep.jobs=1")
    assert answer.code == 0, answer.err
    built = json.loads(Path("outputs/tables/small/table.json").read_text(encoding="utf-8"))
    for row in built["rows"]:
        cells = {label: set(cell["values"]) for label, cell in row["cells"].items()}
        valued = {cells.pop(label, frozenset()) == {"0"} for label in ("adaptation", "elasticity")}
        assert len(valued) == 1  # both, or none where all labels give no more than the most frequent class
        assert all(seeds == {"0"} for seeds in cells.values())
    if rates:
        assert {cost["rate"] for cost in built["rows"][1]["costs"].values()} <= set(rates)
    assert "reads of the target" in Path("outputs/tables/small/table.md").read_text(encoding="utf-8")
    assert Path("outputs/tables/small/labels.png").exists()
    assert Path("outputs/tables/small/sources.png").exists()
    assert Path("outputs/tables/small/recognised.png").exists()
