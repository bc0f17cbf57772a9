"""Draw what a model looked at, at the end of a run."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import torch

from iamm.dataset.base import Dataset, Scene, SceneBatch
from iamm.engine.collate import collate
from iamm.head.base import Look
from iamm.model.scene_network import SceneNetwork
from iamm.report.recorder import Recorder, tag


def draw(
    recorder: Recorder,
    model: SceneNetwork,
    datasets: Sequence[Dataset],
    device: torch.device,
    step: int,
    count: int,
    scene_weights: Mapping[str, Mapping[str, float]],
) -> None:
    """Attention over pictures and words of the first validation examples, and the scenes' weights on test.

    Args:
        recorder: writes them.
        model: a trained network.
        datasets: whose scenes it knows.
        device: of the model.
        step: where in TensorBoard.
        count: examples of each data set; 0 draws nothing.
        scene_weights: of the test evaluation, if the fusion has any.
    """
    if not count:
        return
    from iamm.report.figure import scenes_figure

    model.eval()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # words of any script stand at the axes
        for dataset in datasets:
            rows = torch.arange(min(count, dataset.size("validation")))
            batch = collate(dataset, "validation", rows, device)
            looks = model.look(batch)
            for scene in dataset.scenes:
                if scene.name in looks:
                    draw_scene(recorder, scene, batch[scene.name], looks[scene.name], step)
        if len(model.names) > 1 and scene_weights:
            recorder.picture(tag("test", "scene_weights"), scenes_figure(scene_weights), step)


def draw_scene(recorder: Recorder, scene: Scene, batch: SceneBatch, look: Look, step: int) -> None:
    from iamm.report.figure import places_figure, words_figure

    weights = look.weights.cpu()
    if scene.kind == "image" and scene.classes:
        titles = [f"{a[0]}\n({scene.classes[t]})" for a, t in zip(look.asked, batch.targets.tolist(), strict=True)]
        recorder.picture(tag("val", "attention", scene.name), places_figure(batch.inputs.cpu(), weights, titles), step)
        return
    for number, (each, asked) in enumerate(zip(weights, look.asked, strict=True)):
        if batch.present[number]:
            columns = words(scene, batch.inputs[number])
            seen = each.mean(dim=0)[: len(asked), : len(columns)]
            name = f"{tag('val', 'attention', scene.name)}/{number}"
            recorder.picture(name, words_figure(seen, asked, columns), step)


def words(scene: Scene, ids: torch.Tensor) -> list[str]:
    assert scene.source is not None
    return [scene.source.piece(index) for index in ids.tolist() if index]
