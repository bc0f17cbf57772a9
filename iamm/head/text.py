"""The base class of heads for text generation: loss, search and measures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from iamm.constraints import Count, Layers, NotNegative, OneOf, ShareBelow1
from iamm.dataset.base import Scene, SceneBatch
from iamm.dataset.vocabulary import BOS, EOS, PAD, Vocabulary, padded
from iamm.encoder.base import Features
from iamm.head.base import AttentionMap, Head, Outputs, distilled, gathered
from iamm.head.decoding import beam_search, next_token_scores
from iamm.measure import LOSS, PERPLEXITY, Measure


class TextHead(Head):
    """p(y) = Π_t p(y_t | y_<t, x), with teacher forcing in training and search in evaluation.

    Measures: BLEU (sacrebleu, lower-cased, 13a tokens, 0 to 1) of the searched text against the reference, as it was
    published where the scene has that text, else decoded; loss in nats a token (EOS counted) and perplexity = e^loss,
    both of the reference's tokens under teacher forcing.

    Args:
        scene: gives the target vocabulary.
        dim: D.
        label_smoothing: ε.
        beams: width of the search in evaluation; 1 is greedy.
        length_penalty: α of the beam search.
        max_length: longest text written, in tokens; None means the longest of the training targets.
        quality: name of the measure that validation selects by.
    """

    measures = (Measure("bleu"), LOSS, PERPLEXITY)

    def __init__(
        self,
        scene: Scene,
        dim: int,
        *,
        label_smoothing: ShareBelow1 = 0.0,
        beams: Layers = 1,
        length_penalty: NotNegative = 1.0,
        max_length: Count | None = None,
        quality: Annotated[str, OneOf(("bleu", "loss", "perplexity"))] = "bleu",
    ) -> None:
        super().__init__(scene, dim, quality=quality)
        assert scene.target is not None
        self.vocabulary: Vocabulary = scene.target
        self.label_smoothing = label_smoothing
        self.beams = beams
        self.length_penalty = length_penalty
        self.max_length = longest_target(scene) if max_length is None else max_length
        self.embedding = nn.Embedding(len(self.vocabulary), dim, padding_idx=PAD)
        nn.init.normal_(self.embedding.weight, std=dim**-0.5)

    def attended(self, features: Features, tokens: Tensor, *, need_weights: bool) -> tuple[Tensor, Tensor | None]:
        """States (B, Q, D) of the decoder after each of `tokens` (B, Q), and the last layer's weights over the source
        (B, H, Q, K), if requested and available."""
        raise NotImplementedError

    def begin(self, features: Features) -> Any:
        """A decoder state before the first token, with one hypothesis a sentence."""
        raise NotImplementedError

    def advance(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        """Process one token of each hypothesis: tokens (N, W) → states (N, W, D), and the new decoder state."""
        raise NotImplementedError

    def logits(self, states: Tensor) -> Tensor:
        """Scores of the next token, with the embedding as output matrix (Press and Wolf 2017).  # (…, V)"""
        return functional.linear(states, self.embedding.weight)

    def token_logits(self, features: Features, batch: SceneBatch) -> tuple[Tensor, Tensor]:
        """Logits (n, V) and targets (n,) of the n real tokens of present examples; padding is not scored."""
        inputs, targets, real = batch.targets[:, :-1], batch.targets[:, 1:], self.real(batch)
        return self.logits(self.attended(features, inputs, need_weights=False)[0][real]), targets[real]

    def real(self, batch: SceneBatch) -> Tensor:
        """Whether a real token of a present example is predicted.  # (B, T − 1)"""
        return (batch.targets[:, 1:] != PAD) & batch.present[:, None]

    def count(self, batch: SceneBatch) -> Tensor:
        return self.real(batch).sum()

    def loss(self, features: Features, batch: SceneBatch) -> Tensor:
        logits, targets = self.token_logits(features, batch)
        total = functional.cross_entropy(logits, targets, label_smoothing=self.label_smoothing, reduction="sum")
        return distilled(total / max(len(targets), 1), logits, features, batch)

    def term_logits(self, features: Features, batch: SceneBatch) -> Tensor:
        return self.token_logits(features, batch)[0]  # (n, V)

    @torch.no_grad()
    def write(self, features: Features) -> list[list[int]]:
        """The text of each example found by the search, as ids."""
        count, device = features.values.shape[0], features.values.device
        state = self.begin(features)
        return beam_search(
            self.score_next,
            state,
            count,
            self.max_length,
            device,
            beams=self.beams,
            length_penalty=self.length_penalty,
        )

    def score_next(self, tokens: Tensor, state: Any) -> tuple[Tensor, Any]:
        states, state = self.advance(tokens, state)
        return next_token_scores(self.logits(states)), state  # (N, W, V)

    def observe(self, features: Features, batch: SceneBatch) -> Outputs:
        rows = batch.present.nonzero()[:, 0]
        present = Features(features.values[rows], features.allow[rows])
        examples = batch.rows(rows)
        logits, targets = self.token_logits(present, examples)
        nll = functional.cross_entropy(logits.double(), targets, reduction="none")
        written = self.write(present) if len(rows) else []
        return {
            "nll": nll.tolist(),
            "written": self.decoded(written),
            "reference": list(examples.references) or self.decoded(examples.targets.tolist()),
        }

    def answers(self, features: Features) -> list[dict[str, Any]]:
        return [{"text": self.vocabulary.decode(ids)} for ids in self.write(features)]

    def decoded(self, texts: Sequence[Sequence[int]]) -> list[str]:
        return [self.vocabulary.decode(ids) for ids in texts]

    def attention_map(self, features: Features) -> AttentionMap | None:
        written = self.write(features)
        tokens = padded([[BOS, *ids] for ids in written]).to(features.values.device)
        _, weights = self.attended(features, tokens, need_weights=True)
        if weights is None:
            return None
        return AttentionMap(weights, [[self.vocabulary.piece(index) for index in (*ids, EOS)] for ids in written])

    def measure(self, outputs: Sequence[Outputs]) -> dict[str, float]:
        loss = float(torch.tensor(gathered(outputs, "nll"), dtype=torch.float64).mean())
        score, _ = bleu(gathered(outputs, "written"), gathered(outputs, "reference"))
        return {"bleu": score, "loss": loss, "perplexity": math.exp(min(loss, 700.0))}


def longest_target(scene: Scene) -> int:
    """Tokens of the longest present training target, without BOS and EOS."""
    train = scene.splits["train"]
    return int((train.targets[train.present] != PAD).sum(dim=1).max()) - 2


def bleu(written: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Corpus BLEU, 0 to 1, and its signature (Post 2018): lower-cased, 13a tokens, as published for Multi30k."""
    from sacrebleu.metrics import BLEU

    metric = BLEU(lowercase=True, tokenize="13a", force=True)  # no warning about tokenised texts like "a dog ."
    score = metric.corpus_score(list(written), [list(references)])
    return score.score / 100.0, str(metric.get_signature())
