"""The nearest class mean."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from iamm.engine.collate import collate
from iamm.transfer.prototypes import NearestMean, PrototypesTransfer, labelled_vectors, require_classifier

BOOK = "review_domains_book"


def test_logits_by_hand():
    means = torch.tensor([[0.0, 0.0], [2.0, 0.0]])
    found = NearestMean(means, 0.5)(torch.tensor([[1.0, 0.0], [0.0, 2.0]]))
    torch.testing.assert_close(found, torch.tensor([[-1.0, -1.0], [-4.0, -8.0]]))  # −‖z − c‖² / (2 · 0.5)


def vectors(made, batch, name):
    """What the classifier's last layer reads, by a hook on it."""
    read = []
    hook = made.model.heads[name].output.register_forward_hook(lambda _, inputs, __: read.append(inputs[0].detach()))
    made.model.observe(batch)
    hook.remove()
    return read[0]


def test_means_are_of_the_few_labels(task):
    made = task()
    made.model.train(False)
    batch = made.material(3).batch("train", torch.arange(6))
    z, labels = vectors(made, batch, BOOK), batch[BOOK].targets.tolist()
    PrototypesTransfer().adapt(made.model, made.material(3))
    for label in (0, 1):
        rows = [z[row] for row in range(6) if labels[row] == label]
        torch.testing.assert_close(made.model.heads[BOOK].output.means[label], sum(rows) / len(rows))


def test_without_labels_they_are_of_the_known_scenes(task):
    made = task()
    made.model.train(False)
    parts = {0: [], 1: []}
    for dataset in made.known:
        batch = collate(dataset, "train", torch.arange(40), torch.device("cpu"))
        for vector, label in zip(vectors(made, batch, dataset.name), batch[dataset.name].targets.tolist(), strict=True):
            parts[label].append(vector)
    PrototypesTransfer().adapt(made.model, made.material(0))
    means = torch.stack([torch.stack(parts[label]).mean(dim=0) for label in (0, 1)])
    torch.testing.assert_close(made.model.heads[BOOK].output.means, means, rtol=1e-4, atol=1e-5)


def test_scenes_with_another_head_are_not_read(task):
    """Digits have classes 0 and 1, too."""
    made, other = task("dataset=[review_domains,digits]"), task()
    assert [dataset.name for dataset in made.known if "digits" in dataset.name]
    vectors, classes = labelled_vectors(made.model, made.material(0))
    assert (len(vectors), set(classes.tolist())) == (len(labelled_vectors(other.model, other.material(0))[0]), {0, 1})


def test_nothing_is_trained_and_known_scenes_keep_their_head(task, changed):
    made = task()
    before = {name: values.detach().clone() for name, values in made.model.named_parameters()}
    PrototypesTransfer().adapt(made.model, made.material(2))
    assert changed(made.model, before) == set()
    assert isinstance(made.model.heads["review_domains_phone"].output, nn.Linear)
    assert made.model.heads[BOOK].norm is made.model.heads["review_domains_phone"].norm


def test_only_a_classifier_has_a_last_layer():
    with pytest.raises(ValueError, match=r"reads a classifier's last layer. Found Linear"):
        require_classifier(nn.Linear(2, 2))
