"""Cross-stitch: a network for each scene, and learnt sums of their activations between the layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from iamm.constraints import Layers, Share, ShareBelow1
from iamm.encoder.base import NormedFeedForward
from iamm.fusion.by_scene import BySceneFusion


class Stitch(nn.Module):
    """Σ_k α_k ⊙ y_k over the networks k, one α_k for each channel.

    Args:
        start: name of network k → initial value of α_k.
        dim: D.
    """

    def __init__(self, start: Mapping[str, float], dim: int) -> None:
        super().__init__()
        self.shares = nn.ParameterDict({name: torch.full((dim,), share) for name, share in start.items()})

    def forward(self, outputs: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([share * outputs[name] for name, share in self.shares.items()]).sum(dim=0)


class Column(nn.Module):
    """One layer of all networks, y_k = h_k + feedforward_k(norm_k h_k), and the stitches behind it.

    Args:
        scenes: names of all S scenes.
        dim: D.
        hidden: hidden width of a network.
        dropout: share dropped of the hidden units.
        own_share: initial value of α_ss; the rest is divided among the others.
    """

    def __init__(self, scenes: Sequence[str], dim: int, hidden: int, dropout: float, own_share: float) -> None:
        super().__init__()
        self.blocks = nn.ModuleDict({name: NormedFeedForward(dim, hidden, dropout) for name in scenes})
        rest = (1 - own_share) / max(len(scenes) - 1, 1)
        starts = {name: {other: own_share if other == name else rest for other in scenes} for name in scenes}
        self.stitches = nn.ModuleDict({name: Stitch(start, dim) for name, start in starts.items()})

    def outputs(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """y of each network."""
        return {name: streams[name] + block(streams[name]) for name, block in self.blocks.items()}

    def forward(self, streams: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """h of each network, for the next layer."""
        outputs = self.outputs(streams)
        return {name: stitch(outputs) for name, stitch in self.stitches.items()}


class CrossStitchFusion(BySceneFusion):
    """h'_s = Σ_k α_sk ⊙ y_k, y_k = h_k + feedforward_k(norm h_k), layer by layer (Misra et al. 2016, eq. 1 and §4).

    As in the paper, every network reads the same input, here x_s: an example goes through the networks of all scenes,
    position by position, and x'_s is what its own network gives at the end. No other example is read. Each channel has
    its own α, as there. Ours: residual blocks with normalisation instead of convolutions. An unknown scene has no
    network; its output is a separate stitch over those of the run, which begins as their mean.

    Args:
        scenes: names of all S scenes.
        dim: D.
        layers: layers of each network, with a stitch behind each.
        feed_forward: hidden width of a network, as a multiple of D.
        own_share: initial value of α_ss (the paper: 0.9); the rest is divided among the other networks.
        dropout: share dropped of the hidden units.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        layers: Layers = 2,
        feed_forward: Layers = 1,
        own_share: Share = 0.9,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        columns = [Column(self.scenes, dim, feed_forward * dim, dropout, own_share) for _ in range(layers)]
        self.inner = nn.ModuleList(columns[:-1])
        self.last = columns[-1]
        self.unknown = Stitch(dict.fromkeys(self.scenes, 1 / len(self.scenes)), dim)

    def mapped(self, values: Tensor, name: str) -> Tensor:
        streams = dict.fromkeys(self.scenes, values)
        for column in self.inner:
            streams = column(streams)
        stitch = self.last.stitches[name] if name in self.scenes else self.unknown
        return stitch(self.last.outputs(streams))
