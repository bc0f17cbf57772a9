"""Training goes on with the known scenes beside the target's few labels."""

from __future__ import annotations

import pytest
import torch

from iamm.config.instantiate import instantiate
from iamm.engine.seeding import derived_seed
from iamm.run.migration import build_migration
from iamm.transfer.base import random_batches
from iamm.transfer.replay import ReplayTransfer, read
from tests.composing import values_of

BOOK = "review_domains_book"


def test_what_is_read_is_what_the_network_computes(task):
    """Without dropout: the loss with the fusion's penalties, and the logits of the head."""
    made = task()
    made.model.train(False)
    batch = random_batches(made.known[0], "train", 8, 3, torch.device("cpu"), {})(0)
    found, outcome = read(made.model, batch, BOOK), made.model(batch)
    (loss,) = outcome.losses.values()
    torch.testing.assert_close(found.loss, loss + outcome.penalties["recognition"].sum())
    features, _ = made.model.features(batch)
    (name,) = batch
    torch.testing.assert_close(found.logits, made.model.heads[name].scores(features[name]))
    assert found.vectors.shape == (8, 8)


def test_absent_examples_are_left_out_and_labels_smoothed(task):
    made = task("label_smoothing=0.1")
    made.model.train(False)
    batch = random_batches(made.known[0], "train", 8, 3, torch.device("cpu"), {})(0)
    ((name, part),) = batch.items()
    batch[name] = part._replace(present=torch.arange(8) < 5)
    found, outcome = read(made.model, batch, BOOK), made.model(batch)
    torch.testing.assert_close(found.loss, outcome.losses[name] + outcome.penalties["recognition"].sum())
    assert (found.vectors.shape, found.logits.shape) == ((5, 8), (5, 2))


@pytest.mark.parametrize("transfer", ["replay", "mcc", "prototypes", "nearest_neighbours"])
def test_a_target_of_two_views_is_read_by_its_own(transfer):
    """The picture has classes, the sentence has none."""
    sizes = (f"dataset.shape_domains.{name}" for name in ("train=48", "validation=5", "test=6"))
    config = values_of("+experiment=migration_shapes", *sizes, "dim=8", "threads=1", f"transfer={transfer}")
    parts = build_migration(config)
    model, material = parts.model, parts.material
    batch, head = material.batch("unlabelled", torch.arange(4)), material.name
    before = model.heads[head].scores(model.features(batch)[0][head])
    chosen = config["transfer"] | ({"steps": 1} if "steps" in config["transfer"] else {})
    instantiate(chosen).adapt(model, material)
    assert not model.heads[head].scores(model.features(batch)[0][head]).equal(before)


def test_a_step_is_that_of_a_plain_loop(task):
    made, other = task(), task()
    ReplayTransfer(steps=2, rate=0.01, batch=4).adapt(made.model, made.material(2))
    material = other.material(2)
    known = [
        random_batches(dataset, "train", 4, derived_seed(7, dataset.name), torch.device("cpu"), {})
        for dataset in other.known
    ]
    labelled = material.batches("train", 4)
    optimizer = torch.optim.AdamW(other.model.parameters(), lr=0.01, weight_decay=0)
    other.model.train()
    for step in range(2):
        optimizer.zero_grad()
        total = sum(read(other.model, batch(step), BOOK).loss for batch in known) / 3
        total = total + read(other.model, labelled(step), BOOK).loss
        total.backward()
        optimizer.step()
        other.model.end_step()
    for one, expected in zip(made.model.parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-5)


def test_without_labels_it_is_more_training_of_the_source(task, changed):
    made = task()
    before = {name: values.detach().clone() for name, values in made.model.named_parameters()}
    ReplayTransfer(steps=1, batch=4).adapt(made.model, made.material(0))
    assert changed(made.model, before)
    assert not ReplayTransfer.reads_unlabelled
