"""The real command, started, disturbed from outside, and started again; and what its end is compared by."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

SMALL = (
    *("dataset.shapes.train=64", "dataset.shapes.validation=16", "dataset.shapes.test=16"),
    *("dim=8", "epochs=3", "steps=20", "batch_size=16", "log.pictures=0", "log.every=3", "threads=1", "device=cpu"),
    *("encoder.image.channels=[8,8]", "head.generation.max_length=3", "checkpoint.steps=1", "dropout=0.2"),
)
TINY_REVIEWS = ("dataset.reviews.train=64", "dataset.reviews.validation=16", "dataset.reviews.test=16")
EXPERIMENTS = {
    "interest guidance": (),
    "unpaired": ("dataset=[digits,shapes]", "fusion=shared", "weighting=uncertainty", "optimizer=sgd"),
    "surgery": ("attention=additive", "weighting=gradient_surgery", "schedule=step"),
    "gradient norm": ("weighting=gradient_norm", "accumulate=2", "l1=0.001"),
    "random": ("weighting=random", "fusion=cross_scene_attention", "attention=relative_position"),
    "growing": ("weighting=dynamic_average", "growth=1.5", "patience=2", "schedule=cosine"),
    "nash": ("weighting=nash", "weighting.every=3", "log.conflict=true", "attention=gated"),
    "augmented": ("augment=[image,text]", "weighting=fast_adaptive", "label_smoothing=0.1"),
    "validation": ("weighting=validation_performance", "precision=bf16", "clip=null"),
    "devices": ("devices=2", "weighting=nash", "batch_size=15"),
    "reviews": ("dataset=[shapes,reviews]", *TINY_REVIEWS, "weighting=scene_attention", "attention=adaptive_span"),
}
"""Together they hold every kind of state: schedules, learnt and drawn weights, accumulation, growth, patience, …"""

SIGNALS = {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130, signal.SIGUSR1: 138}
"""And the exit code that each must give."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--faults", type=int, default=0, help="interruptions and corruptions of the long tests")


class Life:
    """One process of the command, from its start to its end."""

    def __init__(self, output: Path, *words: str, before: Callable[[], None] | None = None) -> None:
        self.output = output
        call = [sys.executable, "-m", "iamm.cli.train", *SMALL, *words, f"output_dir={output.name}"]
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen(call, cwd=output.parent, env=environment, preexec_fn=before, **streams)

    def end(self, timeout: float = 120.0) -> tuple[int, str]:
        """Exit code and what was said on standard error."""
        try:
            self.out, said = self.process.communicate(timeout=timeout)
        finally:
            self.process.kill()
        return self.process.returncode, said

    def printed(self) -> str:
        """What stood on standard output."""
        return self.out

    def hit(self, number: signal.Signals, draw: random.Random) -> bool:
        """Send a signal at a random moment: of the whole life, of training, or inside a save. True: inside a save."""
        kind = draw.choice(("any", "training", "save", "save"))
        if kind == "any":
            self.wait(draw.uniform(0.3, 4.0), lambda: False)
        elif kind == "training":
            self.wait(60.0, self.running)
            self.wait(draw.uniform(0.0, 0.4), lambda: False)
        else:
            self.wait(60.0, self.running)
            self.wait(draw.uniform(0.0, 0.3), lambda: False)
            self.wait(60.0, self.saving, pause=0.0)
        inside = self.saving()
        self.process.send_signal(number)
        return inside

    def wait(self, seconds: float, seen: Any, pause: float = 0.005) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None and not seen():
            time.sleep(pause)

    def running(self) -> bool:
        """Whether this very process trains."""
        found = list(self.output.glob("*/status.json"))
        try:
            return bool(found) and json.loads(found[0].read_text())["process"] == self.process.pid
        except ValueError:
            return False

    def status(self) -> tuple[str, str]:
        """Its state, and the signal that it tells of."""
        found = json.loads((run_folder(self.output) / "status.json").read_text())
        return found["state"], found.get("signal", "")

    def saving(self) -> bool:
        return any(name.endswith(".pt.tmp") for folder in self.output.glob("*") for name in os.listdir(folder))


def run_folder(output: Path) -> Path:
    (folder,) = output.iterdir()
    return folder


def records(folder: Path) -> list[dict[str, Any]]:
    """Without what is measured in seconds."""
    lines = [json.loads(line) for line in (folder / "records.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "time"} for line in lines if line["kind"] != "end"]


def curves(folder: Path) -> dict[str, list[tuple[int, float]]]:
    """What TensorBoard shows, without what is measured in seconds; files that end early or repeat would show."""
    found = EventAccumulator(str(folder), size_guidance={"scalars": 0}).Reload()
    tags = [tag for tag in found.Tags()["scalars"] if not tag.startswith("time/")]
    return {tag: [(point.step, point.value) for point in found.Scalars(tag)] for tag in tags}


def tensors(path: Path) -> Any:
    content = torch.load(path, weights_only=True)
    if "state" in content:
        content["state"].pop("seconds")
        content.pop("recorder")  # sizes of files, in which seconds are written
    return plain(content)


def plain(value: Any) -> Any:
    """Tensors as their bytes, so that `==` means the same bits."""
    if isinstance(value, torch.Tensor):
        return str(value.dtype), tuple(value.shape), value.contiguous().view(-1).view(torch.uint8).numpy().tobytes()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    return [plain(part) for part in value] if isinstance(value, (list, tuple)) else value


@pytest.fixture
def same_end():
    return assert_same_end


def assert_same_end(one: Path, other: Path) -> None:
    """Weights, optimizer, weighting, samplers, random streams, records, curves and results, to the last bit."""
    for name in ("last.pt", "best.pt"):
        found, expected = tensors(other / name), tensors(one / name)
        assert found.keys() == expected.keys()
        assert [key for key in expected if found[key] != expected[key]] == [], name
    assert records(one) == records(other)
    assert curves(one) == curves(other)
    results = [json.loads((folder / "result.json").read_text()) for folder in (one, other)]
    for key in ("test", "quality", "scene_weights", "validation_quality", "best_epoch", "epochs", "steps", "notices"):
        assert results[0][key] == results[1][key], key
    assert json.loads((other / "status.json").read_text())["state"] == "finished"
    assert not list(other.rglob("*.tmp"))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """Name of an experiment → the folder of its run."""

    @cache
    def run(name: str) -> Path:
        output = tmp_path_factory.mktemp("undisturbed") / "outputs"
        code, said = Life(output, *EXPERIMENTS[name]).end()
        assert code == 0, said
        return run_folder(output)

    return run


@pytest.fixture
def disturbed(tmp_path):
    """Experiment, signals and a seed → the run's folder after its last, undisturbed life, and how many hits were in a
    save."""

    def run(name: str, signals: list[signal.Signals], seed: int) -> tuple[Path, int]:
        draw, inside = random.Random(seed), 0
        for number in signals:
            life = Life(tmp_path / "outputs", *EXPERIMENTS[name])
            inside += life.hit(number, draw)
            code, said = life.end(timeout=60.0)
            assert code in (0, -number, SIGNALS[number]), said
            assert code <= 0 or said.startswith("iamm-train: left by SIG"), said
            if code == 0:
                break
        code, said = Life(tmp_path / "outputs", *EXPERIMENTS[name]).end()
        assert code == 0, said
        return run_folder(tmp_path / "outputs"), inside

    return run


@pytest.fixture
def life_at():
    """Where to, more words → a process of the command; none outlives its test."""
    begun = []

    def begin(output: Path, *words: str, **more: Any) -> Life:
        begun.append(Life(output, *words, **more))
        return begun[-1]

    yield begin
    for one in begun:
        one.process.kill()
        one.process.communicate()


@pytest.fixture
def life(life_at, tmp_path):
    return partial(life_at, tmp_path / "outputs")
