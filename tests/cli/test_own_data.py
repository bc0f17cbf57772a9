"""Data of one's own by the command alone: named, shared, trained on, evaluated again, refused in a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from PIL import Image

SMALL = ("dim=8", "epochs=1", "log.pictures=0", "threads=1", "device=cpu", "encoder.image.channels=[8,8]")


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("IAMM_CACHE_DIR", str(tmp_path / "cache"))


@pytest.fixture
def files(tmp_path):
    """Reviews of two products, mail with another label beside, pictures of two classes."""
    rows = [f'{n},"A ""{"good" if n % 2 else "bad"}"" one,\nsaid {n}",{n % 2},{"xy"[n // 2 % 2]}\n' for n in range(60)]
    Path("reviews.csv").write_text("id,body,stars,product\n" + "".join(rows))
    Path("mail.txt").write_text("".join(f"{n % 3}\tmail of {n % 3} here, {n}\n" for n in range(30)))
    for n in range(30):
        file = Path("pets", ("cat", "dog")[n % 2], f"{n}.png")
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.new("L", (9, 9), 8 * n).save(file)


def only_result() -> dict:
    (path,) = Path("outputs").glob("*/result.json")
    return json.loads(path.read_text())


REVIEWS = ("dataset.shop.path=reviews.csv", "dataset.shop.text=body", "dataset.shop.label=stars")


def test_named_data_sets_that_share(command, files):
    words = ("dataset=[text_file@shop,text_file@mail,image_folder@pets]", *REVIEWS, "dataset.shop.scene=product")
    words += ("dataset.mail.path=mail.txt", "dataset.pets.path=pets", "share.encoder=kind", "share.head=kind", *SMALL)
    first = command(*words)
    assert (first.code, first.err) == (0, "")
    found = only_result()
    assert list(found["test"]) == ["shop_x", "shop_y", "mail", "pets"]
    assert set(found["files"]) == {"reviews.csv", "mail.txt", "pets"}
    (run,) = Path("outputs").iterdir()
    assert run.name.startswith("iamm-shop+mail+pets-seed0-")
    assert "the same to the last digit" in command("mode=eval", f"run={run}").out
    assert "This run is finished" in command(*words).out
    Image.new("L", (9, 9), 255).save("pets/cat/0.png")
    changed = command(*words)
    assert (changed.code, "Found pets changed since" in changed.err) == (65, True)


def test_scenes_that_are_named_are_checked_before_anything_is_read(command):
    words = ("dataset=text_file@shop", "dataset.shop.path=nowhere.csv", "dataset.shop.scene=product")
    answer = command(*words, "dataset.shop.scenes=[x,y]", "share.head=[[shop_x,shop_z]]")
    assert (answer.code, "Found shop_z: name another" in answer.err) == (2, True)
    answer = command(*words, "share.head=[[shop_x,shop_z]]")
    assert answer.code == 66  # which scenes there are is known once the file is read


MISTAKES = {
    "no path": (2, (), "`dataset.shop.path` must be given, it has no default"),
    "an unknown key": (2, ("dataset.shop.lable=stars", "dataset.shop.path=a"), "Found dataset.shop.lable"),
    "an unknown format": (2, ("dataset.shop.path=reviews.csv", "dataset.shop.format=xls"), "one of csv, tsv, jsonl"),
    "shares above all": (2, (*REVIEWS, "dataset.shop.test=0.8", "dataset.shop.validation=0.2"), "must be at most 0.9"),
    "no file": (66, ("dataset.shop.path=review.csv",), "Found no review.csv in "),
    "no column": (65, ("dataset.shop.path=reviews.csv", "dataset.shop.text=bodi"), 'Did you mean "body"?'),
    "no labels": (65, (*REVIEWS, "dataset.shop.label=body"), "A classification has"),
    "too few": (65, ("dataset.shop.path=few.txt",), "Found none in shop/"),
}


@pytest.mark.parametrize(("code", "words", "said"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_one_line(command, files, code, words, said):
    Path("few.txt").write_text("a\tx\nb\ty\n")
    if said == "A classification has":
        Path("reviews.csv").write_text("body,stars\nsame,1\nsame,2\n")
    answer = command("dataset=text_file@shop", *words, *SMALL)
    assert (answer.code, said in answer.err) == (code, True), answer.err
    assert answer.err.count("\n") == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("choice", "words"),
    [
        ("parallel_text", ("source_path=pairs.tsv", "subwords=null")),
        ("interaction_file", ("path=clicks.csv", "candidates=5")),
    ],
)
def test_other_tasks(command, choice, words):
    Path("pairs.tsv").write_text("".join(f"pair number {n}\tpaire {n}\n" for n in range(30)))
    Path("clicks.csv").write_text("user,item\n" + "".join(f"u{n % 20},i{n * n % 7}\n" for n in range(200)))
    given = (f"dataset.{choice}.{word}" for word in words)
    answer = command(f"dataset={choice}", *given, *SMALL, "head.generation.max_length=3")
    assert (answer.code, answer.err) == (0, "")
    assert list(only_result()["test"]) == [choice]
