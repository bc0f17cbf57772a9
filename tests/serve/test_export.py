"""A program that is exported gives the network's probabilities, without this project."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys

import pytest
import torch

import iamm
from iamm.cli.export import main
from iamm.errors import ConfigError, DifferentError
from iamm.serve import export
from iamm.serve.export import Program, exported

ONNX = all(importlib.util.find_spec(name) for name in ("onnx", "onnxscript", "onnxruntime"))
ALONE = """
import sys
import torch
program = torch.export.load("exported/model.pt2").module()
torch.save(program(torch.load("inputs.pt", weights_only=True)), "outputs.pt")
assert "iamm" not in sys.modules
"""
pytestmark = pytest.mark.filterwarnings("ignore")  # of torch's own exporter, which are none of ours


@pytest.fixture
def command(command_of):
    return command_of("iamm-export", main)


def test_pictures_without_the_project(command, digits, tmp_path):
    code, out, _ = command(f"run={digits.folder.path}", "output=exported")
    assert code == 0
    assert "model.pt2" in out
    pictures = torch.randint(0, 256, (7, 1, 8, 8), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
    torch.save(pictures, tmp_path / "inputs.pt")
    subprocess.run([sys.executable, "-c", ALONE], cwd=tmp_path, check=True, capture_output=True)
    found = torch.load(tmp_path / "outputs.pt", weights_only=True)
    answers = iamm.load(digits.folder.path).predict(pictures.numpy())
    expected = torch.tensor([list(answer["probabilities"].values()) for answer in answers])
    torch.testing.assert_close(found.detach(), expected, rtol=0, atol=1e-5)
    described = json.loads((tmp_path / "exported" / "scene.json").read_text())
    assert described["classes"] == list("0123456789")
    assert described["size"] == [1, 8, 8]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["exported", "inputs.pt", "outputs.pt"]


@pytest.mark.parametrize("words", [(), ("model=linear_text",)], ids=["transformer", "linear"])
def test_texts_of_any_length(trained, words):
    reviews = ("dataset=[reviews]", "dataset.reviews.train=128", "dataset.reviews.validation=16")
    network = iamm.load(trained(*reviews, "dataset.reviews.test=64", "fusion=none", *words).folder.path, "cpu")
    scene = network.scene()
    _, content = exported(network, scene, "torch")
    assert len(content) > 1000
    with pytest.raises(DifferentError, match="must give the network's numbers"):
        export_wrongly(network, scene)


def export_wrongly(network, scene):
    """An exporter whose program is off by 1e-4."""

    def off(program, inputs, kind):
        return "x", b"", lambda batch: program(batch) + 1e-4

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(export, "FORMATS", {"torch": off})
        exported(network, scene, "torch")


def test_numbers_in_their_unit(prices):
    """Six digits of them are exact, since float32 has no more."""
    network = iamm.load(prices.folder.path, "cpu")
    scene = network.scene()
    assert len(exported(network, scene, "torch")[1]) > 1000
    ids = export.example(scene, "tokens", 5)
    with torch.no_grad():
        found = Program(network, scene).eval()(ids)
    texts = [" ".join(scene.source.piece(token) for token in row if token) for row in ids.tolist()]
    expected = [answer["number"] for answer in network.predict(texts, tokenised=True)]
    assert found.tolist() == pytest.approx(expected, rel=1e-6)
    assert 300_000 < sum(expected) / 5 < 345_000
    assert export.description(scene)["classes"] == []


def test_what_is_beside_a_text(reviews):
    scene = iamm.load(reviews.folder.path).scene()
    described = export.description(scene)
    assert described["words"] == r"\S+"
    assert described["vocabulary"]["words"][0] == scene.source.piece(4)


def test_a_view_among_others(shapes):
    """Its program counts the other view as absent, as predictions do."""
    network = iamm.load(shapes.folder.path, "cpu")
    scene = network.scene("shapes_image")
    pictures = export.example(scene, "pixels", 5)
    expected = [list(each["probabilities"].values()) for each in network.predict(pictures.numpy(), scene.name)]
    with torch.no_grad():
        found = Program(network, scene).eval()(pictures)
    torch.testing.assert_close(found, torch.tensor(expected), rtol=0, atol=1e-6)


def test_what_writes_is_refused_in_a_line(written):
    network = iamm.load(written.folder.path, "cpu")
    with pytest.raises(ConfigError, match=r"answers in one pass\. Found shapes_text, which writes"):
        exported(network, network.scene(), "torch")


def test_what_cannot_be_exported_is_refused_in_a_line(trained, command):
    words = ("dataset=[reviews]", "dataset.reviews.train=64", "dataset.reviews.validation=16", "dataset.reviews.test=8")
    cell = trained(*words, "fusion=none", "encoder@encoder.text=recurrent")
    code, _, err = command(f"run={cell.folder.path}", "output=exported")
    assert code == 2
    assert "iamm-export: A network must go through torch.export. Found reviews: " in err.splitlines()[-1]


@pytest.mark.skipif(ONNX, reason="the packages of ONNX are installed")
def test_onnx_without_its_packages(command, digits, tmp_path):
    code, _, err = command(f"run={digits.folder.path}", "output=exported", "format=onnx")
    assert code == 69
    assert "`format=onnx` needs onnx, onnxscript, onnxruntime. Install: pip install" in err
    assert not list(tmp_path.glob("exported*"))


@pytest.mark.skipif(not ONNX, reason="the packages of ONNX are not installed")
def test_onnx(command, digits, tmp_path):
    assert command(f"run={digits.folder.path}", "output=exported", "format=onnx")[0] == 0
    assert (tmp_path / "exported" / "model.onnx").exists()


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (("run=a", "output=b", "format=tf"), 2, "`format` must be one of torch, onnx. Found tf."),
        (("run=a", "output=."), 73, "`output` must be a new folder. Found .: name another"),
        (("run=a",), 2, "`output` must be given."),
    ],
)
def test_mistakes_of_the_command_line(command, words, code, line):
    found = command(*words)
    assert found[0] == code
    assert line in found[2]
