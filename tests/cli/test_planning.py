"""A table's YAML → its plan, and the very runs that `iamm-train` would start by hand."""

from __future__ import annotations

from copy import deepcopy
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from omegaconf import OmegaConf

from iamm.record.address import PLACES, drop_keys
from iamm.run.planned import Cell
from iamm.table.plan import Claims, Column, PlannedRun, TablePlan
from iamm.table.write.wording import tried_rates

CONFIGS = Path(__file__).parents[2] / "configs"
TABLES = sorted(path.stem for path in (CONFIGS / "table").glob("*.yaml"))
OVER_ALL = ("attention", "weighting")
"""Those with a row for every variant."""
EMBEDDED = ("image", "multiscene", "text_classification", "text_generation")
"""Those whose data are at hand everywhere."""

TABLE = """
# A table of one's own.
title: Mine
about: Made up.
shared: [dim=8, 'dataset.shapes.train=64', 'encoder.image.channels=[8,8]']
rows:
  ours: [weighting=mine]
  rival: [fusion=shared, weighting.power=2, weighting=mine]
columns:
  accuracy: {scene: shapes_image, measure: accuracy}
  mean: {measure: quality}
seeds: [3, 1]
budget: {epochs: 2, learning_rates: [1.0e-2, 0.001], parameters: 0.1}
test: t
"""
MINE = "# A weighting of one's own.\n_target_: mine.weighting\n_partial_: true\npower: 1\n"


class Planned(NamedTuple):
    plan: TablePlan
    cells: list[Cell]

    def values(self, key: str) -> dict[tuple[str, str], Any]:
        """(row, setting) → a value of its runs, which all have it."""
        result: dict[tuple[str, str], Any] = {}
        for run, cell in zip(self.plan.runs, self.cells, strict=True):
            value: Any = cell.values
            for part in key.split("."):
                value = value[part]
            assert result.setdefault((run.row, run.setting), value) == value
        return result


def write(files: dict[str, str]) -> None:
    for name, text in files.items():
        path = Path("my_configs", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture(autouse=True)
def allowed(monkeypatch):
    """The weighting of one's own may be named."""
    monkeypatch.setenv("IAMM_ALLOW", "mine")


@pytest.fixture
def planned(table_command, plans):
    """The text of a table of one's own, and other files, by name → what is planned; nothing is run."""

    def make(text: str = TABLE, *arguments: str, **files: str) -> Planned:
        write({"table/mine.yaml": text, "weighting/mine.yaml": MINE, **files})
        answer = table_command("--config-dir=my_configs", "table=mine", "list=true", *arguments)
        assert (answer.code, answer.err) == (0, "")
        return Planned(*plans[-1])

    return make


@pytest.fixture
def refused(table_command):
    """The text of a table of one's own → the line that says why it cannot be; nothing is written."""

    def make(text: str, *arguments: str) -> str:
        write({"table/mine.yaml": text, "weighting/mine.yaml": MINE})
        answer = table_command("--config-dir=my_configs", "table=mine", *arguments)
        assert (answer.code, answer.out) == (2, "")
        assert answer.err.count("\n") == 1
        assert [path.name for path in Path.cwd().iterdir()] == ["my_configs"]
        return answer.err.removeprefix("iamm-table: ").rstrip("\n")

    return make


def test_the_plan(planned):
    result = planned(
        TABLE + "seconds: 5\nclaims: {place: D0 §5, figures: {rival: {accuracy: 82.5}}}\n", "device=cpu", "sweep.jobs=7"
    )
    order = [
        (row, "runs", rate, seed) for seed in (3, 1) for row in ("ours", "rival") for rate in (0.01, 0.001)
    ]  # every row of a seed before the next seed
    assert result.plan == TablePlan(
        name="mine",
        title="Mine",
        about="Made up.",
        rows=("ours", "rival"),
        columns=(
            Column("accuracy", "accuracy", "shapes_image", "runs"),
            Column("mean", "quality", None, "runs"),
        ),
        settings=("runs",),
        seeds=(3, 1),
        rates=(0.001, 0.01),
        choose_seeds=2,
        budget={"epochs": 2, "steps": None, "batch_size": 64},
        tolerance=0.1,
        test="t",
        seconds=5,
        claims=Claims("D0 §5", {"rival": {"accuracy": 82.5}}),
        runs=tuple(PlannedRun(*run, cell.name) for run, cell in zip(order, result.cells, strict=True)),
    )
    assert len({cell.name for cell in result.cells}) == 8
    assert all(f"-shapes-seed{run[3]}-" in cell.name for run, cell in zip(order, result.cells, strict=True))
    assert [(cell.values["optimizer"]["lr"], cell.values["seed"]) for cell in result.cells] == [
        run[2:] for run in order
    ]
    assert [cell.values["dataset"]["shapes"]["seed"] for cell in result.cells] == [3, 3, 3, 3, 1, 1, 1, 1]
    assert result.values("weighting.power") == {("ours", "runs"): 1, ("rival", "runs"): 2}
    assert set(result.values("threads").values()) == {1}
    assert set(result.values("device").values()) == {"cpu"}
    assert result.cells[0].values["sweep"] == {"jobs": 7, "silence": 3600}


def test_the_runs_are_those_of_a_start_by_hand(planned, command, monkeypatch):
    """The same folder, the same configuration, the same choices: tables share runs among them and with `iamm-train`."""
    by_hand: list[Cell] = []
    monkeypatch.setattr("iamm.run.job.train_job", by_hand.append)
    text = TABLE.replace("dim=8, ", "dim=8, +experiment=generation, 'augment=[text]', ").replace(
        "shapes_image", "shapes_text"
    )
    result = planned(text)
    arguments = (
        "--config-dir=my_configs",
        "dim=8",
        "+experiment=generation",
        "augment=[text]",
        "dataset.shapes.train=64",
    )
    more = ("encoder.image.channels=[8,8]", "fusion=shared", "weighting.power=2", "weighting=mine")
    assert command(*arguments, *more, "epochs=2", "optimizer.lr=0.001", "seed=1").code == 0
    (cell,) = by_hand
    assert cell.name == result.plan.runs[-1].folder
    assert cell.choices == result.cells[-1].choices
    assert drop_keys(cell.values, PLACES) == drop_keys(result.cells[-1].values, PLACES)
    assert {key for key in cell.values if cell.values[key] != result.cells[-1].values[key]} == {"threads", "log"}


def test_pictures_are_drawn_by_the_first_seed_alone(planned):
    """They are no part of a result: a run that draws has the address of one that does not."""
    few, many = planned(TABLE), planned(TABLE.replace("shared: [", "shared: [log.pictures=2, "))
    assert [cell.values["log"]["pictures"] for cell in few.cells] == [6, 6, 6, 6, 0, 0, 0, 0]
    assert [cell.values["log"]["pictures"] for cell in many.cells] == [2, 2, 2, 2, 0, 0, 0, 0]
    assert few.plan == many.plan


def test_places_are_no_part_of_the_plan(planned):
    here = planned(TABLE).plan
    assert planned(TABLE, "device=cuda", "sweep.jobs=1", "data_dir=elsewhere").plan == here


def test_a_row_for_each_choice_of_a_group(planned):
    each = "each: {group: fusion, leave_out: [none]}\n"
    text = TABLE.replace("  rival: [fusion=shared, weighting.power=2, weighting=mine]\n", "")
    result = planned(text + each, **{"fusion/mine.yaml": MINE})
    others = {path.stem for path in (CONFIGS / "fusion").glob("*.yaml")} - {"none"}
    assert result.plan.rows == ("ours", *sorted({*others, "mine"}))
    taken = {run.row: cell.choices["fusion"] for run, cell in zip(result.plan.runs, result.cells, strict=True)}
    assert taken == {row: "interest_guidance" if row == "ours" else row for row in result.plan.rows}
    assert result.values("fusion._target_")["mine", "runs"] == "mine.weighting"


def test_a_row_for_each_choice_of_a_part(planned):
    text = TABLE.replace("rows:", "dropped:").replace("budget: {", "budget: {steps: null, ")
    text = "\n".join(line for line in text.splitlines() if not line.startswith(("dropped", "  ours", "  rival")))
    others = sorted({path.stem for path in (CONFIGS / "encoder").glob("*.yaml")} - {"recurrent", "transformer"})
    result = planned(f"{text}\neach: {{group: encoder@encoder.text, leave_out: [{','.join(others)}]}}\n")
    assert result.plan.rows == ("recurrent", "transformer")
    assert [part["_target_"].split(".")[2] for part in result.values("encoder.text").values()] == list(result.plan.rows)
    assert set(result.values("steps").values()) == {None}


SETTINGS = """
title: Settings
about: Made up.
shared:
  pictures: [dataset=digits, dim=8, epochs=3]
  both: [dim=16]
rows:
  ours: []
  alone: ['fusion=none']
columns:
  digits: {setting: pictures, scene: digits, measure: loss}
  gain: {setting: both, measure: quality, minus: alone}
seeds: [0]
budget: {parameters: null}
test: wilcoxon
"""


def test_settings_and_differences(planned):
    result = planned(SETTINGS)
    places = [(row, setting) for row in ("ours", "alone") for setting in ("pictures", "both")]
    assert [(run.row, run.setting) for run in result.plan.runs] == places
    assert list(result.values("dim").values()) == [8, 16, 8, 16]
    assert result.plan.columns == (
        Column("digits", "loss", "digits", "pictures"),
        Column("gain", "quality", None, "both", minus="alone"),
    )
    assert result.plan.budget == {"epochs": [3, 10], "steps": None, "batch_size": 64}
    assert (result.plan.rates, result.plan.tolerance, result.plan.test) == ((0.001,), None, "wilcoxon")


def test_a_row_may_leave_scenes_out(planned):
    """As a rival that learns a scene alone; what both have must be the same."""
    shared = "shared: ['dataset=[shapes,digits]']"
    text = SETTINGS.replace("  pictures: [dataset=digits, dim=8, epochs=3]\n  both: [dim=16]\n", "").replace(
        "shared:", shared
    )
    text = text.replace("setting: pictures, ", "").replace("setting: both, ", "")
    views = planned(text.replace("'fusion=none'", "'dataset.shapes.views=[text]'"))
    assert [len(part) for part in views.values("dataset.shapes.views").values()] == [2, 1]
    sets = planned(text.replace("'fusion=none'", "'dataset=[digits]'"))
    assert [list(data) for data in sets.values("dataset").values()] == [["shapes", "digits"], ["digits"]]


def test_the_table_of_the_documentation(planned):
    text = (CONFIGS.parent / "docs" / "tables.md").read_text(encoding="utf-8")
    result = planned(text.split("```yaml\n")[1].split("```")[0])
    assert result.plan.rows == ("IAMM", "shared layers", "mine", "pictures alone")
    assert len(result.plan.runs) == 4 * 2 * 5
    assert result.values("epochs")["mine", "runs"] == 6
    assert result.values("weighting._target_")["mine", "runs"] == "mine.weighting"


REFUSED = [  # what is replaced, by what, what is expected
    ("fusion=shared", "epochs=3", "share budget and data. Found epochs=3 in row rival, 2 in row ours: set it under"),
    ("fusion=shared", "patience=3", "share budget and data. Found patience=3 in row rival, None in row ours: set it"),
    ("fusion=shared", "dataset.shapes.train=32", "Found dataset.shapes.train=32 in row rival, 64 in row ours: set it"),
    ("fusion=shared", "dataset.shapes.batch_size=3", "Found dataset.shapes.batch_size=3 in row rival, 64 in row ours"),
    (
        "fusion=shared",
        "'dataset=[digits]'",
        "In row rival: A key must belong to a chosen part. Found dataset.shapes.train",
    ),
    (
        "fusion=shared",
        "fusoin=shared",
        'In row rival: A key must be known. Found fusoin. Did you mean "fusion"?',
    ),
    ("fusion=shared", "dmi=3", 'In row rival: A key must be known. Found dmi. Did you mean "dim"?'),
    ("fusion=shared", "+dmi=3", 'In row rival: A key must be known. Found dmi. Did you mean "dim"?'),
    ("fusion=shared", "fusion=shard", "In row rival: `fusion` must be one of its choices. Found shard. Did you mean"),
    ("weighting=mine]\n  r", "weighting=mne]\n  r", 'must be one of its choices. Found mne. Did you mean "mine"?'),
    (
        "fusion=shared, weighting.power=2",
        "log.every=7",
        "compute different things. Found `log.every` alone to differ, ",
    ),
    ("fusion=shared, weighting.power=2", "nonfinite=skip", "Found `nonfinite` alone to differ, stop and skip, which a"),
    ("fusion=shared", "clip=0", "In row rival: `clip` must be a number above 0, or null. Found 0."),
    ("fusion=shared", "attention.heads=3", "In row rival: `attention.heads` must divide `dim`. Found dim=8, heads=3"),
    ("fusion=shared", "clip", "In row rival: An override must read key=value. Found clip"),
    ("fusion=shared", "'clip=1,2'", "In row rival: A key takes one value. Found clip=1,2"),
    ("dim=8", "+experiment=nowhere", "In row ours: `experiment` must be one of its choices. Found nowhere."),
    ("title: Mine", "title: ${nowhere}", "`table.title` must refer to a key that is there. Found ${nowhere}: set it"),
    (
        "title: Mine",
        "title: [a",
        "/my_configs/table/mine.yaml, line 4: ",
    ),
    ("title: Mine", "title: a\ntitle: b", "/my_configs/table/mine.yaml, line 4: found duplicate key title. Mend it"),
    (
        "title: Mine",
        "title: \x01",
        "A YAML file must be plain text in UTF-8. Found one that is not: unacceptable chara",
    ),
    ("title: Mine", "title: a\neach: {group: weightin}", "`each.group` must be a group. Found weightin. Did you mean"),
    ("title: Mine", "title: a\neach: {group: fusion, leave_out: [non]}", "`each.leave_out` names choices. Found non."),
    ("title: Mine", "title: a\ncompare: [acuracy]", '`compare` names columns. Found acuracy. Did you mean "accuracy"?'),
    (
        "shapes_image",
        "shapes_imge",
        'Found shapes_imge in accuracy. Did you mean "shapes_image"? Choices: shapes_image, s',
    ),
    ("shapes_image", "shapes", "A column is of a scene that its setting has. Found shapes in accuracy. Did you mean"),
    (
        "shapes_image",
        "digits",
        "A column is of a scene that its setting has. Found digits in accuracy. Choices: shapes",
    ),
]


@pytest.mark.parametrize(("old", "new", "expected"), REFUSED, ids=[new for _, new, _ in REFUSED])
def test_what_cannot_be_planned(old, new, expected, refused):
    assert TABLE.count(old) == 1
    assert expected in refused(TABLE.replace(old, new))


def test_rows_without_data_in_common(refused):
    text = SETTINGS.replace("'fusion=none'", "dataset=shapes")
    assert refused(text) == (
        "Rows of a table share data. Found no data set of row ours in row alone: name them under `shared`."
    )


def test_learning_rates_are_the_same_for_all_rows(refused, planned):
    """A row's own would be no fair choice; another optimizer tries the table's as well."""
    text = SETTINGS.replace("'fusion=none'", "optimizer=sgd")
    assert "Found optimizer.lr=0.05 in row alone, 0.001 in row ours: set it under" in refused(text)
    result = planned(text.replace("budget: {", "budget: {learning_rates: [1.0e-1, 1.0e-3], "))
    assert result.plan.rates == (0.001, 0.1)
    assert {run.rate for run in result.plan.runs if run.row == "alone"} == {0.001, 0.1}


CHOOSING = TABLE.replace("parameters: 0.1", "parameters: 0.1, choose_seeds: 1")


def test_rates_can_be_chosen_over_the_first_seeds(planned):
    """The plan has every run; which of those at the other seeds is needed, results decide."""
    result = planned(CHOOSING)
    assert result.plan.choose_seeds == 1
    assert len(result.plan.runs) == 8


def test_a_row_that_begins_from_another_needs_it_at_every_rate(refused):
    assert "Found `budget.choose_seeds` too" in refused(CHOOSING.replace("weighting.power=2,", "from=ours,"))


def test_a_row_on_another_scale_tries_its_own_learning_rates(planned):
    """Equally many; both lists are shown."""
    text = SETTINGS.replace("'fusion=none'", "optimizer=sgd")
    own = "budget: {learning_rates: [1.0e-1, 1.0e-3], row_learning_rates: {alone: [10, 1]}, "
    result = planned(text.replace("budget: {", own))
    rates = {row: {run.rate for run in result.plan.runs if run.row == row} for row in result.plan.rows}
    assert rates == {"ours": {0.001, 0.1}, "alone": {1.0, 10.0}}
    assert list(tried_rates(result.plan)) == ["learning rates 0.001, 0.1", "alone: learning rates 1, 10"]


@pytest.mark.parametrize("name", TABLES)
def test_every_table_of_the_project_can_be_planned(name, table_command, plans):
    path = CONFIGS / "table" / f"{name}.yaml"
    table: Any = OmegaConf.load(path)
    answer = table_command(f"table={name}", "list=true", *(["table.seeds=[0]"] if name in OVER_ALL else []))
    assert (answer.code, answer.err) == (0, "")
    plan, cells = plans[-1]
    places = product(plan.rows, plan.settings)
    rates = {place: {run.rate for run in plan.runs if (run.row, run.setting) == place} for place in places}
    sources = [cell for cell in cells if "targets" in table and cell.values["target"] is None]
    if "targets" not in table:  # where only some transfers have a learning rate
        assert {len(tried) for tried in rates.values()} == {len(table.budget.get("learning_rates", ["default"]))}
    assert len(plan.runs) == sum(map(len, rates.values())) * len(plan.seeds)
    assert "targets" in table or len(plan.runs) == len(cells)
    assert len({run.folder for run in plan.runs}) == len(cells) - len(sources)
    assert len(table.seeds) >= 3
    assert plan.seconds is not None
    unbound = (*OVER_ALL, "negative_transfer", *(table for table in TABLES if table.startswith("recommendation")))
    assert (plan.tolerance is None) == (name in unbound or "targets" in table)
    assert {setting for column in plan.columns for setting, _ in column.parts} == set(plan.settings)
    first = path.read_text(encoding="utf-8").splitlines()[0]
    assert first.startswith("# ")
    assert first.endswith(".")
    if plan.claims is not None:
        assert plan.claims.place in first
        assert list(plan.claims.figures) == [row for row in plan.rows if row in plan.claims.figures]
    if name in EMBEDDED:
        for cell in cells[: len(plan.rows) * len(plan.rates)]:
            can_be_built(cell)


MIGRATIONS = """
# A table of one's own.
title: Mine
about: Made up.
shared: [+experiment=migration_reviews, dim=8]
rows:
  as it is: [transfer=unchanged]
  tuned: [transfer=fine_tune]
targets: [book, hotel]
shots: [0, 3]
seeds: [3, 1]
budget: {epochs: 2, parameters: null}
test: t
"""


def test_a_table_of_migrations(planned):
    plan, cells = planned(MIGRATIONS)
    assert plan.settings == tuple(f"{target}, {k} labels a class" for target in ("book", "hotel") for k in (0, 3))
    sources = {cell.name: cell for cell in cells if cell.values["target"] is None}
    assert len(sources) == 4  # two targets, two seeds: each is trained once
    assert len(cells) == 4 + (1 + 2) * 2 * 2  # what reads no label has one run for both numbers of labels
    moved = {cell.name: cell.values for cell in cells if cell.values["target"] is not None}
    assert set(moved) == {run.folder for run in plan.runs}
    for run in plan.runs:
        values = moved[run.folder]
        assert values["draw"] == values["seed"] == run.seed
        shots = values["shots"] if run.row == "tuned" else run.setting.split()[1]
        assert f"{values['target']}, {shots} labels a class" == run.setting
        source = sources[Path(values["from"]).name].values["dataset"]["review_domains"]["scenes"]
        assert values["target"] not in source
        assert len(source) == 3
    summed = ["area", "kept, 3 labels", "adaptation", "elasticity"]
    assert [column.label for column in plan.columns] == ["no label", "3 labels", *summed]


def test_learning_rates_of_a_table_of_migrations_are_those_of_transfers(planned):
    plan, cells = planned(MIGRATIONS.replace("epochs: 2", "epochs: 2, learning_rates: [0.1, 0.2]"))
    moved = {cell.name: cell.values for cell in cells}
    rates = {row: {run.rate for run in plan.runs if run.row == row} for row in plan.rows}
    assert rates == {"as it is": {0.01}, "tuned": {0.1, 0.2}}
    assert {moved[run.folder]["optimizer"]["lr"] for run in plan.runs} == {0.01}
    assert all(moved[run.folder]["transfer"]["rate"] == run.rate for run in plan.runs if run.row == "tuned")
    assert len([cell for cell in cells if cell.values["target"] is None]) == 4
    assert plan.judges["hotel, 3 labels a class"] == "book, 3 labels a class"


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("shots: [0, 3]\n", "", "A table must have `shots`. Found none"),
        (
            "test: t",
            "test: t\ncolumns: {a: {measure: quality}}",
            "A table with `targets` has columns and settings of its own",
        ),
        (
            "[transfer=unchanged]",
            "[transfer=unchanged, target=book]",
            "Found target=book in rows.as it is: give the table `targets`.",
        ),
        (
            "targets: [book, hotel]\nshots: [0, 3]\nseeds: [3, 1]\nbudget: {",
            "targets: [book]\nshots: [0, 3]\nseeds: [3, 1]\nbudget: {learning_rates: [0.1], ",
            "A transfer's learning rate is chosen on another target. Found book alone:",
        ),
        ("targets: [book,", "targets: [sofa,", "`target` must be a scene of the run. Found sofa."),
    ],
)
def test_mistakes_in_a_table_of_migrations(refused, old, new, line):
    assert old in MIGRATIONS
    assert line in refused(MIGRATIONS.replace(old, new))


def can_be_built(cell: Cell) -> None:
    """Every part of the run takes its arguments; on few examples, for speed."""
    from iamm.run.build import build, build_datasets

    config = deepcopy(dict(cell.values))
    for part in config["dataset"].values():
        part.update({key: 32 for key in ("train", "validation", "test") if isinstance(part.get(key), int)})
    parts = build(config, build_datasets(config))
    assert parts.optimizer.param_groups[0]["lr"] == cell.values["optimizer"]["lr"]


@pytest.mark.parametrize("group", OVER_ALL)
def test_a_table_over_all_variants_has_them_all(group):
    """Whoever adds a variant need not edit the table."""
    table: Any = OmegaConf.load(CONFIGS / "table" / f"{group}.yaml")
    assert table.each.group == group
    assert set(table.each.get("leave_out", [])) <= {"fixed"}  # needs values of one's own
