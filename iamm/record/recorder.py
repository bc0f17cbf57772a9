"""Writes what a run tells: TensorBoard events and the records beside them. All tags are made here."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from iamm.files import flush, write_text
from iamm.record.checksummed import strict
from iamm.record.run_folder import RunFolder, write_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from iamm.engine.evaluate import Evaluation
    from iamm.engine.observer import Conflict, Interval
    from iamm.engine.plan import RunState
    from iamm.record.events import Events


def tag(phase: str, measure: str, *scene: str) -> str:
    """`train/loss/digits`, `val/accuracy/digits`, `test/bleu/multi30k_de_en`."""
    return "/".join((phase, measure, *scene))


class Recorder:
    """An observer of `fit` that writes each interval and each evaluation to TensorBoard and to records.jsonl.

    A part of each checkpoint: what was written after it is cut off when the run goes on from there.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: RunFolder) -> None:
        self.folder = folder
        self.step = 0

    @cached_property
    def events(self) -> Events:
        """Begins a file of its own."""
        from iamm.record.events import Events

        return Events(self.folder, self.step)

    def state_dict(self) -> dict[str, Any]:
        """Sizes of all files, which are on the disk from then on, and the SHA-256 of the records."""
        self.events.flush()
        for path in (*self.folder.events()[-1:], self.folder.records):
            if path.exists():
                flush(path)
        sizes = {path.name: path.stat().st_size for path in self.folder.events()}
        return {"step": self.step, "events": sizes, "records": self.folder.records_state()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Cut all files to what they were; remove those that were begun later.

        Raises:
            BadDataError: the records are not as they were written.
        """
        self.folder.cut_records(**state["records"])
        for path in self.folder.events():
            if path.name not in state["events"]:
                path.unlink()
            elif path.stat().st_size > state["events"][path.name]:
                os.truncate(path, state["events"][path.name])
        self.step = int(state["step"])

    def finish(self) -> None:
        """Everything is told."""
        self.events.flush()
        self.folder.seal_records()

    def close(self) -> None:
        """However the run ended; what could not be written was said before."""
        if "events" in vars(self):
            with suppress(OSError):
                self.events.close()

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        self.events.scalars(values, step)

    def trained(self, told: Interval) -> None:
        self.step = told.step
        values = {tag("train", "loss", scene): value for scene, value in told.losses.items()}
        values |= {tag("train", "weight", scene): value for scene, value in told.weights.items()}
        values |= scene_weight_values("train", told.scene_weights)
        values |= {tag("train", "learning_rate"): told.rate, tag("train", "gradient_norm"): told.gradient_norm}
        values |= conflict_values(told.conflict)
        values |= {tag("train", "penalty", name): value for name, value in told.penalties.items()}
        speed = {tag("time", "steps_per_second"): told.steps_per_second}
        self.scalars(values | speed, told.step)
        place = place_of(told.step, told.epoch, told.phase)
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
        """Some written sentences beside their references, as a table."""
        for scene, pairs in written_texts(evaluation).items():
            self.events.text(tag(phase, "written", scene), text_table(pairs), step)

    def examples(self, evaluation: Evaluation) -> None:
        """The same sentences as a file, for reports."""
        found = written_texts(evaluation)
        if found:
            write_json(self.folder.examples, found)

    def picture(self, name: str, figure: Figure, step: int) -> None:
        """A figure into TensorBoard, and as a PNG into the run folder."""
        self.folder.pictures.mkdir(exist_ok=True)
        path = self.folder.pictures / f"{name.replace('/', '-')}.png"
        figure.savefig(path, dpi=110)
        self.events.picture(name, path.read_bytes(), step)

    def attention(self, content: Mapping[str, Any]) -> None:
        """The numbers behind the pictures, on one line: a program reads them."""
        self.folder.pictures.mkdir(exist_ok=True)
        write_text(self.folder.attention, strict(content) + "\n")

    def hparams(self, choices: Mapping[str, Any]) -> None:
        """The hparams tab, in this run's own folder.

        No run states the columns: TensorBoard would take those of the first for all. Without them it shows the union of
        all runs' scalars, with `test/quality` in each.
        """
        from torch.utils.tensorboard.summary import hparams

        plain = {key: value if isinstance(value, (bool, int, float)) else str(value) for key, value in choices.items()}
        _, *session = hparams(plain, {})
        for summary in session:
            self.events.add(summary)


def place_of(step: int, epoch: int, phase: str) -> dict[str, Any]:
    """Where in a run a record stands; the phase only where the run has several."""
    return {"step": step, "epoch": epoch, **({"phase": phase} if phase else {})}


def measure_values(phase: str, measures: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {tag(phase, name, scene): value for scene, found in measures.items() for name, value in found.items()}


def scene_weight_values(phase: str, weights: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    """How much each scene's examples attended to every scene."""
    return {
        tag(phase, "scene_weight", scene, other): value
        for scene, row in weights.items()
        for other, value in row.items()
    }


def conflict_values(conflict: Conflict | None) -> dict[str, float]:
    """Norms of the scenes' gradients, and the cosine of each pair."""
    if conflict is None:
        return {}
    norms = {tag("train", "conflict", "norm", scene): value for scene, value in conflict.norms.items()}
    return norms | {tag("train", "conflict", "cosine", *pair): value for pair, value in conflict.cosines.items()}


def written_texts(evaluation: Evaluation, count: int = 8) -> dict[str, list[tuple[str, str]]]:
    """Per scene that writes, some pairs of what was written and its reference, evenly over the split."""
    found = {}
    for scene, outputs in evaluation.outputs.items():
        parts = [part for part in outputs if "written" in part]
        pairs = [pair for part in parts for pair in zip(part["written"], part["reference"], strict=True)]
        if pairs:
            found[scene] = pairs[:: max(1, len(pairs) // count)][:count]
    return found


def text_table(pairs: Sequence[tuple[str, str]]) -> str:
    """Markdown, the bars inside a text escaped."""
    rows = "\n".join(f"| {a.replace('|', '¦')} | {b.replace('|', '¦')} |" for a, b in pairs)
    return f"| written | reference |\n| --- | --- |\n{rows}"
