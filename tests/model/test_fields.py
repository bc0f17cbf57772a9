"""A scene of two inputs, one of them padded with a value of its own, and a head whose measure is better the lower."""

from __future__ import annotations

from typing import Annotated

import pytest
import torch
from torch import Tensor, nn

from iamm.augment.text import TextAugment
from iamm.constraints import OneOf
from iamm.dataset.base import SPLITS, Dataset, Scene, Split
from iamm.dataset.fields import CLASS, TOKENS, Field
from iamm.dataset.vocabulary import WordVocabulary
from iamm.encoder.base import Encoder, Features
from iamm.engine.collate import collate
from iamm.engine.fit import fit
from iamm.engine.plan import Plan, RunState
from iamm.fusion.none import NoneFusion
from iamm.head.classifier import ClassifierHead
from iamm.measure import Measure
from iamm.model.scene_network import SceneNetwork
from iamm.weighting.equal import EqualWeighting

CPU = torch.device("cpu")
FIELDS = {"title": TOKENS, "prices": Field("numbers")}
WORDS = WordVocabulary(["ba", "do", "gi"])


def offers(count: int, seed: int) -> Split:
    """A title of one to four words and two prices; the class is whether the first price is above the second."""
    draws = torch.Generator().manual_seed(seed)
    title = torch.randint(4, 7, (count, 5), generator=draws)
    title *= torch.arange(5) < torch.randint(1, 5, (count, 1), generator=draws)
    prices = torch.randn(count, 2, generator=draws)
    return Split({"title": title, "prices": prices}, (prices[:, 0] > prices[:, 1]).long(), torch.ones(count).bool())


def offer_data() -> Dataset:
    splits = {split: offers(count, seed) for seed, (split, count) in enumerate(zip(SPLITS, (23, 11, 7), strict=True))}
    scene = Scene("offers", "offer", "classification", splits, FIELDS, CLASS, ("cheap", "dear"), source=WORDS)
    return Dataset("offers", (scene,), batch_size=5)


class OfferEncoder(Encoder):
    """A place for each word, and one for the prices in front of them."""

    def __init__(self, scene: Scene, dim: int) -> None:
        super().__init__(scene, dim)
        self.words = nn.Embedding(len(scene.source), dim)
        self.prices = nn.Linear(2, dim)

    def forward(self, inputs, present: Tensor) -> Features:
        values = torch.cat((self.prices(inputs["prices"]).unsqueeze(1), self.words(inputs["title"])), dim=1)
        allow = torch.cat((present[:, None], inputs["title"] != 0), dim=1)
        return Features(values, allow & present[:, None])  # (B, 1 + T, D)


class DoubtingHead(ClassifierHead):
    """A classifier that also reports how far its confidence is off: here, what `errors` says of each validation."""

    measures = (*ClassifierHead.measures, Measure("overconfidence", "raw", lower_is_better=True))

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        quality: Annotated[str, OneOf(("accuracy", "overconfidence"))] = "accuracy",
        errors: list[float] | None = None,
        **keys,
    ) -> None:
        super().__init__(scene, dim, quality=quality, **keys)
        self.errors = errors or [0.07] * 99

    def measure(self, outputs) -> dict[str, float]:
        return {**super().measure(outputs), "overconfidence": self.errors.pop(0)}


def network(data: Dataset, **keys) -> SceneNetwork:
    torch.manual_seed(0)

    def head(scene, dim):
        return DoubtingHead(scene, dim, dropout=0.0, **keys)

    return SceneNetwork(
        data.scenes, 4, encoder={"offer": OfferEncoder}, fusion=NoneFusion, head={"classification": head}
    )


class Watching(EqualWeighting):
    """Notes the qualities of each validation."""

    def __init__(self) -> None:
        super().__init__(1)
        self.qualities: list[float] = []

    def end_validation(self, qualities: Tensor) -> None:
        self.qualities += qualities.tolist()


def trained(model: SceneNetwork, data: Dataset, plan: Plan, weighting=None, **keys) -> RunState:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    weighting = weighting or EqualWeighting(1)
    return fit(model, [data], weighting, optimizer, lambda *_: 1.0, plan, seed=0, device=CPU, **keys)


def test_a_batch_has_both_fields_and_only_the_title_is_trimmed():
    data = offer_data()
    rows = torch.tensor([3, 0, 8])
    batch = collate(data, "train", rows, CPU)["offers"]
    part = data.scenes[0].splits["train"]
    longest = int((part.inputs["title"][rows] != 0).sum(dim=1).max())
    assert batch.inputs["title"].tolist() == part.inputs["title"][rows, :longest].tolist()
    assert batch.inputs["prices"].tolist() == part.inputs["prices"][rows].tolist()


def test_only_the_tokens_are_augmented():
    data = offer_data()
    rows = torch.arange(23)
    augment = {"text": TextAugment(replace=0.5, delete=0.0, mask=0.0, insert=0.0)}
    plain, changed = (collate(data, "train", rows, CPU, augment=change)["offers"].inputs for change in (None, augment))
    assert changed["title"].tolist() != plain["title"].tolist()
    assert changed["prices"].tolist() == plain["prices"].tolist()


def test_training_learns_from_both_fields():
    data = offer_data()
    model = network(data)
    encoder = model.encoder("offers")
    before = {name: values.clone() for name, values in encoder.named_parameters()}
    batch = collate(data, "train", torch.arange(23), CPU)
    first = model(batch).losses["offers"].item()
    state = trained(model, data, Plan(epochs=4))
    assert state.step == 20
    assert model(batch).losses["offers"].item() < 0.5 * first
    assert all(not torch.equal(values, before[name]) for name, values in encoder.named_parameters())


ERRORS = (0.3, 0.07, 0.09, 0.08, 0.01)


def test_the_lowest_overconfidence_is_chosen():
    """Training stops after two validations that are not better; the weighting is given 1 / (1 + error)."""
    data, weighting = offer_data(), Watching()
    model = network(data, quality="overconfidence", errors=list(ERRORS))
    state = trained(model, data, Plan(epochs=5, steps=1, patience=2), weighting)
    assert (state.epoch, state.best_epoch, state.best_quality) == (4, 2, 1 / 1.07)
    assert weighting.qualities == pytest.approx([1 / (1 + error) for error in ERRORS[:4]])


def test_by_default_the_first_measure_selects():
    model = network(offer_data())
    assert model.head("offers").selects == Measure("accuracy")
    classified = ["accuracy", "precision", "recall", "f1", "average_precision", "auc", "calibration", "loss"]
    assert list(model.declared_measures()["offers"]) == [*classified, "overconfidence"]


def test_a_quality_that_is_not_measured_is_refused():
    with pytest.raises(ValueError, match=r"^`quality` must be one of accuracy, overconfidence\. Found 'f2'\."):
        network(offer_data(), quality="f2")
