"""The head for text generation with a recurrent decoder."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from iamm.attention.base import Attention, AttentionState
from iamm.constraints import Layers, ShareBelow1
from iamm.dataset.base import Scene
from iamm.encoder.base import Features, masked_mean
from iamm.head.text import TextHead


@dataclass(frozen=True)
class RecurrentState:
    """The recurrence's hidden state (layers, N·W, D), the source's summary (N, D) and its projected places, if any."""

    hidden: Tensor
    summary: Tensor
    memory: AttentionState | None
    hypotheses: int

    def select(self, sentences: Tensor, hypotheses: Tensor) -> RecurrentState:
        rows = (sentences[:, None] * self.hypotheses + hypotheses).flatten()
        return RecurrentState(
            self.hidden.index_select(1, rows),
            self.summary.index_select(0, sentences),
            None if self.memory is None else self.memory.select_remaining(sentences),
            hypotheses.shape[1],
        )


class RecurrentGeneratorHead(TextHead):
    """s_t = GRU(s_{t−1}, y_t), output tanh(W [s_t ; c_t]) (Luong et al. 2015, eq. 5, without input feeding).

    c_t = attention(query = s_t, keys = the source's places). Without attention c_t is the source's summary at each step
    (Cho et al. 2014), so that both have the same layers. The summary, tanh(W mean_t x_t), also is the first state
    (Sennrich et al. 2017, §3.1: the mean stands in for Sutskever's last state).

    Args:
        scene: gives the target vocabulary.
        dim: D.
        attention: a partial that takes `dim`; None means no attention.
        layers: number of stacked GRU layers.
        dropout: share dropped of embeddings and outputs.
        search: `label_smoothing`, `beams`, `length_penalty`, `max_length`, `quality` as in `TextHead`.
    """

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        attention: Callable[..., Attention] | None = None,
        layers: Layers = 1,
        dropout: ShareBelow1 = 0.1,
        **search: float,
    ) -> None:
        super().__init__(scene, dim, **search)  # type: ignore[arg-type]
        self.attention = None if attention is None else attention(dim)
        self.recurrence = nn.GRU(dim, dim, layers, batch_first=True, dropout=dropout if layers > 1 else 0.0)
        self.summarise = nn.Linear(dim, dim)
        self.combine = nn.Linear(2 * dim, dim)
        self.dropout = nn.Dropout(dropout)

    def summary(self, features: Features) -> Tensor:
        return torch.tanh(self.summarise(masked_mean(features)))  # (B, D)

    def first_hidden(self, summary: Tensor) -> Tensor:
        return summary.expand(self.recurrence.num_layers, -1, -1).contiguous()  # (layers, B, D)

    def output(self, states: Tensor, context: Tensor) -> Tensor:
        return self.dropout(torch.tanh(self.combine(torch.cat((states, context), dim=-1))))

    def attended(self, features: Features, tokens: Tensor, *, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        summary = self.summary(features)
        states, _ = self.recurrence(self.dropout(self.embedding(tokens)), self.first_hidden(summary))
        if self.attention is None:
            return self.output(states, summary.unsqueeze(1).expand_as(states)), None
        attended = self.attention(states, features.values, key_allow=features.allow, need_weights=need_weights)
        return self.output(states, attended.context), attended.weights

    def begin(self, features: Features) -> RecurrentState:
        summary = self.summary(features)
        memory = None
        if self.attention is not None:
            memory = self.attention.remember(features.values, key_allow=features.allow)
        return RecurrentState(self.first_hidden(summary), summary, memory, hypotheses=1)

    def advance(self, tokens: Tensor, state: RecurrentState) -> tuple[Tensor, RecurrentState]:
        embedded = self.dropout(self.embedding(tokens.reshape(-1, 1)))  # (N·W, 1, D)
        states, hidden = self.recurrence(embedded, state.hidden)
        states = states.reshape(*tokens.shape, self.dim)  # (N, W, D)
        if self.attention is None:
            context = state.summary.unsqueeze(1).expand_as(states)
        else:
            context = self.attention(states, state=state.memory).context
        return self.output(states, context), RecurrentState(hidden, state.summary, state.memory, tokens.shape[1])
