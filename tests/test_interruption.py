from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from iamm import interruption


@pytest.fixture(autouse=True)
def heard():
    """As it was, afterwards."""
    before = {number: signal.getsignal(number) for number in (*interruption.SIGNALS, signal.SIGALRM)}
    interruption.install()
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


def test_a_defect_is_raised():
    def fail() -> int:
        raise KeyError("defect")

    with pytest.raises(KeyError, match="defect"):
        interruption.code_of(fail, "iamm-train", str)
