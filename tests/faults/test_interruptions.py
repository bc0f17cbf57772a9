"""Whatever ends a run, and wherever: the same command brings it to the end that it would have had.

The long test: `pytest tests/faults -k many --faults 200 -rP`.
"""

from __future__ import annotations

import random
import signal
import time

import pytest

pytestmark = pytest.mark.long

EXPERIMENTS = (
    *("interest guidance", "unpaired", "surgery", "gradient norm", "random"),
    *("growing", "nash", "augmented", "validation", "devices", "reviews"),
)
KINDS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)


@pytest.mark.parametrize("name", ["gradient norm", "devices"])
def test_some_interruptions(name, undisturbed, disturbed, same_end):
    found, _ = disturbed(name, random.Random(0).sample(KINDS, 4), seed=0)
    same_end(undisturbed(name), found)


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_many_interruptions(name, undisturbed, disturbed, same_end, request):
    count = request.config.getoption("--faults") // len(EXPERIMENTS)
    if not count:
        pytest.skip("the long test: pytest tests/faults --faults 200")
    draw = random.Random(f"{name} {count}")
    found, inside = disturbed(name, draw.choices(KINDS[:3], k=count), seed=draw.random())
    print(f"{name}: {count} interruptions, {inside} inside a save")  # shown by -rP
    same_end(undisturbed(name), found)


@pytest.mark.parametrize("number", KINDS[1:])
def test_left_at_once_with_the_command_to_go_on(number, life):
    running = life("epochs=50", "rerun=true")
    running.wait(60.0, running.running)
    running.process.send_signal(number)
    asked = time.monotonic()
    code, said = running.end(timeout=10.0)
    assert time.monotonic() - asked < 5
    assert code == 128 + number
    assert said.startswith(f"iamm-train: left by {number.name}; go on with: iamm-train dataset.shapes.train=64 ")
    assert "rerun" not in said
    assert running.status() == ("interrupted", number.name)
