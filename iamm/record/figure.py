"""Figures of attention over pictures, words and scenes, and of confusion matrices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional

MOST_WRITTEN = 25
"""Largest number of classes for which the cells of a confusion matrix show their counts."""


def map_shape(places: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a feature map with `places` entries over a picture of the given size."""
    rows = max(1, round((places * height / width) ** 0.5))
    while places % rows:
        rows -= 1
    return rows, places // rows


def head_names(heads: int) -> list[str]:
    """Labels of H heads, with `mean` in front if there are several."""
    names = [f"head {number}" for number in range(1, heads + 1)]
    return ["mean", *names] if heads > 1 else names


def with_mean(weights: Tensor, dim: int) -> Tensor:
    """Prepend the mean over heads along `dim` if there are several, in the order of `head_names`."""
    if weights.shape[dim] == 1:
        return weights
    return torch.cat((weights.mean(dim=dim, keepdim=True), weights), dim=dim)


def places_figure(pictures: Tensor, weights: Tensor, titles: Sequence[str], *, heads: bool = False) -> Figure:
    """Pictures, and below each its attention as an overlay, on one colour scale for all.

    Args:
        pictures: (B, C, H, W) in [0, 1].
        weights: (B, heads, 1, T) over the places of the feature map.
        titles: one for each example.
        heads: whether each head has a row, below the row of their mean.
    """
    count, _, height, width = pictures.shape
    weights = weights if heads else weights.mean(dim=1, keepdim=True)
    maps = with_mean(weights, 1).reshape(count, -1, *map_shape(weights.shape[-1], height, width))
    maps = functional.interpolate(maps.float(), size=(height, width), mode="bilinear", align_corners=False)
    norm = scale(maps)
    figure = Figure(figsize=(1.7 * count + 1.2, 0.5 + 1.75 * (1 + maps.shape[1])), layout="constrained")
    axes = figure.subplots(1 + maps.shape[1], count, squeeze=False)
    for place, title in enumerate(titles):
        for row, axis in enumerate(axes[:, place]):
            under = pictures[place].mean(dim=0, keepdim=True) if row else pictures[place]  # colours are for weights
            axis.imshow(image(under), cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
            if row:
                axis.imshow(maps[place, row - 1].numpy(), cmap="inferno", alpha=0.65, norm=norm)
        axes[0, place].set_title(title, fontsize=8)
    if heads:
        for axis, name in zip(axes[1:, 0], head_names(weights.shape[1]), strict=True):
            axis.text(-0.06, 0.5, name, transform=axis.transAxes, rotation=90, ha="right", va="center", fontsize=8)
    colorbar(figure, norm, "inferno", axes.ravel())
    return figure


def colorbar(
    figure: Figure, norm: Normalize, colors: str, axes: Iterable[Axes], label: str = "attention weight"
) -> None:
    """Add one narrow colour bar beside all axes."""
    bar = figure.colorbar(ScalarMappable(norm, colors), ax=list(axes), fraction=0.04, pad=0.01, aspect=25)
    bar.set_label(label, fontsize=8)
    bar.ax.tick_params(labelsize=8)


def scale(weights: Tensor) -> Normalize:
    """A colour scale from 0, or the smallest negative weight, to the largest weight."""
    return Normalize(min(0.0, float(weights.min())), float(weights.max()) or 1.0)


def image(picture: Tensor) -> np.ndarray:
    """Convert (C, H, W) for matplotlib: grey (H, W) or colour (H, W, 3)."""
    return picture[0].numpy() if picture.shape[0] == 1 else picture[:3].permute(1, 2, 0).numpy()


def words_figure(weights: Tensor, rows: Sequence[str], columns: Sequence[str], title: str = "") -> Figure:
    """A figure of weights (Q, K), with a row for each query and a column for each key."""
    size = (min(16.0, 1.8 + 0.45 * len(columns)), min(14.0, 1.4 + 0.3 * len(rows)))
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    norm = scale(weights)
    axis.imshow(weights.float().numpy(), cmap="viridis", aspect="auto", norm=norm)
    axis.set_xticks(range(len(columns)), labels=columns, rotation=60, ha="right", rotation_mode="anchor", fontsize=8)
    axis.set_yticks(range(len(rows)), labels=rows, fontsize=8)
    axis.set_title(title, fontsize=8)
    colorbar(figure, norm, "viridis", [axis])
    return figure


def heads_figure(weights: Tensor, rows: Sequence[str], columns: Sequence[str], title: str = "") -> Figure:
    """A figure of weights (H, Q, K) on one scale: a panel for the mean over heads, and one for each head."""
    panels = with_mean(weights.float(), 0)
    norm = scale(panels)
    across = min(3, len(panels))
    down = math.ceil(len(panels) / across)
    cell = max(0.1, min(0.2, 5.6 / max(len(columns), len(rows))))  # inches
    size = (across * (1.1 + cell * len(columns)) + 1.0, down * (1.4 + cell * len(rows)) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(down, across, squeeze=False).ravel()
    for axis, panel, name in zip(axes, panels, head_names(len(weights)), strict=False):
        axis.imshow(panel.numpy(), cmap="viridis", aspect="auto", norm=norm)
        axis.set_xticks(range(len(columns)), labels=columns, rotation=90, fontsize=min(8, 54 * cell))
        axis.set_yticks(range(len(rows)), labels=rows, fontsize=min(8, 54 * cell))
        axis.set_title(name, fontsize=9)
    for axis in axes[len(panels) :]:
        axis.remove()
    figure.suptitle(title, fontsize=9)
    colorbar(figure, norm, "viridis", axes[: len(panels)])
    return figure


def scenes_figure(
    weights: Mapping[str, Mapping[str, float]], across: str = "attended scene", down: str = "attending scene"
) -> Figure:
    """A figure of the mean shares of each scene's examples: by default, of their attention to every scene."""
    names = list(next(iter(weights.values())))
    figure = Figure(figsize=(2.4 + 1.1 * len(names), 1.4 + 0.7 * len(weights)), layout="constrained")
    axis = figure.subplots()
    values = np.array([[row[name] for name in names] for row in weights.values()])
    axis.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    write_cells(axis, values)
    axis.set_xticks(range(len(names)), labels=names, rotation=20, ha="right")
    axis.set_yticks(range(len(weights)), labels=list(weights))
    axis.set_xlabel(across)
    axis.set_ylabel(down)
    return figure


def confusion_figure(counts: Sequence[Sequence[int]], classes: Sequence[str]) -> Figure:
    """A figure of counts (C, C): a row for each target, a column for each prediction; colours show shares of a row."""
    values = np.array(counts)
    shares = values / values.sum(axis=1, keepdims=True).clip(min=1)
    side = min(14.0, 1.4 + 0.5 * len(classes))
    figure = Figure(figsize=(side + 1.0, side), layout="constrained")
    axis = figure.subplots()
    axis.imshow(shares, cmap="viridis", vmin=0, vmax=1)
    if len(classes) <= MOST_WRITTEN:
        write_cells(axis, shares, values)
    size = min(8, 250 / len(classes))
    axis.set_xticks(range(len(classes)), labels=classes, rotation=90, fontsize=size)
    axis.set_yticks(range(len(classes)), labels=classes, fontsize=size)
    axis.set_xlabel("predicted class")
    axis.set_ylabel("class")
    colorbar(figure, Normalize(0, 1), "viridis", [axis], "share of the class")
    return figure


def scene_heads_figure(
    weights: Mapping[str, Tensor], names: Sequence[str], examples: Sequence[Sequence[int]]
) -> Figure:
    """A figure of the scene weights of some examples: a row for each attending scene, a panel for each head.

    Args:
        weights: per attending scene, (N, H, S) of its N examples.
        names: of all S scenes.
        examples: per attending scene, the numbers of its examples.
    """
    across = max(part.shape[1] for part in weights.values())
    lines = [len(numbers) + 1 for numbers in examples]
    size = (1.9 + across * (0.2 + 0.75 * len(names)), len(lines) * 0.9 + 0.26 * sum(lines) + 0.3)
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots(len(lines), across, squeeze=False, height_ratios=lines)
    for line, (scene, part), numbers in zip(axes, weights.items(), examples, strict=True):
        rows = torch.cat((part, part.mean(dim=0, keepdim=True))).double().numpy()  # (N + 1, H, S)
        for head, axis in enumerate(line):
            axis.imshow(rows[:, head], cmap="viridis", vmin=0, vmax=1, aspect="auto")
            write_cells(axis, rows[:, head])
            axis.set_xticks(range(len(names)), labels=names, rotation=20, ha="right", fontsize=8)
            axis.set_yticks([])
            axis.set_title(f"head {head + 1}", fontsize=9)
        labels = [*(f"example {number}" for number in numbers), "mean"]
        line[0].set_yticks(range(len(labels)), labels=labels, fontsize=8)
        line[0].set_ylabel(f"{scene} attends", fontsize=9)
    colorbar(figure, Normalize(0, 1), "viridis", axes.ravel())
    return figure


def write_cells(axis: Axes, values: np.ndarray, counts: np.ndarray | None = None) -> None:
    """Write each value that is a number, or its count, into its cell: white on dark and black on bright."""
    for y, x in np.argwhere(~np.isnan(values)):
        value = values[y, x]
        color = "white" if value < 0.6 else "black"
        text = f"{value:.2f}" if counts is None else f"{counts[y, x]}"
        axis.text(x, y, text, ha="center", va="center", color=color, fontsize=8)
