from __future__ import annotations

import os

import pytest

from iamm import processors as module
from iamm.processors import processors, quotas


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """Lines of `/proc/self/cgroup` and the control groups' files → where both lie."""

    def make(membership: str, files: dict[str, str]):
        (tmp_path / "membership").write_text(membership)
        for name, text in files.items():
            (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "groups" / name).write_text(text)
        monkeypatch.setattr(module, "GROUPS", tmp_path / "groups")
        monkeypatch.setattr(module, "MEMBERSHIP", tmp_path / "membership")
        return tmp_path / "groups", tmp_path / "membership"

    return make


def test_those_of_the_affinity(groups, monkeypatch):
    groups("", {})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert processors() == 3


def test_without_affinity_all(groups, monkeypatch):
    groups("", {})
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert processors() == 64


@pytest.mark.parametrize(
    ("membership", "files", "shares"),
    [
        ("0::/a/b\n", {"a/b/cpu.max": "250000 100000\n", "a/cpu.max": "max 100000\n"}, [2.5]),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000\n", "a/cpu.max": "150000 50000\n"}, [3.0]),
        ("0::/\n", {"cpu.max": "50000 100000\n"}, [0.5]),
        (
            "0::/elsewhere\n",
            {"cpu.max": "700000 100000\n"},
            [7.0],
        ),  # a container that sees its own group as the root
        ("3:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "300000\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, [3.0]),
        ("3:cpu,cpuacct:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1\n", "cpu/a/cpu.cfs_period_us": "100000\n"}, []),
        ("3:memory:/a\n1:name=systemd:/a\n", {"a/cpu.max": "100000 100000\n"}, []),
    ],
)
def test_the_quota_of_a_control_group(groups, membership, files, shares):
    assert list(quotas(*groups(membership, files))) == shares


@pytest.mark.parametrize(("share", "whole"), [("50000", 1), ("250000", 2), ("max", 4), ("900000", 4)])
def test_the_smaller_of_both(groups, monkeypatch, share, whole):
    groups("0::/\n", {"cpu.max": f"{share} 100000\n"})
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    assert processors() == whole
