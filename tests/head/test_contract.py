"""What every head of configs/head keeps, with every attention of configs/attention, and with none where that may be."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import torch
from hydra.utils import instantiate
from torch import Tensor, nn, tensor

from iamm.attention.base import Attention
from iamm.config.check.statements import statements
from iamm.constraints import choices_of
from iamm.dataset.base import SceneBatch
from iamm.dataset.vocabulary import BOS, EOS, PAD, UNKNOWN
from iamm.encoder.base import Features
from iamm.head.base import Head
from iamm.head.decoding import beam_search, greedy_search, next_token_scores
from iamm.head.text import TextHead
from iamm.normaliser.base import Normaliser
from iamm.pattern.base import Pattern
from tests.composing import config_of

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = sorted(path.stem for path in (CONFIGS / "head").glob("*.yaml"))
ATTENTIONS = sorted(path.stem for path in (CONFIGS / "attention").glob("*.yaml"))
TASKS = {
    "classifier": "classification",
    "inner_product": "ranking",
    "next_item": "ranking",
    "ranker": "ranking",
    "regressor": "regression",
}
"""The task of each head; of the others: generation."""
ALWAYS_ATTENDS = {"generator"}
NOT_CAUSAL = {"low_rank", "ridge"}
CASES = [(name, kind) for name in NAMES for kind in ATTENTIONS]
CASES += [(name, "null") for name in NAMES if name not in ALWAYS_ATTENDS]
WRITERS = [case for case in CASES if case[0] not in TASKS]
D = 12
ALLOW = tensor([[True] * 5, [True, True, False, False, False], [False] * 5, [True, False, True, True, False]])
HERE = tensor([True, True, False, True])
CLASSES, CLICKS = tensor([0, 2, 1, 1]), tensor([1, 0, 1, 0])
NUMBERS = tensor([0.5, -2.0, 3.0, 7.0], dtype=torch.float64)
BEHAVIOUR = {"user": tensor([3, 3, 5, 3]), "candidate": tensor([4, 5, 6, 7])}
TEXTS = tensor([[1, 4, 5, 6, 7, 2], [1, 8, 2, 0, 0, 0], [1, 9, 10, 4, 2, 0], [1, 5, 5, 2, 0, 0]])
TARGETS = {"classification": CLASSES, "ranking": CLICKS, "regression": NUMBERS, "generation": TEXTS}
CPU = torch.device("cpu")


@cache
def composed(name: str, attention: str):
    overrides = ["model=fam", f"head@head.generation={name}", "dropout=0.0"]
    overrides += ["head.generation.attention=null"] if attention == "null" else [f"attention={attention}"]
    if attention in NOT_CAUSAL and name == "generator":
        overrides += ["+attention@mine=multi_head", "head.generation.self_attention=${mine}"]
    return config_of(*overrides).head.generation


def label(case) -> str:
    return f"{case[0]}-{case[1]}"


writers = pytest.mark.parametrize("case", WRITERS, indirect=True, ids=label)


@pytest.fixture(params=CASES, ids=label)
def case(request):
    return request.param


@pytest.fixture
def head(case, scene) -> Head:
    torch.manual_seed(0)
    task = TASKS.get(case[0], "generation")
    trained = scene(task, NUMBERS if task == "regression" else None)
    made = instantiate(composed(*case))(trained, D).double().eval()
    if isinstance(made, TextHead):
        made.embedding.weight.data *= 4  # likelihoods far apart, texts that differ
    return made


@pytest.fixture
def features() -> Features:
    generator = torch.Generator().manual_seed(1)
    return Features(torch.randn(4, 5, D, generator=generator, dtype=torch.float64), ALLOW)


@pytest.fixture
def batch(case) -> SceneBatch:
    return SceneBatch(BEHAVIOUR, TARGETS[TASKS.get(case[0], "generation")], HERE)


def gradients(head: Head, loss: Tensor) -> list[Tensor]:
    return list(torch.autograd.grad(loss, list(head.parameters()), allow_unused=True, materialize_grads=True))


def some(features: Features, batch: SceneBatch, rows: list[int]) -> tuple[Features, SceneBatch]:
    return Features(*(part[rows] for part in features)), batch.rows(torch.tensor(rows))


def plain(noted) -> dict[str, list]:
    return {key: entries.tolist() if torch.is_tensor(entries) else entries for key, entries in noted.items()}


def test_what_an_absent_row_holds_changes_nothing(head, features, batch):
    loss, noted = head.loss(features, batch), head.observe(features, batch)
    values, targets = features.values.clone(), batch.targets.clone()
    values[2], targets[2] = 1e3 * values[0].flip(0), targets[0]
    spoilt, other = Features(values, ALLOW), batch._replace(targets=targets)
    found = head.loss(spoilt, other)
    torch.testing.assert_close(found, loss)
    torch.testing.assert_close(gradients(head, found), gradients(head, loss))
    assert plain(head.observe(spoilt, other)) == plain(noted)


def test_places_that_are_not_real_change_nothing(head, features, batch):
    """Neither how many there are, nor what they hold."""
    expected = head.loss(features, batch)
    values = features.values.masked_fill(~ALLOW.unsqueeze(-1), 1e3)
    padded = Features(nn.functional.pad(values, (0, 0, 0, 3), value=7.0), nn.functional.pad(ALLOW, (0, 3)))
    found = head.loss(padded, batch)
    torch.testing.assert_close(found, expected)
    torch.testing.assert_close(gradients(head, found), gradients(head, expected))


def test_batch_mates_are_invisible(head, features, batch):
    """Evidence of one at a time is that of all at once, and the loss their mean by examples or tokens."""
    together = head.observe(features, batch)
    alone = [head.observe(*some(features, batch, [row])) for row in range(4)]
    for key, entries in together.items():
        found = [entry for part in alone for entry in part[key]]
        if torch.is_tensor(entries):
            torch.testing.assert_close(torch.stack(found), entries)
        else:
            assert found == (pytest.approx(entries) if key in ("nll", "predicted") else entries)
    assert head.loss(features, batch).item() == pytest.approx(head.measure([*alone[:2], alone[3]])["loss"])


def test_what_validation_can_select_by_is_what_the_head_measures(head, case):
    rule = statements(f"{type(head).__module__}.{type(head).__name__}").arguments["quality"]
    assert set(choices_of(rule)) == {measure.name for measure in head.measures}
    assert head.selects == head.measures[0]


def test_measures_hold_the_quality_and_the_loss(head, features, batch):
    noted = head.observe(features, batch)
    found = head.measure([noted, noted])
    assert list(found) == [measure.name for measure in head.measures]
    assert head.selects.quality(found[head.selects.name]) <= 1
    assert head.selects.name == "r2" or head.selects.quality(found[head.selects.name]) >= 0
    assert found["loss"] == pytest.approx(head.loss(features, batch).item())
    assert all(isinstance(value, float) for value in found.values())


def test_gradients_reach_every_parameter(head, features, batch, may_rest):
    found = gradients(head, head.train().loss(features, batch))
    for (name, _), gradient in zip(head.named_parameters(), found, strict=True):
        assert gradient.isfinite().all(), name
        assert gradient.abs().max() > 0 or may_rest(name), name


def test_a_batch_without_anyone_present(head, features, batch):
    nobody = batch._replace(present=torch.zeros(4, dtype=torch.bool))
    nothing = Features(features.values, torch.zeros_like(ALLOW))
    loss = head.loss(nothing, nobody)
    assert loss.item() == 0.0
    for (name, _), gradient in zip(head.named_parameters(), gradients(head, loss), strict=True):
        assert (gradient == 0).all() or name.endswith(".share"), name  # a span pays its penalty all the same
    assert all(len(entries) == 0 for entries in head.observe(nothing, nobody).values())


def test_an_example_that_shows_nothing_is_still_answered(head, features, batch):
    """An empty text is present but has no place to look at."""
    everyone = batch._replace(present=torch.ones(4, dtype=torch.bool))
    loss = head.loss(features, everyone)
    assert loss.isfinite()
    assert all(gradient.isfinite().all() for gradient in gradients(head, loss))


def sums_to_one(head: Head) -> bool:
    return all(part.sums_to_one for part in head.modules() if isinstance(part, (Attention, Normaliser, Pattern)))


def test_looking_tells_of_every_row(case, head, features):
    attention_map = head.attention_map(features)
    assert (attention_map is None) == (case[1] == "null")
    if attention_map is not None:
        assert attention_map.weights.shape[0] == len(attention_map.queries) == 4
        assert attention_map.weights.shape[2] == max(map(len, attention_map.queries))
        assert attention_map.weights.shape[3] == 5
        for row, words in enumerate(attention_map.queries):
            sums = attention_map.weights[row, :, : len(words)].sum(dim=-1)
            assert (sums != 0).all() == ALLOW[row].any()
            if not sums_to_one(head):
                continue
            torch.testing.assert_close(sums, torch.full_like(sums, float(ALLOW[row].any())))


def stepwise(head: TextHead, features: Features, tokens: Tensor) -> Tensor:
    """The states after each token, one token at a time."""
    state, states = head.begin(features), []
    for column in tokens.split(1, dim=1):
        found, state = head.advance(column, state)
        states.append(found)
    return torch.cat(states, dim=1)


@writers
def test_one_token_at_a_time_equals_all_at_once(head, features):
    expected, _ = head.attended(features, TEXTS, need_weights=False)
    torch.testing.assert_close(stepwise(head, features, TEXTS), expected, atol=1e-9, rtol=1e-9)
    single = Features(features.values.float(), ALLOW)
    expected, _ = head.float().attended(single, TEXTS, need_weights=False)
    torch.testing.assert_close(stepwise(head, single, TEXTS), expected, atol=1e-5, rtol=1e-5)


@writers
def test_a_selected_state_goes_on_as_those_sentences(head, features):
    """Sentences 0 and 3 of four, twice each, then their hypotheses 1 and 0: as if nobody else had ever been there."""
    state = head.advance(torch.full((4, 1), BOS), head.begin(features))[1]
    state = state.select(tensor([0, 3]), torch.zeros(2, 2, dtype=torch.int64))
    state = head.advance(tensor([[4, 5], [6, 7]]), state)[1]
    state = state.select(tensor([1]), tensor([[1, 0]]))
    found, _ = head.advance(tensor([[8, 9]]), state)
    twice = Features(*(part[[3, 3]] for part in features))
    expected, _ = head.attended(twice, tensor([[BOS, 7, 8], [BOS, 6, 9]]), need_weights=False)
    torch.testing.assert_close(found[0], expected[:, -1])


@writers
def test_no_token_sees_a_later_one(head, features):
    tokens = TEXTS.clone()
    tokens[:, 3:] = 10
    before, after = (head.attended(features, each, need_weights=False)[0] for each in (TEXTS, tokens))
    torch.testing.assert_close(after[:, :3], before[:, :3])
    assert (after[:, 3:] - before[:, 3:]).abs().max() > 1e-3


@writers
def test_longer_targets_of_batch_mates_change_nothing(head, features, batch):
    wider = batch._replace(targets=nn.functional.pad(batch.targets, (0, 4), value=PAD))
    torch.testing.assert_close(head.loss(features, wider), head.loss(features, batch))


class Uncached:
    """A decoder state that remembers only the tokens, and computes everything anew at each step."""

    def __init__(self, head: TextHead, features: Features, written: Tensor) -> None:
        self.head, self.features, self.written = head, features, written  # written: (N, W, t)

    def select(self, sentences: Tensor, hypotheses: Tensor) -> Uncached:
        features = Features(*(part[sentences] for part in self.features))
        kept = [self.written[s, hypotheses[row]] for row, s in enumerate(sentences.tolist())]
        return Uncached(self.head, features, torch.stack(kept))


def recompute(tokens: Tensor, state: Uncached) -> tuple[Tensor, Uncached]:
    written = torch.cat((state.written, tokens.unsqueeze(-1)), dim=-1)
    hypotheses = written.shape[1]
    wide = Features(*(part.repeat_interleave(hypotheses, dim=0) for part in state.features))
    states, _ = state.head.attended(wide, written.flatten(0, 1), need_weights=False)
    scores = next_token_scores(state.head.logits(states[:, -1])).view(*tokens.shape, -1)
    return scores, Uncached(state.head, state.features, written)


@writers
@pytest.mark.parametrize("beams", [1, 3])
def test_cached_search_equals_uncached_token_for_token(head, features, beams):
    head.beams, head.length_penalty = beams, 0.6
    start = Uncached(head, features, torch.zeros(4, 1, 0, dtype=torch.int64))
    if beams == 1:
        expected = greedy_search(recompute, start, 4, head.max_length, CPU)
    else:
        expected = beam_search(recompute, start, 4, head.max_length, CPU, beams=beams, length_penalty=0.6)
    assert head.write(features) == expected


@writers
@pytest.mark.parametrize("beams", [1, 3])
def test_search_of_many_equals_search_of_each(head, features, beams):
    head.beams = beams
    together = head.write(features)
    alone = [head.write(Features(*(part[row : row + 1] for part in features)))[0] for row in range(4)]
    assert together == alone
    assert all(len(text) <= head.max_length for text in together)
    assert not {PAD, BOS, EOS, UNKNOWN} & {token for text in together for token in text}


@writers
def test_greedy_equals_a_beam_of_one(head, features):
    greedy = head.write(features)
    found = beam_search(head.score_next, head.begin(features), 4, head.max_length, CPU, beams=1)
    assert found == greedy
