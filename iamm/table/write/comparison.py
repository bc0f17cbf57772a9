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
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from iamm.files import shortened
from iamm.measure import measures_of
from iamm.record.recorder import measure_values, tag
from iamm.table.plan import Column, TablePlan
from iamm.table.table import Run, Table

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
    columns = experiment(chosen.values(), final_measures(table.plan, runs.values()))
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for name, run in runs.items():
            link_events(output_dir.resolve() / run.planned.folder, folder / name)
        sessions = {folder / name / FIRST: session(own) for name, own in chosen.items()}
        write_events(sessions, columns, layout(table.plan, raw_measures(runs.values())))
    except OSError as error:
        return (
            f"A comparison in TensorBoard needs a folder that takes symbolic links. Found {folder}: {error.strerror}."
        )
    return tensorboard_command(folder)


def tensorboard_command(folder: Path) -> str:
    """What a user types to open the comparison."""
    return f"tensorboard --logdir {shlex.quote(str(folder))}"


def compared(table: Table, output_dir: Path) -> Iterator[tuple[str, Run]]:
    """Readable name and run, in the table's order: `ours/seed0`; with setting or rate where there are several."""
    plan = table.plan
    for row in table.rows:
        for setting, cost in row.costs.items():
            settings = [setting] if len(plan.settings) > 1 else []
            for run in cost.runs:
                rates = [f"lr{run.planned.rate}"] if cost.rate is None and len(plan.rates) > 1 else []
                if any((output_dir / run.planned.folder).glob(f"{EVENTS}*")):
                    yield "/".join(map(file_name, (row.label, *settings, *rates, f"seed{run.planned.seed}"))), run


def file_name(label: str) -> str:
    """The label, save for a slash or a leading dot, which look-alikes replace; a long one is cut."""
    return shortened(re.sub(r"^\.", "·", label.replace("/", "∕")))


def link_events(run: Path, place: Path) -> None:
    """Relative links: the output folder may be moved as a whole."""
    place.mkdir(parents=True)
    for file in sorted(run.glob(f"{EVENTS}*")):
        (place / file.name).symlink_to(os.path.relpath(file, place.resolve()))


def choices(plan: TablePlan, runs: Collection[Run]) -> Iterator[Choices]:
    """Each run's place in the table and, of a finished run, its choices where these are not the same in all."""
    made: list[Mapping[str, Any]] = [run.result["choices"] if run.result is not None else {} for run in runs]
    found = [each for each in made if each]
    names = sorted({name for each in found for name in each})
    differing = [name for name in names if len({str(each.get(name)) for each in found}) > 1]
    for run, own in zip(runs, made, strict=True):
        setting = {"setting": run.planned.setting} if len(plan.settings) > 1 else {}
        numbers = {"learning_rate": run.planned.rate, "seed": run.planned.seed}
        told = {name: str(own[name]) for name in differing if name in own}
        yield {"row": run.planned.row, **setting, **numbers, **told}


def final_measures(plan: TablePlan, runs: Collection[Run]) -> list[str]:
    """Tags of all runs' final measures, those of the table's columns first."""
    columns = [tag("test", *place(column)) for column in plan.columns]
    found = [name for run in runs if run.result is not None for name in measure_values("test", run.result["test"])]
    known = {*found, tag("test", "quality")}
    return [name for name in dict.fromkeys([*columns, *found]) if name in known]


def place(column: Column) -> tuple[str, ...]:
    """How the tags of a column end."""
    return ("quality",) if column.scene is None else (column.measure, column.scene)


def session(own: Choices) -> Json:
    """A line of the hparams tab."""
    return {"session_start_info": {"hparams": own}}


def experiment(everyone: Collection[Choices], measures: list[str]) -> Json:
    """The columns of the hparams tab."""
    names = dict.fromkeys(name for own in everyone for name in own)
    values = {name: sorted({own[name] for own in everyone if name in own}) for name in names}
    hparams = [{"name": name, **domain(found), "differs": len(found) > 1} for name, found in values.items()]
    return {"experiment": {"hparam_infos": hparams, "metric_infos": [{"name": {"tag": name}} for name in measures]}}


def domain(values: list[Any]) -> Json:
    """A reader chooses among strings, and gives bounds to numbers."""
    if isinstance(values[0], str):
        return {"type": "DATA_TYPE_STRING", "domain_discrete": values}
    return {"type": "DATA_TYPE_FLOAT64"}


def raw_measures(runs: Iterable[Run]) -> list[str]:
    """Names of the measures that are no shares, in any of the runs."""
    results = [run.result for run in runs if run.result is not None]
    found = (measure for result in results for scene in measures_of(result).values() for measure in scene.values())
    return sorted({measure.name for measure in found if measure.scale == "raw"})


def layout(plan: TablePlan, raw: Sequence[str]) -> Json:
    """Of the custom scalars: for each column all runs' curves on validation, and of the loss they were trained with."""

    def charts(column: Column) -> list[Json]:
        patterns = {"validation": validation(column, raw), "training loss": training(column)}
        return [{"title": title, "multiline": {"tag": [pattern]}} for title, pattern in patterns.items()]

    return {"category": [{"title": column.label, "chart": charts(column)} for column in plan.columns]}


def validation(column: Column, raw: Sequence[str]) -> str:
    """Pattern of the tags. One scene's quality has no tag: the scene's measures that are shares stand for it."""
    if column.scene is not None and column.measure == "quality":
        others = "".join(f"(?!{re.escape(name)}/)" for name in raw)
        return f"val/{others}[^/]+/{re.escape(column.scene)}$"
    return re.escape(tag("val", *place(column))) + "$"


def training(column: Column) -> str:
    """Pattern of the tags; all scenes' losses for a mean of scenes."""
    return "train/loss/" if column.scene is None else re.escape(tag("train", "loss", column.scene)) + "$"


def write_events(sessions: Mapping[Path, Json], columns: Json, charts: Json) -> None:
    """An event file for each session, without date or host: the same bytes for the same content."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TensorBoard's own imports
        from google.protobuf.json_format import ParseDict
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.plugins.custom_scalar.layout_pb2 import Layout
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData
        from tensorboard.summary.writer.record_writer import RecordWriter

    def encoded(content: Json, message: Any) -> bytes:
        return ParseDict(content, message).SerializeToString(deterministic=True)

    def value(name: str, plugin: str, content: bytes = b"", **tensor: Json) -> Json:
        return {"tag": name, "metadata": {"plugin_data": {"plugin_name": plugin, "content": content}}, **tensor}

    def hparams(name: str, content: Json) -> Json:
        return value(f"_hparams_/{name}", "hparams", encoded(content, HParamsPluginData()))

    text = {"dtype": "DT_STRING", "string_val": [encoded(charts, Layout())], "tensor_shape": {}}
    shared = [hparams("experiment", columns), value("custom_scalars__config__", "custom_scalars", tensor=text)]
    for path, session in sessions.items():
        values = [*shared, hparams("session_start_info", session)]
        with path.open("wb") as file:
            writer = RecordWriter(file)
            for event in (Event(file_version="brain.Event:2"), Event(summary={"value": values})):
                writer.write(event.SerializeToString(deterministic=True))
