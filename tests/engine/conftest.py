"""Small data sets and networks of the engine's contract, whose losses and gradients are known by heart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.dataset.base import SPLITS, Dataset, Scene, Split
from iamm.dataset.fields import CLASS, PIXELS, TOKENS
from iamm.dataset.vocabulary import WordVocabulary

CLASSES = ("a", "b", "c")
WORDS = 11  # of a vocabulary with its special tokens


def draws(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def picture_split(count: int, seed: int, missing: int = 0) -> Split:
    pixels = torch.randint(0, 256, (count, 1, 5, 7), generator=draws(seed), dtype=torch.uint8)
    classes = torch.randint(0, len(CLASSES), (count,), generator=draws(seed + 1))
    return Split({"image": pixels}, classes, torch.arange(count) >= missing)


def text_split(count: int, seed: int) -> Split:
    """Inputs of 1 to 7 tokens, targets (BOS … EOS) of 2 to 9."""
    ids = torch.randint(4, WORDS, (count, 7), generator=draws(seed))
    lengths = torch.randint(1, 8, (count, 1), generator=draws(seed + 1))
    inputs = ids * (torch.arange(7) < lengths)
    middle = torch.randint(0, 8, (count, 1), generator=draws(seed + 2))
    places = torch.arange(9)
    body = torch.cat((torch.full((count, 1), 1), ids, torch.zeros(count, 1, dtype=torch.int64)), dim=1)
    targets = body * (places <= middle) + 2 * (places == middle + 1)
    return Split({"text": inputs}, targets, torch.ones(count, dtype=torch.bool))


def picture_data(
    name: str = "pictures", train: int = 37, batch_size: int = 7, seed: int = 0, missing: int = 0
) -> Dataset:
    counts = zip(SPLITS, (train, 13, 11), strict=True)
    splits = {split: picture_split(count, seed + 10 * len(split), missing) for split, count in counts}
    return Dataset(
        name, (Scene(name, "image", "classification", splits, {"image": PIXELS}, CLASS, CLASSES),), batch_size
    )


def text_data(
    name: str = "texts", train: int = 23, batch_size: int = 5, tokens: int | None = None, seed: int = 5
) -> Dataset:
    splits = {split: text_split(n, seed + 10 * len(split)) for split, n in zip(SPLITS, (train, 13, 11), strict=True)}
    vocabulary = WordVocabulary.learn([" ".join("bcdefgh")])
    assert len(vocabulary) == WORDS
    scene = Scene(name, "text", "generation", splits, {"text": TOKENS}, TOKENS, source=vocabulary, target=vocabulary)
    return Dataset(name, (scene,), batch_size, tokens)


class Linear(nn.Module):
    """A scene's inputs, flattened or counted, through dropout and one layer."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.layer = nn.Linear(35, len(CLASSES))

    def forward(self, inputs: Tensor) -> Tensor:
        if inputs.dim() == 2:
            inputs = functional.one_hot(inputs, WORDS).float()[:, :, 1:].sum(dim=1).repeat(1, 4)[:, :35]
        return self.layer(self.dropout(inputs.flatten(1)))


def outcome(losses: Mapping[str, Tensor], features: Mapping[str, Tensor]) -> SimpleNamespace:
    return SimpleNamespace(losses=losses, scene_weights=None, features=features, representation=[], penalties={})


class Plain(nn.Module):
    """Without penalties; notes the progress that it is given."""

    reads_all_scenes = False

    def counts(self, batch: Mapping[str, Any]) -> Tensor:
        return torch.stack([part.present.sum() for part in batch.values()])

    def shared_head_parameters(self) -> list[nn.Parameter]:
        return []

    def penalties(self) -> dict[str, Tensor]:
        return {}

    def set_progress(self, progress: float) -> None:
        self.progress = [*getattr(self, "progress", []), progress]

    def end_step(self, *, applied: bool = True) -> None:
        pass

    def end_validation(self, qualities) -> None:
        pass


class TinyNetwork(Plain):
    """Answers what the engine asks, with one layer a scene. A text's class is its first token modulo 3."""

    def __init__(self, names: Sequence[str], dropout: float = 0.3, seed: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.parts = nn.ModuleDict({name: Linear(dropout) for name in names})
        self.names = tuple(names)
        self.autocast: list[bool] = []

    def head_parameters(self) -> list[list[nn.Parameter]]:
        return [list(self.parts[name].parameters()) for name in self.names]

    def trunk_parameters(self) -> list[nn.Parameter]:
        return []

    def shared_parameters(self, groups: Sequence[Sequence[str]]) -> list[nn.Parameter]:
        return []

    def losses(self, batch: Mapping[str, Any]) -> dict[str, Tensor]:
        return {name: functional.cross_entropy(self.parts[name](read(b)), classes(b)) for name, b in batch.items()}

    def forward(self, batch: Mapping[str, Any]) -> SimpleNamespace:
        self.autocast.append(torch.is_autocast_enabled("cpu"))
        return outcome(self.losses(batch), {name: read(part) for name, part in batch.items()})

    def observe(self, batch: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        self.autocast.append(torch.is_autocast_enabled("cpu"))
        noted = {}
        for name, part in batch.items():
            logits, target = self.parts[name](read(part))[part.present], classes(part)[part.present]
            nll = functional.cross_entropy(logits.double(), target, reduction="none")
            noted[name] = {"right": (logits.argmax(1) == target).tolist(), "nll": nll.tolist()}
        weights = {name: read(part).flatten(1).double().mean(dim=1)[part.present] for name, part in batch.items()}
        return noted, {
            name: torch.stack([w * (i + 1) for i in range(len(self.names))], 1) for name, w in weights.items()
        }

    def measure(self, outputs: Mapping[str, Sequence[Any]]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
        measures = {}
        for name, parts in outputs.items():
            right = [entry for part in parts for entry in part["right"]]
            nll = torch.tensor([entry for part in parts for entry in part["nll"]], dtype=torch.float64)
            measures[name] = {"accuracy": sum(right) / len(right), "loss": float(nll.mean())}
        return measures, {name: found["accuracy"] for name, found in measures.items()}


def read(batch: Any) -> Tensor:
    (values,) = batch.inputs.values()
    return values


def classes(batch: Any) -> Tensor:
    return batch.targets if batch.targets.dim() == 1 else batch.inputs["text"][:, 0] % len(CLASSES)


class Slopes(Plain):
    """Loss of each scene = slope · w (so the gradient is the slope); validation's quality is read from a list."""

    def __init__(
        self, slopes: Mapping[str, Sequence[float]], start: Sequence[float], qualities: Sequence[float] = ()
    ) -> None:
        super().__init__()
        self.names = tuple(slopes)
        self.slopes = {name: torch.tensor(slope) for name, slope in slopes.items()}
        self.w = nn.Parameter(torch.tensor(start))
        self.qualities = list(qualities)

    def head_parameters(self) -> list[list[nn.Parameter]]:
        return [[] for _ in self.names]

    def trunk_parameters(self) -> list[nn.Parameter]:
        return [self.w]

    def shared_parameters(self, groups: Sequence[Sequence[str]]) -> list[nn.Parameter]:
        return [self.w]

    def forward(self, batch: Mapping[str, Any]) -> SimpleNamespace:
        losses = {name: (self.slopes[name] * self.w).sum() for name in batch}
        features = dict.fromkeys(batch, self.w)
        return outcome(losses, features)

    def observe(self, batch: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Tensor]]:
        return {name: {} for name in batch}, {}

    def measure(self, outputs: Mapping[str, Sequence[Any]]) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
        quality = self.qualities.pop(0) if self.qualities else 0.0
        return {name: {"accuracy": quality, "loss": 0.0} for name in outputs}, dict.fromkeys(outputs, quality)


class Listener:
    """Collects all reports of the loop."""

    def __init__(self) -> None:
        self.intervals: list[Any] = []
        self.validations: list[Any] = []

    def trained(self, interval: Any) -> None:
        self.intervals.append(interval)

    def validated(self, state: Any, evaluation: Any) -> None:
        self.validations.append((state.epoch, evaluation))

    @property
    def losses(self) -> list[dict[str, float]]:
        return [dict(interval.losses) for interval in self.intervals]


@pytest.fixture(scope="session")
def pictures() -> Callable[..., Dataset]:
    return picture_data


@pytest.fixture(scope="session")
def texts() -> Callable[..., Dataset]:
    return text_data


@pytest.fixture(scope="session")
def network() -> Callable[..., Any]:
    return TinyNetwork


@pytest.fixture(scope="session")
def slopes() -> Callable[..., Any]:
    return Slopes


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
