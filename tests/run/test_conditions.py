from __future__ import annotations

import hashlib
import subprocess

import pytest

from iamm.errors import BadDataError, ConfigError
from iamm.run.conditions import Conditions, commit


def before(**changes) -> dict:
    return {**Conditions(2, None, "cpu", {"a": "1", "b": "2"}).state_dict(), **changes}


@pytest.fixture
def now():
    return Conditions(2, None, "cpu", {"a": "1", "b": "2"})


def test_the_same_are_not_worth_a_word(now):
    now.load_state_dict(before())
    assert now.notices == []


def test_other_threads_are_refused(now):
    with pytest.raises(ConfigError, match=r"Found threads=2, begun with 1: add threads=1, or start anew"):
        now.load_state_dict(before(threads=1))


def test_other_devices_are_refused_and_none_is_one(now):
    now.load_state_dict({key: value for key, value in before().items() if key != "devices"})
    now.load_state_dict(before(devices=1))
    with pytest.raises(ConfigError, match=r"Found devices=1, begun with 2: add devices=2, or start anew"):
        now.load_state_dict(before(devices=2))


def test_other_data_are_refused(now):
    with pytest.raises(BadDataError, match=r"Found b changed: bring the data back"):
        now.load_state_dict(before(data={"a": "1", "b": "3"}))


def test_other_versions_are_reported_and_stay_reported(now):
    machine = before()["machine"]
    now.load_state_dict(before(machine={**machine, "torch": "2.6.0", "instructions": "another"}))
    (said,) = now.notices
    assert said.startswith("this run went on elsewhere, so not surely to the same bits: torch 2.6.0 before, ")
    assert f"instructions another before, {machine['instructions']} now" in said
    later = Conditions(2, None, "cpu", {"a": "1", "b": "2"})
    later.load_state_dict(now.state_dict())
    assert later.notices == [said]


def test_the_commits_of_all_parts_are_recorded(now):
    """Code that changed between a stop and the next start leaves a trace, and is reported."""
    machine = before()["machine"]
    now.load_state_dict(before(machine={**machine, "commit": "0ff+changes-1"}, commits=["0ff+changes-1"]))
    assert now.values()["commits"] == ["0ff+changes-1", machine["commit"]]
    assert f"commit 0ff+changes-1 before, {machine['commit']} now" in now.notices[0]


def test_the_commit_of_a_changed_tree(tmp_path):
    """With the SHA-256 of what `git diff` shows; without a repository there is none."""

    def git(*words: str) -> bytes:
        call = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(call, check=True, capture_output=True).stdout.strip()

    assert commit(tmp_path) is None
    git("init")
    assert commit(tmp_path) is None
    (tmp_path / "code.py").write_text("one = 1\n")
    git("add", ".")
    git("commit", "-m", "one")
    head = git("rev-parse", "HEAD").decode()
    assert commit(tmp_path) == head
    (tmp_path / "code.py").write_text("one = 2\n")
    assert commit(tmp_path) == f"{head}+changes-{hashlib.sha256(git('diff', 'HEAD')).hexdigest()[:8]}"
    git("add", ".")
    assert commit(tmp_path) == f"{head}+changes-{hashlib.sha256(git('diff', 'HEAD')).hexdigest()[:8]}"
    (tmp_path / "code.py").write_text("one = 1\n")
    assert commit(tmp_path) == head
