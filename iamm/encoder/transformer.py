"""The Transformer encoder of texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

from torch import Tensor, nn

from iamm.attention.base import Attention
from iamm.constraints import EvenWidth, Layers, ShareBelow1
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Encoder, Features, FeedForward, sinusoids


class TransformerEncoder(Encoder):
    """Embedding + positions → layers of x + attention(norm x), x + feedforward(norm x) (Vaswani et al. 2017).

    The norm is in front of each part (Xiong et al. 2020), so that training needs no long warm-up.

    Args:
        scene: gives the vocabulary.
        dim: D, even.
        attention: a partial that takes `dim`; used as self-attention.
        layers: number of layers.
        feed_forward: hidden width of the feed-forward parts, as a multiple of D.
        dropout: share dropped of embeddings, hidden units and each part's output.

    Shapes:
        inputs["text"] (B, T) ids → values (B, T, D)

    Raises:
        ValueError: an odd `dim`.
    """

    def __init__(
        self,
        scene: Scene,
        dim: EvenWidth,
        *,
        attention: Callable[..., Attention],
        layers: Layers = 2,
        feed_forward: Layers = 2,
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scene, dim)
        assert scene.source is not None
        self.embedding = nn.Embedding(len(scene.source), dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(TransformerLayer(dim, attention, feed_forward, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(dim)

    def embed(self, tokens: Tensor, present: Tensor) -> Features:
        allow = (tokens != PAD) & present[:, None]
        positions = sinusoids(tokens.shape[1], self.dim).to(tokens.device)
        return Features(self.dropout(self.embedding(tokens) * math.sqrt(self.dim) + positions), allow)  # (B, T, D)

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        values, allow = self.embed(inputs["text"], present)
        for layer in self.layers:
            values, _ = layer(values, allow)
        return Features(self.norm(values).masked_fill(~allow.unsqueeze(-1), 0.0), allow)

    def attention_map(self, inputs: Mapping[str, Tensor], present: Tensor) -> list[Tensor]:
        values, allow = self.embed(inputs["text"], present)
        layer_weights = []
        for layer in self.layers:
            values, weights = layer(values, allow, need_weights=True)
            layer_weights.append(weights)
        return layer_weights


class TransformerLayer(nn.Module):
    """x + attention(norm x), then x + feedforward(norm x)."""

    def __init__(self, dim: int, attention: Callable[..., Attention], feed_forward: int, dropout: float) -> None:
        super().__init__()
        self.attention = attention(dim)
        self.feed_forward = FeedForward(dim, feed_forward * dim, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(2))
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, values: Tensor, allow: Tensor, *, causal: bool = False, need_weights: bool = False
    ) -> tuple[Tensor, Tensor | None]:
        """The values (B, T, D), and the attention's weights (B, H, T, T), if requested."""
        normed = self.norms[0](values)
        attended = self.attention(normed, key_allow=allow, causal=causal, need_weights=need_weights)
        values = values + self.dropout(attended.context)
        return values + self.dropout(self.feed_forward(self.norms[1](values))), attended.weights
