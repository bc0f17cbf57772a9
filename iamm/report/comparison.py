"""A table's runs in TensorBoard as one comparison: curves under readable names, one hparams table, one layout.

Each run is a folder of links to its own event files and, read before these, a small event file that gives it the
columns of the whole table. A link to the run folder alone would not do: there each run lists the measures of its own
scenes, and TensorBoard takes any one run's list as the columns of all.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from iamm.report.plan import RAW, Column, Plan
from iamm.report.recorder import measure_values, tag
from iamm.report.table import Run, Table

EVENTS = "events.out.tfevents."
"""How the names of event files begin; TensorBoard reads those of a folder in the order of their names."""
FIRST = EVENTS + "0000000000.comparison"
"""Before any name with a date: what TensorBoard reads first about a tag is what it keeps."""

Choices = Mapping[str, "str | float"]
"""What the hparams tab says of one run: name → value."""
Json = dict[str, Any]
"""Content of a TensorBoard message."""


def compare_in_tensorboard(table: Table, folder: Path, output_dir: Path) -> str:
    """Make `folder` anew: the runs of the chosen learning rates that have events, finished or not.

    Args:
        table: whose runs are compared.
        folder: of this comparison alone; what an earlier build left in it is removed.
        output_dir: where the run folders lie.

    Returns:
        The line to print: the command that opens it or, where no links can be made, that.
    """
    runs = dict(compared(table, output_dir))
    chosen = dict(zip(runs, choices(table.plan, runs.values()), strict=True))
    columns = experiment(chosen.values(), test_measures(table.plan, runs.values()))
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for name, run in runs.items():
            link_events(output_dir / run.planned.folder, folder / name)
            session = {"session_start_info": {"hparams": chosen[name]}}
            write_events(folder / name / FIRST, session, columns, layout(table.plan))
    except OSError as error:
        return (
            f"A comparison in TensorBoard needs a folder that takes symbolic links. Found {folder}: {error.strerror}."
        )
    return tensorboard_command(folder)


def tensorboard_command(folder: Path) -> str:
    """What a user types to open the comparison."""
    return f"tensorboard --logdir {shlex.quote(str(folder))}"


def compared(table: Table, output_dir: Path) -> Iterator[tuple[str, Run]]:
    """Readable name and run, in the table's order: `ours/seed0`; the setting or the rate where there are several."""
    plan = table.plan
    for row in table.rows:
        for setting, cost in row.costs.items():
            for run in cost.runs:
                if any((output_dir / run.planned.folder).glob(f"{EVENTS}*")):
                    settings = [setting] if len(plan.settings) > 1 else []
                    rates = [f"lr{run.planned.rate}"] if cost.rate is None and len(plan.rates) > 1 else []
                    yield "/".join(map(file_name, (row.label, *settings, *rates, f"seed{run.planned.seed}"))), run


def file_name(label: str) -> str:
    """A label as a name of a file: without the slash and the leading dot that such a name cannot have."""
    return re.sub(r"^\.", "·", label.replace("/", "∕"))


def link_events(run: Path, place: Path) -> None:
    """Relative links, so that the whole output folder may be moved."""
    place.mkdir(parents=True)
    for file in sorted(run.glob(f"{EVENTS}*")):
        (place / file.name).symlink_to(os.path.relpath(file.resolve(), place.resolve()))


def choices(plan: Plan, runs: Collection[Run]) -> Iterator[Choices]:
    """Each run's place in the table, and its choices where the finished runs differ."""
    made = [run.result["choices"] if run.result is not None else {} for run in runs]
    found = [each for each in made if each]
    names = sorted({name for each in found for name in each})
    differing = [name for name in names if len({str(each.get(name)) for each in found}) > 1]
    for run, own in zip(runs, made, strict=True):
        setting = {"setting": run.planned.setting} if len(plan.settings) > 1 else {}
        numbers = {"learning_rate": run.planned.rate, "seed": run.planned.seed}
        yield {
            "row": run.planned.row,
            **setting,
            **numbers,
            **{name: str(own[name]) for name in differing if name in own},
        }


def test_measures(plan: Plan, runs: Collection[Run]) -> list[str]:
    """Tags of the final measures of all runs; those of the table's columns first."""
    columns = [tag("test", *place(column)) for column in plan.columns]
    found = [name for run in runs if run.result is not None for name in measure_values("test", run.result["test"])]
    known = {*found, tag("test", "quality")}
    return [name for name in dict.fromkeys([*columns, *found]) if name in known]


def place(column: Column) -> tuple[str, ...]:
    """The end of a column's tags."""
    return ("quality",) if column.scene is None else (column.measure, column.scene)


def layout(plan: Plan) -> Json:
    """Custom scalars: for each column its measure on validation, and the loss it was trained with, of all runs."""

    def charts(column: Column) -> list[Json]:
        patterns = {"validation": validation(column), "training loss": training(column)}
        return [{"title": title, "multiline": {"tag": [pattern]}} for title, pattern in patterns.items()]

    return {"category": [{"title": column.label, "chart": charts(column)} for column in plan.columns]}


def validation(column: Column) -> str:
    """A scene's quality has no tag of its own: its measures that are shares stand for it."""
    if column.scene is not None and column.measure == "quality":
        return f"val/(?!{'|'.join(RAW)})[^/]+/{re.escape(column.scene)}$"
    return re.escape(tag("val", *place(column))) + "$"


def training(column: Column) -> str:
    return "train/loss/" if column.scene is None else re.escape(tag("train", "loss", column.scene)) + "$"


def experiment(everyone: Collection[Choices], measures: list[str]) -> Json:
    """The columns of the hparams tab."""
    names = dict.fromkeys(name for own in everyone for name in own)
    values = {name: sorted({own[name] for own in everyone if name in own}) for name in names}
    return {
        "experiment": {
            "hparam_infos": [{"name": name, **domain(found)} for name, found in values.items()],
            "metric_infos": [{"name": {"tag": measure}} for measure in measures],
        }
    }


def domain(values: list[Any]) -> Json:
    """Strings are listed, for a choice among them; numbers have their range."""
    differs = {"differs": len(values) > 1}
    if isinstance(values[0], str):
        return {"type": "DATA_TYPE_STRING", "domain_discrete": values, **differs}
    interval = {"min_value": values[0], "max_value": values[-1]}
    return {"type": "DATA_TYPE_FLOAT64", "domain_interval": interval, **differs}


def write_events(path: Path, session: Json, columns: Json, layout: Json) -> None:
    """One file of the same bytes for the same content: without date, host, or an order of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TensorBoard's own imports
        from google.protobuf.json_format import ParseDict
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
        from tensorboard.summary.writer.record_writer import RecordWriter

    def encoded(content: Json, message: Any) -> bytes:
        return ParseDict(content, message).SerializeToString(deterministic=True)

    def hparams(name: str, content: Json) -> Json:
        plugin = {"plugin_name": "hparams", "content": encoded(content, HParamsPluginData())}
        return {"tag": f"_hparams_/{name}", "metadata": {"plugin_data": plugin}}

    text = {"dtype": "DT_STRING", "string_val": [encoded(layout, Layout())], "tensor_shape": {}}
    scalars = {
        "tag": "custom_scalars__config__",
        "metadata": {"plugin_data": {"plugin_name": "custom_scalars"}},
        "tensor": text,
    }
    values = [hparams("session_start_info", session), hparams("experiment", columns), scalars]
    with path.open("wb") as file:
        writer = RecordWriter(file)
        for event in (Event(file_version="brain.Event:2"), Event(summary={"value": values})):
            writer.write(event.SerializeToString(deterministic=True))
