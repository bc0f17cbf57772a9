"""The head for text generation with a Transformer decoder."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention, AttentionState
from iamm.constraints import EvenWidth, Layers, ShareBelow1
from iamm.dataset.base import Scene
from iamm.encoder.base import Features, FeedForward, sinusoids
from iamm.head.text import TextHead


@dataclass(frozen=True)
class TransformerState:
    """Per layer, the past of N·W hypotheses and the memory of N sentences; a sentence's hypotheses share its memory."""

    past: tuple[AttentionState, ...]
    memory: tuple[AttentionState, ...]
    hypotheses: int
    length: int

    def select(self, sentences: Tensor, hypotheses: Tensor) -> TransformerState:
        rows = (sentences[:, None] * self.hypotheses + hypotheses).flatten()
        memory = tuple(state.select_remaining(sentences) for state in self.memory)
        past = tuple(state.select(rows) for state in self.past)
        return TransformerState(past, memory, hypotheses.shape[1], self.length)


class GeneratorHead(TextHead):
    """Embedding + positions → layers of causal self-attention, attention to the source, feed-forward; norm first
    (Vaswani et al. 2017, §3.1; Xiong et al. 2020).

    In search each token is computed once: keys and values of the past are cached, and the source is projected once.

    Args:
        scene: gives the target vocabulary.
        dim: D, even.
        attention: a partial that takes `dim`: the attention to the source.
        self_attention: a partial that takes `dim`: the causal attention of a position to earlier ones; None means
            `attention`.
        layers: number of decoder layers.
        feed_forward: hidden width of the feed-forward parts, as a multiple of D.
        dropout: share dropped of embeddings, hidden units and each part's output.
        search: `label_smoothing`, `beams`, `length_penalty`, `max_length`, `quality` as in `TextHead`.

    Raises:
        ValueError: an odd `dim`; a `self_attention` that cannot be causal.
    """

    decodes_with = ("self_attention", "attention")

    def __init__(
        self,
        scene: Scene,
        dim: EvenWidth,
        *,
        attention: Callable[..., Attention],
        self_attention: Callable[..., Attention] | None = None,
        layers: Layers = 2,
        feed_forward: Layers = 2,
        dropout: ShareBelow1 = 0.1,
        **search: float,
    ) -> None:
        super().__init__(scene, dim, **search)  # type: ignore[arg-type]
        self.dropout = nn.Dropout(dropout)
        self.layers = nn.ModuleList(
            DecoderLayer(dim, self_attention or attention, attention, feed_forward, dropout) for _ in range(layers)
        )
        self.norm = nn.LayerNorm(dim)

    def decoder_layers(self) -> list[DecoderLayer]:
        return [cast(DecoderLayer, layer) for layer in self.layers]

    def embed(self, tokens: Tensor, start: int = 0) -> Tensor:
        positions = sinusoids(tokens.shape[1], self.dim, start).to(tokens.device)
        return self.dropout(self.embedding(tokens) * math.sqrt(self.dim) + positions)

    def attended(self, features: Features, tokens: Tensor, *, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        values, weights = self.embed(tokens), None
        for layer in self.layers:
            values, weights = layer(values, features, need_weights=need_weights)
        return self.norm(values), weights

    def begin(self, features: Features) -> TransformerState:
        return TransformerState(
            tuple(layer.self_attention.empty_state(features.values) for layer in self.decoder_layers()),
            tuple(layer.source.remember(features.values, key_allow=features.allow) for layer in self.decoder_layers()),
            hypotheses=1,
            length=0,
        )

    def advance(self, tokens: Tensor, state: TransformerState) -> tuple[Tensor, TransformerState]:
        values, past = self.embed(tokens.reshape(-1, 1), state.length), []  # (N·W, 1, D)
        for layer, self_attention, memory in zip(self.decoder_layers(), state.past, state.memory, strict=True):
            values, grown = layer.advance(values, self_attention, memory, tokens.shape)
            past.append(grown)
        states = self.norm(values).view(*tokens.shape, self.dim)  # (N, W, D)
        return states, TransformerState(tuple(past), state.memory, tokens.shape[1], state.length + 1)


class DecoderLayer(nn.Module):
    """x + self-attention, x + attention to the source, x + feed-forward, each applied to norm x."""

    def __init__(
        self,
        dim: int,
        self_attention: Callable[..., Attention],
        source: Callable[..., Attention],
        feed_forward: int,
        dropout: float,
    ) -> None:
        super().__init__()
        self.self_attention = causal(self_attention(dim))
        self.source = source(dim)
        self.feed_forward = FeedForward(dim, feed_forward * dim, dropout)
        self.norms = nn.ModuleList(nn.LayerNorm(dim) for _ in range(3))
        self.dropout = nn.Dropout(dropout)

    def forward(self, values: Tensor, features: Features, *, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        values = values + self.dropout(self.self_attention(self.norms[0](values), causal=True).context)
        read = self.source(self.norms[1](values), features.values, key_allow=features.allow, need_weights=need_weights)
        values = values + self.dropout(read.context)
        return values + self.dropout(self.feed_forward(self.norms[2](values))), read.weights

    def advance(
        self, values: Tensor, past: AttentionState, memory: AttentionState, shape: torch.Size
    ) -> tuple[Tensor, AttentionState]:
        """Process one token of N·W hypotheses; the W hypotheses of a sentence are W queries to its memory."""
        self_attention = self.self_attention(self.norms[0](values), causal=True, state=past)
        assert self_attention.state is not None
        values = values + self_attention.context
        query = self.norms[1](values).view(*shape, -1)  # (N, W, D)
        values = values + self.source(query, state=memory).context.reshape(values.shape)
        return values + self.feed_forward(self.norms[2](values)), self_attention.state


def causal(attention: Attention) -> Attention:
    """Check that the attention can be causal, and return it."""
    if attention.no_causal:
        raise ValueError(
            f"`self_attention`, with which a decoder reads what it has written, must be causal. "
            f"Found one that cannot: {attention.no_causal}. Give it another: "
            "+attention@mine=multi_head 'head.generation.self_attention=${mine}'."
        )
    return attention
