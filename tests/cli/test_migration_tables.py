"""The project's tables of migrations, from nothing to the report, on two targets and a few examples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

CONFIGS = Path(__file__).parents[2] / "configs"
REVIEWS = [f"dataset.review_domains.{key}" for key in ("train=40", "validation=10", "test=14")]
SHAPES = [
    *(f"dataset.shape_domains.{key}" for key in ("train=40", "validation=10", "test=14")),
    *("dim=8", "encoder.image.channels=[8,8]", "head.generation.max_length=3"),
]
LINEAR = {"linear": ["model=linear_text", "optimizer=adamw"]}


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "rows", "small", "more"),
    [
        ("migration", ("by attention", "fine-tuning"), REVIEWS, LINEAR),  # learning rates of transfers, labels
        ("migration_shapes", ("by attention", "concatenation"), SHAPES, {}),  # neither; a target of two views
    ],
)
def test_a_shortened_table_is_run_and_built(name, rows, small, more, table_command):
    table: Any = OmegaConf.to_container(OmegaConf.load(CONFIGS / "table" / f"{name}.yaml"))
    shots = table["shots"][:2]
    rates = table["budget"].get("learning_rates")
    first, other = (table["rows"][row] for row in rows)
    chosen = {rows[0]: first, rows[1]: [*other, "transfer.steps=2"] if rates else other, **more}
    changes = {
        **{"rows": chosen, "shared": [*table["shared"], *small], "targets": table["targets"][:2], "shots": shots},
        **{"seeds": [0], "budget": {**table["budget"], "epochs": 1, "row_learning_rates": {}}},
    }
    mine = Path("mine", "table", "small.yaml")
    mine.parent.mkdir(parents=True)
    mine.write_text(f"# Small.\n{json.dumps({**table, **changes})}\n", encoding="utf-8")
    answer = table_command("--config-dir=mine", "table=small", "device=cpu", "sweep.jobs=1")
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
