"""A disk that takes no more, at any file: said, nothing lost, and gone on with when there is room."""

from __future__ import annotations

import resource
import subprocess

import pytest

pytestmark = pytest.mark.long


@pytest.fixture
def small_disk(tmp_path):
    """Size in MiB → the folder of a disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def mount(size: int):
        call = ["mount", "-t", "tmpfs", "-o", f"size={size}m", "iamm", str(folder)]
        try:
            subprocess.run(call, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            pytest.skip(f"a small disk cannot be mounted here: {error}")
        mounted.append(folder)
        return folder

    yield mount
    for place in mounted:
        subprocess.run(["umount", str(place)], check=True)


def fill(folder) -> None:
    """Until nothing more fits."""
    with (folder / "filler").open("wb", buffering=0) as file:
        while True:
            try:
                if not file.write(bytes(4096)):
                    return
            except OSError:
                return


def test_a_disk_that_fills_up(small_disk, life_at, undisturbed, same_end):
    folder = small_disk(2)
    running = life_at(folder / "outputs")
    running.wait(60.0, lambda: list(folder.glob("outputs/*/last.pt")))
    fill(folder)
    code, said = running.end()
    assert code == 74, said
    assert said.startswith("iamm-train: A run folder must have room. Found "), said
    assert said.count("\n") == 1
    (run,) = (folder / "outputs").iterdir()
    assert running.status()[0] == "failed"
    assert not list(run.glob("*.tmp"))
    (folder / "filler").unlink()
    code, said = life_at(folder / "outputs").end()
    assert code == 0, said
    same_end(undisturbed("interest guidance"), run)


def test_a_disk_that_is_full_from_the_start(small_disk, life_at):
    folder = small_disk(2)
    fill(folder)
    code, said = life_at(folder / "outputs").end()
    assert code == 74, said
    assert said.startswith("iamm-train: A run folder must have room. Found "), said
    assert said.count("\n") == 1


def test_the_error_names_the_size_of_a_checkpoint(life):
    """No file may grow above 100 kB, where the model alone fits, but not what a run needs to go on."""
    limited = life("epochs=1", before=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)))
    code, said = limited.end()
    assert code == 74, said
    assert "last.pt: File too large; needed 0.2" in said
    assert " MB are free. Make room, then give the same command again." in said
    assert said.count("\n") == 1
    assert limited.status()[0] == "failed"


def test_a_folder_that_cannot_be_written(life_at, tmp_path):
    (tmp_path / "outputs").write_text("a file where a folder must be")
    code, said = life_at(tmp_path / "outputs").end()
    assert code == 73, said
    assert said.startswith("iamm-train: A run folder must be writable. Found outputs/"[:50]), said
    assert said.count("\n") == 1
