"""Pictures of what each attention of a model looked at, and the numbers behind them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor

from iamm.dataset.base import Dataset, Scene, SceneBatch
from iamm.head.base import AttentionMap
from iamm.model.scene_network import Batch, SceneNetwork
from iamm.record.figure import (
    head_names,
    heads_figure,
    map_shape,
    places_figure,
    scene_heads_figure,
    with_mean,
    words_figure,
)
from iamm.record.recorder import Recorder, tag

Told = TypeVar("Told")


class Seen(NamedTuple):
    """What a scene's head looked at in one example: weights (H, Q, K), a name for each of the Q and of the K places."""

    number: int
    weights: Tensor
    asked: list[str]
    places: list[str]
    truth: str


class AttentionMaps:
    """Draws examples of validation; those whose view is absent are left out.

    Args:
        recorder: writes the pictures.
        model: a trained network.
        step: where in TensorBoard.
        heads: whether every head of every attention is drawn; else the mean over heads of what the scenes' own heads
            looked at.
    """

    def __init__(self, recorder: Recorder, model: SceneNetwork, step: int, heads: bool) -> None:
        self.recorder = recorder
        self.model = model
        self.step = step
        self.heads = heads
        self.notes: list[str] = []
        self.numbers: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """Per scene, its examples: what was asked, the places, and the weights, rounded: of the scene's own head
        (heads, asked, places), of its encoder (layers, heads, places, places), of all scenes (heads, scenes)."""
        return {scene: list(examples.values()) for scene, examples in self.numbers.items()}

    def keep(self, scene: Scene, number: int, **values: Any) -> None:
        self.numbers[scene.name].setdefault(number, {"example": number}).update(values)

    def draw_group(self, dataset: Dataset, batch: Batch) -> None:
        """Some examples of one data set, as each of its scenes sees them."""
        for scene in dataset.scenes:
            self.draw_head(scene, batch)
            if self.heads:
                self.draw_encoder(scene, batch)
        if self.heads and len(self.model.names) > 1:
            self.draw_fusion(dataset, batch)

    def told(self, what: str, attention_map: Callable[[], Told | None]) -> Told | None:
        """What a part of the model tells of its attention; None, and a note, where that cannot give weights."""
        try:
            found = attention_map()
        except (ValueError, NotImplementedError) as error:
            self.notes.append(f"{what} is not drawn: {str(error) or 'its attention gives no weights.'}")
            return None
        if found is None and self.heads:
            self.notes.append(f"{what} is not drawn: it has no attention.")
        return found

    def draw_head(self, scene: Scene, batch: Batch) -> None:
        """All pictures in one figure; each sentence in its own."""
        attention_map = self.told(
            f"{scene.name}: what its head looked at", lambda: self.model.head_attention(batch, scene.name)
        )
        if attention_map is None:
            return
        part = batch[scene.name]
        shown = [seen(scene, part, attention_map, row) for row in present_rows(part)]
        for each in shown:
            numbers = {"asked": each.asked, "truth": each.truth, "places": each.places, "head": rounded(each.weights)}
            self.keep(scene, each.number, **numbers)
        if scene.kind == "image" and scene.classes and shown:
            rows, titles = [each.number for each in shown], [f"{each.asked[0]}\n({each.truth})" for each in shown]
            weights = torch.stack([each.weights for each in shown])  # (N, H, 1, T)
            figure = places_figure(part.inputs["image"][rows].cpu(), weights, titles, heads=self.heads)
            self.recorder.picture(tag("val", "attention", scene.name), figure, self.step)
            return
        for each in shown:
            name = tag("val", "attention", scene.name, str(each.number))
            self.recorder.picture(name, self.sentence(scene, each), self.step)

    def sentence(self, scene: Scene, each: Seen) -> Figure:
        """Read words below: against heads where a class was asked for, else against written words."""
        if scene.classes:
            rows = with_mean(each.weights, 0)[:, 0]  # (1 + H, K)
            return words_figure(rows, head_names(len(each.weights)), each.places, f"{each.asked[0]} ({each.truth})")
        if self.heads:
            return heads_figure(each.weights, each.asked, each.places)
        return words_figure(each.weights.mean(dim=0), each.asked, each.places)

    def draw_encoder(self, scene: Scene, batch: Batch) -> None:
        """A figure for each example and layer."""
        what, part = f"{scene.name}: its encoder's self-attention", batch[scene.name]
        layers = self.told(what, lambda: self.model.encoder_attention(batch, scene.name)) or []
        for row in present_rows(part) if layers else ():
            names = places(scene, part, row, layers[0].shape[-1])
            weights = [layer[row, :, : len(names), : len(names)].float().cpu() for layer in layers]
            self.keep(scene, row, places=names, encoder=[rounded(each) for each in weights])
            for number, each in enumerate(weights, start=1):
                name = tag("val", "encoder", scene.name, str(row), f"layer{number}")
                title = f"layer {number}: each row looks at the columns"
                self.recorder.picture(name, heads_figure(each, names, names, title), self.step)

    def draw_fusion(self, dataset: Dataset, batch: Batch) -> None:
        """One figure for all scenes of the data set."""
        what = f"{dataset.name}: how much each scene counted"
        told = self.told(what, lambda: self.model.fusion_attention(batch)) or {}
        rows = {name: present_rows(batch[name]) for name in told}
        weights = {name: told[name][rows[name]].float().cpu() for name in told if rows[name]}  # (N, H, S)
        for scene in dataset.scenes:
            for row, each in zip(rows.get(scene.name, ()), weights.get(scene.name, ()), strict=True):
                self.keep(scene, row, scenes=list(self.model.names), fusion=rounded(each))
        if weights:
            figure = scene_heads_figure(weights, self.model.names, [rows[name] for name in weights])
            self.recorder.picture(tag("val", "scene_weights", dataset.name), figure, self.step)


def seen(scene: Scene, part: SceneBatch, attention_map: AttentionMap, row: int) -> Seen:
    names, asked = places(scene, part, row, attention_map.weights.shape[-1]), attention_map.asked[row]
    weights = attention_map.weights[row, :, : len(asked), : len(names)].float().cpu()  # (H, Q, K)
    return Seen(row, weights, asked, names, truth(scene, part.targets[row]))


def present_rows(part: SceneBatch) -> list[int]:
    return part.present.nonzero()[:, 0].tolist()


def places(scene: Scene, part: SceneBatch, row: int, count: int) -> list[str]:
    """A name for each place that was looked at: a text's pieces, row and column on a picture's map, or its number."""
    if "text" in part.inputs and scene.source is not None:
        return [scene.source.piece(index) for index in part.inputs["text"][row].tolist() if index]
    if "image" not in part.inputs:
        return [str(place) for place in range(count)]
    height, width = map_shape(count, *part.inputs["image"].shape[2:])
    return [f"{y},{x}" for y in range(height) for x in range(width)]


def truth(scene: Scene, target: Tensor) -> str:
    if scene.target is not None:
        return scene.target.decode(target.tolist())
    return scene.classes[int(target)] if scene.target_field.kind == "ids" else str(target.tolist())


def rounded(weights: Tensor) -> Any:
    """Lists of numbers with 6 digits behind the point."""
    return np.round(weights.double().numpy(), 6).tolist()
