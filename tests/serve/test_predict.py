"""`iamm-predict`, from files of pictures and texts to files of answers."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from PIL import Image

import iamm
from iamm.cli.predict import main
from iamm.dataset.pictures import picture
from iamm.engine.evaluate import evaluate
from iamm.engine.sampler import evaluation_batches
from iamm.record.run_folder import read_result
from iamm.run.build import build_datasets


@pytest.fixture
def command(command_of):
    return command_of("iamm-predict", main)


@pytest.fixture
def photos(tmp_path):
    """A folder with the same picture in three forms, one of them below a folder."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    grey = np.random.default_rng(0).integers(0, 256, (16, 12), np.uint8)
    Image.fromarray(grey).save(folder / "b.png")
    Image.fromarray(grey).convert("RGBA").save(folder / "more" / "a.png")
    turned = Image.fromarray(np.rot90(grey))
    turned.getexif()[0x0112] = 6  # hold it turned by a quarter to the right
    turned.save(folder / "A.webp", lossless=True, exif=turned.getexif())
    (folder / "notes.txt").write_text("no picture")
    return folder, grey


def test_the_written_out_test_split_has_the_measured_accuracy(command, digits, tmp_path):
    (dataset,) = build_datasets(digits.values)
    split = dataset.scenes[0].splits["test"]
    for number, pixels in enumerate(split.inputs["image"].numpy()):
        Image.fromarray(pixels[0]).save(tmp_path / f"{number:04}.png")
    assert command(f"run={digits.folder.path}", f"input={tmp_path}", "output=answers.csv") == (0, "", "")
    with (tmp_path / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["input"] for row in rows] == [f"{number:04}.png" for number in range(len(split))]
    assert list(rows[0])[:3] == ["input", "class", "probabilities.0"]
    hits = [int(row["class"]) == target for row, target in zip(rows, split.targets.tolist(), strict=True)]
    assert sum(hits) / len(hits) == read_result(digits.folder.path)["test"]["digits"]["accuracy"]
    assert not list(tmp_path.glob("*.tmp"))


def test_a_folder_of_pictures_of_any_size_and_colour(command, digits, photos):
    folder, _ = photos
    code, out, err = command(f"run={digits.folder.path}", f"input={folder}")
    found = [json.loads(line) for line in out.splitlines()]
    assert (code, err, [each["input"] for each in found]) == (0, "", ["A.webp", "b.png", "more/a.png"])
    small = picture(folder / "b.png", 8, colour=False)
    (expected,) = iamm.load(digits.folder.path).predict([small])
    for each in found[1:]:
        assert each["probabilities"] == pytest.approx(expected["probabilities"], abs=1e-6)
    assert found[0]["class"] == expected["class"]


def test_a_picture_whose_name_is_not_of_utf_8(command, digits, photos, tmp_path):
    folder, _ = photos
    os.rename(folder / "b.png", os.fsencode(folder) + b"/\xff.png")
    assert command(f"run={digits.folder.path}", f"input={folder}", "output=a.jsonl") == (0, "", "")
    found = [json.loads(line)["input"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert found == ["A.webp", "more/a.png", "\udcff.png"]


TEXTS = ("the phone is great .", "I did not like the book !")


@pytest.mark.parametrize(
    ("name", "content", "column"),
    [
        ("a.txt", "\ufeff" + "\n".join(TEXTS), "text"),
        ("a.txt", "\r\n".join(TEXTS) + "\r\n", "text"),
        ("a.csv", 'n,body\n1,"the phone\nis great ."\n2,I did not like the book !\n', "body"),
        ("a.tsv", "body\tn\n" + "\n".join(f"{text}\t1" for text in TEXTS), "body"),
        ("a.jsonl", "\n".join(json.dumps({"body": text, "n": 1}) for text in TEXTS), "body"),
    ],
)
def test_texts_of_a_file(command, reviews, tmp_path, name, content, column):
    (tmp_path / name).write_text(content, newline="")
    words = (f"run={reviews.folder.path}", f"input={name}", f"column={column}", "scene=reviews")
    assert command(*words, "output=b.jsonl") == (0, "", "")
    found = [json.loads(line) for line in (tmp_path / "b.jsonl").read_text().splitlines()]
    expected = list(iamm.load(reviews.folder.path).predict(TEXTS))
    assert len(found) == 2
    for one, other in zip(found, expected, strict=True):
        assert one.pop("input")
        assert one == other


def test_attention_in_a_table_is_json(command, reviews, tmp_path):
    (tmp_path / "a.txt").write_text(TEXTS[0])
    assert command(f"run={reviews.folder.path}", "input=a.txt", "output=b.csv", "--attention")[0] == 0
    with (tmp_path / "b.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    keys = json.loads(row["attention.keys"])
    assert len(keys) == 5
    assert sum(json.loads(row["attention.weights"])[0]) == pytest.approx(1, abs=1e-5)


def test_words_that_stand_apart_are_left_alone(command, reviews, tmp_path):
    (tmp_path / "a.txt").write_text("The PHONE")
    words = (f"run={reviews.folder.path}", "input=a.txt", "attention=true")
    assert json.loads(command(*words)[1])["attention"]["keys"] == ["the", "phone"]
    assert json.loads(command(*words, "tokenised=true")[1])["attention"]["keys"] == ["<unk>", "<unk>"]


@pytest.mark.parametrize(
    ("name", "content", "code", "line"),
    [
        ("a.txt", b"good\n \n", 65, "A text must have a word. Found none in a.txt, line 2: leave it out."),
        ("a.txt", b"good\n\xe9t\xe9\n", 65, "a.txt must be utf-8. Found byte 0xE9 in line 2: save it as UTF-8"),
        ("a.csv", b"n,text\n1,good\n2,more,than\n", 65, "as in the first (n, text). Found 3 in line 3"),
        ("a.csv", b'n,text\n1,"good\n', 65, "Found unexpected end of data in line 2: mend it there."),
        ("a.csv", b"n,body\n1,good\n", 65, "a.csv must have the column that `column` names. Found no text in line 2."),
        ("a.jsonl", b'{"text": "good"}\n{"text": []}\n', 65, "JSON with plain values in each line. Found"),
        ("a.jsonl", b'{"text": "good"}\n[1]\n', 65, "Found '[1]\\n' in line 2"),
        ("b.txt", b"good", 66, "A path must name a file. Found no a.txt in "),
    ],
)  # fmt: skip
def test_bad_texts_are_one_line_and_nothing_is_written(command, reviews, tmp_path, name, content, code, line):
    (tmp_path / name).write_bytes(content)
    (tmp_path / "answers.csv").write_text("as it was")
    wanted = name if code != 66 else "a.txt"
    found = command(f"run={reviews.folder.path}", f"input={wanted}", "output=answers.csv")
    assert (found[0], found[1], found[2].count("\n")) == (code, "", 1)
    assert line in found[2]
    assert (tmp_path / "answers.csv").read_text() == "as it was"
    assert not list(tmp_path.glob("*.tmp"))


@pytest.fixture
def clicks(trained, tmp_path_factory):
    """A ranker of one's own log: 20 people and 5 of 11 items each."""
    path = tmp_path_factory.mktemp("log") / "clicks.csv"
    rows = [f"u{user},item {(user + n) % 11},{n},{int(n % 3 != 2)}" for user in range(20) for n in range(6)]
    path.write_text("\n".join(["user,item,time,label", *rows]))
    own = (f"dataset.interaction_file.path={path}", "dataset.interaction_file.time=time")
    more = ("dataset.interaction_file.label=label", "dataset.interaction_file.candidates=5")
    return trained("dataset=[interaction_file]", "model=ranker", *own, *more)


@pytest.fixture
def numbered_clicks(trained, tmp_path_factory):
    """A ranker of items that are called 0 to 10, in rows without times."""
    path = tmp_path_factory.mktemp("log") / "numbered.csv"
    rows = [f"u{user},{(user + n) % 11}" for user in range(20) for n in range(6)]
    path.write_text("\n".join(["user,item", *rows]))
    own = (f"dataset.interaction_file.path={path}", "dataset.interaction_file.candidates=5")
    return trained("dataset=[interaction_file]", "model=ranker", *own)


def test_clicks_as_in_evaluation(command, clicks, tmp_path):
    (dataset,) = build_datasets(clicks.values)
    (scene,) = dataset.scenes
    split = scene.splits["test"]
    noted = evaluate(iamm.load(clicks.folder.path, "cpu").network, [dataset], "test", torch.device("cpu"))
    order = torch.cat(list(evaluation_batches(dataset, "test"))).argsort()
    expected = torch.cat([part["score"] for part in noted.outputs[scene.name]]).sigmoid()[order]
    records = []
    for row in range(len(split)):
        record = {name: values[row].tolist() for name, values in split.inputs.items()}
        real = [item for item in record["history"] if item]
        record["history"] = [scene.source.piece(item).replace("_", " ") for item in real]
        record["candidate"] = scene.source.piece(record["candidate"]).replace("_", " ")
        records.append({**record, **({"ages": record["ages"][: len(real)]} if "ages" in record else {})})
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    code, out, err = command(f"run={clicks.folder.path}", "input=a.jsonl", "device=cpu")
    assert (code, err) == (0, "")
    found = [json.loads(line)["probability"] for line in out.splitlines()]
    assert found == pytest.approx(expected.tolist(), abs=1e-6)


def test_numbers_have_the_measured_error(command, prices, tmp_path):
    (dataset,) = build_datasets(prices.values)
    (scene,) = dataset.scenes
    split = scene.splits["test"]
    (tmp_path / "a.txt").write_text("\n".join(map(scene.source.decode, split.inputs["text"].tolist())))
    assert command(f"run={prices.folder.path}", "input=a.txt", "output=b.csv", "attention=true") == (0, "", "")
    with (tmp_path / "b.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["input", "number", "attention.queries", "attention.keys", "attention.weights"]
    errors = [float(row["number"]) - target for row, target in zip(rows, split.targets.tolist(), strict=True)]
    result = read_result(prices.folder.path)
    measured = result["test"]["text_file"]
    assert sum(error**2 for error in errors) / len(errors) == pytest.approx(measured["rmse"] ** 2, rel=1e-4)
    assert sum(map(abs, errors)) / len(errors) == pytest.approx(measured["mae"], rel=1e-4)
    train = scene.splits["train"].targets
    assert result["details"]["text_file"]["baseline"]["number"] == pytest.approx(train.mean().item())
    assert result["quality"]["text_file"] == measured["r2"]


def test_attention_over_a_history_names_its_items(command, trained, tmp_path):
    """By a model that is not trained: the weights of the history, none of the candidate, by name."""
    feeds = ("dataset.feeds.users=20", "dataset.feeds.items=9", "dataset.feeds.scenes=[shop]", "dataset.feeds.seed=1")
    run = trained("dataset=[feeds]", "model=din", *feeds)
    (dataset,) = build_datasets(run.values)
    names = [dataset.scenes[0].source.piece(item) for item in (4, 5, 6)]
    record = {"history": names[:2], "candidate": names[2], "user": 999, "ages": [60, 0]}
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    code, out, err = command(f"run={run.folder.path}", "input=a.jsonl", "attention=true", "device=cpu")
    assert (code, err) == (0, "")
    attention = json.loads(out)["attention"]
    assert attention["keys"] == [names[2], *names[:2]]
    (weights,) = attention["weights"]
    assert weights[0] == 0
    assert all(0 < weight < 1 for weight in weights[1:])


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("[]", "Found no history in a.jsonl, line 1: add it."),
        ("{", "a.jsonl must have an object of JSON in each line. Found '{'"),
        ({"candidate": ["a"]}, "`candidate` must be one entry of numbers or names. Found ['a'] in a.jsonl, line 1."),
        ({"candidate": 1.5}, "`candidate` must be one entry of numbers or names. Found 1.5 in a.jsonl, line 1."),
        ({"candidate": None}, "`candidate` must be one entry of numbers or names. Found None in a.jsonl, line 1."),
        ({"ages": [5, 6]}, "Lists of one record must have one length. Found 1 of `history`, 2 of `ages` in a.jsonl"),
        ({"ages": [-1]}, "`ages` must be at least 0. Found -1 in a.jsonl, line 1: mend it there."),
        ({"user": -7}, "`user` must be at least 0. Found -7 in a.jsonl, line 1: mend it there."),
        ({"history": "a"}, "`history` must be a list of numbers or names. Found a in a.jsonl, line 1."),
    ],
)
def test_records_that_lack_something(command, clicks, tmp_path, line, rule):
    whole = {"history": ["item 1"], "candidate": "item 2", "user": 0, "ages": [5]}
    (tmp_path / "a.jsonl").write_text(line if isinstance(line, str) else json.dumps(whole | line))
    code, _, err = command(f"run={clicks.folder.path}", "input=a.jsonl")
    assert code == 65
    assert rule in err


def test_a_number_names_an_item_and_is_no_place_in_the_vocabulary(command, numbered_clicks, tmp_path):
    whole = {"history": ["1", "2"], "candidate": "3", "user": 7}
    same = [whole, whole | {"history": [1, 2], "candidate": 3}]
    strange = [whole | {"candidate": "<unk>"}, whole | {"candidate": 9_999_999}, whole | {"candidate": -1}]
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(record) + "\n" for record in (*same, *strange)))
    code, out, err = command(f"run={numbered_clicks.folder.path}", "input=a.jsonl", "device=cpu")
    assert (code, err) == (0, "")
    found = [json.loads(line)["probability"] for line in out.splitlines()]
    assert found[:2] == pytest.approx([found[0]] * 2, abs=1e-6)
    assert found[2:] == pytest.approx([found[2]] * 3, abs=1e-6)
    assert abs(found[0] - found[2]) > 1e-4


def test_a_user_may_be_left_out_and_a_history_empty(command, trained, tmp_path):
    """By models that read users alone, and that read histories alone."""
    feeds = ("dataset.feeds.users=20", "dataset.feeds.items=9", "dataset.feeds.scenes=[shop]", "dataset.feeds.seed=1")
    (tmp_path / "a.jsonl").write_text('{"history": [], "candidate": "no item", "ages": []}')
    for model in ("matrix_factorisation", "click_rates", "gaussian_process", "din"):
        run = trained("dataset=[feeds]", f"model={model}", *feeds)
        code, out, err = command(f"run={run.folder.path}", "input=a.jsonl", "device=cpu")
        assert (code, err) == (0, "")
        assert 0 < json.loads(out)["probability"] < 1


@pytest.mark.parametrize("kind", ["cut", "text", "animated", "large"])
def test_bad_pictures_are_one_line(command, digits, photos, kind):
    folder, grey = photos
    bad = folder / "z.png"
    if kind == "cut":
        bad.write_bytes((folder / "b.png").read_bytes()[:-40])
    elif kind == "text":
        bad.write_text("no picture")
    elif kind == "animated":
        frames = [Image.fromarray(grey), Image.fromarray(255 - grey)]
        frames[0].save(bad, save_all=True, append_images=frames[1:])
    else:
        Image.new("1", (10_000, 9_000)).save(bad)
    code, _, err = command(f"run={digits.folder.path}", f"input={folder}", "output=a.jsonl")
    assert (code, err.count("\n")) == (65, 1)
    reason = {"animated": "an animation of 2 frames", "large": "Image size (90000000 pixels)"}.get(kind, "")
    assert f"{bad} must be a whole PNG, JPEG or WebP picture of one frame. Found: {reason}" in err
    assert not list(folder.parent.glob("a.jsonl*"))


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("input=a",), 2, "`run` must be given. Found none: add run=…."),
        (("run=a", "inptu=a"), 2, 'Found inptu=a. Did you mean "input"?'),
        (("run=a", "input="), 2, "`input` must have a value."),
        (("run=a", "input=a", "attention=maybe"), 2, "`attention` must be true or false. Found maybe."),
        (("run=a", "input=a", "output=a.xls"), 2, "`output` must end with .csv or .jsonl, or be -. Found a.xls"),
        (("run=a", "input=a", "output=no/a.csv"), 73, "`output` must lie in a folder that is there. Found no no"),
        (("run=a", "input=a.csv", "output=./a.csv"), 2, "`output` must be another file than `input`. Found ./a.csv"),
        (("run=a", "input=a"), 66, "`run` must name the folder of a finished run. Found no result.json in a"),
    ],
)
def test_mistakes_of_the_command_line(command, words, code, line):
    found = command(*words)
    assert found[0] == code
    assert line in found[2]


def test_help_comes_without_torch():
    code = "import sys; from iamm.cli.predict import main; main(); assert 'torch' not in sys.modules"
    found = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")
    assert "iamm-predict run=" in found.stdout


def test_a_reader_that_stops_is_no_mistake(reviews, tmp_path):
    (tmp_path / "a.txt").write_text("the phone is great .\n" * 2000)
    call = [sys.executable, "-m", "iamm.cli.predict", f"run={reviews.folder.path}", "input=a.txt"]
    child = subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert json.loads(child.stdout.readline())["input"] == "1"
    child.stdout.close()
    assert child.stderr.read() == b""
    assert child.wait() == 0
    child.stderr.close()
