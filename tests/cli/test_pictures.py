"""What is drawn at the end of a run, and the numbers behind it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, tensor

from iamm.dataset.base import SPLITS, Dataset, Scene, SceneBatch, Split
from iamm.dataset.fields import CLASS, ID, ITEMS, TOKENS, Field
from iamm.dataset.idx import picture_scene
from iamm.dataset.vocabulary import WordVocabulary
from iamm.fusion.base import Interest
from iamm.head.base import AttentionMap
from iamm.run.attention_maps import key_labels
from iamm.run.pictures import draw

WORDS = WordVocabulary(["red", "blue", "dog"])
SEEN = torch.tensor([[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]])  # (H, K): two heads over two words and padding


class Shelf:
    """A recorder that keeps what it is given."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}
        self.numbers = None

    def picture(self, name: str, figure: Figure, step: int) -> None:
        self.figures[name] = figure

    def attention(self, content) -> None:
        self.numbers = json.loads(json.dumps(content))


class Model:
    """A network whose weights are known: those of SEEN; `refuses` names what raises an error instead."""

    def __init__(
        self, *names: str, refuses: str = "", asked: list[str] | None = None, places: Tensor | None = None
    ) -> None:
        self.names, self.refuses, self.words, self.places = names, refuses, asked, places

    def eval(self) -> None:
        pass

    def head_attention(self, batch, name: str) -> AttentionMap | None:
        if self.refuses == "head":
            raise ValueError("No weights of this one. Choose another.")
        if self.refuses == "all":
            return None
        count = len(batch[name].present)
        if "image" in batch[name].inputs:
            return AttentionMap(SEEN.repeat(1, 2)[:, :4].expand(count, 2, 4).unsqueeze(2), [["square"]] * count)
        if self.words is None:
            return AttentionMap(SEEN.expand(count, 2, 3).unsqueeze(2), [["good"]] * count)
        return AttentionMap(SEEN[:, None].expand(count, 2, 5, 3), [self.words] * count)  # (B, H, Q, K), Q with padding

    def encoder_attention(self, batch, name: str) -> list[Tensor]:
        if self.refuses == "encoder":
            raise NotImplementedError
        part = batch[name]
        return [] if "image" in part.inputs else [SEEN[:, None].expand(len(part.present), 2, 3, 3)] * 2

    def interest(self, batch) -> dict[str, Interest]:
        if self.refuses == "interest":
            raise ValueError("No places of this one.")
        return (
            {} if self.places is None else {name: Interest(None, None, self.places, None, None, {}) for name in batch}
        )

    def fusion_attention(self, batch) -> dict[str, Tensor]:
        return {name: tensor([[0.125, 0.875]]).expand(len(part.present), 1, 2) for name, part in batch.items()}


def text_scene(name: str, **more) -> Scene:
    """Three examples of two, one and three words; the second is absent."""
    inputs, present = tensor([[4, 5, 0], [6, 0, 0], [6, 4, 5]]), tensor([True, False, True])
    targets = tensor([1, 0, 0]) if "classes" in more else tensor([[1, 6, 2], [1, 4, 2], [1, 5, 2]])
    task = "classification" if "classes" in more else "generation"
    splits = dict.fromkeys(SPLITS, Split({"text": inputs}, targets, present))
    target_field = CLASS if "classes" in more else TOKENS
    return Scene(name, "text", task, splits, {"text": TOKENS}, target_field, source=WORDS, **more)


def image_scene(name: str, targets=(0, 1, 1), classes=("circle", "square")) -> Scene:
    pixels = torch.zeros(3, 3, 8, 8, dtype=torch.uint8)
    split = Split({"image": pixels}, tensor(targets), torch.ones(3, dtype=torch.bool))
    return picture_scene(name, dict.fromkeys(SPLITS, split), classes)


def drawn(model: Model, *scenes: Scene, count: int = 3, heads: bool = True, details=None) -> tuple[Shelf, list[str]]:
    shelf = Shelf()
    cpu, weighed = torch.device("cpu"), {name: dict.fromkeys(model.names, 0.5) for name in model.names}
    notes = draw(shelf, model, [Dataset("set", scenes)], cpu, 7, count, weighed, details or {}, heads=heads)
    return shelf, notes


def labels(ticks) -> list[str]:
    return [tick.get_text() for tick in ticks]


def test_a_classified_sentence_has_a_row_for_each_head():
    shelf, notes = drawn(Model("said"), text_scene("said", classes=("bad", "good")), heads=False)
    assert notes == []
    assert list(shelf.figures) == ["val/attention/said/0", "val/attention/said/2"]  # the second is absent
    axis = shelf.figures["val/attention/said/0"].axes[0]
    assert axis.images[0].get_array().tolist() == [[0.375, 0.625], [0.5, 0.5], [0.25, 0.75]]
    assert labels(axis.get_yticklabels()) == ["mean", "head 1", "head 2"]
    assert labels(axis.get_xticklabels()) == ["red", "blue"]
    assert axis.get_title() == "good (good)"
    assert shelf.figures["val/attention/said/2"].axes[0].get_title() == "good (bad)"
    assert shelf.numbers is None


def test_a_confusion_matrix_is_drawn_of_each_scene_that_has_one():
    """A row for each target: its colours are shares, its cells counts."""
    details = {"said": {"confusion": [[3, 1], [0, 0]], "classes": {"bad": {}, "good": {}}}, "told": {"lengths": [1]}}
    model, scene = Model("said"), text_scene("said", classes=("bad", "good"))
    shelf, _ = drawn(model, scene, heads=False, details=details)
    assert list(shelf.figures)[2:] == ["test/confusion/said"]
    axis = shelf.figures["test/confusion/said"].axes[0]
    assert axis.images[0].get_array().tolist() == [[0.75, 0.25], [0, 0]]
    assert labels(axis.texts) == ["3", "1", "0", "0"]
    assert labels(axis.get_xticklabels()) == labels(axis.get_yticklabels()) == ["bad", "good"]
    assert (axis.get_xlabel(), axis.get_ylabel()) == ("predicted class", "class")
    assert drawn(model, scene, count=0, details=details)[0].figures == {}


def test_written_sentences_have_a_panel_for_each_head():
    scene = text_scene("told", target=WORDS)
    model = Model("told", asked=["dog", "</s>"])
    shelf, _ = drawn(model, scene, count=1)
    panels = shelf.figures["val/attention/told/0"].axes[:3]
    assert [panel.get_title() for panel in panels] == ["mean", "head 1", "head 2"]
    assert panels[2].images[0].get_array().tolist() == [[0.25, 0.75]] * 2
    assert labels(panels[2].get_yticklabels()) == ["dog", "</s>"]
    shelf, _ = drawn(model, scene, count=1, heads=False)
    assert list(shelf.figures) == ["val/attention/told/0"]
    axis = shelf.figures["val/attention/told/0"].axes[0]
    assert axis.images[0].get_array().tolist() == [[0.375, 0.625]] * 2


def test_places_of_other_inputs_are_numbered():
    """A scene that is neither a text nor a picture, with several labels for each example."""
    inputs = {"prices": torch.zeros(3, 2)}
    part = Split(inputs, tensor([[1, 0], [0, 1], [1, 1]]), torch.ones(3, dtype=torch.bool))
    fields = {"prices": Field("numbers")}
    scene = Scene("sold", "offer", "labels", dict.fromkeys(SPLITS, part), fields, Field("numbers"), ("a", "b"))
    shelf, notes = drawn(Model("sold"), scene, count=1, heads=False)
    assert notes == []
    axis = shelf.figures["val/attention/sold/0"].axes[0]
    assert labels(axis.get_xticklabels()) == ["0", "1", "2"]
    assert axis.get_title() == "good ([1, 0])"


def test_an_item_names_a_place_where_an_encoder_has_one_for_each():
    """Three places of a candidate and two items; with one more, of something else, places are numbered."""
    inputs = {"candidate": tensor([4]), "history": tensor([[5, 6]])}
    part = SceneBatch(inputs, tensor([1]), torch.ones(1, dtype=torch.bool))
    split = Split(inputs, part.targets, part.present)
    fields = {"candidate": ID, "history": ITEMS}
    scene = Scene("shop", "behaviour", "ranking", dict.fromkeys(SPLITS, split), fields, CLASS, ("pass", "click"), WORDS)
    assert key_labels(scene, part, 0, 3) == ["red", "blue", "dog"]
    assert key_labels(scene, part, 0, 4) == ["0", "1", "2", "3"]


def test_pictures_with_numbers_are_drawn_like_those_with_classes():
    """One figure of all, the answer above the number."""
    shelf, notes = drawn(Model("old"), image_scene("old", (0.5, 1.0, 2.0), ()), heads=False)
    assert notes == []
    assert list(shelf.figures) == ["val/attention/old"]
    assert "square\n(0.5)" in [axis.get_title() for axis in shelf.figures["val/attention/old"].axes]


def test_a_history_has_its_items_below():
    """The candidate first; a history of one click has one place more."""
    inputs = {"history": tensor([[4, 0], [5, 4]]), "candidate": tensor([6, 4]), "user": tensor([0, 1])}
    part = Split(inputs, tensor([1, 0]), torch.ones(2, dtype=torch.bool))
    fields = {"history": ITEMS, "candidate": ID, "user": ID}
    splits = dict.fromkeys(SPLITS, part)
    scene = Scene("liked", "behaviour", "ranking", splits, fields, CLASS, ("passed", "clicked"), source=WORDS)
    shelf, notes = drawn(Model("liked"), scene, heads=False)
    assert notes == []
    axes = [figure.axes[0] for figure in shelf.figures.values()]
    assert [labels(axis.get_xticklabels()) for axis in axes] == [["dog", "red"], ["red", "blue", "red"]]
    assert [axis.get_title() for axis in axes] == ["good (clicked)", "good (passed)"]


def test_each_layer_of_an_encoder_has_a_figure():
    shelf, _ = drawn(Model("said"), text_scene("said", classes=("bad", "good")), count=1)
    assert list(shelf.figures) == [
        "val/attention/said/0",
        "val/encoder/said/0/layer1",
        "val/encoder/said/0/layer2",
    ]
    panel = shelf.figures["val/encoder/said/0/layer2"].axes[1]
    assert panel.get_title() == "head 1"
    assert panel.images[0].get_array().tolist() == [[0.5, 0.5]] * 2
    assert labels(panel.get_yticklabels()) == labels(panel.get_xticklabels()) == ["red", "blue"]


def test_pictures_have_a_row_for_each_head_and_scenes_a_panel():
    names = ("seen", "said")
    scenes = (image_scene("seen"), text_scene("said", classes=("bad", "good")))
    shelf, notes = drawn(Model(*names), *scenes)
    assert notes == []
    figure = shelf.figures["val/attention/seen"]
    assert [axis.get_title() for axis in figure.axes[:3]] == [
        "square\n(circle)",
        "square\n(square)",
        "square\n(square)",
    ]
    assert [figure.axes[3 * row].texts[0].get_text() for row in (1, 2, 3)] == ["mean", "head 1", "head 2"]
    asked = shelf.figures["val/scene_weights/set"].axes
    assert [axis.get_ylabel() for axis in asked[:2]] == ["seen attends", "said attends"]
    assert asked[0].images[0].get_array().tolist() == [[0.125, 0.875]] * 4
    assert labels(asked[1].get_yticklabels()) == ["example 0", "example 2", "mean"]
    assert "test/scene_weights" in shelf.figures
    few, _ = drawn(Model(*names), *scenes, heads=False)
    assert len(few.figures["val/attention/seen"].axes) == 2 * 3 + 1  # with one colour bar
    assert "val/scene_weights/set" not in few.figures


def test_the_numbers_behind_the_pictures():
    names = ("seen", "said")
    scenes = (image_scene("seen"), text_scene("said", classes=("bad", "good")))
    numbers = drawn(Model(*names), *scenes)[0].numbers
    assert list(numbers) == ["seen", "said"]
    assert [each["example"] for each in numbers["seen"]] == [0, 1, 2]
    assert numbers["seen"][0] == {
        "example": 0,
        "asked": ["square"],
        "truth": "circle",
        "places": ["0,0", "0,1", "1,0", "1,1"],
        "head": [[[0.5, 0.5, 0.0, 0.5]], [[0.25, 0.75, 0.0, 0.25]]],
        "scenes": ["seen", "said"],
        "fusion": [[0.125, 0.875]],
    }
    assert numbers["said"][0] == {
        "example": 0,
        "asked": ["good"],
        "truth": "good",
        "places": ["red", "blue"],
        "head": [[[0.5, 0.5]], [[0.25, 0.75]]],
        "encoder": [[[[0.5, 0.5]] * 2, [[0.25, 0.75]] * 2]] * 2,
        "scenes": ["seen", "said"],
        "fusion": [[0.125, 0.875]],
    }


@pytest.mark.parametrize(
    ("refuses", "note"),
    [
        ("head", "said: what its head looked at is not drawn: No weights of this one. Choose another."),
        ("all", "said: what its head looked at is not drawn: it has no attention."),
        ("encoder", "said: its encoder's self-attention is not drawn: its attention gives no weights."),
    ],
)
def test_what_cannot_be_drawn_is_reported(refuses, note):
    shelf, notes = drawn(Model("said", refuses=refuses), text_scene("said", classes=("bad", "good")), count=1)
    assert notes == [note]
    assert len(shelf.figures) == {"head": 2, "all": 2, "encoder": 1}[refuses]
    assert shelf.numbers["said"][0]["places"] == ["red", "blue"]


def test_a_head_without_attention_is_no_news_unless_asked_for():
    shelf, notes = drawn(Model("said", refuses="all"), text_scene("said", classes=("bad", "good")), heads=False)
    assert (shelf.figures, notes) == ({}, [])


def test_where_interest_looks():
    """A row for each interest vector over the words of each present text; all pictures in one figure."""
    places = tensor([[0.5, 0.25, 0.25], [0.0, 1.0, 0.0]]).expand(3, 2, 3)  # (B, K, T)
    shelf, _ = drawn(Model("said", places=places), text_scene("said", classes=("bad", "good")), heads=False)
    assert {name for name in shelf.figures if "interest" in name} == {"val/interest/said/0", "val/interest/said/2"}
    axes = shelf.figures["val/interest/said/0"].axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["interest 1", "interest 2"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["red", "blue"]
    assert axes.images[0].get_array().tolist() == [[0.5, 0.25], [0.0, 1.0]]
    shelf, _ = drawn(Model("seen", places=torch.full((3, 2, 4), 0.25)), image_scene("seen"), heads=False)
    assert "val/interest/seen" in shelf.figures


def test_interest_that_cannot_be_drawn_is_a_notice():
    _, notes = drawn(Model("said", refuses="interest"), text_scene("said", classes=("bad", "good")), heads=False)
    assert notes == ["set: where interest looks is not drawn: No places of this one."]


def test_no_examples_no_pictures():
    shelf, notes = drawn(Model("said"), text_scene("said", classes=("bad", "good")), count=0)
    assert (shelf.figures, shelf.numbers, notes) == ({}, None, [])


def test_by_the_command(command, small, tmp_path):
    """Four heads everywhere, in the fusion too; what is drawn is in the folder, and of the weights it is told."""
    words = [word for word in small if not word.startswith("log.")]
    answer = command(
        *words, "log.pictures=1", "log.attention=true", "attention@fusion.attention=multi_head", "encoder.text.layers=1"
    )
    assert (answer.code, answer.err) == (0, "")
    (run,) = (tmp_path / "outputs").iterdir()
    assert {path.name for path in (run / "pictures").iterdir()} == {
        "attention.json",
        "test-confusion-shapes_image.png",
        "test-scene_weights.png",
        "val-attention-shapes_image.png",
        "val-attention-shapes_text-0.png",
        "val-encoder-shapes_text-0-layer1.png",
        "val-interest-shapes_image.png",
        "val-interest-shapes_image-in-shapes_text-0.png",
        "val-interest-shapes_text-0.png",
        "val-interest-shapes_text-in-shapes_image.png",
        "val-scene_weights-shapes.png",
    }
    told = numbers(run)
    (image,), (text,) = told["shapes_image"], told["shapes_text"]
    for weights in (image["head"], text["head"], *text["encoder"], image["fusion"], text["fusion"]):
        found = tensor(weights, dtype=torch.float64)
        assert len(found) == 4
        torch.testing.assert_close(found.sum(dim=-1), torch.ones(found.shape[:-1]).double(), rtol=0, atol=1e-4)
    assert len(text["asked"]) == len(text["head"][0])
    assert len(text["places"]) == len(text["head"][0][0]) == len(text["encoder"][0][3])
    assert image["scenes"] == ["shapes_image", "shapes_text"]


def test_a_model_without_attention_says_so_and_runs(command, small, tmp_path):
    words = [word for word in small if not word.startswith(("log.", "dataset."))]
    words += ["log.pictures=1", "log.attention=true", "model=cnn", "dataset=digits", "steps=1"]
    answer = command(*words)
    assert (answer.code, answer.err) == (0, "")
    assert "note: digits: what its head looked at is not drawn: it has no attention.\n" in answer.out
    (run,) = (tmp_path / "outputs").iterdir()
    assert numbers(run) == {}
    assert "note: digits: what its head looked at is not drawn" in command(*words).out  # of the finished run
    assert {path.name for path in (run / "pictures").iterdir()} == {"attention.json", "test-confusion-digits.png"}


def numbers(run: Path) -> dict:
    return json.loads((run / "pictures" / "attention.json").read_text(encoding="utf-8"))
