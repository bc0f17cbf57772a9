from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn, tensor

from iamm.encoder.recurrent import RecurrentEncoder

IDS = tensor([[4, 5, 6, 4, 7], [8, 3, 0, 0, 0], [5, 0, 0, 0, 0]])
HERE = tensor([True, True, True])


def naive_gru(recurrence: nn.GRU | nn.LSTM, suffix: str, inputs: list[Tensor]) -> list[Tensor]:
    """h ← (1 − z) n + z h, step by step (Cho et al. 2014, with the reset gate behind the product, as torch has it)."""
    w_i, w_h, b_i, b_h = parameters(recurrence, suffix)
    hidden, states = inputs[0].new_zeros(recurrence.hidden_size), []
    for x in inputs:
        from_x, from_h = (w_i @ x + b_i).chunk(3), (w_h @ hidden + b_h).chunk(3)
        reset, update = torch.sigmoid(from_x[0] + from_h[0]), torch.sigmoid(from_x[1] + from_h[1])
        new = torch.tanh(from_x[2] + reset * from_h[2])
        hidden = (1 - update) * new + update * hidden
        states.append(hidden)
    return states


def naive_lstm(recurrence: nn.GRU | nn.LSTM, suffix: str, inputs: list[Tensor]) -> list[Tensor]:
    """c ← f c + i g, h ← o tanh c, step by step."""
    w_i, w_h, b_i, b_h = parameters(recurrence, suffix)
    hidden, memory, states = inputs[0].new_zeros(recurrence.hidden_size), 0.0, []
    for x in inputs:
        write, forget, new, output = (w_i @ x + b_i + w_h @ hidden + b_h).chunk(4)
        memory = torch.sigmoid(forget) * memory + torch.sigmoid(write) * torch.tanh(new)
        hidden = torch.sigmoid(output) * torch.tanh(memory)
        states.append(hidden)
    return states


def parameters(recurrence: nn.GRU | nn.LSTM, suffix: str) -> list[Tensor]:
    return [getattr(recurrence, f"{part}_{suffix}") for part in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]


def naive_encoder(encoder: RecurrentEncoder, ids: Tensor) -> Tensor:
    naive_direction = naive_lstm if isinstance(encoder.recurrence, nn.LSTM) else naive_gru
    rows = []
    for row in ids.tolist():
        real = [id for id in row if id != 0]
        states = [encoder.embedding.weight[id] for id in real]
        for layer in range(encoder.recurrence.num_layers):
            there = naive_direction(encoder.recurrence, f"l{layer}", states)
            back = naive_direction(encoder.recurrence, f"l{layer}_reverse", states[::-1])[::-1]
            states = [torch.cat(pair) for pair in zip(there, back, strict=True)]
        states += [torch.zeros_like(states[0])] * (len(row) - len(real))
        rows.append(torch.stack(states))
    return torch.stack(rows)


def test_by_hand(text_scene):
    """All weights 0, so r = z = ½ and n = tanh 1: h₁ = ½ tanh 1 = 0.38080, h₂ = 0.75 tanh 1 = 0.57120."""
    encoder = RecurrentEncoder(text_scene(3), 2, dropout=0.0)
    for name, parameter in encoder.recurrence.named_parameters():
        parameter.data.zero_()
        if name.startswith("bias_ih"):
            parameter.data[2] = 1.0
    values, allow = encoder({"text": tensor([[4, 5, 0]])}, tensor([True]))
    one, two = 0.5 * math.tanh(1), 0.75 * math.tanh(1)
    torch.testing.assert_close(values, tensor([[[one, two], [two, one], [0.0, 0.0]]]))
    assert allow.tolist() == [[True, True, False]]


@pytest.mark.parametrize("cell", ["gru", "lstm"])
@pytest.mark.parametrize("layers", [1, 2])
def test_equals_the_naive_loop_with_gradients(text_scene, agree, layers, cell):
    torch.manual_seed(0)
    encoder = RecurrentEncoder(text_scene(5), 6, cell=cell, layers=layers, dropout=0.0).double()
    found = encoder({"text": IDS}, HERE).values
    agree(found, naive_encoder(encoder, IDS), list(encoder.parameters()))


def test_the_backward_direction_starts_at_the_texts_own_end(text_scene):
    encoder = RecurrentEncoder(text_scene(5), 6, dropout=0.0)
    longer = encoder({"text": nn.functional.pad(IDS, (0, 3))}, HERE).values
    torch.testing.assert_close(longer[:, :5], encoder({"text": IDS}, HERE).values)
    assert (longer[:, 5:] == 0).all()


def test_refuses_an_odd_width(text_scene):
    with pytest.raises(ValueError, match=r"`dim` must be an even whole number at least 2.* Found 7\."):
        RecurrentEncoder(text_scene(5), 7)
