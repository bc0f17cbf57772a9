"""Synonyms that a training learns: the neighbours of words in its own embeddings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from iamm.augment.base import Augment
from iamm.dataset.base import Dataset, Scene
from iamm.errors import ConfigError


class LearntSynonyms:
    """At the end of each epoch an augmentation gets the neighbours of words in the embeddings of their encoders.

    In the first epoch no word has any. The tables are a part of each checkpoint.

    Args:
        augment: of texts; its `learn` takes the embedding of a scene.
        embeddings: scene → embedding of its encoder.
    """

    def __init__(self, augment: Augment, embeddings: Mapping[str, nn.Embedding]) -> None:
        self.augment, self.embeddings = augment, embeddings

    def end_epoch(self) -> None:
        for name, embedding in self.embeddings.items():
            self.augment.learn(name, embedding.weight)

    def state_dict(self) -> dict[str, Tensor]:
        return {name: torch.from_numpy(table) for name, table in self.augment.tables.items()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        self.augment.tables.update({name: table.numpy() for name, table in state.items()})


def learnt_synonyms(augment: Mapping[str, Augment], model: Any, datasets: Sequence[Dataset]) -> LearntSynonyms | None:
    """The synonyms of the augmentation that learns some; None without one.

    Args:
        augment: name → augmentation.
        model: a `SceneNetwork`.
        datasets: of the training.

    Raises:
        ConfigError: a scene that it augments has no embedding of its words.
    """
    learning = next((each for each in augment.values() if each.learns), None)
    if learning is None:
        return None
    scenes = [scene for dataset in datasets for scene in dataset.scenes if scene.kind == learning.kind]
    return LearntSynonyms(learning, {scene.name: word_embedding(model.encoder(scene.name), scene) for scene in scenes})


def word_embedding(encoder: nn.Module, scene: Scene) -> nn.Embedding:
    for part in encoder.modules():
        if isinstance(part, nn.Embedding) and scene.source and part.num_embeddings == len(scene.source):
            return part
    raise ConfigError(
        f"Learnt synonyms need an encoder with an embedding of words. Found {type(encoder).__name__} for {scene.name}: "
        "choose encoder@encoder.text=transformer or recurrent, or a file of synonyms."
    )
