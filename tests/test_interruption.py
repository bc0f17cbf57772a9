from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from iamm import interruption


@pytest.fixture(autouse=True)
def heard():
    """As it was, afterwards."""
    before = {number: signal.getsignal(number) for number in (*interruption.SIGNALS, signal.SIGALRM)}
    with interruption.handled():
        yield
    signal.setitimer(signal.ITIMER_REAL, 0)
    for number, handler in before.items():
        signal.signal(number, handler)
    interruption._requested = None


def send(number: int) -> None:
    os.kill(os.getpid(), number)


def wait_for_ever() -> None:
    send(signal.SIGINT)
    time.sleep(30)


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGUSR1, 138)], ids=str
)
def test_heard_at_once(number, code):
    with pytest.raises(KeyboardInterrupt):
        send(number)
    assert interruption.exit_code() == code
    assert interruption.signal_name() == signal.Signals(number).name


def test_only_noted_while_a_model_trains():
    with interruption.deferred():
        assert not interruption.requested()
        send(signal.SIGTERM)
        assert interruption.requested()
    assert interruption.exit_code() == 143


def test_a_second_one_leaves_at_once_with_the_code_of_the_first():
    with interruption.deferred():
        send(signal.SIGTERM)
        with pytest.raises(interruption.Interrupted):
            send(signal.SIGINT)
    assert interruption.exit_code() == 143


def test_a_step_that_does_not_end_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(interruption, "GRACE", 0.05)
    started = time.monotonic()
    with pytest.raises(interruption.Interrupted), interruption.deferred():
        wait_for_ever()
    assert time.monotonic() - started < 10


def test_a_step_that_ends_is_not_disturbed_later(monkeypatch):
    monkeypatch.setattr(interruption, "GRACE", 0.05)
    with interruption.deferred():
        send(signal.SIGINT)
        assert signal.getitimer(signal.ITIMER_REAL)[0] > 0
    assert signal.getitimer(signal.ITIMER_REAL) == (0.0, 0.0)
    assert interruption.requested()


def test_the_command_to_go_on(monkeypatch):
    """As a shell reads it; what would start anew is left out."""
    monkeypatch.setattr(sys, "argv", ["x", "dataset=[a,b]", "rerun=true", "output_dir=my runs"])
    assert interruption.resume_hint("iamm-train") == (
        "iamm-train: left by SIGINT; go on with: iamm-train 'dataset=[a,b]' 'output_dir=my runs'"
    )


def test_clean_up_that_fails_does_not_hide_an_interruption(capsys):
    """As a library's context manager does whose `finally` finds its state half set."""

    def leave() -> int:
        try:
            send(signal.SIGTERM)
            time.sleep(30)
        finally:
            raise KeyError("half set")

    assert interruption.code_of(leave, "iamm-train", lambda name: f"{name}: left") == 143
    assert capsys.readouterr().err == "iamm-train: left\n"


BEFORE = """
from iamm.cli import command
command.output.print_anything = lambda: os.kill(os.getpid(), {signal})
from iamm.cli.train import main
main()
"""
WHILE_IT_LEAVES = """
from iamm import interruption
def leave(): os.kill(os.getpid(), signal.SIGINT)
interruption.code_of(leave, "iamm-train", lambda name: os.kill(os.getpid(), {signal}))
"""


@pytest.mark.parametrize(
    "code", [BEFORE, WHILE_IT_LEAVES], ids=["before they are handled", "while the first is answered"]
)
@pytest.mark.parametrize("number", interruption.SIGNALS, ids=str)
def test_outside_the_work_a_signal_ends_the_process_in_silence(number, code):
    code = f"import os, signal\n{code.format(signal=int(number))}"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (-number, "", "")


@pytest.mark.long
@pytest.mark.parametrize("seconds", [0.0, 0.02, 0.05, 0.1, 0.2, 0.4])
def test_sigterm_in_the_first_moments(tmp_path, seconds):
    """Of Python itself, of the imports, of the configuration."""
    call = [Path(sys.executable).with_name("iamm-train"), "dataset=shapes", "threads=1", "device=cpu"]
    process = subprocess.Popen(call, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(seconds)
    process.terminate()
    _, err = process.communicate(timeout=60)
    hint = "iamm-train: left by SIGTERM; go on with: iamm-train dataset=shapes threads=1 device=cpu\n"
    assert (process.returncode, err) in ((-signal.SIGTERM, ""), (143, hint))


def test_a_defect_is_raised():
    def fail() -> int:
        raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        interruption.code_of(fail, "iamm-train", str)
