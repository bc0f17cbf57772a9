from __future__ import annotations

import torch
from torch import nn, tensor

from iamm.encoder.base import Features
from iamm.fusion.by_scene import ByScene, BySceneFusion, SceneVector, mean_of_present


class Times(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.ones(()))


class TimesFusion(BySceneFusion):
    """x'_s = f_s x_s: 2 for a, 3 for b, 5 for an unknown scene."""

    def __init__(self, **keys) -> None:
        super().__init__(("a", "b"), 1, **keys)
        self.factors = ByScene(self.scenes, Times)
        for part, factor in zip(
            (self.factors.own["a"], self.factors.own["b"], self.factors.unknown), (2.0, 3.0, 5.0), strict=True
        ):
            part.factor.data.fill_(factor)

    def mapped(self, values, name):
        return self.factors[name].factor * values


def answer(fusion: BySceneFusion, *names: str) -> dict[str, list[float]]:
    one = Features(torch.ones(3, 1, 1), torch.ones(3, 1, dtype=torch.bool))
    return {name: scene.values.flatten().tolist() for name, scene in fusion(dict.fromkeys(names, one)).features.items()}


def test_a_scene_has_its_own_and_any_other_what_is_kept_for_unknown_ones():
    assert answer(TimesFusion().eval(), "a", "b", "c", "d") == {"a": [2] * 3, "b": [3] * 3, "c": [5] * 3, "d": [5] * 3}


def test_parameters_are_stored_by_name():
    assert list(TimesFusion().state_dict()) == [
        "factors.own.a.factor",
        "factors.own.b.factor",
        "factors.unknown.factor",
    ]


def test_in_training_a_scene_is_hidden_now_and_then_for_its_whole_batch():
    """Of 2,000 draws at 0.3: 600, ± 5 standard deviations of 20.5; both scenes are drawn for themselves."""
    torch.manual_seed(0)
    fusion = TimesFusion(scene_dropout=0.3).train()
    answers = [answer(fusion, "a", "b") for _ in range(1_000)]
    assert all(
        set(values) in ({own}, {5.0}) for each in answers for own, values in zip((2.0, 3.0), each.values(), strict=True)
    )
    hidden = [tuple(values[0] == 5 for values in each.values()) for each in answers]
    assert abs(sum(map(sum, hidden)) - 600) < 103
    assert set(hidden) == {(False, False), (False, True), (True, False), (True, True)}


def test_nothing_is_hidden_in_evaluation_or_at_zero():
    state = torch.get_rng_state()
    fusion = TimesFusion(scene_dropout=0.9).eval()
    assert all(answer(fusion, "a")["a"] == [2] * 3 for _ in range(50))
    fusion = TimesFusion(scene_dropout=0.0).train()
    assert all(answer(fusion, "a")["a"] == [2] * 3 for _ in range(50))
    assert torch.equal(torch.get_rng_state(), state)


def test_a_vector_stands_beside_each_place():
    vector = SceneVector(2)
    vector.value.data = tensor([7.0, 8.0])
    found = vector(tensor([[[1.0], [2.0]]]))
    torch.testing.assert_close(found, tensor([[[1.0, 7.0, 8.0], [2.0, 7.0, 8.0]]]))


def test_the_mean_counts_present_views_only():
    """Rows with both views, one, and none."""
    allow = {"a": tensor([[True], [True], [False]]), "b": tensor([[True], [False], [False]])}
    features = {name: Features(torch.zeros(3, 1, 1), real) for name, real in allow.items()}
    vectors = [tensor([[2.0], [6.0], [0.0]]), tensor([[8.0], [0.0], [0.0]])]
    torch.testing.assert_close(mean_of_present(features, vectors), tensor([[5.0], [6.0], [0.0]]))
