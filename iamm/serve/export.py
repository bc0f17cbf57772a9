"""`iamm-export` writes a scene's part of a trained network as a program that runs without this project."""

from __future__ import annotations

import importlib.util
import io
import json
import shutil
import warnings
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from iamm.dataset.base import Scene, SceneBatch
from iamm.dataset.text_format import PATTERNS
from iamm.errors import ConfigError, DifferentError, MissingPackageError, OutputError
from iamm.files import LEFTOVER, writable, write_bytes, write_text
from iamm.serve.example import input_kind
from iamm.serve.options import options
from iamm.serve.trained import Trained, absent_batch, load, targets

KEYS = {"run": None, "output": None, "scene": "", "format": "torch"}
CLOSE = 1e-5
"""The largest permitted difference of a probability, or of a number over the largest one."""


class Program(nn.Module):
    """Pixels (B, channels, height, width) uint8, or ids (B, T) int64 padded with 0 → the head's predictions, float32.

    Other views of the scene's data set are absent.

    Args:
        trained: the network with its scenes.
        scene: the scene whose encoder and head are used.
    """

    def __init__(self, trained: Trained, scene: Scene) -> None:
        super().__init__()
        self.network, self.scene = trained.network, scene
        (self.field,) = scene.fields
        group = trained.group(scene)
        self.order = [other.name for other in group]
        self.absent = {other.name: absent_batch(other, 1) for other in group if other is not scene}

    def forward(self, inputs: Tensor) -> Tensor:
        count = inputs.shape[0]
        values = inputs.to(torch.float32) / 255.0 if self.scene.fields[self.field].kind == "pixels" else inputs
        present = torch.ones(count, dtype=torch.bool)
        batch = SceneBatch({self.field: values}, targets(self.scene, count), present)
        parts = {name: expanded(part, count) for name, part in self.absent.items()} | {self.scene.name: batch}
        features, _ = self.network.features({name: parts[name] for name in self.order})
        return self.network.head(self.scene.name).predictions(features[self.scene.name]).to(torch.float32)


def expanded(part: SceneBatch, count: int) -> SceneBatch:
    """Repeat one row `count` times."""
    inputs = {name: values.expand(count, *values.shape[1:]) for name, values in part.inputs.items()}
    return SceneBatch(inputs, part.targets.expand(count, *part.targets.shape[1:]), part.present.expand(count))


def run_command_line(words: Sequence[str]) -> int:
    """Export, check and write a program; return the exit code."""
    values = options(words, KEYS)
    if values["format"] not in FORMATS:
        raise ConfigError(f"`format` must be one of {', '.join(FORMATS)}. Found {values['format']}.")
    folder = Path(values["output"])
    if folder.exists():
        raise OutputError(f"`output` must be a new folder. Found {folder}: name another, or move it away.")
    trained = load(values["run"], "cpu")
    scene = trained.scene(values["scene"] or None)
    name, content = exported(trained, scene, values["format"])
    temporary = folder.with_name(folder.name + LEFTOVER)
    with writable(temporary, what="A folder for a program"):
        temporary.mkdir(parents=True, exist_ok=True)
        try:
            write_bytes(temporary / name, content)
            write_text(temporary / "scene.json", json.dumps(description(scene), ensure_ascii=False, indent=2) + "\n")
            temporary.replace(folder)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
    print(f"{folder / name}: {len(content) / 1e6:.1f} MB, checked to {CLOSE:g}; its labels are in scene.json")
    return 0


def exported(trained: Trained, scene: Scene, form: str) -> tuple[str, bytes]:
    """Give the name and content of a program's file, checked against the network's own answers.

    Raises:
        ConfigError: a head that writes text, or a part that cannot be exported.
        DifferentError: the program gives other numbers.
        MissingPackageError: no package for the format.
    """
    kind = input_kind(scene)
    if kind == "record":
        raise ConfigError(f"A program reads pictures or texts. Found {scene.name}, of records: use iamm-predict.")
    if scene.target is not None:
        raise ConfigError(f"A program answers in one pass. Found {scene.name}, which writes texts: use iamm-predict.")
    program, (first, second) = Program(trained, scene).eval(), [example(scene, kind, rows) for rows in (3, 5)]
    try:
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's exporter
            name, content, run = FORMATS[form](program, first, kind)
            pairs = [(run(batch), program(batch)) for batch in (first, second, second[:1])]
            difference = max(float((one - two).abs().max() / two.abs().max().clamp(min=1)) for one, two in pairs)
    except MissingPackageError:
        raise
    except Exception as error:
        reason = " ".join(str(error).split())[:160] or type(error).__name__
        raise ConfigError(f"A network must go through torch.export. Found {scene.name}: {reason}.") from error
    if not difference <= CLOSE:
        raise DifferentError(f"A program must give the network's numbers. Found {scene.name}: {difference:g} apart.")
    return name, content


def example(scene: Scene, kind: str, rows: int) -> Tensor:
    """Draw random inputs of different lengths."""
    generator = torch.Generator().manual_seed(rows)
    values = next(iter(scene.splits["train"].inputs.values()))
    if kind == "pixels":
        return torch.randint(0, 256, (rows, *values.shape[1:]), dtype=torch.uint8, generator=generator)
    assert scene.source is not None
    ids = torch.randint(3, len(scene.source), (rows, 7 + rows), generator=generator)
    return ids * (torch.arange(7 + rows) < torch.arange(7 + rows, 7, -1)[:, None])


def dynamic(kind: str) -> dict[str, dict[int, Any]]:
    """Give the dynamic sizes: the number of rows and, of texts, the number of ids."""
    sizes = {0: torch.export.Dim.DYNAMIC} | ({1: torch.export.Dim.DYNAMIC} if kind == "tokens" else {})
    return {"inputs": sizes}


Result = tuple[str, bytes, Callable[[Tensor], Tensor]]


def as_torch(program: Program, inputs: Tensor, kind: str) -> Result:
    """Export a program of `torch.export`."""
    made = torch.export.export(program, (inputs,), dynamic_shapes=dynamic(kind))
    buffer = io.BytesIO()
    torch.export.save(made, buffer)
    loaded = torch.export.load(io.BytesIO(buffer.getvalue())).module()
    return "model.pt2", buffer.getvalue(), loaded


def as_onnx(program: Program, inputs: Tensor, kind: str) -> Result:
    """Export a graph of ONNX, which onnxruntime runs.

    Raises:
        MissingPackageError: one of the packages is not installed.
    """
    packages = ("onnx", "onnxscript", "onnxruntime")
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingPackageError(f"`format=onnx` needs {', '.join(missing)}. Install: pip install {' '.join(missing)}")
    import onnxruntime

    made = torch.onnx.export(program, (inputs,), dynamic_shapes=dynamic(kind), dynamo=True, verbose=False)
    assert made is not None
    content = made.model_proto.SerializeToString()
    session = onnxruntime.InferenceSession(content)

    def run(batch: Tensor) -> Tensor:
        return torch.from_numpy(session.run(None, {"inputs": batch.numpy()})[0])

    return "model.onnx", content, run


FORMATS: Mapping[str, Callable[[Program, Tensor, str], Result]] = {"torch": as_torch, "onnx": as_onnx}


def description(scene: Scene) -> dict[str, Any]:
    """Describe the program's inputs, and the classes of its probabilities (of numbers: none)."""
    values = next(iter(scene.splits["train"].inputs.values()))
    content: dict[str, Any] = {"scene": scene.name, "classes": list(scene.classes)}
    if scene.source is None or scene.text_format is None:
        return {**content, "input": "uint8 pixels (rows, channels, height, width)", "size": list(values.shape[1:])}
    form = scene.text_format
    pattern = {"lowercase": form.lowercase, "words": PATTERNS[form.words], "max_length": form.max_length}
    ids = {"padding": 0, "unknown": 3, "first_word": 4}
    return {**content, "input": "int64 ids (rows, length)", **pattern, **ids, "vocabulary": scene.source.as_json()}
