"""The recorder of a run, which writes TensorBoard events and records.jsonl and defines all tags."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from iamm.errors import UserError
from iamm.files import LONGEST_NAME, flush, make_folder, read_file, shortened, write_bytes, write_text
from iamm.record.checksummed import strict, write_json
from iamm.record.loggers import Loggers, csv_of
from iamm.record.run_folder import RunFolder

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from iamm.engine.evaluate import Evaluation
    from iamm.engine.observer import Conflict, Interval
    from iamm.engine.plan import RunState
    from iamm.record.events import Events


def tag(phase: str, measure: str, *scene: str) -> str:
    """`train/loss/digits`, `val/accuracy/digits`, `test/bleu/multi30k_de_en`."""
    return "/".join((phase, measure, *scene))


def chart(tag: str) -> str:
    """The tag in TensorBoard, where `train/loss/digits` is `loss/train/digits`.

    So the losses of training and validation stand side by side, and curves before the single points of `test/…`.
    """
    phase, measure, *scene = tag.split("/")
    return "/".join((measure, phase, *scene)) if phase in ("train", "val") else tag


class Recorder:
    """An observer of `fit` that writes each interval and each evaluation to TensorBoard and to records.jsonl.

    It is a part of each checkpoint, which holds the records and checksums of the event files: a run resumed from one
    has its records anew, and what was written later is removed.

    Args:
        folder: of the run.
        log: the configuration's `log`, which chooses other loggers.
    """

    def __init__(self, folder: RunFolder, log: Mapping[str, Any] = MappingProxyType({})) -> None:
        self.folder = folder
        self.loggers = Loggers(folder.path, log)
        self.step = 0
        self.notices: list[str] = []

    @cached_property
    def events(self) -> Events:
        """The event file of this process, created at first use."""
        from iamm.record.events import Events

        return Events(self.folder, self.step)

    def state_dict(self) -> dict[str, Any]:
        """Flush the events to the disk; return their sizes and SHA-256, and the records."""
        self.events.sync()
        events = {path.name: content_state(read_file(path)) for path in self.folder.events()}
        return {"step": self.step, "events": events, "records": self.folder.records_so_far().decode()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Write the saved records, truncate the event files to their saved sizes, and remove later ones.

        Damaged event files are written anew from the records, with a notice.
        """
        write_text(self.folder.records, state["records"])
        found = {path.name: path for path in self.folder.events()}
        events = state["events"]
        intact = all(
            name in found and content_state(read_file(found[name])[: saved["size"]]) == saved
            for name, saved in events.items()
        )
        for name, path in found.items():
            if intact and name in events:
                os.truncate(path, events[name]["size"])
            else:
                path.unlink()
        if not intact:
            self.notices = ["TensorBoard's files were damaged; their curves are written anew from the records."]
            for record in map(json.loads, state["records"].splitlines()):
                values = {**record["values"], **record["time"]}
                self.scalars({name: value for name, value in values.items() if value is not None}, record["step"])
        self.step = int(state["step"])

    def finish(self) -> None:
        """Write the scalars as CSV; end the records with their checksum; flush them and the events to the disk."""
        write_text(self.folder.scalars, csv_of(self.folder.records_so_far()))
        self.folder.end_records()
        flush(self.folder.records)
        self.events.sync()

    def close(self) -> None:
        """Close all; write the scalars of a run that was left before its end. A failure to write was raised before."""
        self.loggers.each(lambda logger: logger.close())
        if "events" in vars(self):
            with suppress(OSError, UserError):
                self.events.close()
                if not self.folder.finished():
                    write_text(self.folder.scalars, csv_of(self.folder.records_so_far()))

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        charts = {chart(tag): value for tag, value in values.items()}
        self.events.scalars(charts, step)
        self.loggers.each(lambda logger: logger.scalars(charts, step))

    def layout(self, measures: Mapping[str, Iterable[str]]) -> None:
        """Write the layout of custom scalars: per scene one chart of both losses, and one of each other measure.

        Args:
            measures: scene → names of its measures.
        """
        from torch.utils.tensorboard.summary import custom_scalars

        def lines(scene: str, name: str) -> list[str]:
            phases = ("train", "val") if name == "loss" else ("val",)
            return [re.escape(chart(tag(phase, name, scene))) + "$" for phase in phases]

        charts = {
            scene: {name: ["Multiline", lines(scene, name)] for name in sorted(names, key=lambda name: name != "loss")}
            for scene, names in measures.items()
        }
        self.events.add(custom_scalars(charts))

    def trained(self, interval: Interval) -> None:
        self.step = interval.step
        values = {tag("train", "loss", scene): value for scene, value in interval.losses.items()}
        values |= {tag("train", "weight", scene): value for scene, value in interval.weights.items()}
        values |= scene_weight_values("train", interval.scene_weights)
        values |= {tag("train", "learning_rate"): interval.rate, tag("train", "gradient_norm"): interval.gradient_norm}
        others = {**{f"penalty/{name}": value for name, value in interval.penalties.items()}, **interval.techniques}
        values |= conflict_values(interval.conflict) | {tag("train", name): value for name, value in others.items()}
        speed = {tag("time", "steps_per_second"): interval.steps_per_second}
        self.scalars(values | speed, interval.step)
        place = place_of(interval.step, interval.epoch, interval.phase)
        self.folder.append({"kind": "train", **place, "values": values, "time": speed})

    def validated(self, state: RunState, evaluation: Evaluation) -> None:
        self.evaluated("val", state.step, state.epoch, evaluation, seconds=state.seconds, within=state.phase)
        self.write_texts("val", evaluation, state.step)

    def evaluated(
        self, phase: str, step: int, epoch: int, evaluation: Evaluation, *, seconds: float, within: str = ""
    ) -> None:
        values = measure_values(phase, evaluation.measures)
        values |= scene_weight_values(phase, evaluation.scene_weights)
        values[tag(phase, "quality")] = evaluation.quality
        self.scalars(values | {tag("time", "seconds"): seconds}, step)
        place = place_of(step, epoch, within)
        self.folder.append({"kind": phase, **place, "values": values, "time": {tag("time", "seconds"): seconds}})

    def write_texts(self, phase: str, evaluation: Evaluation, step: int) -> None:
        """Write some generated sentences and their references as a table."""
        for scene, pairs in written_texts(evaluation).items():
            self.events.text(tag(phase, "written", scene), text_table(pairs), step)

    def examples(self, evaluation: Evaluation) -> None:
        """Write the same sentences to a file, for reports."""
        texts = written_texts(evaluation)
        if texts:
            write_json(self.folder.examples, texts)

    def picture(self, name: str, figure: Figure, step: int) -> None:
        """Write a figure to TensorBoard, and as a PNG to the run folder."""
        make_folder(self.folder.pictures)
        file = f"{shortened(name.replace('/', '-'), LONGEST_NAME - len('.png.tmp'))}.png"
        png = io.BytesIO()
        figure.savefig(png, dpi=110)
        write_bytes(self.folder.pictures / file, png.getvalue())
        self.events.picture(name, png.getvalue(), step)
        self.loggers.each(lambda logger: logger.picture(name, self.folder.pictures / file, step))

    def attention(self, content: Mapping[str, Any]) -> None:
        """Write the weights of the attention maps as JSON on one line."""
        make_folder(self.folder.pictures)
        write_text(self.folder.attention, strict(content) + "\n")

    def hparams(self, choices: Mapping[str, Any]) -> None:
        """Write the values of the hparams tab.

        The columns are not declared, since TensorBoard would take those of the first run for all. Without them it shows
        the union of all runs' scalars.
        """
        from torch.utils.tensorboard.summary import hparams

        plain = {key: value if isinstance(value, (bool, int, float)) else str(value) for key, value in choices.items()}
        _, *session = hparams(plain, {})
        for summary in session:
            self.events.add(summary)
        self.loggers.each(lambda logger: logger.settings(plain))


def content_state(content: bytes) -> dict[str, Any]:
    return {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def place_of(step: int, epoch: int, phase: str) -> dict[str, Any]:
    """The position of a record in a run; it has a phase only if the run has several."""
    return {"step": step, "epoch": epoch, **({"phase": phase} if phase else {})}


def measure_values(phase: str, measures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {tag(phase, name, scene): value for scene, row in measures.items() for name, value in row.items()}


def scene_weight_values(phase: str, weights: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """The mean attention of each scene's examples to every scene, by tag."""
    return {
        tag(phase, "scene_weight", scene, other): value
        for scene, row in weights.items()
        for other, value in row.items()
    }


def conflict_values(conflict: Conflict | None) -> dict[str, float]:
    """The norms of the scenes' gradients and the cosine of each pair, by tag."""
    if conflict is None:
        return {}
    norms = {tag("train", "conflict", "norm", scene): value for scene, value in conflict.norms.items()}
    return norms | {tag("train", "conflict", "cosine", *pair): value for pair, value in conflict.cosines.items()}


def written_texts(evaluation: Evaluation, count: int = 8) -> dict[str, list[tuple[str, str]]]:
    """Some pairs of generated text and reference of each scene with texts, evenly spaced over the split."""
    texts = {}
    for scene, outputs in evaluation.outputs.items():
        parts = [part for part in outputs if "written" in part]
        pairs = [pair for part in parts for pair in zip(part["written"], part["reference"], strict=True)]
        if pairs:
            texts[scene] = pairs[:: max(1, len(pairs) // count)][:count]
    return texts


def text_table(pairs: Sequence[tuple[str, str]]) -> str:
    """A table in Markdown, with the bars inside a text replaced."""
    rows = "\n".join(f"| {a.replace('|', '¦')} | {b.replace('|', '¦')} |" for a, b in pairs)
    return f"| written | reference |\n| --- | --- |\n{rows}"
