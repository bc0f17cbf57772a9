"""The vote of the nearest labelled examples."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

from iamm.transfer.nearest_neighbours import NearestNeighbours, NearestNeighboursTransfer
from iamm.transfer.prototypes import labelled_vectors

BOOK = "review_domains_book"


def test_votes_by_hand():
    """Cosines 1, 0.6 and 0: the first two vote, for classes 0 and 1."""
    examples = torch.tensor([[2.0, 0.0], [0.6, 0.8], [0.0, 5.0]])
    votes = functional.one_hot(torch.tensor([0, 1, 1]), 2).float()
    (found,) = NearestNeighbours(examples, votes, 2, 0.5)(torch.tensor([[3.0, 0.0]])).softmax(dim=1).tolist()
    first, second = math.exp(1 / 0.5), math.exp(0.6 / 0.5)
    assert math.isclose(found[0], first / (first + second), rel_tol=1e-4)


def test_votes_as_in_a_loop(task):
    made = task()
    material = made.material(6)
    made.model.train(False)
    vectors, classes = labelled_vectors(made.model, material)
    assert vectors.shape == (12, 8)
    assert classes.bincount().tolist() == [6, 6]
    votes = functional.one_hot(classes, 2).to(vectors.dtype)
    found = NearestNeighbours(vectors, votes, 5, 0.1)(vectors[:3]).softmax(dim=1)
    for row in range(3):
        cosines = [float(functional.cosine_similarity(vectors[row], other, dim=0)) for other in vectors]
        nearest = sorted(range(12), key=lambda i: -cosines[i])[:5]
        sums = [sum(math.exp((cosines[i] - 1) / 0.1) for i in nearest if classes[i] == label) for label in (0, 1)]
        expected = torch.tensor([each / sum(sums) for each in sums])
        torch.testing.assert_close(found[row], expected, rtol=1e-3, atol=1e-4)


def test_each_example_is_its_own_nearest(task):
    made = task()
    NearestNeighboursTransfer(neighbours=1).adapt(made.model, made.material(3))
    outputs, _ = made.model.observe(made.material(3).batch("train", torch.arange(6)))
    assert outputs[BOOK]["predicted"] == outputs[BOOK]["target"]
    assert all(math.isfinite(loss) for loss in outputs[BOOK]["nll"])


def test_fewer_examples_than_neighbours(task):
    made = task()
    NearestNeighboursTransfer(neighbours=10).adapt(made.model, made.material(1))
    assert made.model.heads[BOOK].output.neighbours == 2
    assert made.losses().isfinite().all()
