"""PLE: experts of each scene beside shared ones, level by level."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from iamm.constraints import Layers, ShareBelow1, Width
from iamm.fusion.by_scene import ByScene, BySceneFusion
from iamm.fusion.experts import Experts, mixture


class Level(nn.Module):
    """h'_s = Σ_i g_i [E_s(h_s); E_0(h_0)]_i, g = softmax(W_s h_s): experts of scene s and shared ones, and its gate.

    Args:
        scenes: names of all S scenes.
        dim: D.
        own: number of experts of one scene.
        shared: number of experts of all scenes.
        experts: makes so many experts.
    """

    def __init__(
        self, scenes: Sequence[str], dim: int, own: int, shared: int, experts: Callable[[int], Experts]
    ) -> None:
        super().__init__()
        self.own = ByScene(scenes, lambda: experts(own))
        self.shared = experts(shared)
        self.gates = ByScene(scenes, lambda: nn.Linear(dim, own + shared, bias=False))

    def output(self, name: str, stream: Tensor, shared: Tensor) -> Tensor:
        """Compute h'_s of one scene from h_s and h_0."""
        return self.gated(name, stream, self.own[name](stream), self.shared(shared))

    def gated(self, name: str, stream: Tensor, outputs: Tensor, shared_outputs: Tensor) -> Tensor:
        return mixture(self.gates[name](stream), torch.cat((outputs, shared_outputs), dim=-2))


class InnerLevel(Level):
    """A level that is not the last. The shared stream goes on too: h'_0 is gated over the experts of all scenes.

    The shared gate's rows for the experts of a scene are stored by its name.
    """

    def __init__(
        self, scenes: Sequence[str], dim: int, own: int, shared: int, experts: Callable[[int], Experts]
    ) -> None:
        super().__init__(scenes, dim, own, shared, experts)
        self.rows = nn.ModuleDict({name: nn.Linear(dim, own, bias=False) for name in scenes})
        self.shared_rows = nn.Linear(dim, shared, bias=False)

    def forward(self, streams: Mapping[str, Tensor], shared: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """Compute h'_s of each scene and h'_0 from h_s and h_0."""
        outputs = {name: self.own[name](stream) for name, stream in streams.items()}
        shared_outputs = self.shared(shared)
        scores = torch.cat([*(row(shared) for row in self.rows.values()), self.shared_rows(shared)], dim=-1)
        everything = torch.cat([*(outputs[name] for name in self.rows), shared_outputs], dim=-2)
        gated = {name: self.gated(name, each, outputs[name], shared_outputs) for name, each in streams.items()}
        return gated, mixture(scores, everything)


class ProgressiveExtractionFusion(BySceneFusion):
    """x'_s = x_s + h_s after all levels, each h a gated sum over own and shared experts: PLE (Tang et al. 2020, §4.2).

    As in the paper, an example goes through the streams of all scenes, so the cost of all levels but the last grows
    with S. Ours: it works position by position, begins from norm(x_s) and has a residual path, as `shared` has; the
    towers are the scenes' heads, which `share.head=kind` makes one. An unknown scene has a stream with separate experts
    and gates, which the shared stream does not read.

    Args:
        scenes: names of all S scenes.
        dim: D.
        layers: levels; the paper has 2, and 1 is its customised gate control (CGC).
        own: experts of one scene, a level.
        shared: experts of all scenes, a level.
        feed_forward: hidden width of an expert, as a multiple of D.
        dropout: share dropped of the hidden units.
        scene_dropout: probability that a scene is treated as unknown in a training step.
    """

    def __init__(
        self,
        scenes: Sequence[str],
        dim: int,
        *,
        layers: Layers = 2,
        own: Width = 1,
        shared: Width = 1,
        feed_forward: Layers = 1,
        dropout: ShareBelow1 = 0.1,
        scene_dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scenes, dim, scene_dropout=scene_dropout)
        experts = partial(Experts, dim=dim, hidden=feed_forward * dim, dropout=dropout)
        self.norm = nn.LayerNorm(dim)
        self.inner = nn.ModuleList(InnerLevel(self.scenes, dim, own, shared, experts) for _ in range(layers - 1))
        self.last = Level(self.scenes, dim, own, shared, experts)

    def mapped(self, values: Tensor, name: str) -> Tensor:
        shared = self.norm(values)
        streams = dict.fromkeys((*self.scenes, name), shared)
        for level in self.inner:
            streams, shared = level(streams, shared)
        return values + self.last.output(name, streams[name], shared)
