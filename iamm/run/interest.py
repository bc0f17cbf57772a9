"""A report on a trained model's interest: its figures, and the effect of replacing it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log
from statistics import fmean
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from iamm.dataset.base import Dataset
from iamm.engine.collate import all_batches
from iamm.engine.evaluate import Measures, evaluate
from iamm.fusion.base import Interest
from iamm.model.scene_network import SceneNetwork
from iamm.record.recorder import tag

NOTHING = 1e-4
"""The largest change of a measure that counts as none."""


@torch.no_grad()
def interest_report(model: SceneNetwork, datasets: Sequence[Dataset], device: torch.device) -> dict[str, Any]:
    """Measure interest on validation; empty where the fusion has none.

    Returns:
        `scenes`: per scene the figures of `scene_figures`; `weights`: the shares of the variance of w that lie between
        the scenes' means and between examples of one scene; `gates`: the mutual information of gates and scenes;
        `effects`: per control, scene and measure the effect of the control, measure under control − measure.
    """
    if not model.fusion.controls or model.fusion.control != "learnt":
        return {}
    plain = evaluate(model, datasets, "validation", device).measures
    described = describe(model, datasets, device)
    figures = {scene: scene_figures(interest, model.names.index(scene)) for scene, interest in described.items()}
    effects = {}
    try:
        for control in model.fusion.controls:
            model.fusion.control = control
            effects[control] = changes(plain, evaluate(model, datasets, "validation", device).measures)
    finally:
        model.fusion.control = "learnt"
    weights = variance_shares([interest.weights for interest in described.values()])
    gates = {"information": mutual_information([interest.gates for interest in described.values()])}
    return {"scenes": figures, "weights": weights, "gates": gates, "effects": effects}


@torch.no_grad()
def mean_recognised(model: SceneNetwork, dataset: Dataset, device: torch.device, scene: str) -> dict[str, float]:
    """The mean p of each known scene over a scene's examples on test; empty where the fusion has no interest."""
    if not model.fusion.controls:
        return {}
    shares = describe(model, [dataset], device, "test")[scene].recognised.mean(dim=0)
    return dict(zip(model.names, shares.tolist(), strict=True))


def describe(
    model: SceneNetwork, datasets: Sequence[Dataset], device: torch.device, split: str = "validation"
) -> dict[str, Interest]:
    """Give the interest of all present examples of each scene in a split."""
    parts: dict[str, list[Interest]] = defaultdict(list)
    model.train(False)
    for batch in all_batches(datasets, split, device):
        for name, interest in model.interest(batch).items():
            present = batch[name].present
            recognised, weights, places, allow, gates = (values[present].double() for values in interest[:5])
            parts[name].append(Interest(recognised, weights, places, allow > 0, gates))
    return {name: joined(interests) for name, interests in parts.items()}


def joined(parts: Sequence[Interest]) -> Interest:
    """Join the examples of several batches; places are padded with zeros."""
    longest = max(part.places.shape[2] for part in parts)

    def padded(values: Iterable[Tensor]) -> Tensor:
        return torch.cat([pad(each, (0, longest - each.shape[-1])) for each in values])

    return Interest(
        torch.cat([part.recognised for part in parts]),
        torch.cat([part.weights for part in parts]),
        padded(part.places for part in parts),
        padded(part.allow for part in parts),
        torch.cat([part.gates for part in parts]),
    )


def scene_figures(interest: Interest, index: int) -> dict[str, float]:
    """Compute the figures of one scene, number `index` of the run.

    `examples`: their number. `recognised`: share of the examples whose largest p is that of their scene. `entropy`:
    mean entropy of w over that of equal weights. `places_between_examples`: the share of Σ (α_t − 1/T)², T the places
    of an example, that is not the same for all examples; 0 says that interest looks at the same places of each, or at
    all alike.
    """
    entropies = -(interest.weights * interest.weights.clamp(min=1e-12).log()).sum(dim=1)
    scenes = interest.weights.shape[1]
    uniform = interest.allow / interest.allow.sum(dim=1, keepdim=True)  # (B, T)
    beyond = interest.places - uniform[:, None]
    total = beyond.square().mean(dim=(0, 2))  # (K,)
    alike = beyond.mean(dim=0).square().mean(dim=1)
    between = torch.where(total > 1e-12, 1 - alike / total.clamp(min=1e-12), 0.0)
    return {
        "examples": float(len(interest.weights)),
        "recognised": float((interest.recognised.argmax(dim=1) == index).double().mean()),
        "entropy": float(entropies.mean()) / log(scenes) if scenes > 1 else 0.0,
        "places_between_examples": float(between.mean()),
    }


def variance_shares(weights: Sequence[Tensor]) -> dict[str, float]:
    """Shares of Σ_i Var(w_i) over all examples of all scenes: between scenes, and between examples of one scene.

    Args:
        weights: (B, S) of each scene.
    """
    total = float(torch.cat(list(weights)).var(dim=0, correction=0).sum())
    within = sum(float(part.var(dim=0, correction=0).sum()) * len(part) for part in weights) / sum(map(len, weights))
    shares = (1 - within / total, within / total) if total > 1e-12 else (0.0, 0.0)
    return {"variance": total, "between_scenes": shares[0], "between_examples": shares[1]}


def mutual_information(gates: Sequence[Tensor]) -> float:
    """Mean over gates of I(gate; scene) in nats, at most the scenes' entropy and ln 10.

    I = Σ_bs p_bs ln(p_bs / (p_b p_s)) over N examples; the bins b of a gate hold a tenth of all examples each. Gates
    that do not depend on the scene have about 9 (S − 1) / 2N rather than 0 (Miller 1955).

    Args:
        gates: (B, D) of each scene.
    """
    scenes = torch.cat([torch.full((len(part),), scene) for scene, part in enumerate(gates)])
    tenths = torch.linspace(0, 1, 11, dtype=torch.float64)[1:-1]
    each = []
    for values in torch.cat(list(gates)).T.cpu().contiguous():  # (B,), for each of D
        bins = torch.bucketize(values, values.quantile(tenths))
        shares = torch.bincount(bins * len(gates) + scenes, minlength=10 * len(gates)).view(10, -1).double() / len(bins)
        independent = shares.sum(dim=0) * shares.sum(dim=1, keepdim=True)
        each.append(float((torch.xlogy(shares, shares) - torch.xlogy(shares, independent)).sum()))
    return fmean(each) if each else 0.0


def changes(plain: Mapping[str, Mapping[str, float]], controlled: Measures | Mapping[str, Any]) -> Measures:
    return {
        scene: {name: controlled[scene][name] - value for name, value in measures.items()}
        for scene, measures in plain.items()
    }


def interest_notices(report: Mapping[str, Any]) -> list[str]:
    """Give a notice if no replacement of interest changes a measure; to leave guidance out is no replacement."""
    effects = [
        abs(change)
        for control, scenes in report.get("effects", {}).items()
        if control != "absent"
        for measures in scenes.values()
        for change in measures.values()
    ]
    if not effects or max(effects) > NOTHING:
        return []
    return [f"Interest changes nothing: no measure of validation moves by more than {NOTHING} where it is replaced."]


def interest_values(report: Mapping[str, Any]) -> dict[str, float]:
    """Give the figures of a report by TensorBoard tag."""
    if not report:
        return {}
    values = {
        tag("val", "interest", part, name): value
        for part in ("weights", "gates")
        for name, value in report[part].items()
    }
    for scene, figures in report["scenes"].items():
        values |= {tag("val", "interest", name, scene): value for name, value in figures.items()}
    for control, scenes in report["effects"].items():
        for scene, measures in scenes.items():
            values |= {tag("val", "interest", control, name, scene): change for name, change in measures.items()}
    return values
