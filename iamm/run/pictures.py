"""The figures of a finished run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from iamm.dataset.base import Dataset
from iamm.engine.collate import collate
from iamm.model.scene_network import SceneNetwork
from iamm.record.recorder import Recorder, tag


def draw(
    recorder: Recorder,
    model: SceneNetwork,
    datasets: Sequence[Dataset],
    device: torch.device,
    step: int,
    count: int,
    scene_weights: Mapping[str, Mapping[str, float]],
    details: Mapping[str, Mapping[str, Any]],
    *,
    heads: bool = False,
) -> list[str]:
    """Draw attention maps of the first validation examples, and the scene weights and confusion matrices of test.

    Args:
        recorder: writes the figures.
        model: a trained network.
        datasets: data sets whose scenes the model has.
        device: of the model.
        step: of the TensorBoard events.
        count: examples of each data set; 0 draws nothing.
        scene_weights: of the test evaluation, if the fusion has any.
        details: of the test evaluation, per scene: the details that its head returns.
        heads: whether each head, the encoders' self-attention and the scene weights of each example are drawn too, and
            the numbers are written.

    Returns:
        A notice for each attention that cannot be drawn.
    """
    if not count:
        return []
    from iamm.record.figure import confusion_figure, scenes_figure
    from iamm.run.attention_maps import AttentionMaps  # matplotlib takes a while

    model.eval()
    maps = AttentionMaps(recorder, model, step, heads)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # words of any script stand at the axes
        for dataset in datasets:
            rows = torch.arange(min(count, dataset.size("validation")))
            maps.draw_group(dataset, collate(dataset, "validation", rows, device))
        if len(model.names) > 1 and scene_weights:
            recorder.picture(tag("test", "scene_weights"), scenes_figure(scene_weights), step)
        for scene, values in details.items():
            if "confusion" in values:
                figure = confusion_figure(values["confusion"], list(values["classes"]))
                recorder.picture(tag("test", "confusion", scene), figure, step)
    if heads:
        recorder.attention(maps.content())
    return maps.notices
