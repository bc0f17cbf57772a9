"""One golden list of losses, of a loop written out by hand, reached by several paths; and each knob by value."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from iamm.dataset.base import Dataset, SceneBatch
from iamm.dataset.fields import TOKENS
from iamm.engine.checkpoint import load_model
from iamm.engine.checkpointer import Checkpointer, FileCheckpointer
from iamm.engine.fit import fit
from iamm.engine.plan import Plan, RunState
from iamm.engine.seeding import derived_seed
from iamm.errors import BadDataError, DivergedError
from iamm.weighting.base import Weighting

CPU = torch.device("cpu")
SEED, EPOCHS = 4, 3
NAMES = ("pictures", "texts")


class Given(Weighting):
    """Weights from a list; remembers the losses that it gets."""

    def __init__(self, *values: float) -> None:
        super().__init__(len(values))
        self.register_buffer("values", torch.tensor(values))
        self.epochs: list[list[float]] = []
        self.qualities: list[list[float]] = []

    def weights(self, step):
        return self.values

    def end_epoch(self, losses):
        self.epochs.append(losses.tolist())

    def end_validation(self, qualities):
        self.qualities.append(qualities.tolist())


def falling(step: int, total: int) -> float:
    return 1 - step / total


def constant(step: int, total: int) -> float:
    return 1.0


def bare_loop(model, datasets, optimizer, rate: float) -> list[dict[str, float]]:
    """What `fit` is to equal bit for bit: 6 steps an epoch, since 37 pictures are 6 batches of 7 (23 texts: 5 of 5)."""
    losses = []
    visits = [0, 0]
    left: list[list[np.ndarray]] = [[], []]
    model.train()
    for step in range(6 * EPOCHS):
        each = {}
        for place, data in enumerate(datasets):
            if not left[place]:
                generator = np.random.default_rng(derived_seed(SEED, "order", data.name, visits[place]))
                order = generator.permutation(data.size("train"))
                left[place] = [order[i : i + data.batch_size] for i in range(0, len(order), data.batch_size)]
                visits[place] += 1
            rows = left[place].pop(0)
            (scene,) = data.scenes
            inputs, targets, present = (part[rows] for part in scene.splits["train"])
            inputs = inputs.float() / 255.0 if inputs.dim() == 4 else TOKENS.batched(inputs)
            targets = scene.target_field.batched(targets)
            each |= model.losses({data.name: SceneBatch({scene.kind: inputs}, targets, present)})
        optimizer.param_groups[0]["lr"] = rate * (1 - step / (6 * EPOCHS))
        optimizer.zero_grad()
        (0.7 * each["pictures"] + 0.2 * each["texts"]).backward()
        optimizer.step()
        losses.append({name: loss.item() for name, loss in each.items()})
    return losses


@pytest.fixture
def datasets(pictures, texts):
    return [pictures(), texts()]


@pytest.fixture
def begin(network):
    """A fresh network and its optimizer; the global stream as a run finds it."""

    def fresh(seed=3):
        model = network(NAMES, seed=seed)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
        torch.manual_seed(17)
        return model, optimizer

    return fresh


@pytest.fixture
def golden(begin, datasets):
    """Losses and last parameters of the bare loop."""
    model, optimizer = begin()
    return bare_loop(model, datasets, optimizer, 0.05), model.state_dict()


def trained(model, optimizer, datasets, *, weighting=None, plan=None, schedule=falling, **options):
    plan = plan or Plan(EPOCHS, log_every=1)
    weighting = weighting or Given(0.7, 0.2)
    return fit(model, datasets, weighting, optimizer, schedule, plan, seed=SEED, device=CPU, **options)


def test_the_golden_losses(golden, begin, datasets, listener):
    model, optimizer = begin()
    state = trained(model, optimizer, datasets, observers=[listener])
    assert listener.losses == golden[0]
    torch.testing.assert_close(model.state_dict(), golden[1], rtol=0, atol=0)
    assert (state.step, state.epoch) == (18, 3)
    assert golden[0][0]["pictures"] > 1.2 * golden[0][-1]["pictures"]  # it learns


@pytest.mark.parametrize("missing", ["train", "validation"])
def test_a_split_that_nothing_is_in_is_refused_before_the_first_step(begin, datasets, missing):
    model, optimizer = begin()
    before = {name: values.clone() for name, values in model.state_dict().items()}
    (scene,) = datasets[1].scenes
    none = scene.splits[missing].rows(torch.arange(0))
    lacking = Dataset(datasets[1].name, (replace(scene, splits={**scene.splits, missing: none}),))
    with pytest.raises(BadDataError, match=rf"Found none in {scene.name}/{missing}: give it more data"):
        trained(model, optimizer, [datasets[0], lacking])
    torch.testing.assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_unobserved_the_same(golden, begin, datasets):
    """And whichever mode the model was left in."""
    model, optimizer = begin()
    model.eval()
    trained(model, optimizer, datasets, plan=Plan(EPOCHS, log_every=4))
    torch.testing.assert_close(model.state_dict(), golden[1], rtol=0, atol=0)


@pytest.mark.parametrize("where", ["step 1", "step 4", "step 6", "validation 1", "validation 2", "step 7", "step 17"])
def test_left_and_resumed_the_same(where, golden, begin, datasets, listener, tmp_path):
    """Wherever a run is asked to leave, it goes on from there: the same records, and the same bits at the end."""
    kind, number = where.split()
    calls = {"step": 0, "validation": 0}
    model, optimizer = begin()

    def checkpointer(model, optimizer, weighting, asked):
        parts = {"model": model, "optimizer": optimizer, "weighting": weighting}
        files = [tmp_path / f"{name}.pt" for name in ("last", "previous", "best")]
        return FileCheckpointer(*files, parts, epochs=99, stop_requested=asked)

    def asked() -> bool:
        calls["step" if model.training else "validation"] += 1  # before each batch of validation
        return calls[kind] >= int(number)

    first, plan = Given(0.7, 0.2), Plan(EPOCHS, log_every=4)
    keeping = checkpointer(model, optimizer, first, asked)
    with pytest.raises(KeyboardInterrupt):
        trained(model, optimizer, datasets, weighting=first, plan=plan, observers=[listener], checkpointer=keeping)
    torch.rand(5)
    model, optimizer = begin(seed=8)
    torch.manual_seed(1)
    second = Given(0.7, 0.2)
    keeping = checkpointer(model, optimizer, second, lambda: False)
    state, warning = keeping.restore()
    assert 0 < state.step < 18
    assert warning == ""
    options = {"weighting": second, "observers": [listener], "state": state, "checkpointer": keeping}
    trained(model, optimizer, datasets, plan=plan, **options)
    torch.testing.assert_close(model.state_dict(), golden[1], rtol=0, atol=0)
    means = [np.mean([loss["texts"] for loss in golden[0][a:b]]) for a, b in ((0, 4), (4, 6), (6, 8), (8, 12))]
    assert [record.step for record in listener.intervals] == [4, 6, 8, 12, 16, 18]
    np.testing.assert_allclose([record.losses["texts"] for record in listener.intervals[:4]], means, rtol=1e-6)
    whole = [[np.mean([loss[name] for loss in golden[0][6 * e : 6 * e + 6]]) for name in NAMES] for e in range(3)]
    np.testing.assert_allclose(first.epochs + second.epochs, whole, rtol=1e-6)


def test_reported_events(golden, begin, datasets, listener):
    """Every 4 steps and at an epoch's end: means of losses; at the end of the epoch the weighting learns its means."""
    model, optimizer = begin()
    weighting = Given(0.7, 0.2)
    trained(model, optimizer, datasets, weighting=weighting, plan=Plan(EPOCHS, log_every=4), observers=[listener])
    assert [interval.step for interval in listener.intervals] == [4, 6, 8, 12, 16, 18]
    assert [interval.epoch for interval in listener.intervals] == [1, 1, 2, 2, 3, 3]
    assert {interval.total for interval in listener.intervals} == {18}
    means = [np.mean([loss["texts"] for loss in golden[0][a:b]]) for a, b in ((0, 4), (4, 6), (6, 8), (8, 12))]
    np.testing.assert_allclose([interval.losses["texts"] for interval in listener.intervals[:4]], means, rtol=1e-6)
    assert listener.intervals[0].weights == pytest.approx({"pictures": 0.7, "texts": 0.2})
    assert listener.intervals[0].scene_weights == {}
    whole = [[np.mean([loss[name] for loss in golden[0][6 * e : 6 * e + 6]]) for name in NAMES] for e in range(3)]
    np.testing.assert_allclose(weighting.epochs, whole, rtol=1e-6)
    assert [epoch for epoch, _ in listener.validations] == [1, 2, 3]


def test_two_half_batches_accumulated_are_one_whole(network, pictures, texts):
    found = []
    for share in (1, 2):
        datasets = [pictures(train=30, batch_size=6 // share), texts(train=30, batch_size=6 // share)]
        model = network(NAMES, dropout=0.0)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.5, momentum=0.9)
        state = trained(model, optimizer, datasets, plan=Plan(2, accumulate=share, clip=0.5, l2=0.01))
        assert state.step == 10
        found.append(model.state_dict())
    torch.testing.assert_close(found[1], found[0], rtol=1e-6, atol=1e-6)


def test_accumulated_losses_are_means_over_all_examples(network, pictures, listener):
    data = pictures(train=5, batch_size=3)  # 3 + 2 rows make the one step; then the pass begins again
    model = network(("pictures",), dropout=0.0)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    halves = [model.losses({"pictures": b})["pictures"].item() for b in batches(data, 2)]
    plan = Plan(1, accumulate=2, log_every=1)
    state = trained(model, optimizer, [data], weighting=Given(1.0), plan=plan, observers=[listener])
    assert state.step == 1
    assert listener.losses[0]["pictures"] == pytest.approx((3 * halves[0] + 2 * halves[1]) / 5, rel=1e-6)


def batches(data, count):
    order = np.random.default_rng(derived_seed(SEED, "order", data.name, 0)).permutation(data.size("train"))
    parts = data.scenes[0].splits["train"]
    for number in range(count):
        rows = order[number * data.batch_size : (number + 1) * data.batch_size]
        inputs, targets, present = (part[rows] for part in parts)
        yield SceneBatch({"image": inputs.float() / 255.0}, targets, present)


@pytest.fixture
def one_step(slopes, pictures, listener):
    """Plan and schedule → the parameter after one step of plain descent at rate 0.1, where loss = (3, 4)·w."""

    def after(start, schedule=constant, **plan):
        model = slopes({"pictures": (3.0, 4.0)}, start)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        options = {"weighting": Given(1.0), "plan": Plan(1, steps=1, **plan), "schedule": schedule}
        trained(model, optimizer, [pictures()], observers=[listener], **options)
        return model.w.detach()

    return after


def test_plain_step_by_hand(one_step):
    torch.testing.assert_close(one_step((2.0, -3.0)), torch.tensor([2 - 0.3, -3 - 0.4]))


def test_l1_and_l2_by_hand(one_step):
    """Gradient 3 + 0.1 · 2 + 0.01 = 3.21 and 4 − 0.1 · 3 − 0.01 = 3.69."""
    torch.testing.assert_close(one_step((2.0, -3.0), l1=0.01, l2=0.1), torch.tensor([2 - 0.321, -3 - 0.369]))
    torch.testing.assert_close(one_step((0.0, -3.0), l1=0.01), torch.tensor([-0.3, -3 - 0.399]))


def test_clip_by_hand(one_step, listener):
    """(3, 4) has norm 5: at most 1 leaves (0.6, 0.8); at most 6 leaves it alone."""
    torch.testing.assert_close(one_step((0.0, 0.0), clip=1.0), torch.tensor([-0.06, -0.08]))
    assert listener.intervals[0].gradient_norm == pytest.approx(5.0)
    torch.testing.assert_close(one_step((0.0, 0.0), clip=6.0), torch.tensor([-0.3, -0.4]))


def test_clip_sees_the_regularised_gradient(one_step, listener):
    one_step((-30.0, -40.0), l2=0.1, clip=1.0)  # 3 − 3 and 4 − 4
    assert listener.intervals[0].gradient_norm == pytest.approx(0.0, abs=1e-6)


def test_rates_as_scheduled(slopes, pictures, listener):
    """Base rates 0.1 and 0.01 of two groups, times 1, 1/2, 1/3, … of 6 · 2 steps."""
    model = slopes({"pictures": (1.0,)}, (0.0,))
    other = torch.nn.Parameter(torch.zeros(1))
    groups = [{"params": [model.w]}, {"params": [other], "lr": 0.01}]
    optimizer, asked = torch.optim.SGD(groups, lr=0.1), []

    def harmonic(step, total):
        asked.append((step, total))
        return 1 / (step + 1)

    plan = Plan(2, log_every=1)
    trained(model, optimizer, [pictures()], weighting=Given(1.0), plan=plan, schedule=harmonic, observers=[listener])
    assert asked == [(step, 12) for step in range(12)]
    assert [interval.rate for interval in listener.intervals] == pytest.approx([0.1 / (step + 1) for step in range(12)])
    assert optimizer.param_groups[1]["lr"] == pytest.approx(0.01 / 12)
    torch.testing.assert_close(model.w.detach(), torch.tensor([-0.1 * sum(1 / n for n in range(1, 13))]))


def test_weights_are_applied(slopes, pictures, texts, listener):
    """−0.1 (0.7 (1, 2) + 0.2 (5, −3)) = (−0.17, −0.08)."""
    model = slopes({"pictures": (1.0, 2.0), "texts": (5.0, -3.0)}, (0.0, 0.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plan = Plan(1, steps=1)
    trained(model, optimizer, [pictures(), texts()], plan=plan, schedule=constant, observers=[listener])
    torch.testing.assert_close(model.w.detach(), torch.tensor([-0.17, -0.08]))
    assert listener.intervals[0].weights == pytest.approx({"pictures": 0.7, "texts": 0.2})


def test_a_scene_that_is_absent_weighs_nothing(slopes, pictures, texts, listener):
    absent = pictures(train=7, batch_size=3, missing=6)  # one row of seven is there: in one batch of three
    model = slopes({"pictures": (1.0, 0.0), "texts": (0.0, 1.0)}, (0.0, 0.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plan = Plan(1, steps=3, log_every=1)
    trained(model, optimizer, [absent, texts()], plan=plan, schedule=constant, observers=[listener])
    assert sorted(interval.weights["pictures"] for interval in listener.intervals) == pytest.approx([0.0, 0.0, 0.7])
    torch.testing.assert_close(model.w.detach(), torch.tensor([-0.07, -0.06]))


def test_a_growing_batch(slopes, pictures, listener):
    """16 rows in batches of 4, 4, 8, 8, 16: 4 + 4 + 2 + 2 + 1 steps."""
    model = slopes({"pictures": (1.0,)}, (0.0,))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plan, totals = Plan(5, growth=2.0, growth_every=2, log_every=100), []

    def schedule(step, total):
        totals.append(total)
        return 1.0

    data = pictures(train=16, batch_size=4)
    state = trained(model, optimizer, [data], weighting=Given(1.0), plan=plan, schedule=schedule, observers=[listener])
    assert [interval.step for interval in listener.intervals] == [4, 8, 10, 12, 13]
    assert set(totals) == {13}
    assert [sampler["growth"] for sampler in state.samplers] == [4.0]


def test_a_batch_that_grows_where_validation_stalls(slopes, pictures):
    """Better in epochs 1, 2 and 5 of 5: with patience 1 it grows after epochs 3 and 4, with 2 after the fourth."""
    for patience, sizes in ((1, [4, 4, 4, 8, 16]), (2, [4, 4, 4, 4, 8])):
        model = slopes({"pictures": (1.0,)}, (0.0,), QUALITIES)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        plan, state, found = Plan(5, steps=1, growth=2.0, growth_patience=patience), RunState(), []
        data = pictures(train=64, batch_size=4)
        for epoch in range(1, 6):  # each resumed from the state of the one before
            state = trained(
                model, optimizer, [data], weighting=Given(1.0), plan=replace(plan, epochs=epoch), state=state
            )
            found.append(round(4 * state.samplers[0]["growth"]))
        assert found == sizes


def test_the_weighting_is_told_each_validation(begin, datasets, listener):
    """Every scene's quality, in the order of the scenes."""
    model, optimizer = begin()
    weighting = Given(0.7, 0.2)
    trained(model, optimizer, datasets, weighting=weighting, observers=[listener])
    found = [[evaluation.qualities[name] for name in NAMES] for _, evaluation in listener.validations]
    np.testing.assert_allclose(weighting.qualities, found, rtol=1e-6)
    assert len(found) == EPOCHS
    assert any(one != other for one, other in found)


class Told(Checkpointer):
    """Records its calls."""

    def __init__(self) -> None:
        self.kept: list[int] = []
        self.best: list[int] = []

    def save(self, state):
        self.kept.append(state.epoch)

    def save_best(self, state, model):
        self.best.append(state.epoch)


QUALITIES = (0.1, 0.5, 0.4, 0.5, 0.9)


@pytest.mark.parametrize(
    ("patience", "epochs", "best", "better"), [(2, 4, 2, [1, 2]), (3, 5, 5, [1, 2, 5]), (None, 5, 5, [1, 2, 5])]
)
def test_early_stopping(patience, epochs, best, better, slopes, pictures):
    model = slopes({"pictures": (1.0,)}, (0.0,), QUALITIES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    checkpointer, plan = Told(), Plan(5, steps=1, patience=patience)
    state = trained(model, optimizer, [pictures()], plan=plan, weighting=Given(1.0), checkpointer=checkpointer)
    assert (state.epoch, state.best_epoch, state.best_quality) == (epochs, best, QUALITIES[best - 1])
    assert checkpointer.best == better
    assert checkpointer.kept == [epochs]  # at the end in any case
    again = trained(model, optimizer, [pictures()], plan=plan, weighting=Given(1.0), state=state)
    assert again.epoch == epochs  # what has stopped stays stopped


def test_the_best_model_is_kept(slopes, pictures, tmp_path):
    """w falls by 0.1 each epoch; the second is the best, so −0.2 is kept."""
    model = slopes({"pictures": (1.0,)}, (0.0,), (0.1, 0.5, 0.4))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

    files = [tmp_path / f"{name}.pt" for name in ("last", "previous", "best")]
    options = {
        "plan": Plan(3, steps=1),
        "schedule": constant,
        "checkpointer": FileCheckpointer(*files, {"model": model}),
    }
    trained(model, optimizer, [pictures()], weighting=Given(1.0), **options)
    torch.testing.assert_close(model.w.detach(), torch.tensor([-0.3]))
    assert load_model(tmp_path / "best.pt", model) == 2
    torch.testing.assert_close(model.w.detach(), torch.tensor([-0.2]))


def test_bf16_is_for_training_only(network, pictures):
    model = network(("pictures",))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plan = Plan(1, steps=2, precision="bf16")
    trained(model, optimizer, [pictures()], weighting=Given(1.0), plan=plan)
    assert model.autocast == [True, True, False]
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}


def test_fp16_halves_the_scale_where_gradients_overflow(network, pictures):
    """65,536 · 16 · ∂L is more than half precision holds, until the scale has fallen; such steps are left out."""
    model = network(("pictures",), dropout=0.0)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    plan, state = Plan(1, steps=12, precision="fp16"), RunState(loss_scale=2.0**24)
    state = trained(model, optimizer, [pictures()], weighting=Given(1.0), plan=plan, state=state)
    assert 0 < state.skipped < 12
    assert state.loss_scale == 2.0 ** (24 - state.skipped)
    assert state.scaled == 12 - state.skipped
    assert any((one != other).any() for one, other in zip(before, model.parameters(), strict=True))


def test_the_scale_grows_after_two_thousand_finite_steps():
    state = RunState(loss_scale=4.0, scaled=1_998)
    state.count_finite()
    assert state.loss_scale == 4.0
    state.count_finite()
    assert (state.loss_scale, state.scaled) == (8.0, 0)
    assert [state.scale_down() for _ in range(4)] == [True, True, True, False]
    assert state.loss_scale == 1.0


def test_augmentation_is_told_seed_and_pass(network, pictures, texts):
    """The pass of each data set, not the epoch: 23 texts begin their second pass in the sixth step of the epoch."""
    asked = []

    def note(kind, inputs, rows, *, seed, epoch, scene):
        asked.append((kind, seed, epoch, scene.source and len(scene.source)))
        return inputs

    augment = {kind: partial(note, kind) for kind in ("image", "text")}
    augment["image"].field, augment["text"].field = "pixels", "tokens"
    model = network(NAMES)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    trained(model, optimizer, [pictures(), texts()], plan=Plan(1), augment=augment)
    assert [entry for entry in asked if entry[0] == "image"] == [("image", SEED, 0, None)] * 6
    assert asked[1::2] == [("text", SEED, 0, 11)] * 5 + [("text", SEED, 1, 11)]


@pytest.mark.parametrize("rate", [math.inf, 1e38])
def test_a_loss_that_diverges_is_reported(rate, slopes, pictures, listener):
    """w is −inf after the first step, or in the limit of float32 after some: the next loss is not finite."""
    model = slopes({"pictures": (3.0, 4.0)}, (0.0, 0.0))
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    plan = Plan(1, steps=4, log_every=4)
    with pytest.raises(DivergedError) as caught:
        trained(model, optimizer, [pictures()], weighting=Given(1.0), plan=plan, observers=[listener])
    rows = caught.value.batch["pictures"]
    shown = ", ".join(map(str, rows))
    assert str(caught.value).startswith(
        f"Losses and gradients must stay finite. Found a loss of pictures that is not, in step 2, rows pictures {shown}"
        ". The step was not applied: lower"
    )
    assert len(rows) == 7
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 4
    assert listener.intervals == []


class Steps(Given):
    """Remembers, in a buffer, how often it was asked."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.register_buffer("asked", torch.zeros(()))

    def weights(self, step):
        self.asked += 1
        return super().weights(step)


@pytest.fixture
def spoilt(slopes, pictures):
    """A training of 5 steps, of which the gradients of the third are not finite; → parameters, state, weighting."""

    def train(**plan):
        model, weighting = slopes({"pictures": (3.0, 4.0)}, (1.0, 1.0)), Steps()
        calls = []
        model.w.register_hook(lambda gradient: gradient * (math.nan if calls.append(0) or len(calls) == 3 else 1.0))
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        options = {"weighting": weighting, "schedule": constant, "plan": Plan(1, steps=5, log_every=5, **plan)}
        try:
            return model, trained(model, optimizer, [pictures()], **options), weighting
        except DivergedError as error:
            return model, error, weighting

    return train


@pytest.mark.parametrize("clip", [None, 1e9])
def test_a_gradient_that_diverges_is_not_applied(clip, spoilt):
    model, error, _ = spoilt(clip=clip)
    assert "Found a gradient that is not, in step 3, rows pictures" in str(error)
    torch.testing.assert_close(model.w.detach(), torch.tensor([1 - 2 * 0.3, 1 - 2 * 0.4]))


def test_a_step_that_is_not_finite_is_left_out(spoilt):
    """Four of five steps are taken, and the weighting has seen four."""
    model, state, weighting = spoilt(nonfinite="skip")
    torch.testing.assert_close(model.w.detach(), torch.tensor([1 - 4 * 0.3, 1 - 4 * 0.4]))
    assert (state.step, state.skipped) == (5, 1)
    assert weighting.asked == 4
