from __future__ import annotations

import torch
from torch import tensor

from iamm.encoder.user_item import UserItemEncoder

CANDIDATE, USER = tensor([5, 4, 4]), tensor([1, 0, 9])
HERE = tensor([True, True, True])


def made(text_scene) -> UserItemEncoder:
    torch.manual_seed(0)
    return UserItemEncoder(text_scene(3), 5, users=2, dropout=0.0)


def test_values_are_the_rows_of_both_tables(text_scene):
    encoder = made(text_scene)
    torch.nn.init.normal_(encoder.users.weight.data[:2])
    values, allow = encoder({"candidate": CANDIDATE, "user": USER}, HERE)
    assert allow.all()
    torch.testing.assert_close(values[:, 0], encoder.items.weight[CANDIDATE])
    torch.testing.assert_close(values[:2, 1], encoder.users.weight[[1, 0]])


def test_a_user_without_a_vector_has_zero_and_learns_nothing(text_scene):
    encoder = made(text_scene)
    values, _ = encoder({"candidate": CANDIDATE, "user": USER}, HERE)
    assert (values[2, 1] == 0).all()
    assert (values[:, 1] == 0).all()  # nor has any user before training
    values.sum().backward()
    assert (encoder.users.weight.grad[2] == 0).all()
    assert (encoder.users.weight.grad[:2] != 0).all()
