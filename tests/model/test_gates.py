"""What every model passes, whatever it is made of and whatever it is shown."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from iamm.dataset.base import Dataset, Scene, Split
from iamm.dataset.vocabulary import UNKNOWN
from iamm.engine.collate import collate
from iamm.engine.evaluate import evaluate
from iamm.model.scene_network import SceneNetwork

CPU = torch.device("cpu")
ROWS = torch.arange(5)


def batches(datasets: list[Dataset], split: str, rows: Tensor):
    return [collate(dataset, split, rows, CPU) for dataset in datasets]


def total_loss(network: SceneNetwork, datasets: list[Dataset], rows: Tensor = ROWS) -> Tensor:
    """Of all scenes, with the penalties."""
    outcomes = [network(batch) for batch in batches(datasets, "train", rows)]
    paid = [penalty.sum() for out in outcomes for penalty in out.penalties.values()]
    return torch.stack([*(loss for out in outcomes for loss in out.losses.values()), *paid]).sum()


def spoilt_split(split: Split) -> Split:
    """Absent rows filled with those of other examples: inputs and targets of the right kind, but not theirs."""
    return Split(
        {name: spoilt_rows(values, split.present) for name, values in split.inputs.items()},
        spoilt_rows(split.targets, split.present),
        split.present,
    )


def spoilt_rows(values: Tensor, present: Tensor) -> Tensor:
    spoilt = values.clone()
    spoilt[~present] = values[present][: int((~present).sum())].flip(0)
    return spoilt


def spoilt_scene(scene: Scene) -> Scene:
    return replace(scene, splits={name: spoilt_split(split) for name, split in scene.splits.items()})


def spoilt_dataset(dataset: Dataset) -> Dataset:
    return Dataset(dataset.name, tuple(map(spoilt_scene, dataset.scenes)), dataset.batch_size)


def test_no_example_depends_on_its_batch_mates(model, data, network, datasets):
    """Predictions, likelihoods, written text and scene weights: five at once, or four and one alone."""
    made = network(model, data).eval()
    for dataset in datasets(data):
        whole, weights = made.observe(collate(dataset, "validation", ROWS, CPU))
        seen = [made.observe(collate(dataset, "validation", rows, CPU)) for rows in ROWS.split([4, 1])]
        for name, noted in whole.items():
            for key, entries in noted.items():
                found = [entry for part, _ in seen for entry in part[name][key]]
                if torch.is_tensor(entries):
                    torch.testing.assert_close(torch.stack(found), entries, atol=1e-5, rtol=0)
                else:
                    assert found == (pytest.approx(entries, abs=1e-5) if key == "nll" else entries), (name, key)
        for name, shares in weights.items():
            found = torch.cat([part[name] for _, part in seen])
            torch.testing.assert_close(found, shares, atol=1e-5, rtol=0)


def test_features_do_not_depend_on_batch_mates(model, data, network, datasets):
    """What the heads are given, in training too, where nothing but dropout is random."""
    made = network(model, data).train()
    for part in made.modules():
        if isinstance(part, nn.BatchNorm2d):  # whose statistics are those of the batch: `WhitenedEncoder` says so
            part.train(False)
    for dataset in datasets(data):
        whole, _ = made.features(collate(dataset, "train", ROWS, CPU))
        for row in range(len(ROWS)):
            alone, _ = made.features(collate(dataset, "train", ROWS[row : row + 1], CPU))
            for name, (values, allow) in alone.items():
                real = int(allow.sum())
                assert int(whole[name].allow[row].sum()) == real
                torch.testing.assert_close(whole[name].values[row, :real], values[0, :real], atol=1e-5, rtol=0)


@pytest.mark.parametrize("unseen", ["user", "candidate", "history", "all"])
def test_an_unseen_user_or_item_is_answered(model, network, datasets, unseen):
    """With a finite probability, and an unseen user's candidates with different ones."""
    dataset = datasets("behaviour")[0]
    made, (name,) = network(model, "behaviour").eval(), (scene.name for scene in dataset.scenes)
    part = collate(dataset, "test", torch.arange(40), CPU)[name]
    values = {"user": 10**6, "candidate": UNKNOWN, "history": UNKNOWN}
    changed = values if unseen == "all" else {unseen: values[unseen]}
    inputs = {key: torch.full_like(part.inputs[key], value) for key, value in changed.items()}
    found = probabilities(made.answers({name: part._replace(inputs={**part.inputs, **inputs})}, name))
    assert all(0 < probability < 1 for probability in found)
    if unseen == "user":
        assert len(set(found)) > 5


def probabilities(answers: list[dict]) -> list[float]:
    """Of a click on each candidate, or of the next items."""
    return [share for answer in answers for share in answer.get("probabilities", [answer.get("probability")])]


def test_an_unseen_scene_is_answered(model, network, datasets):
    """With finite probabilities that differ, and with those of an example alone."""
    *known, new = datasets("behaviour")
    made, (scene,) = network(model, "behaviour", share="kind", datasets=known).eval(), new.scenes
    made.add_scene(scene, [scene for dataset in known for scene in dataset.scenes])
    found = probabilities(made.answers(collate(new, "test", torch.arange(40), CPU), scene.name))
    assert all(0 < probability < 1 for probability in found)
    assert len(set(found)) > 5
    alone = probabilities(made.answers(collate(new, "test", torch.arange(1), CPU), scene.name))
    assert alone == pytest.approx(found[: len(alone)], abs=1e-5)


def test_an_absent_view_changes_nothing(model, network, datasets):
    """Whatever stands in its place, from the very beginning: no loss, gradient, written text or measure moves."""
    clean = datasets("missing")
    spoilt = [spoilt_dataset(dataset) for dataset in clean]
    assert any(
        not torch.equal(one.splits["train"].inputs[one.kind], other.splits["train"].inputs[one.kind])
        for one, other in zip(clean[0].scenes, spoilt[0].scenes, strict=True)
    )
    found = []
    for data in (clean, spoilt):
        made = network(model, "missing", datasets=data)
        loss = total_loss(made, data)
        loss.backward()
        gradients = {name: parameter.grad for name, parameter in made.named_parameters()}
        evaluation = evaluate(made, data, "validation", CPU)
        texts = [part.get("written") for parts in evaluation.outputs.values() for part in parts]
        found.append((loss.detach(), gradients, evaluation.measures, evaluation.scene_weights, texts))
    (loss, gradients, measures, weights, texts), (loss_, gradients_, measures_, weights_, texts_) = found
    torch.testing.assert_close(loss_, loss)
    torch.testing.assert_close(gradients_, gradients, atol=1e-6, rtol=1e-4)
    for name in measures:
        assert measures_[name] == pytest.approx(measures[name], abs=1e-5)
    for name in weights:
        assert weights_[name] == pytest.approx(weights[name], abs=1e-5)
    assert texts_ == texts


def test_an_absent_view_weighs_nothing(model, network, datasets):
    (dataset,) = datasets("missing")
    made = network(model, "missing").eval()
    batch = collate(dataset, "train", torch.arange(40), CPU)
    _, weights = made.features(batch)
    assert (weights is not None) == made.fusion.gives_scene_weights
    for shares in (weights or {}).values():
        for column, part in enumerate(batch.values()):
            assert not part.present.all()
            assert (shares[~part.present, column] == 0).all()
        torch.testing.assert_close(shares.sum(dim=1), torch.ones(40))


def test_gradients_are_finite_and_reach_every_parameter(model, data, network, datasets):
    """One scene alone leaves nothing to choose: no interest and no discriminator is learnt then, and all the rest.

    What is kept for unknown scenes rests, since none is hidden here.
    """
    made = network(model, data, dropout=0.1).train()
    total_loss(made, datasets(data))
    made.end_step()  # what scenes keep of their examples is there from the second step on
    total_loss(made, datasets(data), torch.arange(24)).backward()
    unmoved = {name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()}
    unmoved = {name for name in unmoved if ".unknown." not in name}
    for name, parameter in made.named_parameters():
        assert parameter.grad is None or parameter.grad.isfinite().all(), name
    choosing = ("fusion.recogniser.project", "fusion.marks", "fusion.discriminator", "fusion.answers")
    alone = {name for name in unmoved if name.startswith(choosing)}
    assert unmoved == (alone if data == "single" else set())


def test_bf16_gives_finite_losses_and_gradients(model, network, datasets):
    made = network(model, "unpaired").train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = total_loss(made, datasets("unpaired"))
    loss.backward()
    assert loss.isfinite()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in made.parameters())


def trained(network, datasets, model: str, seed: int) -> tuple[list[float], dict[str, Tensor]]:
    """Two steps from the seed: losses and parameters."""
    made: nn.Module = network(model, "unpaired", seed=seed, dropout=0.1).train()
    torch.manual_seed(seed)  # of dropout
    optimizer = torch.optim.SGD(made.parameters(), lr=0.1)
    losses = []
    for rows in ROWS.split([2, 3]):
        optimizer.zero_grad()
        loss = total_loss(made, datasets, rows)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses, made.state_dict()


def test_the_seed_alone_decides(model, network, datasets):
    """Bit by bit: whatever random numbers were drawn before."""
    losses, state = trained(network, datasets("unpaired"), model, seed=3)
    torch.rand(5)
    again, state_again = trained(network, datasets("unpaired"), model, seed=3)
    other, state_other = trained(network, datasets("unpaired"), model, seed=4)
    assert again == losses
    torch.testing.assert_close(state_again, state, rtol=0, atol=0)
    assert all(one != two for one, two in zip(losses, other, strict=True))
    encoder = [name for name in state if name.startswith("encoders.digits.")]
    assert not all(torch.equal(state[name], state_other[name]) for name in encoder)


def test_a_batch_whose_view_is_absent_throughout(model, network, datasets):
    """No loss and no gradient from it, and the other view is none the worse."""
    (dataset,) = datasets("missing")
    rows = (~dataset.scenes[0].splits["train"].present).nonzero()[:, 0]
    assert len(rows) > 2
    made = network(model, "missing").train()
    losses = made(collate(dataset, "train", rows, CPU)).losses
    absent, seen = losses.values()
    assert absent.item() == 0.0
    assert seen.item() > 0
    (absent + seen).backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())
    assert all(p.grad is None or not p.grad.any() for p in made.heads["shapes_image"].parameters())
    noted, _ = made.eval().observe(collate(dataset, "train", rows, CPU))
    assert noted["shapes_image"]["predicted"] == []
    assert len(noted["shapes_text"]["written"]) == len(rows)


def reached(network: SceneNetwork, losses: dict[str, Tensor]) -> dict[int, list[str]]:
    """Which scenes' losses reach each parameter, by autograd."""
    parameters = list(network.parameters())
    scenes: dict[int, list[str]] = {id(parameter): [] for parameter in parameters}
    for name, loss in losses.items():
        slopes = torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True)
        for parameter, slope in zip(parameters, slopes, strict=True):
            scenes[id(parameter)] += [name] if slope is not None and slope.any() else []
    return scenes


def test_heads_trunk_and_shared_parameters_are_what_they_are_called(model, data, network, datasets):
    """A head's are its own scene's; the shared ones are all that several scenes reach, and else only of the fusion."""
    made = network(model, data)
    losses = {name: x for b in batches(datasets(data), "train", torch.arange(24)) for name, x in made(b).losses.items()}
    scenes, names = reached(made, losses), {id(p): name for name, p in made.named_parameters()}
    heads, trunk = made.head_parameters(), made.trunk_parameters()
    assert sorted(map(id, [*trunk, *(p for head in heads for p in head)])) == sorted(scenes)
    for name, head in zip(made.names, heads, strict=True):
        assert all(scenes[id(parameter)] == [name] for parameter in head)
    shared = {id(p) for p in made.shared_parameters([[s.name for s in d.scenes] for d in datasets(data)])}
    several = {place for place, found in scenes.items() if len(found) > 1}
    assert shared >= several
    assert all(names[place].startswith("fusion.") for place in shared - several)


def test_heads_read_nothing_but_their_features(model, data, network, datasets):
    """So that gradients given to the features are all that the trunk needs; and what is read by several is named."""
    made = network(model, data)
    if not made.trunk_parameters():
        pytest.skip("nothing is learnt in front of the heads")
    for batch in batches(datasets(data), "train", torch.arange(24)):
        outcome = made(batch)
        assert bool(outcome.representation) == (made.fusion.mixes_views and len(batch) > 1)
        for name, loss in outcome.losses.items():
            whole = torch.autograd.grad(loss, made.trunk_parameters(), retain_graph=True, allow_unused=True)
            (slope,) = torch.autograd.grad(loss, outcome.features[name], retain_graph=True)
            through = torch.autograd.grad(
                outcome.features[name], made.trunk_parameters(), slope, retain_graph=True, allow_unused=True
            )
            torch.testing.assert_close(through, whole, rtol=0, atol=0)


def test_a_scene_is_added_to_a_trained_model(model, network, datasets):
    """All that two scenes have learnt fits into a network of three, in whatever order; only the third's is new."""
    (digits, shapes) = datasets("unpaired")
    old, new = (
        network(model, "unpaired", seed=1, datasets=[shapes]),
        network(model, "unpaired", datasets=[digits, shapes]),
    )
    missing, unexpected = new.load_state_dict(old.state_dict(), strict=False)
    assert unexpected == []
    assert all(".digits" in name for name in missing)
    assert any(name.startswith("heads.digits.") for name in missing)
    state = new.state_dict()
    assert all(torch.equal(state[name], value) for name, value in old.state_dict().items())
