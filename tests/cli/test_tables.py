"""`iamm-table`: runs what is missing and builds, once; and says in one line what it cannot do."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from shutil import which
from typing import Any

import pytest

from iamm.errors import FailedCellError
from iamm.record.checksummed import checked, write_checksummed
from iamm.record.run_folder import RunFolder
from iamm.run.planned import Cell
from iamm.table.plan import PlannedRun, TablePlan

TABLE = """# A small table of one's own.
title: Small
about: Generated shapes, few of them.
shared:
  - dim=8
  - dataset.shapes.train=64
  - dataset.shapes.validation=16
  - dataset.shapes.test=16
  - encoder.image.channels=[8,8]
  - head.generation.max_length=3
rows:
  IAMM: []
  alone: [fusion=mine]
columns:
  accuracy: {scene: shapes_image, measure: accuracy}
  loss: {scene: shapes_text, measure: loss}
seeds: [0, 1]
budget: {epochs: 1, parameters: 0.9}
test: t
seconds: 2
claims: {place: D0 §5, figures: {IAMM: {accuracy: 88.7}, alone: {accuracy: 85.3}}}
"""
FUSION = "# No fusion, under a name of one's own.\n_target_: iamm.fusion.none.NoneFusion\n_partial_: true\n"
MINE = ("--config-dir=mine", "table=small")
BUILT = {"table.md", "table.csv", "table.tex", "table.json", "table.png", "report.html"}
WORTH = {"IAMM": (0.75, 2.0), "alone": (0.5, 3.0)}
"""Accuracy and loss of a run that is only pretended."""


@pytest.fixture
def small_table() -> Path:
    path = Path("mine", "table", "small.yaml")
    path.parent.mkdir(parents=True)
    path.write_text(TABLE, encoding="utf-8")
    fusion = Path("mine", "fusion", "mine.yaml")
    fusion.parent.mkdir()
    fusion.write_text(FUSION, encoding="utf-8")
    return path


@pytest.fixture
def folder() -> Path:
    """Of the small table's files."""
    return Path("outputs", "tables", "small")


@pytest.fixture
def swept(monkeypatch):
    """What is handed to the sweep, call by call; it runs nothing and says that all is well."""
    calls: list[tuple[list[Cell], tuple[str, ...]]] = []

    def sweep(cells, launcher):
        calls.append((cells, launcher))
        return []

    monkeypatch.setattr("iamm.sweep.sweep.sweep", sweep)
    return calls


def pretend(run: PlannedRun, cell: Cell, output_dir: Path = Path("outputs")) -> None:
    """The folder of a planned run as if it were finished."""
    accuracy, loss = (value + run.seed / (64 if run.row == "IAMM" else 16) for value in WORTH[run.row])
    result: dict[str, Any] = {
        "test": {"shapes_image": {"accuracy": accuracy, "loss": 1.0}, "shapes_text": {"bleu": 0.5, "loss": loss}},
        "curve": {"shapes_image": [{"accuracy": accuracy / 2, "train_loss": 2 * loss}]},
        "quality": {"shapes_image": accuracy, "shapes_text": 0.5},
        "scene_weights": {},
        "validation_quality": accuracy,
        "best_epoch": 1,
        "epochs": 1,
        "steps": 4,
        "parameters": 1000,
        "seconds": 1.5,
        "peak_memory_mib": 300.0,
        "seed": run.seed,
        "threads": 1,
        "device": "cpu",
        "choices": dict(cell.choices),
        "notices": [],
        "data": {"shapes": f"sum of seed {run.seed}"},
        "versions": {"python": "3.11.0", "iamm": "0.1.0"},
        "commit": "0123456789abcdef",
        "config": dict(cell.values),
    }
    place = output_dir / run.folder
    place.mkdir(parents=True)
    (place / "config.yaml").write_text("seed: 0\n", encoding="utf-8")
    RunFolder(place).end_records()
    write_checksummed(place / "result.json", result)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def report_commands(folder: Path) -> list[str]:
    """What the report says it is built by, as a browser shows it."""
    return re.findall(r"<code>(IAMM_ALLOW=.*?)</code></dd>", html.unescape((folder / "report.html").read_text()))


def grid(out: str) -> list[list[str]]:
    """The lines of the table that is shown."""
    return [line.split() for line in out.splitlines() if re.match(r" (IAMM|alone) ", line)]


def test_without_runs_every_cell_is_missing(table_command, small_table, swept, folder):
    answer = table_command(*MINE, "run=false")
    assert (answer.code, answer.err) == (0, "")
    assert grid(answer.out) == [["IAMM", "missing", "missing"], ["alone", "missing", "missing"]]
    assert "4 of 4 planned runs are not finished: 4 missing." in answer.out
    assert swept == []
    assert {path.name for path in folder.iterdir()} == BUILT
    assert [path.name for path in Path("outputs").iterdir()] == ["tables"]
    assert (folder / "table.md").read_text(encoding="utf-8").count("missing") > 3


def test_the_report_prints_its_whole_command(table_command, small_table, swept, folder, monkeypatch):
    monkeypatch.setenv("IAMM_ALLOW", "mine,yours")
    Path("mine").rename("sweep")
    without = ("run=false", "sweep.jobs=2", "++list=false", "hydra.verbose=false")
    assert table_command("--config-dir", "sweep", "table=small", "table.seeds=[0,1]", *without).code == 0
    commands = report_commands(folder)
    whole = "IAMM_ALLOW=mine,yours iamm-table --config-dir sweep table=small 'table.seeds=[0,1]'"
    assert commands == [whole, f"{whole} run=false"]


def test_a_listing_runs_and_builds_nothing(table_command, small_table, swept, folder):
    answer = table_command(*MINE, "list=true", "sweep.jobs=3")
    assert (answer.code, answer.err) == (0, "")
    assert "0 of 4 runs are finished; what is left takes about 3 s, 3 at once." in answer.out
    assert swept == []
    assert not Path("outputs").exists()


def test_only_what_is_missing_is_run(table_command, small_table, swept, folder, plans):
    table_command(*MINE, "list=true")
    plan, cells = plans[-1]
    pretend(plan.runs[0], cells[0])
    answer = table_command(*MINE, "device=cpu", "sweep.jobs=3")
    assert answer.code == 0
    ((handed, launcher),) = swept
    assert [cell.name for cell in handed] == [run.folder for run in plan.runs[1:]]
    assert {(cell.values["device"], cell.values["sweep"]["jobs"]) for cell in handed} == {("cpu", 3)}
    assert [cell.choices for cell in handed] == [cell.choices for cell in cells[1:]]
    assert launcher == ()
    assert grid(answer.out) == [
        ["IAMM", "75.00", "(n", "=", "1)", "2.0000", "(n", "=", "1)"],
        ["alone", "missing", "missing"],
    ]
    for run, cell in zip(plan.runs[1:], cells[1:], strict=True):
        pretend(run, cell)
    answer = table_command(*MINE)
    assert len(swept) == 1
    assert "IAMM" in answer.out
    assert "accuracy: claimed IAMM > alone; found IAMM > alone; held: in the means only" in answer.out
    assert "not finished" not in answer.out
    assert table_command(*MINE, "rerun=true").code == 0
    assert [(cell.name, cell.values["rerun"]) for cell in swept[1][0]] == [(run.folder, True) for run in plan.runs]


def test_a_column_of_an_epoch_reads_the_curve(table_command, small_table, swept, plans):
    """The runs came as far as epoch 1."""
    columns = "".join(f"  train {n}: {{scene: shapes_image, measure: train_loss, epoch: {n}}}\n" for n in (1, 2))
    text = TABLE.replace("measure: accuracy}", "measure: accuracy, epoch: 1}")
    small_table.write_text(text.replace("  loss: {scene: shapes_text, measure: loss}\n", columns), encoding="utf-8")
    table_command(*MINE, "list=true")
    plan, cells = plans[-1]
    pretend(plan.runs[0], cells[0])
    answer = table_command(*MINE, "run=false")
    assert grid(answer.out)[0][:9] == ["IAMM", "37.50", "(n", "=", "1)", "4.0000", "(n", "=", "1)"]
    assert "train 2 is empty: no finished run in runs has train_loss of shapes_image." in answer.out


def test_rates_are_chosen_before_the_other_seeds_are_run(table_command, small_table, folder, monkeypatch, plans):
    """Two sweeps: both rates at seed 0, then each row's better one at seed 1."""
    handed: list[list[tuple[str, float, int]]] = []

    def sweep(cells, launcher):
        plan, _ = plans[-1]
        runs = {run.folder: run for run in plan.runs}
        handed.append([(runs[cell.name].row, runs[cell.name].rate, runs[cell.name].seed) for cell in cells])
        for cell in cells:
            pretend(runs[cell.name], cell)
        return []

    monkeypatch.setattr("iamm.sweep.sweep.sweep", sweep)
    budget = ("+table.budget.learning_rates=[0.001,0.01]", "+table.budget.choose_seeds=1")
    assert table_command(*MINE, *budget).code == 0
    first = [(row, rate, 0) for row in ("IAMM", "alone") for rate in (0.001, 0.01)]
    assert handed == [first, [("IAMM", 0.001, 1), ("alone", 0.001, 1)]]


def test_another_launcher_of_hydra_is_reported(table_command, small_table, swept):
    assert table_command(*MINE, "hydra/launcher=basic", "sweep.jobs=2").code == 0
    assert [launcher for _, launcher in swept] == [("--config-dir=mine", "hydra/launcher=basic")]


def test_a_failed_run_is_shown_and_gives_3(table_command, small_table, monkeypatch, folder, plans):
    def sweep(cells, launcher):
        cells[0].folder.path.mkdir()
        cells[0].folder.write_status("failed", error="made to fail")
        return [FailedCellError("made to fail")]

    monkeypatch.setattr("iamm.sweep.sweep.sweep", sweep)
    answer = table_command(*MINE)
    assert (answer.code, answer.err) == (3, "")
    assert "note: Failed: IAMM, runs, learning rate 0.001, seed 0: made to fail" in answer.out
    assert {path.name for path in folder.iterdir()} >= BUILT
    again = table_command(*MINE, "run=false")
    assert (again.code, again.out) == (0, answer.out)
    listing = table_command(*MINE, "list=true").out
    assert f"failed  {plans[-1][1][0].folder.path}: made to fail" in listing


def test_a_thousand_finished_runs_are_only_looked_at(table_command, small_table, swept, plans, monkeypatch):
    table_command(*MINE, "list=true")
    plan, cells = plans[-1]
    each = [Cell({**cells[0].values, "seed": seed}, cells[0].choices) for seed in range(1000)]
    many = tuple(
        PlannedRun(plan.rows[seed % 2], "runs", 0.001, seed, cell.folder.path.name) for seed, cell in enumerate(each)
    )
    for cell in each:
        cell.folder.path.mkdir(parents=True)
        write_checksummed(cell.folder.result, {"test": {}, "config": cell.values})
    built: list[TablePlan] = []
    monkeypatch.setattr("iamm.table.planning.plan_table", lambda *_: (replace(plan, runs=many), each))
    monkeypatch.setattr("iamm.table.building.build", lambda plan, *_, **__: built.append(plan))
    assert table_command(*MINE).code == 0
    assert swept == []
    assert built[0].runs == many


def test_a_result_of_another_configuration_counts_nowhere(table_command, small_table, swept, plans):
    """Sealed anew; the table names it and goes on."""
    table_command(*MINE, "list=true")
    plan, cells = plans[-1]
    for run, cell in zip(plan.runs, cells, strict=True):
        pretend(run, cell)
    path = Path("outputs", plan.runs[0].folder, "result.json")
    result = checked(path.read_bytes())
    write_checksummed(path, {**result, "config": {**result["config"], "seed": 99}})
    answer = table_command(*MINE, "run=false")
    assert (answer.code, answer.err) == (0, "")
    assert f"A result must be of its folder's configuration. Found {path} of another" in answer.out
    assert f"1 of {len(plan.runs)} planned runs are not finished: 1 failed." in answer.out


MISTAKES = [  # the arguments, what is expected, the exit code
    ("", "`iamm-table` builds one table. Found none: add table=…. Choices: attention, cifar10, cifar10_quick,"),
    ("table=imag", '`table` must be one of its choices. Found imag. Did you mean "image"? Choices: attention,'),
    ("table=smal --config-dir=mine", 'Found smal. Did you mean "small"? Choices: attention, cifar10, cifar10_quick,'),
    ("table=" + "x" * 300, "`table` must be one of its choices. Found xxx"),
    ("table=", "`table` must be one of its choices. Found none. Choices: attention,"),
    ("table=null", "A group takes the name of a choice. Found null or a number: see --help for the choices."),
    ("table=image,multiscene", "A key takes one value. Found table=image,multiscene: call iamm-table for each, or"),
    ("table=[image,multiscene]", "`table` must name one table. Found a list: call iamm-table once for each."),
    ("table=image ~table", "`iamm-table` needs every key. Found no table: leave out what removes it."),
    ("table=image ~run", "`iamm-table` needs every key. Found no run: leave out what removes it."),
    ("table=image sweep=3", "`iamm-table` needs every key. Found no sweep.jobs: leave out what removes it."),
    ("-m table=image", "`iamm-table` runs its runs side by side by itself. Found -m: leave it out."),
    ("table=image,multiscene --multirun", "`iamm-table` runs its runs side by side by itself. Found -m: leave it out."),
    ("table=image hydra.mode=MULTIRUN", "`iamm-table` runs its runs side by side by itself. Found -m: leave it out."),
    ("--list table=image", "A key stands without dashes. Found --list: write list=…."),
    ("table=image run=maybe", "`run` must be true or false. Found 'maybe'."),
    ("table=image list=1", "`list` must be true or false. Found 1."),
    ("table=image costs=null", "`costs` must be true or false. Found None."),
    ("table=image device=tpu", "`device` must be auto, cpu, cuda or cuda:<number>. Found 'tpu'."),
    ("table=image sweep.jobs=0", "`sweep.jobs` must be a whole number at least 1, or null. Found 0."),
    ("table=image sweep.silence=0", "`sweep.silence` must be a number above 0. Found 0."),
    ("table=image rnu=false", 'A key must be known. Found rnu. Did you mean "run"?'),
    ("table=image epochs=3", 'A key must be known. Found epochs. Did you mean "table.budget.epochs"?'),
    ("table=image +epochs=3", 'A key must be known. Found epochs. Did you mean "table.budget.epochs"?'),
    ("table=image +sweep.job=3", 'A key must be known. Found sweep.job. Did you mean "sweep.jobs"?'),
    ("table=image seed=3", 'A key must be known. Found seed. Did you mean "table.seeds"?'),
    ("table=image zzz=3", "A key must be known. Found zzz. See iamm-table --help."),
    ("table=image table.sedes=[0]", 'A key must be known. Found table.sedes. Did you mean "table.seeds"?'),
    ("table=image table.budget.steps=3", "Found table.budget.steps=…: write +table.budget.steps=… to add it."),
    ("table=image +table.titel=x", 'A table has known keys. Found titel. Did you mean "title"? Choices: about,'),
    ("table=image table.seeds=[1,1]", "`seeds` must be a list without repeats, each of them a whole number at least"),
    ("table=image table.budget.learning_rates=[0]", "each of them a number above 0. Found [0]."),
    ("table=image 'table", "An override must read key=value. Found 'table"),
    ("--config-dir=nowhere table=image", "/nowhere: make it, or name another."),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "expected"), MISTAKES, ids=[arguments for arguments, _ in MISTAKES])
def test_mistakes(arguments, expected, table_command, small_table):
    answer = table_command(*arguments.split())
    assert (answer.code, answer.out) == (2, "")
    assert re.fullmatch(r"iamm-table: [^\n]+\n", answer.err), answer.err
    assert expected in answer.err
    assert [path.name for path in Path.cwd().iterdir()] == ["mine"]


def test_a_folder_of_a_path_that_is_too_long(table_command, small_table):
    answer = table_command("table=image", "output_dir=" + "x" * 300)
    assert (answer.code, answer.out) == (73, "")
    assert answer.err.startswith("iamm-table: A table's folder's path must have at most 3,825 bytes, and each name")


def test_a_folder_that_cannot_be_written(table_command, small_table):
    Path("file").write_text("no folder", encoding="utf-8")
    answer = table_command(*MINE, "output_dir=file/below")
    assert (answer.code, answer.out) == (73, "")
    assert answer.err == (
        "iamm-table: A table's folder must be writable. Found file/below/tables/small: Not a directory. "
        "Set output_dir=… elsewhere.\n"
    )


def test_tables_are_no_choice_of_a_run(command):
    answer = command("table=image")
    assert answer.code == 2
    assert answer.err == (
        "iamm-train: A comparison table is built by iamm-table. Found table=…: write iamm-table table=….\n"
    )


def test_the_composed_configuration_can_be_looked_at(table_command, small_table):
    answer = table_command("--cfg", "job", *MINE, "list=true")
    assert (answer.code, answer.err) == (0, "")
    assert "list: true\n" in answer.out
    assert "  title: Small\n" in answer.out
    assert [path.name for path in Path.cwd().iterdir()] == ["mine"]


def test_help_has_every_key(table_command):
    from iamm.config.check.table import KEYS

    answer = table_command("--help", "table=nowhere")
    assert (answer.code, answer.err) == (0, "")
    configs = Path(__file__).parents[2] / "configs"
    for path in (configs / "table").glob("*.yaml"):
        expected = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        assert re.search(rf"^  {path.stem} +{re.escape(expected)}$", answer.out, flags=re.MULTILINE)
    text = (configs / "table.yaml").read_text(encoding="utf-8")
    for key, expected in re.findall(r"^ *(\w+): [^#\n]*# (.+)$", text, flags=re.MULTILINE):
        assert re.search(rf"^  (sweep\.)?{key}=.* {re.escape(expected)}$", answer.out, flags=re.MULTILINE), key
    for key in KEYS:
        assert re.search(rf"^[* ] {key} +\S", answer.out, flags=re.MULTILINE), key


WITHOUT_TORCH = """
import json, sys
from hydra.core.global_hydra import GlobalHydra
from iamm.cli.table import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["iamm-table", *arguments]
    try:
        main()
        code = 0
    except SystemExit as left:
        code = left.code
    print("left with", code, [name for name in ("torch", "sklearn") if name in sys.modules])
    GlobalHydra.instance().clear()
"""


def test_without_waiting_for_torch(table_command, small_table, swept, folder, plans):
    """Nothing is trained, so nothing that trains is imported; also when a whole table is built."""
    table_command(*MINE, "list=true")
    plan, cells = plans[-1]
    for run, cell in zip(plan.runs, cells, strict=True):
        pretend(run, cell)
    planning = (["table=imag"], ["table=image", "run=maybe"], [*MINE, "table.seeds=[0]", "list=true"])
    calls = [["--help"], *planning, [*MINE, "run=false"], [*MINE]]
    call = [sys.executable, "-c", WITHOUT_TORCH, json.dumps(calls)]
    done = subprocess.run(call, capture_output=True, text=True, timeout=300)
    expected = [line for line in done.stdout.splitlines() if line.startswith("left with")]
    assert expected == [f"left with {code} []" for code in (0, 2, 2, 0, 0, 0)], done.stdout + done.stderr
    assert {path.name for path in folder.iterdir()} >= BUILT


def test_a_table_from_nothing_and_again(table_process, small_table, folder, tmp_path, monkeypatch):
    """Real processes: the report's own commands find everything there and leave every byte as it is."""
    monkeypatch.setenv("IAMM_ALLOW", "my_package")
    package = tmp_path / "my_package"
    package.mkdir()
    (package / "mine.py").write_text(
        "from iamm.fusion.none import NoneFusion\n\n\nclass MineFusion(NoneFusion):\n    pass\n"
    )
    fusion = tmp_path / "mine" / "fusion" / "mine.yaml"
    fusion.write_text(FUSION.replace("iamm.fusion.none.None", "my_package.mine.Mine"))
    (tmp_path / "mine").rename(tmp_path / "my configs")
    words = ("table=small", "table.seeds=[0,2]", "table.title='It is \"mine\"'", "costs=false")
    first = table_process("--config-dir", "my configs", *words)
    assert (first.code, first.err) == (0, "")
    assert "4 runs, " in first.out
    assert first.out.count("] done ") == 4
    results = {path: path.stat().st_mtime_ns for path in Path("outputs").glob("iamm-*/*")}
    assert len(list(Path("outputs").glob("*/result.json"))) == 4
    before = files(folder)
    assert set(before) >= BUILT
    commands = report_commands(folder)
    monkeypatch.delenv("IAMM_ALLOW")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for shell, command in zip(filter(which, ("bash", "zsh")), commands, strict=False):
        again = subprocess.run([shell, "-c", command], capture_output=True, text=True, timeout=300)
        assert (again.returncode, again.stderr) == (0, "")
        assert again.stdout == first.out[first.out.index('It is "mine"') :]
        assert files(folder) == before
    assert {path: path.stat().st_mtime_ns for path in Path("outputs").glob("iamm-*/*")} == results
    links = re.findall(r"\]\(([^)]+)\)", before["table.md"].decode())
    assert {(folder / link).resolve() for link in links} >= {path.resolve() for path in Path("outputs").glob("iamm-*")}
