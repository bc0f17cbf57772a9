"""The Transformer encoder of behaviours: items of a history read each other in the order of time."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import ClassVar, cast

import torch
from torch import Tensor
from torch.nn import functional

from iamm.attention.base import Attention
from iamm.constraints import EvenWidth, Layers, ShareBelow1
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Features, sinusoids
from iamm.encoder.transformer import TransformerEncoder, TransformerLayer


class ItemSequenceEncoder(TransformerEncoder):
    """x_0 = √D e(candidate), x_t = layers(√D e(history_t) + p_n), n the number of later items (SASRec).

    The defaults are SASRec's: each item reads itself and the earlier ones, and the latest place alone is passed on, so
    that a linear head compares it with the candidate. `causal=false latest=false` reads in both directions, as
    BERT4Rec does; `causal=false latest=false candidate=true` is the behaviour sequence Transformer, in which the
    candidate is the last item of the sequence.

    Args:
        scene: gives the items.
        dim: D, even.
        attention: a partial that takes `dim`; used as self-attention.
        layers: number of layers.
        feed_forward: hidden width of the feed-forward parts, as a multiple of D.
        dropout: share dropped of embeddings, hidden units and each part's output.
        causal: whether an item reads only itself and earlier items.
        candidate: whether the candidate takes part as the last item; else x_0 is its embedding.
        latest: whether only the latest place of the history is passed on.
        passes_candidate: False hides the candidate from all that follows, for a head whose answer it is (`next_item`).

    Shapes:
        inputs["candidate"] (B,) and inputs["history"] (B, T) ids → values (B, 1 + T, D), the candidate in place 0

    Raises:
        ValueError: an odd `dim`; `causal` with an attention that cannot be; `candidate` without `passes_candidate`.

    Source: Kang and McAuley 2018, §III; Sun et al. 2019 (BERT4Rec); Chen et al. 2019 (BST). Ours differ: positions are
    sinusoids, counted from the latest item back, so that they depend neither on padding nor on a longest length; the
    norm is in front of each part; an example trains the latest place only, and BERT4Rec is not trained by masking.
    """

    causal_by = "causal"
    impossible: ClassVar = {
        "A candidate that is hidden takes no part in the sequence": (
            {"candidate": [True], "passes_candidate": [False]},
        ),
    }

    def __init__(
        self,
        scene: Scene,
        dim: EvenWidth,
        *,
        attention: Callable[..., Attention],
        layers: Layers = 2,
        feed_forward: Layers = 1,
        dropout: ShareBelow1 = 0.1,
        causal: bool = True,
        candidate: bool = False,
        latest: bool = True,
        passes_candidate: bool = True,
    ) -> None:
        super().__init__(scene, dim, attention=attention, layers=layers, feed_forward=feed_forward, dropout=dropout)
        self.causal, self.candidate, self.latest, self.passes_candidate = causal, candidate, latest, passes_candidate
        if causal and (reason := cast(TransformerLayer, self.layers[0]).attention.no_causal):
            raise ValueError(
                f"`attention` must be causal with causal=true. Found one that cannot: {reason}. Set causal=false, or "
                "choose another attention."
            )

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        values, allow = self.sequence(inputs, present)
        later = places_after(allow)
        for layer in self.layers:
            values, _ = layer(values, allow, causal=self.causal)
        values = self.norm(values)
        length = inputs["history"].shape[1]
        first = values[:, length:] if self.candidate else self.embedded(inputs["candidate"][:, None])  # (B, 1, D)
        real = allow[:, :length] & (later[:, :length] == int(self.candidate) if self.latest else True)
        allow = torch.cat((present[:, None] & self.passes_candidate, real), dim=1)  # (B, 1 + T)
        values = torch.cat((first, values[:, :length]), dim=1)
        return Features(values.masked_fill(~allow.unsqueeze(-1), 0.0), allow)

    def sequence(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        """Embed the history, and behind it the candidate where it takes part."""
        items = inputs["history"]
        if self.candidate:
            items = torch.cat((items, inputs["candidate"][:, None]), dim=1)
        allow = (items != PAD) & present[:, None]
        positions = sinusoids(items.shape[1], self.dim).to(items.device)[places_after(allow)]
        return Features(self.embedded(items.masked_fill(~allow, PAD)) + positions, allow)

    def embedded(self, items: Tensor) -> Tensor:
        """√D e(item), after dropout: (B, T) → (B, T, D)."""
        return self.dropout(self.embedding(items) * math.sqrt(self.dim))

    def attention_map(self, inputs: Mapping[str, Tensor], present: Tensor) -> list[Tensor]:
        """Of each layer the weights (B, H, 1 + T, 1 + T), the candidate in place 0 with no weight where it is apart."""
        values, allow = self.sequence(inputs, present)
        layer_weights = []
        for layer in self.layers:
            values, weights = layer(values, allow, causal=self.causal, need_weights=True)
            first = weights.roll((1, 1), (2, 3)) if self.candidate else functional.pad(weights, (1, 0, 1, 0))
            layer_weights.append(first)
        return layer_weights


def places_after(allow: Tensor) -> Tensor:
    """The number of real places behind each real place; 0 for others.  # (B, T)"""
    return (allow.flip(1).cumsum(dim=1).flip(1) - 1) * allow
