from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from iamm.engine.sampler import Sampler, cut_by_tokens, evaluation_batches, row_lengths
from iamm.engine.seeding import derived_seed


def drawn(sampler, count, growth=1.0):
    return [sampler.next(growth).tolist() for _ in range(count)]


def rows_of(batches):
    return sorted(row for batch in batches for row in batch)


@pytest.fixture(params=["rows", "tokens"])
def data(request, pictures, texts):
    return pictures() if request.param == "rows" else texts(batch_size=6, tokens=20)


def test_each_pass_visits_every_row_once(data):
    sampler = Sampler(data, seed=3)
    for _ in range(4):
        assert rows_of(drawn(sampler, sampler.steps(1.0))) == list(range(data.size("train")))


def test_passes_differ_in_order_but_not_in_number(data):
    sampler = Sampler(data, seed=3)
    passes = [sampler.batches(visit, 1.0) for visit in range(5)]
    assert {len(batches) for batches in passes} == {sampler.steps(1.0)}
    assert len({tuple(map(tuple, batches)) for batches in passes}) == 5


def test_the_order_is_the_seeds_permutation_of_the_pass(pictures):
    sampler = Sampler(pictures("fixed", train=11, batch_size=4), seed=5)
    order = np.random.default_rng(derived_seed(5, "order", "fixed", 2)).permutation(11).tolist()
    assert [batch.tolist() for batch in sampler.batches(2, 1.0)] == [order[:4], order[4:8], order[8:]]


def test_a_function_of_seed_name_and_pass_alone(data, pictures):
    reference = [batch.tolist() for batch in Sampler(data, 3).batches(1, 1.0)]
    sampler = Sampler(data, 3)
    drawn(sampler, 2)
    torch.manual_seed(0)
    assert [batch.tolist() for batch in sampler.batches(1, 1.0)] == reference
    assert [batch.tolist() for batch in Sampler(data, 4).batches(1, 1.0)] != reference
    named = [Sampler(pictures(name), 3).batches(0, 1.0)[0].tolist() for name in ("one", "two")]
    assert named[0] != named[1]


def test_tokens_bound_rows_times_longest(texts):
    data = texts(train=61, batch_size=9, tokens=24)
    lengths = row_lengths(data, "train")
    batches = Sampler(data, 0).batches(0, 1.0)
    sizes = [len(batch) * int(lengths[batch].max()) for batch in batches]
    assert max(sizes) <= 24
    assert max(map(len, batches)) <= 9
    spread = [int(lengths[batch].max() - lengths[batch].min()) for batch in batches]
    assert max(spread) <= 3  # of lengths 2 to 9: batches hold texts of like length


def test_cuts_by_hand():
    lengths = np.array([2, 2, 3, 3, 3, 5, 9])  # 12 tokens: (2 2 3 3) (3 5) (9); and no more than 3 rows: (2 2 3) …
    assert cut_by_tokens(lengths, rows=9, tokens=12) == [4, 6]
    assert cut_by_tokens(lengths, rows=3, tokens=12) == [3, 5, 6]
    assert cut_by_tokens(lengths, rows=9, tokens=4) == [2, 3, 4, 5, 6]  # a row longer than allowed stands alone


@given(st.lists(st.integers(1, 30), min_size=1, max_size=60), st.integers(1, 13), st.integers(1, 90))
def test_cuts_hold_the_bound_and_cannot_be_fewer_greedily(lengths, rows, tokens):
    lengths = np.sort(np.array(lengths))
    batches = np.split(lengths, cut_by_tokens(lengths, rows, tokens))
    np.testing.assert_array_equal(np.concatenate(batches), lengths)
    for number, batch in enumerate(batches):
        assert len(batch) == 1 or (len(batch) <= rows and len(batch) * batch[-1] <= tokens)
        if number + 1 < len(batches):  # the next row would not have fitted
            following = batches[number + 1][0]
            assert len(batch) == rows or (len(batch) + 1) * following > tokens


def test_lengths_are_the_targets(texts, pictures):
    data = texts()
    split = data.scenes[0].splits["train"]
    assert row_lengths(data, "train").tolist() == [int((row != 0).sum()) for row in split.targets]
    assert row_lengths(pictures(), "test").tolist() == [1] * 11


def test_growth_makes_larger_batches_and_begins_a_new_pass(pictures):
    data = pictures(train=37, batch_size=4)
    sampler = Sampler(data, 0)
    assert [sampler.steps(growth) for growth in (1.0, 2.0, 3.0)] == [10, 5, 4]
    drawn(sampler, 3)
    grown = drawn(sampler, 5, growth=2.0)
    assert [len(batch) for batch in grown] == [8, 8, 8, 8, 5]
    assert rows_of(grown) == list(range(37))
    assert sampler.visited == 1
    assert [batch.tolist() for batch in sampler.batches(1, 2.0)] == grown


def test_growth_scales_the_tokens_too(texts):
    data = texts(train=61, batch_size=9, tokens=24)
    lengths = row_lengths(data, "train")
    sizes = [len(batch) * int(lengths[batch].max()) for batch in Sampler(data, 0).batches(0, 2.0)]
    assert 24 < max(sizes) <= 48


@pytest.mark.parametrize("kind", ["rows", "tokens"])
@given(before=st.lists(st.sampled_from([1.0, 2.0]), max_size=25), seed=st.integers(0, 5))
def test_goes_on_from_any_position(kind, pictures, texts, before, seed):
    data = pictures() if kind == "rows" else texts(batch_size=6, tokens=20)
    sampler, other = Sampler(data, seed), Sampler(data, seed)
    for growth in before:
        sampler.next(growth)
    other.load_state_dict(sampler.state_dict())
    assert other.state_dict() == sampler.state_dict()
    growth = before[-1] if before else 1.0
    assert drawn(other, 9, growth) == drawn(sampler, 9, growth)
    assert other.state_dict() == sampler.state_dict()


def test_unequal_scenes_cycle(pictures, texts):
    """37 rows of 7 are 6 batches a pass, 23 rows of 5 are 5: side by side 30 steps see 5 and 6 whole passes."""
    long, short = Sampler(pictures(), 0), Sampler(texts(), 0)
    seen = [Counter(row for batch in drawn(sampler, 30) for row in batch) for sampler in (long, short)]
    assert set(seen[0].values()) == {5}
    assert set(seen[1].values()) == {6}
    assert (long.visited, short.visited) == (4, 5)  # passes begun, counted from 0


def test_evaluation_sees_every_row_once_short_texts_first(texts, monkeypatch):
    monkeypatch.setattr("iamm.engine.sampler.EVALUATION_ROWS", 5)
    data = texts()
    batches = [batch.tolist() for batch in evaluation_batches(data, "test")]
    assert [len(batch) for batch in batches] == [5, 5, 1]
    assert rows_of(batches) == list(range(11))
    lengths = row_lengths(data, "test")[[row for batch in batches for row in batch]].tolist()
    assert lengths == sorted(lengths)
    assert batches == [batch.tolist() for batch in evaluation_batches(data, "test")]


def test_evaluation_mixes_what_is_kept_class_by_class(pictures):
    """Of 400 rows of one length, the first half of one class: half a batch away stands each class about as often."""
    classes = torch.arange(400) >= 200
    batches = list(evaluation_batches(pictures(train=400), "train"))
    same = [classes[rows] == classes[rows].roll(len(rows) // 2) for rows in batches]
    assert 0.4 < torch.cat(same).double().mean() < 0.6
