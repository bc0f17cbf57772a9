"""The recurrent encoder of texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from iamm.constraints import EvenWidth, Layers, OneOf, ShareBelow1
from iamm.dataset.base import Scene
from iamm.dataset.vocabulary import PAD
from iamm.encoder.base import Encoder, Features


class RecurrentEncoder(Encoder):
    """Embedding → GRU (Cho et al. 2014) or LSTM (Hochreiter and Schmidhuber 1997, with the forget gate of Gers,
    Schmidhuber and Cummins 2000) in both directions: x_t = [→h_t ; ←h_t].

    Rows are packed, so the backward direction starts at the end of each text and padding has no effect.

    Args:
        scene: gives the vocabulary.
        dim: D, even: half for each direction.
        cell: gru or lstm; D1 §5 and D3 have an LSTM, in one direction.
        layers: number of stacked layers.
        dropout: share dropped of the embeddings and between layers.

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
        cell: Annotated[str, OneOf(("gru", "lstm"))] = "gru",
        layers: Layers = 1,
        dropout: ShareBelow1 = 0.1,
    ) -> None:
        super().__init__(scene, dim)
        assert scene.source is not None
        self.embedding = nn.Embedding(len(scene.source), dim, padding_idx=PAD)
        self.dropout = nn.Dropout(dropout)
        recurrence = nn.GRU if cell == "gru" else nn.LSTM
        self.recurrence = recurrence(
            dim, dim // 2, layers, batch_first=True, bidirectional=True, dropout=dropout if layers > 1 else 0.0
        )

    def forward(self, inputs: Mapping[str, Tensor], present: Tensor) -> Features:
        tokens = inputs["text"]
        allow = (tokens != PAD) & present[:, None]
        lengths = allow.sum(dim=1).clamp(min=1).cpu()
        embedded = self.dropout(self.embedding(tokens.masked_fill(~allow, PAD)))
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        values, _ = pad_packed_sequence(self.recurrence(packed)[0], batch_first=True, total_length=tokens.shape[1])
        return Features(values.masked_fill(~allow.unsqueeze(-1), 0.0), allow)
