"""The model's certain answers are labels for the changed inputs."""

from __future__ import annotations

import math
from dataclasses import replace

import torch

from iamm.augment.text import TextAugment
from iamm.transfer.replay import ReplayTransfer, read
from iamm.transfer.self_training import SelfTrainingTransfer, consistency

DOUBLE = torch.float64


def test_by_hand():
    """ŷ = (0.9, 0.1) and (0.3, 0.7), τ = 0.8: the first counts, with −log softmax₀(0, ln 3) = ln 4, of two."""
    logits = torch.tensor([[0.0, math.log(3)], [5.0, -5.0]], dtype=DOUBLE)
    answers = torch.tensor([[0.9, 0.1], [0.3, 0.7]], dtype=DOUBLE)
    torch.testing.assert_close(consistency(logits, answers, 0.8), torch.tensor(math.log(4) / 2, dtype=DOUBLE))
    torch.testing.assert_close(consistency(logits, answers, 0.95), torch.tensor(0.0, dtype=DOUBLE))
    both = (math.log(4) + 10 + math.log1p(math.exp(-10))) / 2
    torch.testing.assert_close(consistency(logits, answers, 0.5), torch.tensor(both, dtype=DOUBLE))


def test_the_unchanged_input_is_labelled_without_dropout(task):
    """The labels of a step are the answers for the same rows as the step's changed inputs."""
    made = task("dropout=0.5")
    material = replace(made.material(0), augment={"text": TextAugment(replace=0.9, delete=0, mask=0, insert=0)})
    transfer = SelfTrainingTransfer(steps=1, batch=8)
    transfer.adapt(made.model, material)
    found = transfer.teacher(3)
    assert made.model.training
    made.model.train(False)
    batch = made.material(0).batches("unlabelled", 8)(3)
    torch.testing.assert_close(
        found, read(made.model, batch, "review_domains_book").logits.softmax(dim=1), rtol=0, atol=0
    )
    changed = material.batches("unlabelled", 8)(3)
    ((name, part),) = batch.items()
    assert not all(values.equal(changed[name].inputs[field]) for field, values in part.inputs.items())


def test_it_learns_from_certain_answers_alone(task):
    """With a threshold that no answer passes it is replay; with one that all pass it is not."""
    none = adapted(task(), SelfTrainingTransfer(steps=2, batch=8, threshold=0.999999))
    replay = adapted(task(), ReplayTransfer(steps=2, batch=8))
    torch.testing.assert_close(none, replay)
    every = adapted(task(), SelfTrainingTransfer(steps=2, batch=8, threshold=0.0))
    assert any((values - replay[name]).abs().max() > 1e-4 for name, values in every.items())


def adapted(made, transfer) -> dict[str, torch.Tensor]:
    """The parameters after a transfer without labels."""
    transfer.adapt(made.model, made.material(0))
    return dict(made.model.named_parameters())
