from __future__ import annotations

import math
from copy import deepcopy
from functools import partial

import pytest
import torch
from torch import Tensor, nn, tensor

from iamm.attention.multi_head import MultiHeadAttention
from iamm.attention.single import SingleAttention
from iamm.encoder.base import Features
from iamm.fusion.interest_guidance import CONTROLS, InterestGuidanceFusion
from iamm.normaliser.softmax import SoftmaxNormaliser
from iamm.pattern.full import FullPattern
from iamm.score.additive import AdditiveScore
from iamm.score.dot_product import DotProductScore
from iamm.score.scaled_dot_product import ScaledDotProductScore

DotProduct = partial(SingleAttention, score=DotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
Scaled = partial(SingleAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
Additive = partial(SingleAttention, score=AdditiveScore, pattern=FullPattern, normaliser=SoftmaxNormaliser)
SCENES = ("a", "b", "c")

Q = tensor([0.1, 0.2, 0.3, 0.4], dtype=torch.float64)
X = tensor([[1.0, 2.0, 3.0, 4.0], [5.0, 6.0, 7.0, 8.0]], dtype=torch.float64)


def made(scenes=SCENES, dim=6, **more) -> InterestGuidanceFusion:
    torch.manual_seed(0)
    parts = {"attention": Scaled, "pool": Scaled, "guide": Scaled, "interests": 2, "prototypes": 2, "dropout": 0.0}
    fusion = InterestGuidanceFusion(scenes, dim, **{**parts, **more}).double()
    gates = fusion.gates.parameters() if fusion.gates else ()
    for parameter in (*gates, *fusion.marks.values(), *fusion.recogniser.interests.values()):
        nn.init.normal_(parameter)
    return fusion


@pytest.fixture
def learnt(features):
    """A fusion of given keys whose scenes have prototypes of two batches."""

    def make(**more) -> InterestGuidanceFusion:
        fusion = made(**more)
        for group in ("ab", "c", "ab", "c"):
            fusion(features(group, fusion.dim))
            fusion.end_step()
        return fusion.eval()

    return make


@pytest.fixture
def document() -> InterestGuidanceFusion:
    """D0's own form: one place a scene, one interest Q for all, features as they are, no gates, W = I."""
    parts = {"attention": DotProduct, "gates": False, "normalise": False, "interests": 1, "own": False, "prototypes": 1}
    fusion = made(("one", "two"), 4, **parts)
    for name in ("one", "two"):
        fusion.recogniser.interests[name].data = Q.view(1, 1, 4).clone()
        nn.init.zeros_(fusion.marks[name])
    nn.init.eye_(fusion.output.weight)
    return fusion.eval()


def views(*present: bool) -> dict[str, Features]:
    return {
        name: Features(X[row].view(1, 1, 4).clone(), tensor([[present[row]]]))
        for row, name in enumerate(("one", "two"))
    }


def test_the_documents_worked_example_with_its_right_values(document):
    """D0 §4.6: qᵀx₁ = 3, qᵀx₂ = 7; w = 1 / (1 + e⁴), 1 / (1 + e⁻⁴). The document's 0.6 and 0.4 are wrong."""
    fused, weights, _ = document(views(True, True))
    for name, x in zip(("one", "two"), X, strict=True):
        w = weights[name][0]
        torch.testing.assert_close(w, tensor([1 / (1 + math.exp(4)), 1 / (1 + math.exp(-4))], dtype=torch.float64))
        assert [round(value, 3) for value in w.tolist()] == [0.018, 0.982]
        h = fused[name].values[0, 0] - x
        assert [round(value, 3) for value in h.tolist()] == [4.928, 5.928, 6.928, 7.928]


def test_an_absent_view_leaves_all_to_the_other(document):
    fused, weights, _ = document(views(True, False))
    torch.testing.assert_close(weights["one"], tensor([[1.0, 0.0]], dtype=torch.float64), rtol=0, atol=0)
    torch.testing.assert_close(fused["one"].values[0, 0], 2 * X[0])
    _, weights, _ = document(views(False, False))
    assert (weights["one"] == 0).all()


def test_the_strength_multiplies_what_is_added_and_h_alone_is_d0s_form(document):
    h = document(views(True, True)).features["one"].values[0, 0] - X[0]
    document.strength = 0.25
    torch.testing.assert_close(document(views(True, True)).features["one"].values[0, 0], X[0] + 0.25 * h)
    document.strength, document.residual = 1.0, False
    torch.testing.assert_close(document(views(True, True)).features["one"].values[0, 0], h)


def test_the_gradient_of_q_by_the_softmaxs_derivative(document):
    """∂L/∂q = Σ w_i (x_i − h) (∂L/∂h · x_i) (D0 §4.5, put right); each scene's q_s gets the share p_s of it."""
    upstream = tensor([0.7, -1.1, 0.4, 2.3], dtype=torch.float64)  # ∂L/∂h
    fused, weights, _ = document(views(True, True))
    (fused["one"].values[0, 0] @ upstream).backward()
    w = weights["one"][0].detach()
    h = w @ X
    expected = sum(w[i] * (X[i] - h) * (upstream @ X[i]) for i in range(2))
    gradients = [q.grad.flatten() for q in document.recogniser.interests.values()]
    torch.testing.assert_close(sum(gradients), expected)
    torch.testing.assert_close(gradients[0], expected / 2)  # nothing learnt yet: both scenes are as likely
    assert expected.abs().max() > 0.1


def test_branch_fuses_the_own_scene_and_weighs_the_others(document):
    """D0 §2.5: of two views, h = x_own + 1 · x_other."""
    document.branch = True
    fused, weights, _ = document(views(True, True))
    torch.testing.assert_close(weights["one"], tensor([[0.0, 1.0]], dtype=torch.float64))
    torch.testing.assert_close(fused["one"].values[0, 0], X[0] + X[0] + X[1])
    torch.testing.assert_close(document(views(True, False)).features["one"].values[0, 0], X[0] + X[0])


def test_a_scenes_performance_counts_in_its_weight(document):
    """D0 §3.3 with β = 2: scores 3 and 7 + 2 ln(0.1 / 0.8)."""
    document.performance = 2.0
    document.end_validation({"one": 0.8, "two": 0.1})
    w = document(views(True, True)).scene_weights["one"][0, 0]
    torch.testing.assert_close(w, tensor(1 / (1 + math.exp(4 + 2 * math.log(1 / 8))), dtype=torch.float64))


def layer_norm(x: Tensor) -> Tensor:
    return (x - x.mean()) / ((x - x.mean()).square().mean() + 1e-5).sqrt()


def softmax(scores: list[Tensor]) -> list[Tensor]:
    powers = [torch.exp(score) for score in scores]
    return [power / sum(powers) for power in powers]


def attend(query: Tensor, keys: list[Tensor], values: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
    shares = softmax([query @ key / math.sqrt(len(query)) for key in keys])
    return sum((w * x for w, x in zip(shares, values, strict=True)), start=torch.zeros_like(query)), shares


def naive(fusion: InterestGuidanceFusion, given: dict[str, Features], b: int):
    """The docstring, one example at a time: the places of each scene of the group and its weights w."""
    own = {}
    for name, (values, allow) in given.items():
        real = [values[b, t] for t in range(values.shape[1]) if allow[b, t]]
        own[name] = [layer_norm(x) * fusion.norm.weight + fusion.norm.bias for x in real]
    shares, means = {}, {}
    for name in given:
        real = [given[name].values[b, t] for t in range(given[name].values.shape[1]) if given[name].allow[b, t]]
        mean = layer_norm(sum(real) / len(real)) if real else torch.zeros(fusion.dim, dtype=torch.float64)
        means[name] = mean
        u = fusion.recogniser.project.weight @ mean.detach()
        scores = []
        for scene in fusion.scenes:
            for centre in fusion.recogniser.centres(scene):
                key = fusion.recogniser.project.weight @ centre
                length = (u.norm() * key.norm()).clamp(min=1e-12)
                scores.append(u @ key / length / fusion.recogniser.temperature)
        shares[name] = softmax(scores)
    scenes = {}
    for name in given:
        p = [sum(shares[name][2 * s : 2 * s + 2]) for s in range(len(fusion.scenes))]
        gate = sum(p_s * w for p_s, w in zip(p, fusion.gates.parameters(), strict=True))
        scenes[name] = [2 * torch.sigmoid(x @ gate) * x for x in own[name]]
    for name in fusion.scenes:
        if name not in given:
            scenes[name] = [layer_norm(centre) for centre in fusion.recogniser.centres(name)]
    result, weights = {}, {}
    known = [name for name in fusion.scenes if scenes[name]]
    for name in given:
        vectors = [q for scene in fusion.scenes for q in fusion.recogniser.interests[scene]]  # (K, D) each
        found, totals = [], dict.fromkeys(fusion.scenes, torch.zeros((), dtype=torch.float64))
        for k in range(2):
            q = sum(share * vector[k] for share, vector in zip(shares[name], vectors, strict=True))
            if fusion.own:
                q = q + fusion.own.weight[k * fusion.dim : (k + 1) * fusion.dim] @ means[name]
            q = layer_norm(q)
            x = {scene: attend(q, scenes[scene], scenes[scene])[0] for scene in known}
            keys = [layer_norm(x[scene]) + fusion.marks[scene] for scene in known]
            h, w = attend(q, keys, list(x.values()))
            found.append(h)
            for scene, share in zip(known, w, strict=True):
                totals[scene] = totals[scene] + share / 2
        read = [attend(x, [layer_norm(h) for h in found], found)[0] for x in own[name]]
        result[name] = [fusion.output.weight @ r for r in read]
        weights[name] = torch.stack([totals[scene] for scene in fusion.scenes])
    return result, weights


@pytest.mark.parametrize(("group", "own"), [("ab", True), ("ba", False), ("c", True), ("abc", True)])
def test_equals_the_naive_loop_with_gradients(learnt, features, agree, group, own):
    fusion = learnt(own=own)
    given = features(group, fusion.dim)
    fused, weights, _ = fusion(given)
    expected = [naive(fusion, given, b) for b in range(4)]
    leaves = [scene.values for scene in given.values()] + list(fusion.parameters())
    for name, (values, allow) in given.items():
        for b, (added, shares) in enumerate(expected):
            places = allow[b].nonzero().flatten().tolist()
            if places:
                real = torch.stack([values[b, t] + a for t, a in zip(places, added[name], strict=True)])
                agree(fused[name].values[b, places], real, leaves)
                agree(weights[name][b], shares[name], leaves)


def test_the_penalty_is_the_recognisers_cross_entropy(learnt, features):
    """Of each scene the mean over present examples, times its weight."""
    fusion, given = learnt(recognition=0.5), features("ab", 6)
    losses = [fusion.recognise(name, scene).loss[scene.present].mean() for name, scene in given.items()]
    torch.testing.assert_close(fusion(given).penalties["recognition"], 0.5 * torch.stack(losses))
    assert not made(control="fresh")(given).penalties


def test_training_writes_prototypes_of_present_examples_and_evaluation_does_not(features):
    fusion, given = made(), features("ab", 6)
    fusion.eval()(given)
    fusion.end_step()
    assert all((fusion.recogniser.centres(name) == 0).all() for name in SCENES)
    fusion.train()(given)
    fusion.end_step()
    first = layer_norm(given["b"].values[0, :2].mean(dim=0)).detach()
    torch.testing.assert_close(fusion.recogniser.centres("b")[0], first / first.norm())
    assert fusion.recogniser.prototypes["b"].counts.tolist() == [1.0, 1.0]  # of rows 0 and 2
    assert (fusion.recogniser.centres("c") == 0).all()
    assert (fusion(given).scene_weights["a"][:, 2] == 0).all()  # which has nothing to be read yet


def test_a_frozen_fusion_and_a_skipped_step_keep_the_prototypes(features):
    fusion, given = made(), features("ab", 6)
    fusion(given)
    fusion.end_step(applied=False)
    fusion.requires_grad_(False)
    fusion(given)
    fusion.end_step()
    assert all((fusion.recogniser.centres(name) == 0).all() for name in SCENES)
    fusion.requires_grad_(True)
    fusion.end_step()
    assert all((fusion.recogniser.centres(name) == 0).all() for name in SCENES)


def test_exchanged_prototypes_change_the_answer(learnt, features):
    fusion, given = learnt(), features("ab", 6)
    before = fusion(given).features["a"].values
    prototypes = fusion.recogniser.prototypes
    prototypes["a"], prototypes["b"], prototypes["c"] = prototypes["b"], prototypes["c"], prototypes["a"]
    after = fusion(given).features["a"].values
    assert (after - before)[0].abs().max() > 1e-3
    prototypes["b"], prototypes["c"], prototypes["a"] = prototypes["a"], prototypes["b"], prototypes["c"]
    fusion.control = "exchanged"
    torch.testing.assert_close(fusion(given).features["a"].values, after)


def test_a_scene_that_was_never_trained_has_places_and_interest(learnt, features):
    """Finite, different from example to example, the weights of known scenes below one: its own place counts too."""
    fusion, given = learnt(), features("ab", 6)
    fused, weights, penalties = fusion({"new": given["b"]})
    added = (fused["new"].values - given["b"].values)[[0, 2], 0]
    assert added.isfinite().all()
    assert (added[0] - added[1]).abs().max() > 1e-3
    assert (weights["new"].sum(dim=1)[[0, 2]] < 1).all()
    assert penalties["recognition"] == 0


def test_hiding_the_own_scene_leaves_interest_to_the_others(learnt, features):
    fusion, given = learnt(hide=1.0), features("ab", 6)
    assert fusion.recognise("a", given["a"]).scenes[0, 0] > 0
    hidden = fusion.train().recognise("a", given["a"]).scenes
    assert (hidden[:, 0] == 0).all()
    torch.testing.assert_close(hidden.sum(dim=1), torch.ones(4, dtype=torch.float64))


def test_a_hidden_example_s_own_scene_has_no_mark(learnt, features):
    """w = softmax(qᵀ(LN x + e)/√D) without e_a where a is hidden, as for a scene that was never trained."""
    fusion, given = learnt(hide=1.0).train(), features("ab", 6)
    x = torch.randn(4, 2, 1, 3, 6, dtype=torch.float64)
    first_only = torch.tensor([[True, False]] * 2 + [[False, False]] * 2)
    keys = fusion.keys(x, first_only, ["a", "b", "c"]) - fusion.standard(x)
    marks = torch.stack([fusion.marks[name] for name in "abc"])
    torch.testing.assert_close(keys[2:, :, 0], marks.expand(2, 2, 3, 6))
    torch.testing.assert_close(keys[:2, 1, 0], marks.expand(2, 3, 6))
    torch.testing.assert_close(keys[:2, 0, 0, 1:], marks[1:].expand(2, 2, 6))
    assert (keys[:2, 0, 0, 0] == 0).all()
    before = fusion.guidance(given, fusion.normalised(given)).weights
    with torch.no_grad():
        fusion.marks["a"] += torch.randn(6, dtype=torch.float64)
    after = fusion.guidance(given, fusion.normalised(given)).weights
    torch.testing.assert_close(after[:, :, 0], before[:, :, 0])  # a's examples: no e_a
    assert (after[:, :, 1] - before[:, :, 1]).abs().max() > 1e-3


def test_the_own_scene_is_hidden_from_a_share_of_the_examples(learnt):
    """Of 400 at 0.3: 120, ± 5 standard deviations of 9.2."""
    many = Features(torch.randn(400, 1, 6, dtype=torch.float64), torch.ones(400, 1, dtype=torch.bool))
    hidden = learnt(hide=0.3).train().recognise("a", many).scenes[:, 0] == 0
    assert abs(int(hidden.sum()) - 120) < 46


def test_training_begins_with_gates_of_one_no_marks_and_small_vectors_of_a_scene():
    """All prototypes of a scene have its K vectors, a tenth of unit size."""
    fusion = InterestGuidanceFusion(SCENES, 64, attention=Scaled, pool=Scaled, guide=Scaled)
    x = torch.randn(2, 5, 64)
    torch.testing.assert_close(fusion.gates(x, torch.full((2, 3), 1 / 3), "a"), x, rtol=0, atol=0)
    assert all((mark == 0).all() for mark in fusion.marks.values())
    for vectors in fusion.recogniser.interests.values():  # (M, K, D)
        assert torch.equal(vectors, vectors[:1].expand_as(vectors))
        assert 0.08 < vectors.std() < 0.12


def test_an_example_s_own_interest_teaches_its_encoder(learnt, features):
    """The recogniser reads features without a gradient; U brings one to them, of its own example alone."""
    given = features("c", 6)
    values = given["c"].values.requires_grad_()
    squares = guidance_of(learnt(), given).interest[2, 0].pow(3).sum()
    (gradient,) = torch.autograd.grad(squares, values)
    assert gradient[2].abs().max() > 1e-3
    assert (gradient[[0, 1, 3]] == 0).all()


def test_where_interest_looks_in_the_own_scene_and_in_the_other_view(learnt, features):
    """α of both, by the formula, for an example with both views."""
    fusion, given = learnt(), features("ab", 6)
    places, described = fusion.normalised(given), fusion.describe(given)["a"]
    guidance = fusion.guidance(given, places)
    for name, look in (("a", described.places), ("b", described.elsewhere["b"])):
        z = fusion.gates(places[name], guidance.recognised[name].scenes, name)[0]  # (T, D)
        scores = (guidance.interest[0, 0] @ z.T / math.sqrt(6)).masked_fill(~given[name].allow[0], -torch.inf)
        torch.testing.assert_close(look[0], scores.softmax(dim=-1))


def guidance_of(fusion, given, control="learnt"):
    fusion.control = control
    return fusion.guidance(given, fusion.normalised(given))


class TestControls:
    def test_shuffled_is_the_interest_of_the_example_half_a_batch_away(self, learnt, features):
        fusion, given = learnt(), features("c", 6)
        q, shuffled = (guidance_of(fusion, given, control).interest for control in ("learnt", "shuffled"))
        torch.testing.assert_close(shuffled, q[[2, 3, 0, 1]])

    def test_scene_and_constant_have_the_scenes_own_interest(self, learnt, features):
        for control in ("scene", "constant"):
            fusion = learnt()
            q = guidance_of(fusion, features("c", 6), control).interest[2, 0]
            torch.testing.assert_close(q, fusion.standard(fusion.recogniser.interests["c"].mean(dim=0)))

    def test_constant_weighs_the_scenes_by_their_marks_alone(self, learnt, features):
        fusion = learnt(control="constant")
        weights = fusion(features("ab", 6)).scene_weights["a"]
        q = fusion.standard(fusion.recogniser.of_scene("a"))  # (K, D)
        scores = torch.stack([q @ fusion.marks[name] / math.sqrt(6) for name in SCENES], dim=1)
        torch.testing.assert_close(weights[0], scores.softmax(dim=1).mean(dim=0))

    def test_uniform_weighs_all_alike(self, learnt, features):
        weights = learnt(control="uniform")(features("ab", 6)).scene_weights["a"]
        torch.testing.assert_close(weights[0], torch.full((3,), 1 / 3, dtype=torch.float64))
        torch.testing.assert_close(weights[1], tensor([0.5, 0.0, 0.5], dtype=torch.float64))

    def test_neither_another_score_nor_performance_moves_weights_that_a_control_fixes(self, learnt, features):
        fusion, given = learnt(attention=Additive, performance=2.0), features("ab", 6)
        for control in ("uniform", "constant"):
            fusion.control = control
            fusion.end_validation({"a": 1.0, "b": 1.0, "c": 1.0})
            before = fusion(given).scene_weights["a"]
            fusion.end_validation({"a": 1.0, "b": 0.5, "c": 0.1})
            torch.testing.assert_close(fusion(given).scene_weights["a"], before, rtol=0, atol=0)
            if control == "uniform":
                torch.testing.assert_close(before[0], torch.full((3,), 1 / 3, dtype=torch.float64))

    def test_fresh_trains_no_interest(self, learnt, features):
        fusion = learnt(control="fresh")
        fused = fusion(features("ab", 6))
        sum(scene.values.sum() for scene in fused.features.values()).backward()
        assert all(part.grad is None or (part.grad == 0).all() for part in fusion.recogniser.parameters())
        assert fusion.own.weight.grad is None
        assert all(gate.grad.abs().max() > 0 for gate in fusion.gates.parameters())
        assert fusion.output.weight.grad.abs().max() > 0

    def test_absent_leaves_the_features_alone(self, learnt, features):
        given = features("ab", 6)
        fused = learnt(control="absent")(given).features
        torch.testing.assert_close(fused["a"].values, given["a"].values, rtol=0, atol=0)
        fused = learnt(control="absent", residual=False)(given).features
        torch.testing.assert_close(fused["a"].values, given["a"].values, rtol=0, atol=0)

    def test_all_have_the_same_parameters(self):
        counts = {
            sum(p.numel() for p in made(control=control).parameters()) for control in ("learnt", "fresh", *CONTROLS)
        }
        assert len(counts) == 1


def test_what_is_drawn_are_the_weights_head_by_head(learnt, features):
    heads = partial(
        MultiHeadAttention, score=ScaledDotProductScore, pattern=FullPattern, normaliser=SoftmaxNormaliser, heads=4
    )
    fusion, given = learnt(dim=8, attention=heads), features("ab", 8)
    drawn, logged = fusion.attention_map(given), fusion(given).scene_weights
    assert list(drawn) == ["a", "b"]
    for name, weights in drawn.items():
        assert weights.shape == (4, 4, 3)
        torch.testing.assert_close(weights.mean(dim=1), logged[name])
        assert (weights[0, 0] - weights[0, 1]).abs().max() > 1e-3


def test_the_described_gates_are_the_mean_over_real_places(learnt, features):
    fusion, given = learnt(), features("ab", 6)
    described = fusion.describe(given)["b"]
    for b in range(4):
        weight = sum(p * w for p, w in zip(described.recognised[b], fusion.gates.parameters(), strict=True))
        real = [fusion.norm(x) for x, allowed in zip(given["b"].values[b], given["b"].allow[b], strict=True) if allowed]
        gates = [2 * torch.sigmoid(x @ weight) for x in real]
        expected = sum(gates) / len(gates) if gates else torch.zeros(6, dtype=torch.float64)
        torch.testing.assert_close(described.gates[b], expected)
    assert learnt(gates=False).describe(given)["b"].gates.shape == (4, 0)


def test_prototypes_are_saved_with_the_model(learnt, features):
    fusion, given = learnt(), features("ab", 6)
    other = made()
    other.load_state_dict(deepcopy(fusion.state_dict()))
    torch.testing.assert_close(other.eval()(given).features["a"].values, fusion(given).features["a"].values)
