"""A migration: a source run shared by all that need it, a transfer, and measures on the target and the known scenes."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from iamm.config.check.migration import source_values
from iamm.config.mistakes import Mistake
from iamm.dataset.base import Dataset
from iamm.engine.checkpoint import load_saved
from iamm.errors import ConfigError
from iamm.record.run_folder import read_result
from iamm.run import migration
from iamm.run.job import evaluate_job, train_job
from iamm.run.migration import count_moved, mean_quotient
from iamm.run.planned import with_source
from iamm.run.verify import verify_job
from iamm.serve.trained import load
from tests.composing import values_of

REVIEWS = (
    *("dataset=[review_domains]", "+experiment=migration_reviews", "dataset.review_domains.train=40", "epochs=1"),
    *("dataset.review_domains.validation=10", "dataset.review_domains.test=14", "log.interest=false"),
)
BOOK, KNOWN = "review_domains_book", [f"review_domains_{name}" for name in ("phone", "kettle", "hotel")]


@pytest.fixture
def moved(planned):
    """Overrides → the planned migration, without its source."""
    return lambda *words: planned(*REVIEWS, *words)


def trained(cell):
    train_job(cell)
    return with_source(cell)


def test_the_source_is_the_run_on_the_other_scenes(moved, planned):
    cell = moved("target=book", "shots=3", "draw=2", "transfer=fine_tune")
    source, run = with_source(cell)
    words = ("target=null", "dataset.review_domains.scenes=[phone,kettle,hotel]")
    assert source.name == planned(*REVIEWS, *words).name
    assert run.values["from"] == str(source.folder.path)
    assert run.name.startswith("iamm-review_domains-to_book-fine_tune-shots3-draw2-seed0-")
    other = with_source(moved("target=book", "transfer=by_rule"))
    assert other[0].values == source.values
    assert other[1].name != run.name
    assert with_source(run) == [run]


def test_the_source_of_a_genre_leaves_its_films_out_of_all_others():
    """Where each film is in one genre."""
    values = values_of("+experiment=recommendation_genres", "target=drama", "model=gaussian_process")
    part = source_values(values)["dataset"]["movielens"]
    assert (part["scenes"], part["left_out"]) == (["comedy", "action", "thriller", "romance"], ["drama"])
    values["dataset"]["movielens"]["left_out"] = ["war"]
    assert source_values(values)["dataset"]["movielens"]["left_out"] == ["war", "drama"]


def test_a_run_without_target_has_the_address_of_one_without_these_keys(planned):
    assert planned(*REVIEWS, "target=null").name == planned(*REVIEWS, "target=null", "transfer=fine_tune").name


def test_what_is_measured_and_kept(moved, capsys):
    source, run = trained(moved("target=book", "shots=2", "transfer=fine_tune", "transfer.steps=3"))
    result = read_result(run.folder.path)
    before = read_result(source.folder.path)
    assert list(before["test"]) == KNOWN
    assert list(result["test"]) == [BOOK, *KNOWN]
    values = result["migration"]
    assert (values["target"], values["known"], values["shots"], values["draw"]) == (BOOK, KNOWN, 2, 0)
    assert (values["labelled"], values["unlabelled"]) == (4, False)
    assert {name: values["before"][name] for name in KNOWN} == before["quality"]
    quotients = [result["quality"][name] / before["quality"][name] for name in KNOWN]
    assert values["kept"] == pytest.approx(sum(quotients) / 3)
    assert values["moved"] > 1000
    assert result["from"]["run"] == source.name
    assert run.folder.finished()
    capsys.readouterr()
    train_job(run)
    out = capsys.readouterr().out
    assert "This run is finished" in out
    assert f"target {BOOK}  quality {values['before'][BOOK]:.4f} → {result['quality'][BOOK]:.4f}" in out
    assert f"known scenes keep {values['kept']:.1%} of their quality" in out


def test_a_target_of_two_views_is_one_that_the_source_met_in_neither(planned):
    """Both views are measured; the first is the target."""
    sizes = [
        f"dataset.shape_domains.{split}={count}" for split, count in (("train", 24), ("validation", 8), ("test", 8))
    ]
    source, run = trained(
        planned(
            "dataset=[shape_domains]",
            "+experiment=migration_shapes",
            *sizes,
            "epochs=1",
            "target=moss",
            "transfer=by_rule",
        )
    )
    known = [f"shape_domains_{name}_{view}" for name in ("grey", "sand", "rose") for view in ("image", "text")]
    assert list(read_result(source.folder.path)["test"]) == known
    result = read_result(run.folder.path)
    assert list(result["test"]) == ["shape_domains_moss_image", "shape_domains_moss_text", *known]
    assert (result["migration"]["target"], result["migration"]["known"]) == ("shape_domains_moss_image", known)


def test_without_a_label_the_target_is_measured_by_the_source_model(moved):
    source, run = trained(moved("target=book", "transfer=fine_tune"))
    one, other = load_saved(source.folder.best)["model"], load_saved(run.folder.best)["model"]
    assert all(torch.equal(values, other[name]) for name, values in one.items())
    values = read_result(run.folder.path)
    assert (values["migration"]["moved"], values["migration"]["kept"]) == (0, 1.0)
    assert values["quality"][BOOK] == values["migration"]["before"][BOOK]


def test_from_scratch_is_from_no_source(moved):
    source, run = trained(moved("target=book", "transfer=scratch"))
    result = read_result(run.folder.path)
    assert "from" not in result
    assert result["migration"]["moved"] == 0
    untrained, learnt = (
        migration.build_migration(run.values).model.state_dict(),
        load_saved(source.folder.best)["model"],
    )
    saved = load_saved(run.folder.best)["model"]
    assert all(torch.equal(values, untrained[name]) for name, values in saved.items())
    assert not any(torch.equal(learnt[name], saved[name]) for name in learnt if name.startswith("heads."))


@pytest.mark.parametrize(
    "transfer", ["fine_tune", *(pytest.param(name, marks=pytest.mark.long) for name in ("by_rule", "interest"))]
)
def test_the_targets_test_and_other_labels_reach_nothing(moved, monkeypatch, transfer):
    """All labels but the drawn ones are scrambled, and all of test and validation: the same bytes are written.

    The draw itself knows the classes, so it is made before.
    """
    _, run = trained(moved("target=book", "shots=2", f"transfer={transfer}"))
    honest, select = run.folder.best.read_bytes(), migration.material_of

    def scrambled(target: Dataset, known, shots, *more):
        given = select(target, known, shots, *more).target.scenes[0]
        (scene,) = target.scenes
        splits = {name: replace(split, targets=1 - split.targets) for name, split in scene.splits.items()}
        for name in ("validation", "test"):
            splits[name] = replace(splits[name], inputs={"text": splits[name].inputs["text"].flip(0, 1)})
        material = select(Dataset(target.name, (replace(scene, splits=splits),), target.batch_size), known, 0, *more)
        (rest,) = material.target.scenes
        both = replace(rest, splits={**rest.splits, "train": given.splits["train"]})
        return replace(material, target=Dataset(target.name, (both,), target.batch_size))

    monkeypatch.setattr(migration, "material_of", scrambled)
    before = read_result(run.folder.path)["quality"]
    train_job(replace(run, values={**run.values, "rerun": True}))
    assert run.folder.best.read_bytes() == honest
    assert read_result(run.folder.path)["quality"] == before


def test_a_repeated_migration_is_the_same(moved, capsys):
    _, run = trained(moved("target=hotel", "shots=2", "transfer=interest"))
    values = {"run": str(run.folder.path), "device": "cpu", "data_dir": None, "output_dir": "."}
    verify_job(values, moved=False)
    assert "repeated and matched, to the last bit" in capsys.readouterr().out
    with pytest.raises(ConfigError, match=r"^A migration is checked by its repetition. Found .*: add mode=verify.$"):
        evaluate_job(values, moved=False)
    with pytest.raises(
        ConfigError, match=r"^A migration measures its model. Found .*: use the run that it migrates from"
    ):
        load(run.folder.path)


def test_a_source_of_ones_own_must_not_have_met_the_target(moved, planned):
    met = planned(*REVIEWS, "target=null")
    train_job(met)
    with pytest.raises(
        ConfigError, match=r"must not have met the target. Found review_domains_book among the scenes of"
    ):
        train_job(moved("target=book", f"from={met.folder.path}"))


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["target=sofa"], r"`target` must be a scene of the run. Found sofa."),
        (["target=null", "shots=3"], r"`shots` goes with a target. Found shots=3 alone: add target="),
        (["target=null", "draw=3"], r"`draw` goes with a target."),
        (["dataset.review_domains.scenes=[book]"], r"A target needs known scenes. Found book alone"),
        (["phases={one:{epochs:1}}"], r"`phases` and `target` do not go together."),
        (["target=review_domains_bok"], r'Found review_domains_bok. Did you mean "book"\?'),
        (
            ["target=book", "dataset.review_domains.scenes=[book]"],
            r"or list the scenes of a file in dataset.review_dom",
        ),
        (["shots=-1"], r"`shots` must be a whole number at least 0"),
    ],
)
def test_what_cannot_be(moved, words, line):
    with pytest.raises((ConfigError, Mistake), match=line):
        moved(*words)


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["shots=21"], r"`shots` must not exceed the training examples of a class. Found shots=21, 20 of negative"),
        (
            ["share.encoder=none"],
            r"takes the encoder that known scenes share. Found 3 like .*: set share.encoder=kind.",
        ),
        (["share.head=none"], r"takes the head that known scenes share."),
        (["transfer=self_training"], r"learns from changed inputs. Found none: set augment=image or augment=text."),
        (["fusion=shared", "transfer=by_rule"], r"by a fusion that has interest. Found SharedFusion"),
    ],
)
def test_what_the_data_or_the_model_forbid(moved, words, line):
    cell = moved(*words)
    with pytest.raises(ConfigError, match=line) as error:
        train_job(cell)
    assert "\n" not in str(error.value)
    assert not any(each.path.exists() for each in with_source(cell)), "it is known before the source run is made"


def test_labels_that_a_transfer_does_not_read(moved):
    (_, run) = trained(moved("target=book", "shots=2"))
    result = read_result(run.path)
    assert result["migration"]["labelled"] == 0
    assert "this transfer reads no labels: shots=2 changes nothing." in result["notices"]


def test_a_target_like_no_known_scene(planned):
    cell = planned(*REVIEWS, "dataset=[review_domains,digits]", "target=digits", "encoder@encoder.image=convolutional")
    with pytest.raises(ConfigError, match=r"needs a known one with the same kind of inputs.* Found none like digits"):
        train_job(cell)


def test_low_rank_changes_move_themselves_alone(moved):
    """Σ r (in + out) over all linear maps, whose own weights stay."""
    _, run = trained(moved("target=book", "shots=1", "transfer=low_rank", "transfer.rank=1"))
    saved = load_saved(run.folder.best)["model"]
    names = [name for name in saved if name.endswith((".up", ".down")) and ("heads" not in name or KNOWN[0] in name)]
    once = {name for name in names if "encoders" not in name or KNOWN[0] in name}  # which all scenes share
    assert read_result(run.folder.path)["migration"]["moved"] == sum(saved[name].numel() for name in once)


def test_values_by_hand():
    assert mean_quotient([(0.5, 1.0), (0.9, 0.6)]) == pytest.approx(1.0)
    assert mean_quotient([(0.3, 0.0), (0.3, 0.6)]) == pytest.approx(0.5)
    assert mean_quotient([(0.3, 0.0)]) == 1.0
    before = {"a": torch.tensor([1.0, 2.0, 3.0]), "b": torch.zeros(2)}
    after = {"a": torch.tensor([1.0, 0.0, 4.0]), "b": torch.zeros(2), "c": torch.zeros(5)}
    assert count_moved(before, after) == 7
