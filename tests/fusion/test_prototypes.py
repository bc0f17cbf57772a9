from __future__ import annotations

import torch
from torch import Tensor, tensor

from iamm.fusion.prototypes import Prototypes

EAST, NORTH, WEST = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]


def write(prototypes: Prototypes, *batches: Tensor) -> None:
    """The batches of one step."""
    for batch in batches:
        prototypes.remember(batch)
    prototypes.count()


def test_the_first_vectors_are_the_first_centres_whatever_their_length():
    prototypes = Prototypes(2, 2)
    write(prototypes, tensor([[3.0, 0.0]]))
    torch.testing.assert_close(prototypes.centres, tensor([EAST, [0.0, 0.0]]))
    write(prototypes, tensor([[0.0, 5.0]]))
    torch.testing.assert_close(prototypes.centres, tensor([EAST, NORTH]))


def test_counts_and_sums_fade_by_hand():
    """γ = ½: n = ½·1 + ½·2, t = ½·(1, 0) + ½·((1, 0) + (0.8, 0.6)); the other centre keeps half of its count."""
    prototypes = Prototypes(2, 2, decay=0.5)
    prototypes.sums.copy_(tensor([EAST, WEST]))
    prototypes.counts.fill_(1.0)
    write(prototypes, tensor([[2.0, 0.0], [4.0, 3.0]]))
    torch.testing.assert_close(prototypes.counts, tensor([1.5, 0.5]))
    torch.testing.assert_close(prototypes.sums, tensor([[1.4, 0.3], [-0.5, 0.0]]))
    torch.testing.assert_close(prototypes.centres[0], tensor([1.4, 0.3]) / (1.4**2 + 0.3**2) ** 0.5)


def test_a_centre_that_nothing_chooses_moves_to_the_vector_that_fits_worst():
    prototypes = Prototypes(2, 2, decay=0.5)
    prototypes.sums.copy_(tensor([EAST, WEST]))
    prototypes.counts.fill_(1.0)
    for _ in range(9):
        write(prototypes, tensor([EAST, EAST, EAST, NORTH]))
    torch.testing.assert_close(prototypes.centres[1], tensor(NORTH))


def test_a_centre_is_unused_below_a_hundredth_of_the_mean_count():
    """Of counts 1 and n, (1 + n) / 200: with a decay of 1, which changes no count, n = 0.006 stays and 0.004 moves."""
    for count, expected in ((0.006, WEST), (0.004, NORTH)):
        prototypes = Prototypes(2, 2, decay=1.0)
        prototypes.counts.copy_(tensor([1.0, count]))
        prototypes.sums.copy_(prototypes.counts[:, None] * tensor([EAST, WEST]))
        write(prototypes, tensor([EAST, NORTH]))
        torch.testing.assert_close(prototypes.centres[1], tensor(expected))


def test_a_new_centre_has_the_mean_count_of_those_in_use():
    """(2 + 4) / 2 = 3; then γ = ½ for all: ½·3 + ½·1 = 2."""
    prototypes = Prototypes(3, 2, decay=0.5)
    prototypes.counts.copy_(tensor([2.0, 4.0, 0.0]))
    prototypes.sums.copy_(prototypes.counts[:, None] * tensor([EAST, WEST, NORTH]))
    write(prototypes, tensor([NORTH]))
    torch.testing.assert_close(prototypes.counts, tensor([1.0, 2.0, 2.0]))
    torch.testing.assert_close(prototypes.sums, tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 2.0]]))


def test_two_clusters_become_the_centres():
    generator = torch.Generator().manual_seed(0)
    prototypes = Prototypes(2, 2, decay=0.9)
    for _ in range(50):
        noise = 0.1 * torch.randn(8, 2, generator=generator)
        write(prototypes, torch.cat((tensor(EAST) + noise[:4], tensor(NORTH) + noise[4:])))
    assert sorted(prototypes.centres.argmax(dim=1).tolist()) == [0, 1]
    assert (prototypes.centres.max(dim=1).values > 0.99).all()


def test_a_vector_that_is_not_finite_changes_nothing():
    prototypes = Prototypes(2, 2)
    write(prototypes, tensor([EAST, NORTH]))
    before = {name: value.clone() for name, value in prototypes.state_dict().items()}
    write(prototypes, tensor([[float("nan"), 1.0], [float("inf"), 0.0]]))
    write(prototypes, torch.zeros(0, 2))
    torch.testing.assert_close(prototypes.state_dict(), before, rtol=0, atol=0)


def test_no_gradient_reaches_them_and_none_comes_from_them():
    prototypes = Prototypes(1, 2)
    vector = tensor([EAST], requires_grad=True)
    write(prototypes, vector)
    assert not prototypes.centres.requires_grad
    assert not list(prototypes.parameters())


def test_vectors_wait_for_the_end_of_the_step_and_count_as_one_batch():
    parts, whole = Prototypes(2, 2), Prototypes(2, 2)
    vectors = torch.randn(6, 2, generator=torch.Generator().manual_seed(0))
    parts.remember(vectors[:2])
    assert not parts.counts.any()
    write(parts, vectors[2:])
    write(whole, vectors)
    torch.testing.assert_close(parts.state_dict(), whole.state_dict(), rtol=0, atol=0)
    parts.count()
    torch.testing.assert_close(parts.state_dict(), whole.state_dict(), rtol=0, atol=0)


def test_vectors_of_a_step_that_was_left_out_are_forgotten():
    prototypes = Prototypes(2, 2)
    prototypes.remember(tensor([EAST, NORTH]))
    prototypes.count(applied=False)
    prototypes.count()
    assert not prototypes.counts.any()
