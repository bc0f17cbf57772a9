"""Pictures of attention: over places of a picture, over words, over scenes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure
from torch import Tensor
from torch.nn import functional


def map_shape(places: int, height: int, width: int) -> tuple[int, int]:
    """Rows and columns of a map with so many places over a picture of that size."""
    rows = max(1, round((places * height / width) ** 0.5))
    while places % rows:
        rows -= 1
    return rows, places // rows


def places_figure(pictures: Tensor, weights: Tensor, titles: Sequence[str]) -> Figure:
    """Each picture, and below it what was looked at: bright where the weight is high (mean over heads).

    Args:
        pictures: (B, C, H, W) in [0, 1].
        weights: (B, heads, 1, T) over the places of the feature map.
        titles: one an example.
    """
    count, _, height, width = pictures.shape
    maps = weights.mean(dim=1).reshape(count, 1, *map_shape(weights.shape[-1], height, width))
    maps = functional.interpolate(maps.float(), size=(height, width), mode="bilinear", align_corners=False)[:, 0]
    figure = Figure(figsize=(1.7 * count, 3.9), layout="constrained")
    axes = figure.subplots(2, count, squeeze=False)
    for place, title in enumerate(titles):
        for axis in axes[:, place]:
            axis.imshow(image(pictures[place]), cmap="gray", vmin=0, vmax=1)
            axis.axis("off")
        axes[0, place].set_title(title, fontsize=8)
        axes[1, place].imshow(maps[place].numpy(), cmap="inferno", alpha=0.65)
    return figure


def image(picture: Tensor) -> np.ndarray:
    """(C, H, W) → what matplotlib shows: grey (H, W) or colour (H, W, 3)."""
    return picture[0].numpy() if picture.shape[0] == 1 else picture[:3].permute(1, 2, 0).numpy()


def words_figure(weights: Tensor, rows: Sequence[str], columns: Sequence[str], title: str = "") -> Figure:
    """Weights (Q, K), a row for each asking word and a column for each word that was looked at."""
    size = (min(16.0, 1.8 + 0.45 * len(columns)), min(14.0, 1.4 + 0.3 * len(rows)))
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    drawn = axis.imshow(weights.float().numpy(), cmap="viridis", vmin=0, aspect="auto")
    axis.set_xticks(range(len(columns)), labels=columns, rotation=60, ha="right", fontsize=8)
    axis.set_yticks(range(len(rows)), labels=rows, fontsize=8)
    axis.set_title(title, fontsize=8)
    figure.colorbar(drawn, label="attention weight")
    return figure


def scenes_figure(weights: Mapping[str, Mapping[str, float]]) -> Figure:
    """How much each scene's examples attended to every scene, mean over a split."""
    names = list(next(iter(weights.values())))
    figure = Figure(figsize=(2.4 + 1.1 * len(names), 1.4 + 0.7 * len(weights)), layout="constrained")
    axis = figure.subplots()
    values = np.array([[row[name] for name in names] for row in weights.values()])
    axis.imshow(values, cmap="viridis", vmin=0, vmax=1, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        axis.text(x, y, f"{value:.2f}", ha="center", va="center", color="white" if value < 0.6 else "black")
    axis.set_xticks(range(len(names)), labels=names, rotation=20, ha="right")
    axis.set_yticks(range(len(weights)), labels=list(weights))
    axis.set_xlabel("attended scene")
    axis.set_ylabel("scene that asks")
    return figure
