"""Greedy and beam search in a next-token model, for a batch of sentences."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import torch
from torch import Tensor

from iamm.dataset.vocabulary import BOS, EOS, PAD, UNKNOWN


class DecoderState(Protocol):
    """The state of a decoder for N sentences with W hypotheses each."""

    def select(self: State, sentences: Tensor, hypotheses: Tensor) -> State:
        """The state of some sentences, in their order, and of some hypotheses of each.

        Args:
            sentences: (n,) int64, indices among the N.
            hypotheses: (n, w) int64, indices among the W of each selected sentence; may repeat.
        """


State = TypeVar("State", bound=DecoderState)
CUT = -1e4
"""Log-probability of EOS in a text that is cut at the maximal length."""
Step = Callable[[Tensor, State], tuple[Tensor, State]]
"""(tokens (N, W) int64, state) → (log-probabilities of the next token (N, W, V), state)"""


def greedy_search(
    step: Step[State], state: State, count: int, max_length: int, device: torch.device
) -> list[list[int]]:
    """Choose the most likely token at each step, until EOS or `max_length`; finished sentences leave the batch.

    Args:
        step: computes the scores of the next token.
        state: of `count` sentences with one hypothesis each.
        count: N.
        max_length: longest text, in tokens, EOS not counted.

    Returns:
        the ids of each sentence, without BOS and EOS.
    """
    texts: list[list[int]] = [[] for _ in range(count)]
    alive = torch.arange(count, device=device)
    tokens = torch.full((count, 1), BOS, device=device)
    for _ in range(max_length):
        scores, state = step(tokens, state)
        tokens = scores.argmax(dim=-1)  # (n, 1)
        going = (tokens[:, 0] != EOS).nonzero()[:, 0]
        if len(going) < len(alive):
            alive, tokens = alive[going], tokens[going]
            if not len(alive):
                break
            state = state.select(going, torch.zeros(len(going), 1, dtype=torch.int64, device=device))
        for place, token in zip(alive.tolist(), tokens[:, 0].tolist(), strict=True):
            texts[place].append(token)
    return texts


def beam_search(
    step: Step[State],
    state: State,
    count: int,
    max_length: int,
    device: torch.device,
    *,
    beams: int,
    length_penalty: float = 1.0,
) -> list[list[int]]:
    """Extend the W most likely hypotheses; return the finished one with the highest log p / length^α.

    A sentence is done when W of its hypotheses have ended, or at `max_length`. The penalty is Wu et al. 2016's (eq. 14)
    in its simplest form.

    Args:
        step: computes the scores of the next token.
        state: of `count` sentences with one hypothesis each.
        count: N.
        max_length: longest text, in tokens, EOS not counted.
        beams: W; 1 gives the greedy text.
        length_penalty: α; 0 compares plain log-probabilities. Length counts EOS.

    Returns:
        the ids of each sentence, without BOS and EOS.
    """
    if beams == 1:  # the two searches break ties, and cut endless texts, in the same way
        return greedy_search(step, state, count, max_length, device)
    best_text: list[list[int]] = [[] for _ in range(count)]
    best_score = [float("-inf")] * count
    ended = torch.zeros(count, dtype=torch.int64, device=device)
    alive = torch.arange(count, device=device)
    texts = torch.full((count, 1, 1), BOS, device=device)  # (n, W, t)
    totals = torch.zeros(count, 1, device=device)  # (n, W)

    def keep_best(rows: list[int], ids: Tensor, scores: list[float]) -> None:
        for row, text, score in zip(rows, ids.tolist(), scores, strict=True):
            if score > best_score[row]:
                best_score[row], best_text[row] = score, text

    for length in range(1, max_length + 2):
        scores, state = step(texts[:, :, -1], state)
        if length > max_length:
            scores = forced_end(scores)
        values, origin, token = best_next(totals, scores, 2 * beams)
        ends = (token == EOS) & (torch.arange(values.shape[1], device=device) < beams) & values.isfinite()
        row, place = ends.nonzero(as_tuple=True)
        keep_best(
            alive[row].tolist(),
            texts[row, origin[row, place], 1:],
            (values[row, place] / length**length_penalty).tolist(),
        )
        ended = ended + ends.sum(dim=1)
        values, chosen = values.masked_fill(token == EOS, float("-inf")).topk(min(beams, values.shape[1]), dim=1)
        going = ((ended < beams) & values[:, 0].isfinite()).nonzero()[:, 0]
        if not len(going):
            break
        origin, token = origin.gather(1, chosen)[going], token.gather(1, chosen)[going]  # (n, W)
        history = texts[going].gather(1, origin.unsqueeze(-1).expand(-1, -1, texts.shape[-1]))
        texts = torch.cat((history, token.unsqueeze(-1)), dim=-1)
        totals, alive, ended = values[going], alive[going], ended[going]
        state = state.select(going, origin)
    return best_text


def best_next(totals: Tensor, scores: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """The `count` best continuations of each sentence: total score, hypothesis and token; each (n, count)."""
    vocabulary = scores.shape[-1]
    joint = (totals.unsqueeze(-1) + scores).flatten(1)  # (n, W·V)
    values, index = joint.topk(min(count, joint.shape[1]), dim=1)
    return values, index // vocabulary, index % vocabulary


def forced_end(scores: Tensor) -> Tensor:
    """Scores that allow only EOS, for the maximal length; where EOS is impossible, it has the low score `CUT`."""
    only = torch.full_like(scores, float("-inf"))
    only[..., EOS] = scores[..., EOS].clamp(min=CUT)
    return only


def next_token_scores(logits: Tensor) -> Tensor:
    """log softmax of logits (…, V), with PAD, BOS and UNKNOWN excluded."""
    excluded = torch.tensor([PAD, BOS, UNKNOWN], device=logits.device)
    return torch.log_softmax(logits.float().index_fill(-1, excluded, float("-inf")), dim=-1)
