"""The convolutional encoder of pictures whose first filters whiten their patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Width
from iamm.dataset.base import Scene
from iamm.encoder.base import Encoder, Features

PATCH = 2
"""Height and width of a patch."""
PICTURES = 2_000
"""Training pictures whose patches are analysed, at most."""
NOISE = 5e-4
"""Share of the mean variance that is added to each variance, so that noise is not magnified."""
MOMENTUM = 0.4
"""Share of a batch in the running statistics: a short training has few batches."""


class WhitenedEncoder(Encoder):
    """A fast CNN: fixed whitening filters 2×2 → GELU → a block for each width, the last of width D.

    A block halves the picture: convolution 3×3 → max pooling 2×2 → batch norm → GELU → convolution 3×3 → batch norm →
    GELU. It does without the pooling where fewer than 2×2 places would be left. A convolution begins by passing its
    input channels on unchanged; its other filters are random.

    The filters are ±Λ^(−½) Vᵀ (p − m) for the mean m and the covariance V Λ Vᵀ of the patches p of training pictures:
    their outputs are uncorrelated and of variance 1. Only their biases are learnt.

    In training, batch norm (Ioffe and Szegedy 2015) standardises by the present pictures of the batch, so that an
    example's features depend on the others; in evaluation they do not. Scenes that share the encoder update the running
    statistics one after another in each step, so the last of them counts most (of three 0.51, of the first 0.18).

    Args:
        scene: has the channels, and the present training pictures whose patches are analysed.
        dim: D, the width of the last block.
        channels: widths of the blocks before it.

    Shapes:
        inputs["image"] (B, C, H, W) in [0, 1] → values (B, h · w, D), h = (H − 1) / 2ⁿ for n poolings, row by row

    Source: Jordan 2024, "94% on CIFAR-10 in 3.29 seconds on a single GPU", §3 and appendix A. There the last block is
    followed by max pooling 3×3, which is left to the head here; the biases of the filters are learnt in the first
    epochs only, the scales of batch norm are fixed at 1, and patches are not centred.
    """

    filters: Tensor

    def __init__(self, scene: Scene, dim: int, *, channels: Sequence[Width] = (64, 256)) -> None:
        super().__init__(scene, dim)
        train = scene.splits["train"]
        pictures = train.inputs["image"]
        filters, shift = whitening(pictures[train.present.nonzero()[:PICTURES, 0]])
        self.register_buffer("filters", filters)
        self.shift = nn.Parameter(shift)
        side, widths = min(pictures.shape[2:]) - 1, [len(filters), *channels, dim]
        blocks = enumerate(pairwise(widths), start=1)
        self.blocks = nn.Sequential(*(Block(a, b, halve=side >> place >= 2) for place, (a, b) in blocks))

    def places(self, pictures: Tensor) -> Tensor:
        """(B, C, H, W) → (B, T, D)"""
        pictures = pictures.contiguous(memory_format=torch.channels_last)  # which is faster on a CPU
        features = self.blocks(functional.gelu(functional.conv2d(pictures, self.filters, self.shift)))
        return features.flatten(2).transpose(1, 2)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        pictures = inputs["image"]
        if self.training:  # an absent picture has no part in the statistics of the batch
            found = self.places(pictures[present])  # (N, T, D)
            values = found.new_zeros(len(present), *found.shape[1:]).index_put((present,), found)
        else:
            values = self.places(pictures)  # (B, T, D)
        return Features(values, present[:, None].expand(-1, values.shape[1]))


class Block(nn.Sequential):
    """GELU(norm(conv(GELU(norm(pool(conv x)))))), which may halve height and width."""

    def __init__(self, inputs: int, outputs: int, *, halve: bool) -> None:
        super().__init__(
            convolution(inputs, outputs),
            nn.MaxPool2d(2) if halve else nn.Identity(),
            nn.BatchNorm2d(outputs, momentum=MOMENTUM),
            nn.GELU(),
            convolution(outputs, outputs),
            nn.BatchNorm2d(outputs, momentum=MOMENTUM),
            nn.GELU(),
        )


def convolution(inputs: int, outputs: int) -> nn.Conv2d:
    """A convolution 3×3 without bias, whose first filters pass the input channels on unchanged."""
    layer = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    nn.init.dirac_(layer.weight[:inputs])
    return layer


def whitening(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """The filters ±Λ^(−½) Vᵀ and biases ∓Λ^(−½) Vᵀ m of the patches of uint8 pictures, in units of the full range.

    Shapes:
        pictures (N, C, H, W) → (2P, C, 2, 2) and (2P,), P = 4C
    """
    patches = functional.unfold(pictures.to(torch.float32) / 255.0, PATCH).transpose(1, 2).flatten(0, 1)  # (…, P)
    variances, vectors = torch.linalg.eigh(torch.cov(patches.T).double())
    floor = max(NOISE * float(variances.mean()), 1e-6)
    half = (vectors / (variances.clamp(min=0.0) + floor).sqrt()).T.float()  # (P, P)
    matrix = torch.cat((half, -half))  # (2P, P)
    return matrix.unflatten(1, (pictures.shape[1], PATCH, PATCH)), -matrix @ patches.mean(dim=0)
