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
from dataclasses import replace
from pathlib import Path
from typing import Any

from iamm.files import require_no_link, shortened
from iamm.output import printable
from iamm.record.recorder import chart, measure_values, tag
from iamm.table.curves import recorded_measure
from iamm.table.plan import Column, TablePlan
from iamm.table.table import Run, Table

EVENTS = "events.out.tfevents."
"""The beginning of event files' names; TensorBoard reads the files of a folder in the order of their names."""
FIRST = EVENTS + "0000000000.comparison"
"""A name before any with a date: TensorBoard keeps the first description of a tag that it reads."""

Choices = Mapping[str, "str | float"]
"""The line of one run in the hparams tab: name → value."""
Json = dict[str, Any]
"""Content of a TensorBoard message."""


def compare_in_tensorboard(table: Table, folder: Path, output_dir: Path) -> str:
    """Make `folder` anew: the runs of the chosen learning rates that have events, finished or not.

    Args:
        table: whose runs are compared.
        folder: of this comparison alone; an earlier one is removed.
        output_dir: where the run folders lie.

    Returns:
        The line to print: the command that opens it or, where no links can be made, the reason.
    """
    runs = dict(named_runs(table, output_dir))
    lines = dict(zip(runs, choices(table.plan, runs.values()), strict=True))
    columns = experiment(lines.values(), final_measures(table.plan, runs.values()))
    require_no_link(folder.parent)
    try:
        if folder.exists():
            shutil.rmtree(folder)
        folder.mkdir(parents=True)
        for name, run in runs.items():
            link_events(output_dir.resolve() / run.planned.folder, folder / name)
        sessions = {folder / name / FIRST: {"session_start_info": {"hparams": line}} for name, line in lines.items()}
        write_events(sessions, columns, layout(table.plan, runs.values()))
    except OSError as error:
        return (
            f"A comparison in TensorBoard needs a folder that takes symbolic links. Found {folder}: {error.strerror}."
        )
    return f"tensorboard --logdir {shlex.quote(str(folder))}"


def named_runs(table: Table, output_dir: Path) -> Iterator[tuple[str, Run]]:
    """Yield readable names and runs, in the table's order: `ours/seed0`; with one of several settings or rates."""
    plan = table.plan
    for row in table.rows:
        for setting, cost in row.costs.items():
            for run in cost.runs:
                parts = [row.label, *([setting] if len(plan.settings) > 1 else [])]
                parts += [f"lr{run.planned.rate}"] if cost.rate is None and len(plan.rates) > 1 else []
                if any((output_dir / run.planned.folder).glob(f"{EVENTS}*")):
                    yield "/".join(map(file_name, (*parts, f"seed{run.planned.seed}"))), run


def file_name(label: str) -> str:
    """Return the label with look-alikes in place of slashes and a leading dot, cut where it is too long."""
    return shortened(re.sub(r"^\.", "·", printable(label).replace("/", "∕")))


def link_events(run: Path, place: Path) -> None:
    """Make relative links to a run's event files: the output folder may be moved as a whole."""
    place.mkdir(parents=True)
    for file in sorted(run.glob(f"{EVENTS}*")):
        (place / file.name).symlink_to(os.path.relpath(file, place.resolve()))


def choices(plan: TablePlan, runs: Collection[Run]) -> Iterator[Choices]:
    """Yield each run's place in the table and, of a finished run, the choices that are not the same in all."""
    by_run: list[Mapping[str, Any]] = [run.result["choices"] if run.result is not None else {} for run in runs]
    finished = [each for each in by_run if each]
    names = sorted({name for each in finished for name in each})
    differing = [name for name in names if len({str(each.get(name)) for each in finished}) > 1]
    for run, chosen in zip(runs, by_run, strict=True):
        setting = {"setting": run.planned.setting} if len(plan.settings) > 1 else {}
        numbers = {"learning_rate": run.planned.rate, "seed": run.planned.seed}
        yield {"row": run.planned.row, **setting, **numbers, **{n: str(chosen[n]) for n in differing if n in chosen}}


def final_measures(plan: TablePlan, runs: Collection[Run]) -> list[str]:
    """Return the tags of all runs' final measures, those of the table's columns first."""
    columns = [column_tag("test", column) for column in plan.columns]
    measured = [name for run in runs if run.result is not None for name in measure_values("test", run.result["test"])]
    known = {*measured, tag("test", "quality")}
    return [name for name in dict.fromkeys([*columns, *measured]) if name in known]


def column_tag(phase: str, column: Column) -> str:
    return tag(phase, "quality") if column.scene is None else tag(phase, column.measure, column.scene)


def experiment(lines: Collection[Choices], measures: list[str]) -> Json:
    """Return the columns of the hparams tab; a reader chooses among texts, and gives bounds to numbers."""
    values = {name: sorted({line[name] for line in lines if name in line}) for line in lines for name in line}
    hparams = [
        {
            "name": name,
            **(
                {"type": "DATA_TYPE_STRING", "domain_discrete": options}
                if isinstance(options[0], str)
                else {"type": "DATA_TYPE_FLOAT64"}
            ),
            "differs": len(options) > 1,
        }
        for name, options in values.items()
    ]
    return {"experiment": {"hparam_infos": hparams, "metric_infos": [{"name": {"tag": name}} for name in measures]}}


def layout(plan: TablePlan, runs: Collection[Run]) -> Json:
    """Return the custom scalars: for each column the curves of all runs on validation, and of their training loss."""

    def charts(column: Column) -> list[Json]:
        patterns = {"validation": validation(column, runs), "training loss": training(column)}
        return [{"title": title, "multiline": {"tag": [pattern]}} for title, pattern in patterns.items()]

    return {"category": [{"title": column.label, "chart": charts(column)} for column in plan.columns]}


def validation(column: Column, runs: Collection[Run]) -> str:
    """Return the pattern of the tags; those of every measure of a scene whose quality has no known one."""
    measure = recorded_measure(column, runs)
    if measure is None:
        return f"[^/]+/val/{re.escape(str(column.scene))}$"
    return re.escape(chart(column_tag("val", replace(column, measure=measure.name)))) + "$"


def training(column: Column) -> str:
    """Return the pattern of the tags; all scenes' losses for a mean of scenes."""
    return "loss/train/" if column.scene is None else re.escape(chart(tag("train", "loss", column.scene))) + "$"


def write_events(sessions: Mapping[Path, Json], columns: Json, charts: Json) -> None:
    """Write an event file for each session, without date or host: the same bytes for the same content."""
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

    def event(*values: Json) -> bytes:
        return Event(summary={"value": values}).SerializeToString(deterministic=True)

    text = {"dtype": "DT_STRING", "string_val": [encoded(charts, Layout())], "tensor_shape": {}}
    layout = value("custom_scalars__config__", "custom_scalars", tensor=text)
    shared = event(hparams("experiment", columns), layout)
    version = Event(file_version="brain.Event:2").SerializeToString(deterministic=True)
    for path, session in sessions.items():
        with path.open("wb") as file:
            writer = RecordWriter(file)
            for content in (version, shared, event(hparams("session_start_info", session))):
                writer.write(content)
