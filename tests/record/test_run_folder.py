from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import math
import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from iamm.errors import BadDataError, BusyError, ConfigError, FullDiskError, MissingDataError, OutputError
from iamm.files import write_text
from iamm.lock import locked
from iamm.record.address import address
from iamm.record.checksummed import checked, with_checksum, write_checksummed, write_json
from iamm.record.run_folder import RunFolder, read_result

CONFIG = {
    "seed": 1,
    "optimizer": {"lr": 0.1, "betas": [0.9, 0.999]},
    "dataset": {"x": {"data_dir": "/a", "batch_size": 7}},
    "output_dir": "outputs",
    "threads": 2,
    "device": "cpu",
    "log": {"every": 20},
}


def changed(**more):
    return {**CONFIG, **more}


@pytest.mark.parametrize(("later", "value"), [("padding", "reflect"), ("values", True)])
def test_a_later_argument_that_is_null_is_in_no_address(later, value):
    """Another one that is null is: where it is absent, a class has its own default."""
    parts = ({"a": {"b": 2, **more}} for more in ({}, {later: None}, {later: value}, {"early": None}))
    names = [address(changed(encoder=part), ("x",)) for part in parts]
    assert names[0] == names[1]
    assert len(set(names)) == 3


def test_the_address_by_hand():
    text = (
        '{"dataset": {"x": {"batch_size": 7}}, "optimizer": {"betas": [0.9, 0.999], "lr": 0.1}, "seed": 1}'  # no places
    )
    expected = hashlib.sha256(text.encode()).hexdigest()[:8]
    assert address(CONFIG, ("iamm", "x")) == f"iamm-x-{expected}"


@pytest.mark.parametrize(
    "places",
    [
        {"output_dir": "/elsewhere"},
        {"threads": 7},
        {"device": "cuda"},
        {"log": {"every": 1, "pictures": 0}},
        {"data_dir": "/data"},
        {"rerun": True},
        {"mode": "eval", "run": "outputs/x"},
        {"dataset": {"x": {"batch_size": 7, "data_dir": "/b"}}},
        {"more": None},
    ],
    ids=str,
)
def test_places_and_keys_that_are_null_do_not_count(places):
    assert address(changed(**places), ("n",)) == address(CONFIG, ("n",))


@pytest.mark.parametrize(
    "what",
    [
        {"seed": 2},
        {"optimizer": {"lr": 0.2, "betas": [0.9, 0.999]}},
        {"optimizer": {"lr": 0.1, "betas": [0.999, 0.9]}},
        {"dataset": {"x": {"batch_size": 8}}},
        {"more": 0},
    ],
    ids=str,
)
def test_what_is_computed_counts(what):
    assert address(changed(**what), ("n",)) != address(CONFIG, ("n",))


def test_the_order_of_keys_does_not_count():
    assert address(dict(reversed(CONFIG.items())), ("n",)) == address(CONFIG, ("n",))


HOLD = """
import sys, pathlib
from iamm.record.run_folder import RunFolder
with RunFolder(pathlib.Path(sys.argv[1])).held():
    print("held", flush=True)
    sys.stdin.read()
"""


def test_one_process_a_folder(tmp_path):
    folder = RunFolder(tmp_path / "deep" / "run")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", HOLD, str(folder.path)], text=True, **pipes) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BusyError, match=r"One process a run folder\. Found .*run in use") as caught, folder.held():
            pass
        assert caught.value.exit_code == 75
        other.kill()
    with folder.held():  # a dead process holds nothing
        assert folder.path.is_dir()


def other_process(code, folder):
    """Started, and heard from once."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", code, str(folder.path)], text=True, **pipes)
    assert process.stdout.readline() == "held\n"
    return process


LOOK = """
import fcntl, sys
with open(sys.argv[1] + "/.lock") as lock:
    fcntl.flock(lock, fcntl.LOCK_SH)
    print("held", flush=True)
    sys.stdin.read()
"""


def test_busy_while_a_live_process_holds_the_folder(folder):
    assert not folder.busy()  # never held
    with other_process(HOLD, folder) as other:
        assert folder.busy()
        assert folder.state() == ("running", "in another process")
        other.kill()
        other.wait()
        assert not folder.busy()  # the lock's file is still there
    assert folder.state() == ("missing", "")


@pytest.mark.parametrize("number", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks(folder, monkeypatch, number):
    def unable(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("iamm.lock.fcntl.flock", unable)
    with folder.held():
        assert not folder.busy()


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.EACCES])
def test_a_lock_that_is_held(folder, monkeypatch, number):
    def held(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("iamm.lock.fcntl.flock", held)
    with pytest.raises(BusyError), folder.held():
        pass
    assert folder.busy()


def test_a_lock_that_fails(folder, monkeypatch):
    def failing(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("iamm.lock.fcntl.flock", failing)
    with pytest.raises(FullDiskError, match="Input/output error"), folder.held():
        pass


def test_the_address_of_many_data_sets():
    found = address({"seed": 1}, ("iamm", "+".join(["multi30k_de_en"] * 18), "seed1"))
    assert len(found) == 255
    assert found.startswith("iamm-multi30k_de_en+multi30k_de_en+")
    assert found != address({"seed": 1}, ("iamm", "+".join(["multi30k_de_en"] * 19), "seed1"))
    assert found[-9:] == address({"seed": 1}, ("iamm",))[-9:]


def test_the_best_model_of_a_phase_of_a_long_name(folder):
    assert folder.best_of("warm").name == "best-warm.pt"
    found = folder.best_of("é" * 200).name
    assert len(found.encode()) + len(".tmp") == 255
    assert found != folder.best_of("é" * 200 + "a").name


def test_several_may_look_at_a_folder_at_once(folder):
    """Neither takes the other for a live run."""
    with folder.held():
        pass
    with other_process(LOOK, folder) as other:
        assert not folder.busy()
        other.kill()


def test_a_run_waits_while_another_process_only_looks(folder):
    with folder.held():
        pass
    with other_process(LOOK, folder) as other:
        threading.Timer(0.3, other.kill).start()
        begun = time.monotonic()
        with folder.held():
            assert 0.2 < time.monotonic() - begun < 1.9


def test_a_lock_is_waited_for_no_longer_than_patience(folder):
    with folder.held(), (folder.path / ".lock").open() as second:
        for patience in (0.0, 0.2):
            begun = time.monotonic()
            assert not locked(second, patience=patience)
            assert patience <= time.monotonic() - begun < patience + 1.0
    with (folder.path / ".lock").open() as first, (folder.path / ".lock").open() as second:
        assert locked(first, fcntl.LOCK_SH)
        assert locked(second, fcntl.LOCK_SH)
        assert not locked(second, fcntl.LOCK_EX, patience=0.0)


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({}, ("missing", "")),
        ({"log.txt": "begun"}, ("missing", "")),
        ({"status.json": {"state": "running"}}, ("interrupted", "")),
        ({"status.json": {"state": "interrupted", "error": ""}, "last.pt": ""}, ("interrupted", "")),
        ({"last.pt": ""}, ("interrupted", "")),
        ({"previous.pt": ""}, ("interrupted", "")),
        ({"status.json": {"state": "failed", "error": "loss is nan"}, "last.pt": ""}, ("failed", "loss is nan")),
        ({"status.json": {"state": "failed"}}, ("failed", "")),
        ({"status.json": {"state": "diverged", "error": "nan"}, "last.pt": ""}, ("failed", "nan")),
        ({"status.json": '{"state": "failed"}'}, ("missing", "")),  # not as it was written
        ({"status.json": {"state": "finished"}}, ("interrupted", "")),  # killed before its result was written
        ({"status.json": '{"state": "finished"}', "result.json": "{}"}, ("finished", "")),
        ({"status.json": '{"state": "failed", "error": "x"}', "result.json": "{}"}, ("finished", "")),
        ({"result.json": "{}"}, ("finished", "")),
        ({"status.json": '{"state": "fai'}, ("missing", "")),
        ({"status.json": '{"state": "fai', "last.pt": ""}, ("interrupted", "")),
        ({"status.json": "[]"}, ("missing", "")),
        ({"status.json": "{}", "last.pt": ""}, ("interrupted", "")),
    ],
    ids=str,
)
def test_what_became_of_a_run(folder, files, state):
    for name, content in files.items():
        (folder.path / name).write_text(content if isinstance(content, str) else with_checksum(content))
    assert folder.state() == state


def test_a_folder_that_is_not_there_is_a_missing_run(tmp_path):
    folder = RunFolder(tmp_path / "nowhere")
    assert folder.state() == ("missing", "")
    assert not folder.path.exists()  # looking makes nothing


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    folder = RunFolder(tmp_path / "file" / "run")
    said = r"must be writable\. Found .*file: Not a directory\. Set output_dir"
    with pytest.raises(OutputError, match=said) as caught, folder.held():
        pass
    assert caught.value.exit_code == 73


def spoil(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place] ^= 4
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("place", [0, 20, 27, -3, -30])
def test_records_of_a_finished_run_are_sealed(folder, place):
    folder.append({"kind": "train", "step": 3})
    folder.end_records()
    write_checksummed(folder.result, {})
    assert folder.read_records().startswith(b'{"kind": "train", "step": 3}\n{"kind": "end", "sha256": "')
    spoil(folder.records, place)
    with pytest.raises(BadDataError, match=r"Records must be as they were written\. Found .* damaged"):
        folder.read_records()


def test_clear_forgets_all_but_the_lock(folder):
    with folder.held():
        folder.pictures.mkdir()
        files = [folder.config, folder.status, folder.records, folder.result, folder.last, folder.best]
        files += [folder.path / "events.out.tfevents.1234567890.x", folder.pictures / "val-a.png", folder.attention]
        for file in files:
            file.write_text("old")
        (folder.path / "notes.txt").write_text("mine")
        (folder.pictures / "mine.png").write_text("mine")
        folder.clear()
        left = sorted(file.name for file in folder.path.rglob("*"))
    assert left == [".lock", "mine.png", "notes.txt", "pictures"]
    assert not folder.finished()


def test_leftovers_of_a_run_are_removed_and_nothing_else(folder):
    ours = ["last.pt.tmp", "pictures/attention.json.tmp", "best-warm.pt.tmp"]
    others = ["notes.tmp", "mine/last.pt.tmp", "pictures/mine.tmp"]
    for name in (*ours, *others):
        (folder.path / name).parent.mkdir(exist_ok=True)
        (folder.path / name).write_text("half")
    with folder.held():
        assert [name for name in (*ours, *others) if (folder.path / name).exists()] == others


def test_a_folder_that_is_a_link_is_refused(folder, tmp_path):
    (tmp_path / "link").symlink_to(folder.path)
    with pytest.raises(BadDataError, match=r"a plain one\. Found .*link, a link: name the folder itself\."):
        RunFolder(tmp_path / "link")
    (folder.path / "pictures").symlink_to(tmp_path)
    with pytest.raises(BadDataError, match="pictures, a link"), folder.held():
        pass


@pytest.mark.parametrize("name", ["../../other", "/tmp/other", ".lock"])
def test_a_name_leads_to_no_other_folder(name):
    with pytest.raises(ConfigError, match="name is one of a folder"):
        address(CONFIG, (name, "x"))


def test_status(folder):
    folder.write_status("running", step=5)
    found = checked(folder.status.read_bytes())
    assert found == {"state": "running", "process": os.getpid(), "host": socket.gethostname(), "step": 5}


def test_a_status_fits_where_the_old_one_stood(folder, monkeypatch):
    """The disk is full: nothing new can be written, but the old file can be written over."""
    folder.write_status("running", step=123456, error="x" * 500)

    def full(*_: object) -> None:
        raise FullDiskError("no room")

    monkeypatch.setattr("iamm.record.run_folder.write_text", full)
    folder.write_status("failed", error="no room")
    assert folder.state() == ("failed", "no room")


def test_readers_never_see_half_a_file(folder):
    """One thread writes long and short contents in turn while another reads."""
    contents = [{"state": "a" * 200_000}, {"state": "b"}]
    write_json(folder.result, contents[0])
    done = threading.Event()

    def write() -> None:
        for number in range(40):
            write_json(folder.result, contents[number % 2])
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    read = []
    while not done.is_set():
        read.append(json.loads(folder.result.read_text()))
    writer.join()
    assert read
    assert all(content in contents for content in read)
    assert [file.name for file in folder.path.iterdir()] == ["result.json"]


def test_a_failed_write_leaves_the_old_file(folder, monkeypatch):
    write_text(folder.config, "old")

    def broken(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("iamm.files.os.fsync", broken)
    with pytest.raises(FullDiskError, match="No space"):
        write_text(folder.config, "new")
    assert folder.config.read_text() == "old"


def test_strict_json(folder):
    """What is not finite is null, in every file: other programs read them too."""
    folder.append({"values": {"a": math.nan, "b": (1.5, -math.inf)}})
    write_checksummed(folder.result, {"test": {"a": math.inf}, "config": {"b": 0.5}})
    write_json(folder.examples, [math.nan])

    def refused(name: str) -> None:
        raise AssertionError(name)

    read = [json.loads(file.read_text(), parse_constant=refused) for file in (folder.records, folder.examples)]
    assert read == [{"values": {"a": None, "b": [1.5, None]}}, [None]]
    assert read_result(folder.path) == {"test": {"a": None}, "config": {"b": 0.5}}
    with pytest.raises(ConfigError, match=r"^The numbers of a configuration are finite\. "):
        address({"a": [math.inf]}, ("x",))


def test_finished_once_the_result_is_there(folder):
    assert not folder.finished()
    result = {"test": {"a": {"accuracy": 1 / 3}}, "config": {"seed": 1}}
    write_checksummed(folder.result, result)
    assert folder.finished()
    assert read_result(folder.path) == result  # to the last digit


def test_a_missing_result(tmp_path):
    with pytest.raises(MissingDataError, match=r"`run` must name the folder of a finished run\. Found no result\.json"):
        read_result(tmp_path)


@pytest.mark.parametrize("text", ["", '{"test": {"a"', "[]", "3", '{"test": {}}'])
def test_a_bad_result(folder, text):
    folder.result.write_text(text)
    with pytest.raises(BadDataError, match=r"A result must be whole and of a run\. Found .*rerun=true") as caught:
        read_result(folder.path)
    assert "\n" not in str(caught.value)


def test_a_result_that_is_too_deep(folder):
    text = '{"test": ' + "[" * 100_000
    folder.result.write_text(f'{text}{hashlib.sha256(text.encode()).hexdigest()}"\n}}\n')
    with pytest.raises(BadDataError, match=r"A result must be whole and of a run\. Found .*it is no plain JSON"):
        read_result(folder.path)


def test_what_a_result_lacks_is_named(folder):
    write_checksummed(folder.result, {"test": {}, "config": {}, "seed": 1})
    assert read_result(folder.path, ("seed", "test"))["seed"] == 1
    with pytest.raises(BadDataError, match=r"Found .*result\.json: no data, commit in it\. Run again"):
        read_result(folder.path, ("data", "seed", "commit"))
