from __future__ import annotations

import io
import pickle
import zipfile
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from iamm.engine import checkpoint
from iamm.engine.checkpoint import load_checkpoint, load_model, save_checkpoint, save_model
from iamm.engine.plan import RunState
from iamm.errors import BadDataError

STATE = RunState(7, 3, 0.25, 2, 1, 12.5, [{"visited": 2, "position": 5, "growth": 1.5}])


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
    assert load_checkpoint(path, other) == STATE
    torch.testing.assert_close(torch.rand(7), expected, rtol=0, atol=0)
    for name in saved:
        torch.testing.assert_close(other[name].state_dict(), saved[name].state_dict(), rtol=0, atol=0)
    assert other["optimizer"].param_groups[0]["lr"] == 1.1
    assert [file.name for file in tmp_path.iterdir()] == ["last.pt"]


def test_a_model_alone(tmp_path):
    saved, other = parts(1)["model"], parts(2)["model"]
    save_model(tmp_path / "best.pt", saved)
    load_model(tmp_path / "best.pt", other)
    torch.testing.assert_close(other.state_dict(), saved.state_dict(), rtol=0, atol=0)


@given(st.data())
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("cut") / "last.pt"
    save_checkpoint(path, STATE, parts(1))
    content = path.read_bytes()
    path.write_bytes(content[: data.draw(st.integers(0, len(content) - 1))])
    refusal(load_checkpoint, path, parts(2))


@given(st.data())
def test_a_flipped_bit_in_any_content_is_refused(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("flip") / "best.pt"
    save_model(path, nn.Linear(7, 5))
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as file:
        info = data.draw(st.sampled_from([info for info in file.infolist() if info.file_size]))
        with file.open(info) as member:
            place = member._orig_compress_start + data.draw(st.integers(0, info.file_size - 1))
    content[place] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(bytes(content))
    refusal(load_model, path, nn.Linear(7, 5))


def torch_bytes(value) -> bytes:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()


def zip_bytes() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("notes.txt", "no tensors here")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "not a zip file"),
        (b"epochs: 3\n", "not a zip file"),
        (pickle.dumps({"model": 1}), "not a zip file"),
        (zip_bytes(), "inline_container"),
        (torch_bytes([1, 2]), "list indices"),
        (torch_bytes({"other": 1}), "'model'"),
        (torch_bytes({"model": 3}), "dict-like"),
        (torch_bytes({"model": {"weight": torch.zeros(2, 3)}}), "bias"),
        (torch_bytes({"model": nn.Linear(11, 3).state_dict()}), "state_dict"),
    ],
    ids=["empty", "text", "pickle", "zip", "list", "keys", "number", "half", "other shape"],
)
def test_a_foreign_file_is_refused(tmp_path, content, says):
    path = tmp_path / "best.pt"
    path.write_bytes(content)
    assert says in refusal(load_model, path, nn.Linear(5, 3))


def test_a_missing_file_is_refused(tmp_path):
    assert "No such file" in refusal(load_model, tmp_path / "best.pt", nn.Linear(5, 3))


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
    torch.save({"model": Payload(traced)}, path)
    refusal(load_model, path, nn.Linear(5, 3))
    assert not traced.exists()


@pytest.mark.parametrize("failing", ["write", "sync"])
def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch, failing):
    path, saved = tmp_path / "best.pt", nn.Linear(5, 3)
    save_model(path, saved)

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    def half(_: object, file) -> None:
        file.write(b"PK\x03\x04 half of a file")
        broken()

    monkeypatch.setattr(*((checkpoint.torch, "save", half) if failing == "write" else (checkpoint.os, "fsync", broken)))
    with pytest.raises(OSError, match="No space left"):
        save_model(path, nn.Linear(5, 3))
    monkeypatch.undo()
    read = nn.Linear(5, 3)
    load_model(path, read)
    torch.testing.assert_close(read.state_dict(), saved.state_dict(), rtol=0, atol=0)
    save_model(path, read)  # what the failure left behind is in nobody's way
