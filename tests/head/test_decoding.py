"""Search against exhaustive search and against a plain loop over one sentence, on models that remember everything."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, tensor

from iamm.dataset.vocabulary import BOS, EOS, PAD, UNKNOWN
from iamm.head.decoding import beam_search, best_next, forced_end, greedy_search, next_token_scores

V, LONGEST = 7, 3
CPU = torch.device("cpu")


@dataclass(frozen=True)
class History:
    """All that was written, which a wrong selection of sentences or hypotheses would spoil."""

    sentence: Tensor  # (n,)
    tokens: Tensor  # (n, W, t)

    def select(self, sentences: Tensor, hypotheses: Tensor) -> History:
        kept = [self.tokens[s, hypotheses[row]] for row, s in enumerate(sentences.tolist())]
        return History(self.sentence[sentences], torch.stack(kept))


def scores_after(sentence: int, history: list[int]) -> Tensor:
    """log p(next | sentence, everything before): random, a function of its arguments alone.  # (V,)"""
    key = sum((token + 1) * 7**place for place, token in enumerate((*history, sentence)))
    return next_token_scores(2 * torch.randn(V, generator=torch.Generator().manual_seed(key)))


def step(tokens: Tensor, state: History) -> tuple[Tensor, History]:
    state = History(state.sentence, torch.cat((state.tokens, tokens.unsqueeze(-1)), dim=-1))
    rows = [
        torch.stack([scores_after(sentence, history) for history in histories])
        for sentence, histories in zip(state.sentence.tolist(), state.tokens.tolist(), strict=True)
    ]
    return torch.stack(rows), state


def start(sentences: list[int]) -> History:
    return History(tensor(sentences), torch.zeros(len(sentences), 1, 0, dtype=torch.int64))


def beamed(sentences: list[int], **knobs) -> list[list[int]]:
    return beam_search(step, start(sentences), len(sentences), LONGEST, CPU, **knobs)


def likelihood(sentence: int, text: tuple[int, ...]) -> float:
    history, total = [BOS], 0.0
    for token in (*text, EOS):
        total += float(scores_after(sentence, history)[token])
        history.append(token)
    return total


def exhaustive(sentence: int, alpha: float) -> list[int]:
    texts = [text for length in range(LONGEST + 1) for text in itertools.product(range(4, V), repeat=length)]
    return list(max(texts, key=lambda text: likelihood(sentence, text) / (len(text) + 1) ** alpha))


def plain_beam(sentence: int, beams: int, alpha: float) -> list[int]:
    """One sentence, lists only: keep W beginnings; a text has ended where EOS is among the W best continuations."""
    alive, ended = [(0.0, [BOS])], []
    for length in range(1, LONGEST + 2):
        found = []
        for total, history in alive:
            scores = scores_after(sentence, history)
            allowed = range(4, V) if length <= LONGEST else ()
            found += [(total + float(scores[token]), [*history, token]) for token in (EOS, *allowed)]
        found.sort(key=lambda pair: -pair[0])
        ended += [(total / length**alpha, text[1:-1]) for total, text in found[:beams] if text[-1] == EOS]
        alive = [pair for pair in found[: 2 * beams] if pair[1][-1] != EOS][:beams]
        if len(ended) >= beams or not alive:
            break
    return max(ended)[1]


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.6, 1.0, 2.0]))
@settings(max_examples=25, deadline=None)
def test_a_beam_that_holds_all_beginnings_finds_the_best_text(sentence, alpha):
    """3 words, 3 places: 27 beginnings at most with 4 continuations each, hence 108 are enough."""
    assert beamed([sentence], beams=108, length_penalty=alpha) == [exhaustive(sentence, alpha)]


@pytest.mark.parametrize("alpha", [0.0, 1.0])
@pytest.mark.parametrize("beams", [1, 2, 3, 5])
def test_many_sentences_at_once_equal_the_plain_loop_over_each(beams, alpha):
    sentences = list(range(40))
    found = beamed(sentences, beams=beams, length_penalty=alpha)
    assert found == [plain_beam(sentence, beams, alpha) for sentence in sentences]
    assert len({len(text) for text in found}) > 2  # they end at different steps


def test_greedy_is_a_beam_of_one():
    sentences = list(range(40))
    found = greedy_search(step, start(sentences), 40, LONGEST, CPU)
    assert found == beamed(sentences, beams=1)
    assert found == [greedy_search(step, start([sentence]), 1, LONGEST, CPU)[0] for sentence in sentences]


@pytest.mark.parametrize("beams", [1, 2, 3])
def test_a_text_whose_end_cannot_be_is_cut(beams):
    """log p of 5 is −0.5, of 4 −1, of EOS −∞: the likeliest text, as long as may be."""

    def endless(tokens: Tensor, state: History) -> tuple[Tensor, History]:
        scores = torch.full((*tokens.shape, V), float("-inf"))
        scores[..., 5], scores[..., 4] = -0.5, -1.0
        return scores, state

    state = History(tensor([0]), torch.zeros(1, beams, 0, dtype=torch.int64))
    assert beam_search(endless, state, 1, 3, CPU, beams=beams) == [[5, 5, 5]]


def test_a_beam_of_one_takes_what_greedy_search_takes_of_equal_scores():
    generator = torch.Generator().manual_seed(0)
    table = torch.randint(0, 3, (180, V, V), generator=generator).float()  # many ties

    def tied(tokens: Tensor, state: History) -> tuple[Tensor, History]:
        rows = state.sentence[:, None].expand_as(tokens)
        return next_token_scores(table[rows, tokens]), state

    sentences = list(range(180))
    found = beam_search(tied, start(sentences), 180, 7, CPU, beams=1)
    assert found == greedy_search(tied, start(sentences), 180, 7, CPU)


def test_a_wider_beam_finds_likelier_texts():
    sentences = list(range(40))
    by_width = [
        sum(likelihood(s, tuple(text)) for s, text in zip(sentences, texts, strict=True))
        for texts in (beamed(sentences, beams=width, length_penalty=0.0) for width in (1, 4))
    ]
    assert by_width[1] > by_width[0] + 1


def test_length_penalty_by_hand():
    """() has 0.4, (4,) 0.6 · 0.55 = 0.33, (4, 5) 0.6 · 0.45 = 0.27: ln −0.916, −1.109, −1.309.

    A token, EOS counted, that is −0.916, −0.554, −0.436: the longest is best, and of those of one word at most (4,).
    """
    table = torch.full((V, V), float("-inf"))
    table[BOS, EOS], table[BOS, 4] = math.log(0.4), math.log(0.6)
    table[4, EOS], table[4, 5] = math.log(0.55), math.log(0.45)
    table[5, EOS] = math.log(1.0)

    def by_table(tokens: Tensor, state: History) -> tuple[Tensor, History]:
        return table[tokens], state

    state = History(tensor([0]), torch.zeros(1, 3, 0, dtype=torch.int64))
    for alpha, expected in ((0.0, []), (1.0, [4, 5])):
        assert beam_search(by_table, state, 1, 2, CPU, beams=3, length_penalty=alpha) == [expected]
    assert beam_search(by_table, state, 1, 1, CPU, beams=3, length_penalty=1.0) == [[4]]


def test_the_longest_length_forces_the_end():
    def never(tokens: Tensor, state: History) -> tuple[Tensor, History]:
        scores = torch.full((*tokens.shape, V), -1.0)
        scores[..., EOS] = -50.0
        scores[..., 5] = -0.5
        return scores, state

    state = start([0, 1])
    assert greedy_search(never, state, 2, 4, CPU) == [[5, 5, 5, 5]] * 2
    wide = History(tensor([0, 1]), torch.zeros(2, 2, 0, dtype=torch.int64))
    assert beam_search(never, wide, 2, 4, CPU, beams=2) == [[5, 5, 5, 5]] * 2


def test_padding_begin_and_unknown_are_never_written():
    scores = next_token_scores(tensor([9.0, 8.0, 0.0, 7.0, 0.0]))
    torch.testing.assert_close(scores, tensor([-torch.inf, -torch.inf, -math.log(2), -torch.inf, -math.log(2)]))
    for text in beamed(list(range(40)), beams=3):
        assert not {PAD, BOS, EOS, UNKNOWN} & set(text)


def test_best_next_by_hand():
    """Two hypotheses of totals −1 and −2 over three tokens."""
    totals = tensor([[-1.0, -2.0]])
    scores = tensor([[[-3.0, -0.5, -9.0], [-0.1, -4.0, -0.2]]])
    values, origin, token = best_next(totals, scores, 4)
    torch.testing.assert_close(values, tensor([[-1.5, -2.1, -2.2, -4.0]]))
    assert origin.tolist() == [[0, 1, 1, 0]]
    assert token.tolist() == [[1, 0, 2, 0]]


def test_forced_end_leaves_the_end_alone():
    found = forced_end(tensor([[[-1.0, -2.0, -3.0, -4.0]]]))
    assert found.tolist() == [[[-math.inf, -math.inf, -3.0, -math.inf]]]
