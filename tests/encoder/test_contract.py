"""What every encoder of configs/encoder keeps, with every attention of configs/attention where it takes one."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import nn, tensor

from iamm.dataset.base import Split
from iamm.encoder.base import Encoder, Features
from tests.composing import config_of

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.stem for path in (CONFIGS / "encoder").glob("*.yaml"))
ATTENTIONS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))
PICTURES, BEHAVIOURS = (
    {"convolutional", "whitened"},
    {"click_rates", "co_clicks", "gaussian_process", "item_embedding", "item_sequence", "popularity", "user_item"},
)
NOT_CAUSAL = {"low_rank", "ridge"}
TAKES_ATTENTION = {name for name in NAMES if "${attention}" in (CONFIGS / "encoder" / f"{name}.yaml").read_text()}
CASES = [(name, kind) for name in NAMES for kind in (ATTENTIONS if name in TAKES_ATTENTION else ["multi_head"])]
OF_TEXTS = [case for case in CASES if case[0] not in PICTURES | BEHAVIOURS]
of_texts = pytest.mark.parametrize("case", OF_TEXTS, indirect=True, ids=lambda case: f"{case[0]}-{case[1]}")
D = 12
IDS = tensor([[4, 5, 6, 7, 8], [9, 3, 0, 0, 0], [5, 6, 7, 0, 0], [0, 0, 0, 0, 0]])
CANDIDATES, USERS = tensor([9, 4, 5, 6]), tensor([2, 0, 1, 2])
HERE = tensor([True, True, False, True])


@cache
def composed(name: str, attention: str):
    overrides = [f"encoder@encoder.text={name}", f"attention={attention}", "dropout=0.0"]
    if name == "item_sequence":
        overrides += ["encoder.text.latest=false", f"encoder.text.causal={attention not in NOT_CAUSAL}"]
    return config_of(*overrides)


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request):
    return request.param


@pytest.fixture
def made(case, image_scene, text_scene):
    """An encoder in float64 with its inputs; row 2 is absent."""
    name, attention = case
    pictures = torch.randint(0, 256, (4, 3, 19, 23), generator=torch.Generator().manual_seed(3), dtype=torch.uint8)
    scene = image_scene(pictures) if name in PICTURES else text_scene(7)
    if name in BEHAVIOURS:
        train = Split({"candidate": CANDIDATES, "user": USERS}, tensor([1, 1, 0, 1]), HERE)
        scene = replace(scene, splits={"train": train})
    torch.manual_seed(0)
    encoder: Encoder = instantiate(composed(name, attention).encoder.text)(scene, D).double()
    if name == "user_item":  # whose users begin at 0
        nn.init.normal_(encoder.users.weight)
    behaviour = {"history": IDS, "candidate": CANDIDATES, "user": USERS} if name in BEHAVIOURS else {"text": IDS}
    return encoder, {"image": pictures.double() / 255} if name in PICTURES else behaviour


def gradients(encoder: nn.Module, features: Features, rows: list[int]) -> list[torch.Tensor]:
    """Of what stands in the real places of some rows, each number with a weight of its own."""
    probe = torch.linspace(-1, 1, features.values[0].numel(), dtype=torch.float64).view_as(features.values[0])
    real = features.values[rows].masked_fill(~features.allow[rows].unsqueeze(-1), 0.0)
    leaves = list(encoder.parameters())
    if not leaves:
        return []
    return list(torch.autograd.grad((real * probe).sum(), leaves, allow_unused=True, materialize_grads=True))


def test_gives_features_of_its_width(made):
    encoder, inputs = made
    values, allow = encoder(inputs, HERE)
    assert values.shape == (*allow.shape, D)
    assert values.shape[0] == 4
    assert allow.dtype == torch.bool
    assert values.isfinite().all()


def test_an_absent_row_allows_nothing(made):
    encoder, inputs = made
    allow = encoder(inputs, HERE).allow
    assert not allow[2].any()
    assert allow[0].all()


@of_texts
def test_texts_allow_their_real_tokens(made):
    encoder, inputs = made
    features = encoder(inputs, HERE)
    assert features.allow.tolist() == ((IDS != 0) & HERE[:, None]).tolist()
    assert features.present.tolist() == [True, True, False, False]


def test_what_an_absent_row_holds_changes_nothing(made):
    encoder, inputs = made
    spoilt = {name: values.clone() for name, values in inputs.items()}
    for values in spoilt.values():
        values[2] = values[0].flip(0)
    before, after = encoder(inputs, HERE), encoder(spoilt, HERE)
    rows = [0, 1, 3]
    torch.testing.assert_close(after.values[rows], before.values[rows])
    torch.testing.assert_close(gradients(encoder, after, [0, 1, 2, 3]), gradients(encoder, before, rows=[0, 1, 2, 3]))


def test_batch_mates_are_invisible(made):
    encoder, inputs = made
    if any(isinstance(part, nn.BatchNorm2d) for part in encoder.modules()):
        encoder.eval()  # training standardises by the batch
    together = encoder(inputs, HERE)
    for row in range(4):
        one = {name: values[row : row + 1] for name, values in inputs.items()}
        alone = encoder(one, HERE[row : row + 1])
        torch.testing.assert_close(alone.values[0], together.values[row])
        assert alone.allow[0].tolist() == together.allow[row].tolist()


@of_texts
def test_padding_changes_nothing(made):
    """Neither how much of it there is, nor what its embedding holds."""
    encoder, inputs = made
    before = encoder(inputs, HERE)
    expected = gradients(encoder, before, [0, 1])
    encoder.embedding.weight.data[0] = 1e3
    after = encoder({"text": nn.functional.pad(inputs["text"], (0, 3))}, HERE)
    torch.testing.assert_close(after.values[:, :5], before.values)
    assert (after.values[:, 5:] == 0).all()
    assert not after.allow[:, 5:].any()
    short = Features(after.values[:, :5], after.allow[:, :5])
    torch.testing.assert_close(gradients(encoder, short, [0, 1]), expected)


@of_texts
def test_the_padding_embedding_is_never_learnt(made):
    encoder, inputs = made
    encoder(inputs, HERE).values.sum().backward()
    assert encoder.embedding.weight.isfinite().all()
    assert (encoder.embedding.weight.grad[0] == 0).all()


def test_gradients_reach_every_parameter(made, may_rest):
    encoder, inputs = made
    for (name, _), gradient in zip(
        encoder.named_parameters(), gradients(encoder, encoder(inputs, HERE), [0, 1]), strict=True
    ):
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 0 or may_rest(name), name


def test_a_batch_without_anyone_present(made):
    encoder, inputs = made
    features = encoder(inputs, torch.zeros(4, dtype=torch.bool))
    assert not features.allow.any()
    for (name, _), gradient in zip(encoder.named_parameters(), gradients(encoder, features, [0, 1, 2, 3]), strict=True):
        assert (gradient == 0).all() or name.endswith(".share"), name  # a span pays its penalty all the same
