from __future__ import annotations

import hashlib
import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from iamm import files
from iamm.engine import checkpoint
from iamm.engine.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from iamm.engine.plan import RunState
from iamm.errors import BadDataError, FullDiskError, MissingDataError

TOTALS = {"losses": torch.tensor([0.5, 1.5]), "steps": 2}
STATE = RunState(7, 3, 2, 0.25, 2, 1, 0, 12.5, [{"visited": 2, "position": 5, "growth": 1.5}], [TOTALS])


def parts(seed: int) -> dict:
    torch.manual_seed(seed)
    model = nn.Linear(5, 3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1 + seed)
    model(torch.rand(2, 5)).sum().backward()
    optimizer.step()
    return {"model": model, "optimizer": optimizer}


def refusal(call, *given) -> str:
    with pytest.raises(BadDataError) as caught:
        call(*given)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    assert message.startswith("A checkpoint must be whole and of this model. Found ")
    assert "rerun=true" in message
    return message


def test_everything_comes_back(tmp_path):
    path, saved, other = tmp_path / "last.pt", parts(1), parts(2)
    save_checkpoint(path, STATE, saved)
    expected = torch.rand(7)
    torch.manual_seed(99)
    found = load_checkpoint(path, other)
    assert str(found) == str(STATE)
    torch.testing.assert_close(found.totals[0]["losses"], TOTALS["losses"], rtol=0, atol=0)
    torch.testing.assert_close(torch.rand(7), expected, rtol=0, atol=0)
    for name in saved:
        torch.testing.assert_close(other[name].state_dict(), saved[name].state_dict(), rtol=0, atol=0)
    assert other["optimizer"].param_groups[0]["lr"] == 1.1
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_model_alone(tmp_path):
    saved, other = parts(1)["model"], parts(2)["model"]
    save_model(tmp_path / "best.pt", saved, 3)
    assert load_model(tmp_path / "best.pt", other) == 3
    torch.testing.assert_close(other.state_dict(), saved.state_dict(), rtol=0, atol=0)


@given(st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cut") / "last.pt"
    save_checkpoint(path, STATE, parts(1))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    refusal(load_checkpoint, path, parts(2))


@given(st.data())
def test_a_flipped_bit_anywhere_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flip") / "best.pt"
    save_model(path, nn.Linear(7, 5), 1)
    content = bytearray(path.read_bytes())
    content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(content))
    assert "SHA-256" in refusal(load_model, path, nn.Linear(7, 5))


def test_nothing_is_parsed_before_the_sum_is_right(tmp_path, monkeypatch):
    path = tmp_path / "best.pt"
    save_model(path, nn.Linear(7, 5), 1)
    path.write_bytes(path.read_bytes()[:-1] + b"0")
    monkeypatch.setattr(checkpoint.torch, "load", lambda *_, **__: pytest.fail("parsed"))
    refusal(load_model, path, nn.Linear(7, 5))


def test_other_tools_read_it_too(tmp_path):
    """A whole zip archive, with the sum for its comment; torch reads it as it is."""
    path, model = tmp_path / "best.pt", nn.Linear(7, 5)
    save_model(path, model, 4)
    content = path.read_bytes()
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        assert file.comment == b"sha256:" + hashlib.sha256(content[: -len(file.comment)]).hexdigest().encode()
    found = torch.load(path, weights_only=True)
    assert found["epoch"] == 4
    torch.testing.assert_close(found["model"], model.state_dict(), rtol=0, atol=0)


def test_two_generations(tmp_path):
    path, previous = tmp_path / "last.pt", tmp_path / "previous.pt"
    for step in (1, 2, 3):
        save_checkpoint(path, RunState(step), {}, previous=previous)
    assert (load_checkpoint(path, {}).step, load_checkpoint(previous, {}).step) == (3, 2)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["last.pt", "previous.pt"]


def torch_bytes(value) -> bytes:
    """As somebody writes it who knows the format, the sum among it."""
    return bytes(checkpoint.packed(value))


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("notes.txt", "no tensors here")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "SHA-256"),
        (b"epochs: 3\n", "SHA-256"),
        (pickle.dumps({"model": 1}), "SHA-256"),
        (zip_bytes(), "SHA-256"),
        (torch_bytes({"other": 1}), "'model'"),
        (torch_bytes({"model": 3}), "not iterable"),
        (torch_bytes({"model": {"weight": torch.zeros(2, 3)}, "epoch": 1}), "bias"),
        (torch_bytes({"model": nn.Linear(11, 3).state_dict(), "epoch": 1}), "state_dict"),
        (torch_bytes({"model": nn.Linear(5, 3).state_dict()}), "'epoch'"),
    ],
    ids=["empty", "text", "pickle", "zip", "keys", "number", "half", "other shape", "no epoch"],
)
def test_a_foreign_file_is_refused(tmp_path, content, says):
    path = tmp_path / "best.pt"
    path.write_bytes(content)
    assert says in refusal(load_model, path, nn.Linear(5, 3))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(MissingDataError, match=r"^A finished run must hold its model\. Found no .*best\.pt: "):
        load_model(tmp_path / "best.pt", nn.Linear(5, 3))


def test_a_checkpoint_of_other_parts_is_refused(tmp_path):
    path = tmp_path / "last.pt"
    save_checkpoint(path, STATE, {"model": nn.Linear(5, 3)})
    assert "optimizer" in refusal(load_checkpoint, path, parts(1))


class Payload:
    """What a hostile file would hold."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def test_no_code_in_a_file_is_run(tmp_path):
    path, traced = tmp_path / "best.pt", tmp_path / "traced"
    path.write_bytes(torch_bytes({"model": Payload(traced)}))
    refusal(load_model, path, nn.Linear(5, 3))
    assert not traced.exists()


@pytest.mark.parametrize("failing", ["sync", "rename"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, failing):
    path, saved = tmp_path / "best.pt", nn.Linear(5, 3)
    save_model(path, saved, 1)

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((files.os, "fsync") if failing == "sync" else (Path, "replace")), broken)
    with pytest.raises(FullDiskError, match=r"Found .*best.pt: No space left on device; needed 0.00\d MB, .* are free"):
        save_model(path, nn.Linear(5, 3), 2)
    monkeypatch.undo()
    assert [file.name for file in tmp_path.iterdir()] == ["best.pt"]
    read = nn.Linear(5, 3)
    assert load_model(path, read) == 1
    torch.testing.assert_close(read.state_dict(), saved.state_dict(), rtol=0, atol=0)
