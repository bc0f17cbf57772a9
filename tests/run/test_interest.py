from __future__ import annotations

import json
import math

import pytest
import torch
from rich.console import Console
from torch import tensor

from iamm.engine.evaluate import evaluate
from iamm.errors import DivergedError
from iamm.fusion.base import Interest
from iamm.run.build import build_datasets, build_model
from iamm.run.interest import (
    changes,
    interest_notices,
    interest_report,
    interest_values,
    joined,
    mutual_information,
    scene_figures,
    variance_shares,
)
from iamm.run.training import train


def interest(recognised, weights, places, allow=None) -> Interest:
    values = [tensor(part, dtype=torch.float64) for part in (recognised, weights, places)]
    allow = torch.ones(len(places), values[2].shape[2], dtype=torch.bool) if allow is None else tensor(allow)
    return Interest(*values, allow, torch.ones(len(places), 1, dtype=torch.float64), {})


def test_figures_of_a_scene_by_hand():
    """Recognised once of twice; w of (½, ½) and (1, 0): mean entropy ½ ln 2 of ln 2; α moves with the example."""
    figures = scene_figures(
        interest([[0.9, 0.1], [0.4, 0.6]], [[0.5, 0.5], [1.0, 0.0]], [[[1.0, 0.0]], [[0.0, 1.0]]]), index=0
    )
    assert figures == pytest.approx({"examples": 2, "recognised": 0.5, "entropy": 0.5, "places_between_examples": 1.0})


def test_the_same_places_for_all_examples_have_no_variance_between_them():
    figures = scene_figures(interest([[1.0]] * 2, [[1.0]] * 2, [[[0.9, 0.1]]] * 2), index=0)
    assert figures == pytest.approx({"examples": 2, "recognised": 1.0, "entropy": 0.0, "places_between_examples": 0.0})


def test_uniform_attention_to_texts_of_different_lengths_looks_at_all_alike():
    """Places behind the end of a text are none of its places."""
    allow = [[True, True, False], [True] * 3]
    figures = scene_figures(interest([[1.0]] * 2, [[1.0]] * 2, [[[0.5, 0.5, 0.0]], [[1 / 3] * 3]], allow), index=0)
    assert figures["places_between_examples"] == pytest.approx(0.0)


def test_half_of_the_variance_of_places():
    """α (1, 0), (½, ½): Var = (0.25·2 … ) over four numbers = 0.125, of the mean map (¾, ¼) = 0.0625."""
    figures = scene_figures(interest([[1.0]] * 2, [[1.0]] * 2, [[[1.0, 0.0]], [[0.5, 0.5]]]), index=0)
    assert figures["places_between_examples"] == pytest.approx(0.5)


def test_shares_of_the_variance_of_w():
    """Scene a: (1, 0), (0, 1); scene b: (½, ½) twice. All of it lies between examples of a."""
    parts = [tensor([[1.0, 0.0], [0.0, 1.0]]), tensor([[0.5, 0.5], [0.5, 0.5]])]
    assert variance_shares(parts) == pytest.approx({"variance": 0.25, "between_scenes": 0.0, "between_examples": 1.0})
    parts = [tensor(part).double() for part in ([[1.0, 0.0], [0.0, 1.0]], [[0.5, 0.5]])]  # every example counts alike
    assert variance_shares(parts) == pytest.approx({"variance": 1 / 3, "between_scenes": 0.0, "between_examples": 1.0})
    parts = [tensor([[1.0, 0.0]]), tensor([[0.0, 1.0]])]
    assert variance_shares(parts) == pytest.approx({"variance": 0.5, "between_scenes": 1.0, "between_examples": 0.0})
    assert variance_shares([tensor([[0.5, 0.5]])]) == {"variance": 0.0, "between_scenes": 0.0, "between_examples": 0.0}


def test_the_mutual_information_of_gates_and_scenes():
    """Gates that differ by scene say all of ln 2; gates that are alike, or there are none, nothing."""
    low, high = torch.zeros(3, 1, dtype=torch.float64), torch.ones(3, 1, dtype=torch.float64)
    assert mutual_information([low, high]) == pytest.approx(math.log(2))
    assert mutual_information([low, low]) == pytest.approx(0)
    assert mutual_information([torch.cat([low, high], dim=1), torch.cat([low, low], dim=1)]) == pytest.approx(
        math.log(2) / 2
    )
    assert mutual_information([low[:, :0]] * 2) == 0


def test_the_mutual_information_of_a_gate_that_one_scene_shares():
    """p(gate, scene): (0, a) ½, (0, b) ¼, (1, b) ¼; I = ½ ln(½ / (¾ ½)) + ¼ ln(¼ / (¾ ½)) + ¼ ln(¼ / (¼ ½))."""
    parts = [tensor([[0.0], [0.0]]), tensor([[0.0], [1.0]])]
    expected = math.log(4 / 3) / 2 + math.log(2 / 3) / 4 + math.log(2) / 4
    assert mutual_information([part.double() for part in parts]) == pytest.approx(expected)


def test_batches_of_unlike_length_are_joined():
    parts = [interest([[1.0]], [[1.0]], [[[0.5, 0.5]]]), interest([[1.0]], [[1.0]], [[[0.2, 0.3, 0.5]]])]
    torch.testing.assert_close(
        joined(parts).places, tensor([[[0.5, 0.5, 0.0]], [[0.2, 0.3, 0.5]]], dtype=torch.float64)
    )


def test_the_notice_says_where_nothing_changes():
    plain = {"a": {"accuracy": 0.5, "loss": 1.0}}
    still = {control: changes(plain, plain) for control in ("shuffled", "absent")}
    assert "Interest changes nothing" in interest_notices({"effects": still})[0]
    moved = changes(plain, {"a": {"accuracy": 0.4, "loss": 1.0}})
    assert moved["a"]["accuracy"] == pytest.approx(-0.1)
    assert not interest_notices({"effects": {**still, "shuffled": moved}})
    assert interest_notices({"effects": {**still, "absent": moved}}), "without guidance is not without interest"
    assert not interest_notices({})


def test_tags_of_all_figures():
    report = {
        "scenes": {"a": {"recognised": 1.0}},
        "weights": {"variance": 0.5},
        "gates": {"information": 0.2},
        "effects": {"absent": {"a": {"accuracy": -0.1}}},
    }
    assert interest_values(report) == {
        "val/interest/weights/variance": 0.5,
        "val/interest/gates/information": 0.2,
        "val/interest/recognised/a": 1.0,
        "val/interest/absent/accuracy/a": -0.1,
    }


def test_a_run_writes_its_report(planned):
    """Each control is measured; without guidance the loss is another; unlike scenes are recognised at once."""
    cell = planned("dataset=[shapes]", "dataset.shapes.train=64", "epochs=2")
    report = train(cell, Console(quiet=True))["interest"]
    assert set(report["effects"]) == {"shuffled", "scene", "constant", "uniform", "absent", "exchanged"}
    assert abs(report["effects"]["absent"]["shapes_image"]["loss"]) > 1e-6
    assert 0 <= report["gates"]["information"] <= math.log(2)
    assert all(math.isfinite(value) for figures in report["scenes"].values() for value in figures.values())
    assert json.loads(cell.folder.result.read_text())["interest"] == report


def test_a_fusion_without_interest_has_no_report(planned):
    assert "interest" not in train(planned("fusion=shared"), Console(quiet=True))
    assert "interest" not in train(planned("log.interest=false"), Console(quiet=True))


def test_a_report_that_fails_leaves_interest_as_it_was(planned, monkeypatch):
    """Figures are drawn behind it, with the model's own interest."""
    values = planned().values
    datasets = build_datasets(values)
    model = build_model(values, [scene for dataset in datasets for scene in dataset.scenes])

    def failing(model, *arguments):
        if model.fusion.control == "uniform":
            raise DivergedError("Measures must stay finite.")
        return evaluate(model, *arguments)

    monkeypatch.setattr("iamm.run.interest.evaluate", failing)
    with pytest.raises(DivergedError):
        interest_report(model, datasets, torch.device("cpu"))
    assert model.fusion.control == "learnt"
