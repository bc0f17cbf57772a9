"""Encoders and heads in common: which scenes may, what they are made from, and gradients over them by autograd."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import tensor
from torch.nn.utils import parameters_to_vector

from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.fields import CLASS, PIXELS, TOKENS
from iamm.dataset.vocabulary import WordVocabulary
from iamm.encoder.convolutional import ConvolutionalEncoder
from iamm.encoder.recurrent import RecurrentEncoder
from iamm.engine.checkpointer import Checkpointer
from iamm.engine.collate import collate
from iamm.engine.fit import Loop
from iamm.engine.plan import Plan
from iamm.fusion.none import NoneFusion
from iamm.fusion.shared import SharedFusion
from iamm.head.classifier import ClassifierHead
from iamm.model.scene_network import SceneNetwork
from iamm.model.sharing import pooled
from iamm.weighting.equal import EqualWeighting
from iamm.weighting.multiple_gradient_descent import MultipleGradientDescentWeighting
from iamm.weighting.nash import NashWeighting

CPU = torch.device("cpu")
ENCODERS = {
    "image": partial(ConvolutionalEncoder, channels=(4,), groups=2),
    "text": RecurrentEncoder,
}


def pictures(name: str, count: int, seed: int, side: int = 5, classes=("a", "b", "c")) -> Scene:
    draw = torch.Generator().manual_seed(seed)
    pixels = torch.randint(0, 40 * (seed + 1), (count, 1, side, 7), generator=draw, dtype=torch.uint8)
    labels = torch.randint(0, len(classes), (count,), generator=draw)
    splits = dict.fromkeys(("train", "validation", "test"), Split({"image": pixels}, labels, torch.arange(count) > 0))
    return Scene(name, "image", "classification", splits, {"image": PIXELS}, CLASS, classes)


def texts(name: str, words: tuple[str, ...], classes=("a", "b", "c")) -> Scene:
    split = Split({"text": tensor([[4, 5], [5, 0]])}, tensor([0, 1]), torch.ones(2, dtype=torch.bool))
    vocabulary = WordVocabulary(words)
    return Scene(name, "text", "classification", {"train": split}, {"text": TOKENS}, CLASS, classes, vocabulary)


ALIKE = [pictures("p", 7, 0), pictures("q", 5, 1)]


def network(scenes, fusion=NoneFusion, **share) -> SceneNetwork:
    torch.manual_seed(0)
    head = {"classification": partial(ClassifierHead, dropout=0.0)}
    return SceneNetwork(scenes, 6, encoder=ENCODERS, fusion=fusion, head=head, **share)


def groups_of(parts) -> list[list[str]]:
    modules = list(dict.fromkeys(parts.values()))
    return [[name for name, part in parts.items() if part is module] for module in modules]


def test_by_kind_those_of_one_format_have_one():
    scenes = [
        *(pictures("p", 7, 0), texts("t", ("x", "y")), pictures("q", 5, 1), texts("u", ("x", "y"), ("a", "b"))),
        *(pictures("wide", 5, 2, side=6), texts("v", ("y", "x"))),
    ]
    made = network(scenes, share_encoder="kind", share_head="kind")
    assert groups_of(made.encoders) == [["p", "q"], ["t", "u"], ["wide"], ["v"]]
    assert groups_of(made.heads) == [["p", "t", "q", "wide", "v"], ["u"]]


@pytest.mark.parametrize("name", ["items", "train", "get"])
def test_a_name_that_modules_need_is_refused(name):
    """By which neither an encoder nor a parameter of the fusion could be stored."""
    with pytest.raises(ValueError, match=rf"^A scene's name must be free in PyTorch's modules. Found {name}: choose"):
        network([pictures(name, 7, 0)])


def test_by_name_the_others_stay_alone():
    scenes = [*ALIKE, pictures("r", 3, 2), pictures("s", 3, 3)]
    made = network(scenes, share_encoder=[["s", "p"]], share_head=[["q", "r"], ["p", "s"]])
    assert groups_of(made.encoders) == [["p", "s"], ["q"], ["r"]]
    assert groups_of(made.heads) == [["p", "s"], ["q", "r"]]
    assert list(made.heads) == ["p", "q", "r", "s"]


@pytest.mark.parametrize(
    ("share", "words"),
    [
        ({"share_encoder": [["p", "z"]]}, r"`share\.encoder` must name scenes of the run, p, q, wide\. Found z: "),
        ({"share_head": [["p"], ["q", "p"]]}, r"`share\.head` must name a scene once\. Found p twice: leave one out\."),
        (
            {"share_encoder": [["p", "wide"]]},
            "share an encoder must have the same kind .* p, wide to differ",
        ),
        ({"share_head": [["p", "wide"]]}, "share a head must have the same task, .* Found p, wide to differ"),
    ],
)
def test_refuses_what_cannot_be_shared(share, words):
    with pytest.raises(ValueError, match=words):
        network([*ALIKE, pictures("wide", 3, 2, side=6, classes=("a", "b"))], **share)


def test_an_encoder_of_several_takes_the_statistics_of_all():
    encoder = network(ALIKE, share_encoder="kind").encoders["q"]
    pixels = (
        torch.cat([scene.splits["train"].inputs["image"][1:] for scene in ALIKE]) / 255.0
    )  # the first row is absent
    torch.testing.assert_close(encoder.mean.flatten(), pixels.mean()[None])
    torch.testing.assert_close(encoder.deviation.flatten(), pixels.std()[None])


def test_pooled_rows_take_turns_and_texts_are_padded():
    one, other = texts("t", ("x", "y")), texts("u", ("x", "y"))
    longer = Split({"text": tensor([[4, 4, 4]])}, tensor([2]), tensor([False]))
    found = pooled([one, Scene(**{**vars(other), "splits": {"train": longer}})], "encoder").splits["train"]
    assert found.inputs["text"].tolist() == [[4, 5, 0], [4, 4, 4], [5, 0, 0]]
    assert found.present.tolist() == [True, False, True]


def datasets() -> list[Dataset]:
    return [Dataset(scene.name, (scene,), batch_size=4) for scene in ALIKE]


def stepped(rule, share, fusion=NoneFusion, accumulate=1):
    """One step of the loop; the model with its gradients, the weights applied, and the step's batches."""
    model, weighting, data = network(ALIKE, fusion, **share), rule(2), datasets()
    plan = Plan(1, steps=1, accumulate=accumulate)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    samplers = [FirstRows() for _ in data]
    loop = Loop(model, data, samplers, weighting, optimizer, lambda *_: 1.0, plan, 0, CPU, {}, (), Checkpointer())
    done = loop.step(0, conflict=True)
    return model, done, [collate(each, "train", torch.arange(4), CPU) for each in data]


class FirstRows:
    visited = 0

    def next(self, growth):
        return torch.arange(4)

    def steps(self, growth):
        return 1


SHARES = [
    {"share_encoder": "kind"},
    {"share_head": "kind"},
    {"share_encoder": [["p", "q"]], "share_head": [["q", "p"]]},
]


@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.parametrize("fusion", [NoneFusion, partial(SharedFusion, dropout=0.0)], ids=["none", "shared"])
@pytest.mark.parametrize("share", SHARES, ids=str)
@pytest.mark.parametrize("rule", [EqualWeighting, NashWeighting, MultipleGradientDescentWeighting])
def test_gradients_over_what_is_shared_by_autograd(rule, share, fusion, accumulate):
    """What both losses reach steps along Σ a_i g_i, with G taken over all of it; what one reaches along its own."""
    model, done, batches = stepped(rule, share, fusion, accumulate)
    parameters = list(model.parameters())
    slopes = [
        torch.autograd.grad(loss, parameters, allow_unused=True) for b in batches for loss in model(b).losses.values()
    ]
    both = [place for place in range(len(parameters)) if all(slope[place] is not None for slope in slopes)]
    assert both
    rows = torch.stack([parameters_to_vector([slope[place] for place in both]) for slope in slopes]).double()
    torch.testing.assert_close(done.gram, rows @ rows.T, rtol=1e-4, atol=1e-9)
    weights = done.weights.double()
    if rule is not EqualWeighting:
        wanted = rule(2).shared_weights((rows @ rows.T).numpy(), np.ones(2), np.ones(2, dtype=bool))
        torch.testing.assert_close(weights, torch.from_numpy(wanted), rtol=1e-3, atol=1e-5)
    for place, parameter in enumerate(parameters):
        each = [slope[place] for slope in slopes]
        shares = weights.float() if place in both else (0.5, 0.5)
        expected = sum(share * slope for share, slope in zip(shares, each, strict=True) if slope is not None)
        torch.testing.assert_close(parameter.grad, expected, rtol=1e-4, atol=1e-7)


def test_every_parameter_has_one_place():
    """Own heads, heads in common, shared and private before them: each parameter once."""
    scenes = [*ALIKE, pictures("r", 3, 2)]
    made = network(scenes, SharedFusion, share_encoder=[["p", "r"]], share_head=[["p", "q"]])
    groups = [["p"], ["q"], ["r"]]
    shared, heads = made.shared_parameters(groups), made.shared_head_parameters()
    assert [len(head) > 0 for head in made.head_parameters()] == [False, False, True]
    assert set(heads) == set(made.heads["p"].parameters())
    assert set(shared) == {*made.encoders["p"].parameters(), *made.fusion.parameters()}
    private = set(made.trunk_parameters()) - set(shared)
    assert private == set(made.encoders["q"].parameters())
    places = [*shared, *heads, *private, *(p for head in made.head_parameters() for p in head)]
    assert len(places) == len(set(places)) == len(list(made.parameters()))


def test_what_is_shared_is_saved_by_each_scenes_name():
    one, other = network(ALIKE, share_encoder="kind"), network([*ALIKE, pictures("r", 3, 2)], share_encoder="kind")
    missing, unexpected = other.load_state_dict(one.state_dict(), strict=False)
    assert unexpected == []
    assert {name.split(".")[1] for name in missing} == {"r"}
    assert other.encoders["r"] is other.encoders["p"]
    torch.testing.assert_close(other.encoders["r"].state_dict(), one.encoders["p"].state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("fusion", [NoneFusion, partial(SharedFusion, dropout=0.0)], ids=["none", "shared"])
def test_weights_that_are_kept_give_heads_in_common_the_same_step(fusion):
    """`every=2`: the second step has one pass for all scenes, with the first one's weights."""
    model, _, _ = stepped(partial(NashWeighting, every=2), SHARES[2], fusion)
    first = [parameter.grad for parameter in model.parameters()]
    data, weighting = datasets(), NashWeighting(2, every=2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    samplers = [FirstRows() for _ in data]
    loop = Loop(
        model, data, samplers, weighting, optimizer, lambda *_: 1.0, Plan(1, steps=2), 0, CPU, {}, (), Checkpointer()
    )
    for _ in range(2):
        loop.step(0)
    assert int(weighting.steps) == 2
    torch.testing.assert_close([parameter.grad for parameter in model.parameters()], first, rtol=1e-4, atol=1e-7)
