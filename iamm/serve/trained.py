"""A finished run's model, applied to new pictures or texts; the training data are not needed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from iamm.dataset.base import Scene, SceneBatch
from iamm.engine.checkpoint import load_model
from iamm.engine.technique.quantisation import quantise
from iamm.errors import ConfigError, nearest
from iamm.model.scene_network import SceneNetwork
from iamm.record.run_folder import RunFolder
from iamm.run.build import build_model, chosen_device
from iamm.run.finished import read_finished
from iamm.run.source import read_scenes
from iamm.serve.example import Example, example_of
from iamm.serve.rows import batches

AT_ONCE = 250
"""Size of a batch, as in evaluation."""


class Trained:
    """A trained network with its scenes: the form of their inputs, their classes and vocabularies.

    The other views of a scene's data set count as absent.

    Args:
        network: in evaluation mode, on its device.
        groups: the scenes of each data set.
    """

    def __init__(self, network: SceneNetwork, groups: Sequence[Sequence[Scene]]) -> None:
        self.network = network
        self.groups = groups
        self.scenes = {scene.name: scene for group in groups for scene in group}

    @property
    def device(self) -> torch.device:
        return next(self.network.parameters()).device

    def scene(self, name: str | None = None) -> Scene:
        """Give the scene of a name; None: the only one.

        Raises:
            ConfigError: an unknown name, or None where there are several.
        """
        if name is None and len(self.scenes) == 1:
            name = next(iter(self.scenes))
        if name not in self.scenes:
            found = f"Found {name}. " if name else "Found none: give scene=…. "
            raise ConfigError(f"`scene` must be one of the run's. {found}{nearest(name or '', self.scenes)}")
        return self.scenes[name]

    def group(self, scene: Scene) -> Sequence[Scene]:
        """Give the scenes of a scene's data set."""
        return next(group for group in self.groups if scene.name in [other.name for other in group])

    def predict(
        self,
        inputs: Iterable[Any],
        scene: str | None = None,
        *,
        attention: bool = False,
        tokenised: bool = False,
        at_once: int = AT_ONCE,
    ) -> Iterator[dict[str, Any]]:
        """Yield an answer for each input, in order, holding at most one batch.

        Args:
            inputs: texts; pictures: paths, or arrays of bytes (channels, height, width) of the scene's size; or,
                for a scene with other fields, mappings with a name, a number or a list of them for each.
            scene: the scene whose encoder and head are used; None: the only one.
            attention: adds the attention of the head, averaged over heads: `queries`, `keys`, `weights` (Q, K); and
                where the fusion has interest, the example's `interest`: which known scenes it `resembles` (p), how
                much each of the `scenes` counts (w), and `keys`, `weights` (K, T) of its places (α).
            tokenised: whether the words of the texts are already separated, as in the training files.
            at_once: size of a batch.

        Raises:
            ConfigError: a scene that the run lacks, or one whose answers cannot be given.
            BadDataError: an input that cannot be read.
        """
        chosen = self.scene(scene)
        for batch in batches(enumerate(inputs, start=1), at_once):
            examples = [example_of(chosen, each, f"input {number:,}", tokenised=tokenised) for number, each in batch]
            yield from self.answers(chosen, examples, attention=attention)

    def answers(self, scene: Scene, examples: Sequence[Example], *, attention: bool = False) -> list[dict[str, Any]]:
        """Give the answers to one batch."""
        batch = self.batch(scene, examples)
        try:
            answers = self.network.answers(batch, scene.name)
        except NotImplementedError as error:
            raise ConfigError(
                f"A head must be able to answer. Found {scene.name}, whose head only measures."
            ) from error
        if attention:
            parts = {"attention": self.attention(scene, batch), "interest": self.interest(scene, batch)}
            if not any(parts.values()):
                raise ConfigError(
                    f"`attention` needs a head with one, or interest. Found {scene.name} without: leave it out."
                )
            for name, values in parts.items():
                for answer, value in zip(answers, values, strict=False):
                    answer[name] = value
        return answers

    def interest(self, scene: Scene, batch: dict[str, SceneBatch]) -> list[dict[str, Any]]:
        """Give the interest of each example: p of the known scenes, w of all scenes, α of its places; none without."""
        from iamm.run.attention_maps import key_labels, rounded

        if not self.network.fusion.controls:
            return []
        found, names = self.network.interest(batch)[scene.name], self.network.names
        return [
            {
                "resembles": dict(zip(names, rounded(found.recognised[row].cpu()), strict=True)),
                "scenes": dict(zip(names, rounded(found.weights[row].cpu()), strict=True)),
                "keys": (keys := key_labels(scene, batch[scene.name], row, found.places.shape[2])),
                "weights": rounded(found.places[row, :, : len(keys)].cpu()),
            }
            for row in range(len(found.places))
        ]

    def attention(self, scene: Scene, batch: dict[str, SceneBatch]) -> list[dict[str, Any]]:
        """Give the attention of the head in each example; none of a head without."""
        from iamm.run.attention_maps import example_attention, rounded

        try:
            weights = self.network.head_attention(batch, scene.name)
        except (ValueError, NotImplementedError) as error:
            raise ConfigError(f"`attention` needs one that gives weights. Found {scene.name}: {error}.") from error
        if weights is None:
            return []
        rows = [example_attention(scene, batch[scene.name], weights, row) for row in range(len(weights.queries))]
        return [{"queries": row.queries, "keys": row.keys, "weights": rounded(row.weights.mean(dim=0))} for row in rows]

    def batch(self, scene: Scene, examples: Sequence[Example]) -> dict[str, SceneBatch]:
        """Make the batch of a scene's group, with the other views absent."""
        group = self.group(scene)
        parts = {other.name: absent_batch(other, len(examples)) for other in group if other is not scene}
        parts[scene.name] = present_batch(scene, examples)
        return {other.name: parts[other.name].to(self.device) for other in group}


def present_batch(scene: Scene, examples: Sequence[Example]) -> SceneBatch:
    inputs = {
        name: field.batched(joined(field.padding, [each[name] for each in examples]))
        for name, field in scene.fields.items()
    }
    return SceneBatch(inputs, targets(scene, len(examples)), torch.ones(len(examples), dtype=torch.bool))


def joined(padding: int | None, rows: Sequence[Tensor]) -> Tensor:
    """Join examples to a batch, padded to the longest, of one column at least.  # (B, …)"""
    if padding is None:
        return torch.stack(list(rows))
    batch = torch.nn.utils.rnn.pad_sequence(list(rows), batch_first=True, padding_value=padding)
    return batch if batch.shape[1] else batch.new_full((len(rows), 1, *batch.shape[2:]), padding)


def absent_batch(scene: Scene, count: int) -> SceneBatch:
    """Make examples whose view is absent."""
    inputs = {}
    for name, field in scene.fields.items():
        values = scene.splits["train"].inputs[name]
        empty = torch.full_like(values, 0 if field.padding is None else field.padding)
        inputs[name] = field.batched(empty.expand(count, *empty.shape[1:]))
    return SceneBatch(inputs, targets(scene, count), torch.zeros(count, dtype=torch.bool))


def targets(scene: Scene, count: int) -> Tensor:
    """Make placeholder targets."""
    one = scene.splits["train"].targets
    return one.expand(count, *one.shape[1:])


def load(run: str | Path, device: str = "auto", precision: str = "fp32") -> Trained:
    """Load the model that a finished run chose.

    Threads and kernels of torch are set as in the run, so that the numbers are the same.

    Args:
        run: folder of the run.
        device: auto, cpu, cuda or cuda:<number>.
        precision: fp32, or int8 for linear layers of 8-bit integers, on a processor.

    Raises:
        MissingDataError: the folder has no finished run, or lacks a file of its model.
        BadDataError: its files are damaged, or an earlier release wrote them.
        ConfigError: a device that this machine lacks, or another precision.
    """
    if precision not in ("fp32", "int8"):
        raise ConfigError(f"`precision` must be fp32 or int8. Found {precision}.")
    folder = RunFolder(Path(run))
    config = read_finished(folder)["config"]
    if config.get("target") is not None:
        raise ConfigError(f"A migration measures its model. Found {folder.path}: use the run that it migrates from.")
    groups = read_scenes(folder)
    with torch.random.fork_rng(devices=[]):
        network = build_model(config, [scene for group in groups for scene in group])
    load_model(folder.best, network)
    network.eval().to(chosen_device(device))
    if precision == "int8":
        quantise(network)
    return Trained(network, groups)
