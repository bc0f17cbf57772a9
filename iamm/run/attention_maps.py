"""Attention maps of a trained model: figures and their numbers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from textwrap import fill, shorten
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

Weights = TypeVar("Weights")


class ExampleAttention(NamedTuple):
    """The attention of a scene's head in one example: weights (H, Q, K), labels of the Q queries and of the K keys."""

    number: int
    weights: Tensor
    queries: list[str]
    keys: list[str]
    truth: str


class AttentionMaps:
    """Draws the attention of validation examples; examples whose view is absent are left out.

    Args:
        recorder: writes the pictures.
        model: a trained network.
        step: of the TensorBoard events.
        heads: whether every head of every attention is drawn; else the mean over heads of the scene heads' attention.
    """

    def __init__(self, recorder: Recorder, model: SceneNetwork, step: int, heads: bool) -> None:
        self.recorder = recorder
        self.model = model
        self.step = step
        self.heads = heads
        self.notices: list[str] = []
        self.numbers: dict[str, dict[int, dict[str, Any]]] = defaultdict(dict)

    def content(self) -> dict[str, list[dict[str, Any]]]:
        """Per scene, its examples: labels, and rounded weights of its head (heads, queries, keys), of its encoder
        (layers, heads, keys, keys), and of the fusion (heads, scenes)."""
        return {scene: list(examples.values()) for scene, examples in self.numbers.items()}

    def add_numbers(self, scene: Scene, number: int, **values: Any) -> None:
        self.numbers[scene.name].setdefault(number, {"example": number}).update(values)

    def draw_group(self, dataset: Dataset, batch: Batch) -> None:
        """Draw some examples of one data set, for each of its scenes."""
        for scene in dataset.scenes:
            self.draw_head(scene, batch)
            if self.heads:
                self.draw_encoder(scene, batch)
        self.draw_interest(dataset, batch)
        if self.heads and len(self.model.names) > 1:
            self.draw_fusion(dataset, batch)

    def weights_of(self, what: str, attention_map: Callable[[], Weights | None]) -> Weights | None:
        """The result of `attention_map`; None, and a notice, if the attention cannot return its weights."""
        try:
            weights = attention_map()
        except (ValueError, NotImplementedError) as error:
            self.notices.append(f"{what} is not drawn: {str(error) or 'its attention gives no weights.'}")
            return None
        if weights is None and self.heads:
            self.notices.append(f"{what} is not drawn: it has no attention.")
        return weights

    def draw_head(self, scene: Scene, batch: Batch) -> None:
        """Draw the head's attention: all pictures in one figure, each text in its own."""
        attention_map = self.weights_of(
            f"{scene.name}: what its head looked at", lambda: self.model.head_attention(batch, scene.name)
        )
        if attention_map is None:
            return
        part = batch[scene.name]
        shown = [example_attention(scene, part, attention_map, row) for row in present_rows(part)]
        for each in shown:
            numbers = {"asked": each.queries, "truth": each.truth, "places": each.keys, "head": rounded(each.weights)}
            self.add_numbers(scene, each.number, **numbers)
        if scene.kind == "image" and scene.target is None and shown:
            rows, titles = [each.number for each in shown], [f"{each.queries[0]}\n({each.truth})" for each in shown]
            weights = torch.stack([each.weights for each in shown])  # (N, H, 1, T)
            figure = places_figure(part.inputs["image"][rows].cpu(), weights, titles, heads=self.heads)
            self.recorder.picture(tag("val", "attention", scene.name), figure, self.step)
            return
        for each in shown:
            name = tag("val", "attention", scene.name, str(each.number))
            self.recorder.picture(name, self.text_figure(scene, each), self.step)

    def text_figure(self, scene: Scene, each: ExampleAttention) -> Figure:
        """A figure of one text: its words against the heads of one answer, or against the written words."""
        if scene.target is None:
            rows = with_mean(each.weights, 0)[:, 0]  # (1 + H, K)
            return words_figure(rows, head_names(len(each.weights)), each.keys, f"{each.queries[0]} ({each.truth})")
        if self.heads:
            return heads_figure(each.weights, each.queries, each.keys)
        return words_figure(each.weights.mean(dim=0), each.queries, each.keys)

    def draw_encoder(self, scene: Scene, batch: Batch) -> None:
        """Draw the encoder's attention: a figure for each example and layer."""
        what, part = f"{scene.name}: its encoder's self-attention", batch[scene.name]
        layers = self.weights_of(what, lambda: self.model.encoder_attention(batch, scene.name)) or []
        for row in present_rows(part) if layers else ():
            names = key_labels(scene, part, row, layers[0].shape[-1])
            weights = [layer[row, :, : len(names), : len(names)].float().cpu() for layer in layers]
            self.add_numbers(scene, row, places=names, encoder=[rounded(each) for each in weights])
            for number, each in enumerate(weights, start=1):
                name = tag("val", "encoder", scene.name, str(row), f"layer{number}")
                title = f"layer {number}: each row looks at the columns"
                self.recorder.picture(name, heads_figure(each, names, names, title), self.step)

    def draw_interest(self, dataset: Dataset, batch: Batch) -> None:
        """Draw where interest looks: all pictures of a scene in one figure, each text or history in its own."""
        what = f"{dataset.name}: where interest looks"
        try:
            interest = self.model.interest(batch)
        except (ValueError, NotImplementedError) as error:
            self.notices.append(f"{what} is not drawn: {error}")
            return
        scenes = {scene.name: scene for scene in dataset.scenes}
        for name, each in interest.items():
            self.draw_places(scenes[name], scenes[name], batch, each.places, name)
            for other, places in each.elsewhere.items():
                self.draw_places(scenes[name], scenes[other], batch, places, f"{name}-in-{other}")

    def draw_places(self, asking: Scene, read: Scene, batch: Batch, places: Tensor, name: str) -> None:
        """Draw where interest (B, K, T) of one scene looks in a scene of the same instances."""
        part, asked, places = batch[read.name], batch[asking.name], places.float().cpu()
        rows = (part.present & asked.present).nonzero()[:, 0].tolist()
        titles = {row: truth(asking, asked.targets[row]) for row in rows}
        if read.kind == "image" and rows:
            pictures = part.inputs["image"][rows].cpu()
            short = [fill(shorten(title, 60, placeholder=" …"), 20) for title in titles.values()]
            figure = places_figure(pictures, places[rows].unsqueeze(2), short, heads=self.heads)
            self.recorder.picture(tag("val", "interest", name), figure, self.step)
        for row, title in titles.items() if read.source is not None else ():
            keys = key_labels(read, part, row, places.shape[-1])
            names = [f"interest {number}" for number in range(1, places.shape[1] + 1)]
            figure = words_figure(places[row, :, : len(keys)], names, keys, title)
            self.recorder.picture(tag("val", "interest", name, str(row)), figure, self.step)

    def draw_fusion(self, dataset: Dataset, batch: Batch) -> None:
        """Draw the fusion's attention: one figure for all scenes of the data set."""
        what = f"{dataset.name}: how much each scene counted"
        attention = self.weights_of(what, lambda: self.model.fusion_attention(batch)) or {}
        rows = {name: present_rows(batch[name]) for name in attention}
        weights = {name: attention[name][rows[name]].float().cpu() for name in attention if rows[name]}  # (N, H, S)
        for scene in dataset.scenes:
            for row, each in zip(rows.get(scene.name, ()), weights.get(scene.name, ()), strict=True):
                self.add_numbers(scene, row, scenes=list(self.model.names), fusion=rounded(each))
        if weights:
            figure = scene_heads_figure(weights, self.model.names, [rows[name] for name in weights])
            self.recorder.picture(tag("val", "scene_weights", dataset.name), figure, self.step)


def example_attention(scene: Scene, part: SceneBatch, attention_map: AttentionMap, row: int) -> ExampleAttention:
    keys, queries = key_labels(scene, part, row, attention_map.weights.shape[-1]), attention_map.queries[row]
    weights = attention_map.weights[row, :, : len(queries), : len(keys)].float().cpu()  # (H, Q, K)
    return ExampleAttention(row, weights, queries, keys, truth(scene, part.targets[row]))


def present_rows(part: SceneBatch) -> list[int]:
    return part.present.nonzero()[:, 0].tolist()


def key_labels(scene: Scene, part: SceneBatch, row: int, count: int) -> list[str]:
    """A label for each key: the piece of a text, the candidate and the items of its history, row and column on a
    picture's map, or the key's number, as where an encoder of behaviours has other places than the ids it reads."""
    named = "history" not in part.inputs or count == 1 + part.inputs["history"].shape[1]
    if scene.source is not None and named and 0 < len(ids := ids_read(part, row)) <= count:
        return [scene.source.piece(index) for index in ids]
    if "image" not in part.inputs:
        return [str(key) for key in range(count)]
    height, width = map_shape(count, *part.inputs["image"].shape[2:])
    return [f"{y},{x}" for y in range(height) for x in range(width)]


def ids_read(part: SceneBatch, row: int) -> list[int]:
    """The ids of a text, or of a candidate and its history, as `ItemEmbeddingEncoder` places them; else none."""
    names = [name for name in ("text", "candidate", "history") if name in part.inputs]
    return [index for name in names for index in part.inputs[name][row].reshape(-1).tolist() if index]


def truth(scene: Scene, target: Tensor) -> str:
    if scene.target is not None:
        return scene.target.decode(target.tolist())
    return scene.classes[int(target)] if scene.target_field.kind == "ids" else str(target.tolist())


def rounded(weights: Tensor) -> Any:
    """The weights as nested lists, rounded to 6 decimal places."""
    return np.round(weights.double().numpy(), 6).tolist()
