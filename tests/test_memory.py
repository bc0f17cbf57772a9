from __future__ import annotations

import pytest

from iamm import memory
from iamm.errors import BadDataError
from iamm.memory import available_memory, require_memory


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system with 8 MiB left and a process in the control group /a/b."""
    (tmp_path / "meminfo").write_text("MemTotal:  99999 kB\nMemAvailable:    8192 kB\n")
    (tmp_path / "membership").write_text("0::/a/b\n")
    (tmp_path / "a" / "b").mkdir(parents=True)
    for name, path in (("SYSTEM", "meminfo"), ("MEMBERSHIP", "membership"), ("GROUPS", "")):
        monkeypatch.setattr(memory, name, tmp_path / path)
    return tmp_path


def test_the_least_of_what_is_left_and_what_is_allowed(system):
    assert available_memory() == 8 << 20
    (system / "a" / "b" / "memory.max").write_text("max\n")
    (system / "a" / "memory.max").write_text(f"{5 << 20}\n")
    assert available_memory() == 5 << 20
    (system / "membership").write_text("3:cpu,memory:/x\n")
    (system / "memory" / "x").mkdir(parents=True)
    (system / "memory" / "x" / "memory.limit_in_bytes").write_text("1024")
    assert available_memory() == 1024


def test_a_system_that_does_not_say(system):
    (system / "meminfo").unlink()
    assert available_memory() is None
    require_memory("all", 1 << 60, "take less")


def test_what_takes_more_is_refused(system):
    require_memory("a file", 8 << 20, "take less")
    with pytest.raises(BadDataError, match=r"Found a file, which takes 9 MiB of 8 MiB: take less\."):
        require_memory("a file", 9 << 20, "take less")
