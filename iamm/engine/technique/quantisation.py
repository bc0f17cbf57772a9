"""Dynamic quantisation of a trained model: its linear layers compute with integers of 8 bits."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from iamm.errors import ConfigError

LARGEST = 127


class QuantisedLinear(nn.Module):
    """y_o = s_o s_x Σ_i w_oi q_i + b_o, with w_oi = round(W_oi / s_o) and q_i = round(x_i / s_x) in −127 … 127.

    s_o = max_i |W_oi| / 127 is computed once, s_x = max_i |x_i| / 127 for each input vector, so that an answer does not
    depend on the other examples of its batch (Dettmers et al. 2022, §2.1, vector-wise; Jacob et al. 2018, §2.1, with
    both zero points 0).

    Args:
        linear: trained.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.bias = linear.bias
        self.scales: Tensor
        self.register_buffer("scales", scales(linear.weight.detach()))  # (outputs, 1)
        self.whole: Tensor
        self.register_buffer("whole", rounded(linear.weight.detach(), self.scales))  # (outputs, inputs) int8

    @property
    def weight(self) -> Tensor:
        """The weights that the integers stand for, for parts that read them."""
        return self.whole * self.scales

    def forward(self, values: Tensor) -> Tensor:
        rows = values.flatten(0, -2)  # (N, inputs)
        scale = scales(rows)  # (N, 1)
        products = torch._int_mm(rounded(rows, scale), self.whole.T)  # (N, outputs) int32
        outputs = products * scale * self.scales.T
        return (outputs if self.bias is None else outputs + self.bias).unflatten(0, values.shape[:-1])


def scales(rows: Tensor) -> Tensor:
    """max |row| / 127: (N, D) → (N, 1)."""
    return (rows.abs().amax(dim=1, keepdim=True) / LARGEST).clamp(min=torch.finfo(rows.dtype).tiny)


def rounded(rows: Tensor, scale: Tensor) -> Tensor:
    return (rows / scale).round().to(torch.int8)


def quantise(model: nn.Module) -> None:
    """Replace the linear layers of a model, which is then for evaluation only.

    All else stays in float32: convolutions, recurrences, embeddings, norms.

    Raises:
        ConfigError: the model is not on a processor.
    """
    if any(values.device.type != "cpu" for values in model.parameters()):
        raise ConfigError("`precision=int8` computes on a processor. Found a model on another device: add device=cpu.")
    for part in list(model.modules()):
        for name, layer in part.named_children():
            if type(layer) is nn.Linear:
                setattr(part, name, QuantisedLinear(layer))


def size(model: nn.Module) -> int:
    """Bytes of a model's values."""
    return sum(values.numel() * values.element_size() for values in (*model.parameters(), *model.buffers()))
