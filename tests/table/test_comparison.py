from __future__ import annotations

import errno
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

import pytest

from iamm.record.recorder import Recorder, measure_values
from iamm.record.run_folder import RunFolder
from iamm.table.write.comparison import compare_in_tensorboard, file_name

MIXED = {"ours": {"a": {"accuracy": 0.75}, "b": {"bleu": 0.5}}, "rival": {"b": {"bleu": 0.25, "loss": 1.5}}}
"""Final measures; the rival has one of the scenes only, as a model for one task does."""


def of_row(run) -> dict[str, dict[str, float]]:
    return MIXED["ours" if run.row.startswith("ours") else "rival"]


def record(path: Path, test: dict[str, dict[str, float]], *, finished: bool) -> None:
    """What a run with these measures writes for TensorBoard."""
    path.mkdir(parents=True, exist_ok=True)
    recorder = Recorder(RunFolder(path))
    recorder.layout(test)
    for step in (10, 20):
        recorder.scalars({f"train/loss/{scene}": 1 / step for scene in test}, step)
        recorder.scalars(measure_values("val", test) | {"val/quality": 0.5}, step)
    if finished:
        recorder.scalars(measure_values("test", test) | {"test/quality": 0.125}, 20)
        recorder.hparams({"model": "small", "lr": 0.5})
    recorder.close()


@pytest.fixture
def build(make_table, tmp_path):
    """(planned run → whether it is finished, changes of the plan) → the table, whose runs all have event files."""

    def built(finished=lambda run: True, **changes: Any):
        table = make_table(
            lambda run: of_row(run) if finished(run) else None,
            lambda run: {"choices": {"model": run.row, "dataset": "small"}, "validation_quality": 1 - run.rate},
            **changes,
        )
        for run in table.plan.runs:
            record(tmp_path / run.folder, of_row(run), finished=finished(run))
        return table

    return built


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "tables" / "small" / "tensorboard"


def names(folder: Path) -> list[str]:
    """The runs that TensorBoard would list."""
    return sorted({file.parent.relative_to(folder).as_posix() for file in folder.rglob("events.out.tfevents.*")})


def contents(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("events*"))}


def test_the_chosen_runs_are_there_as_links(build, folder, tmp_path):
    assert compare_in_tensorboard(build(), folder, tmp_path) == f"tensorboard --logdir {folder}"
    assert names(folder) == [f"{row}/seed{seed}" for row in ("ours", "rival") for seed in (0, 1, 2)]
    (events,) = (folder / "ours" / "seed1").iterdir()
    assert os.readlink(events) == f"../../../../../ours-both-0.001-seed1/{events.name}"
    assert events.stat().st_size > 500


def test_a_long_label_is_cut():
    name = file_name("α/" * 200)
    assert name.startswith("α∕α∕")
    assert len(name.encode()) <= 255


def test_the_links_hold_where_the_output_folder_is_moved(build, folder, tmp_path):
    compare_in_tensorboard(build(), folder, tmp_path)
    before = contents(folder)
    moved = tmp_path.with_name(f"{tmp_path.name} moved")
    tmp_path.rename(moved)
    assert len(before) == 6
    assert contents(moved / folder.relative_to(tmp_path)) == before
    moved.rename(tmp_path)


def test_a_run_with_several_event_files_shows_them_all(build, folder, tmp_path):
    table = build()
    run = tmp_path / "ours-both-0.001-seed0"
    (run / "events.out.tfevents.9999999999.host.1.0").write_bytes(b"")
    (run / "events.txt").write_bytes(b"no events")
    compare_in_tensorboard(table, folder, tmp_path)
    actual = sorted(file.name for file in (folder / "ours" / "seed0").iterdir())
    assert len(actual) == 2
    assert actual[1] == "events.out.tfevents.9999999999.host.1.0"


def test_unfinished_runs_are_there_if_they_have_events(build, folder, tmp_path):
    table = build(lambda run: run.seed == 0)
    for file in (tmp_path / "rival-both-0.001-seed1").glob("events*"):
        file.unlink()
    shutil.rmtree(tmp_path / "rival-both-0.001-seed2")
    compare_in_tensorboard(table, folder, tmp_path)
    assert names(folder) == ["ours/seed0", "ours/seed1", "ours/seed2", "rival/seed0"]


def test_names_distinguish_settings_and_undecided_rates(build, folder, tmp_path):
    rows = ("ours", "rival w/o a/b", "..")
    table = build(lambda run: run.row == "ours", rows=rows, settings=("both", "alone"), seeds=(3,), claims=None)
    compare_in_tensorboard(table, folder, tmp_path)
    assert names(folder) == [
        *("ours/alone/seed3", "ours/both/seed3"),
        *("rival w∕o a∕b/alone/lr0.001/seed3", "rival w∕o a∕b/alone/lr0.002/seed3"),
        *("rival w∕o a∕b/both/lr0.001/seed3", "rival w∕o a∕b/both/lr0.002/seed3"),
        *("·./alone/lr0.001/seed3", "·./alone/lr0.002/seed3", "·./both/lr0.001/seed3", "·./both/lr0.002/seed3"),
    ]


def test_one_rate_needs_no_name(build, folder, tmp_path):
    compare_in_tensorboard(build(lambda run: False, rates=(0.001,), seeds=(3,)), folder, tmp_path)
    assert names(folder) == ["ours/seed3", "rival/seed3"]


def test_a_rebuild_gives_the_same_bytes_and_leaves_nothing_stale(build, folder, tmp_path):
    table = build()
    compare_in_tensorboard(table, folder, tmp_path)
    first = contents(folder)
    (folder / "gone" / "seed0").mkdir(parents=True)
    (folder / "gone" / "seed0" / "events.out.tfevents.1.host.1.0").symlink_to("nowhere")
    (folder / "ours" / "seed0" / "events.out.tfevents.1.host.1.0").symlink_to("nowhere")
    compare_in_tensorboard(table, folder, tmp_path)
    assert contents(folder) == first
    assert names(folder) == [f"{row}/seed{seed}" for row in ("ours", "rival") for seed in (0, 1, 2)]
    assert all(file.exists() for file in folder.rglob("*"))


def test_the_runs_themselves_are_left_alone(build, folder, tmp_path):
    table = build()
    files = {file: file.read_bytes() for file in tmp_path.rglob("*") if file.is_file()}
    for _ in range(2):
        compare_in_tensorboard(table, folder, tmp_path)
    assert {file: file.read_bytes() for file in files} == files


def test_without_symbolic_links_it_says_so_in_one_line(build, folder, tmp_path, monkeypatch):
    def refuse(*_: Any) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    assert compare_in_tensorboard(build(), folder, tmp_path) == (
        "A comparison in TensorBoard needs a folder that takes symbolic links. "
        f"Found {folder}: Operation not permitted."
    )


def test_the_command_is_quoted_for_a_shell(make_table, tmp_path):
    folder = tmp_path / "my tables; $HOME"
    lines = compare_in_tensorboard(make_table(), folder, tmp_path)
    assert shlex.split(lines) == ["tensorboard", "--logdir", str(folder)]
    assert names(folder) == []  # no run has events


@contextmanager
def opened(command: str, *options: str) -> Iterator[Any]:
    """TensorBoard as a user starts it → (path, posted content) → its answer."""
    arguments = [sys.executable, "-m", "tensorboard.main", *shlex.split(command)[1:], "--port", "0", *options]
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True) as process:
        try:
            lines: list[str] = []
            while not (lines and "http://" in lines[-1]):
                lines.append(process.stderr.readline())
                assert lines[-1], f"TensorBoard ended: {lines}"
            address = re.search(r"http://\S+?(?=/? )", lines[-1])[0]
            opener = build_opener(ProxyHandler({}))

            def ask(path: str, content: Any = None) -> Any:
                data = None if content is None else json.dumps(content).encode()
                request = Request(f"{address}/data/{path}", data, {"Content-Type": "application/json"})
                with opener.open(request, timeout=30) as answer:
                    return json.load(answer)

            yield ask
        finally:
            process.kill()  # asked politely in mid-answer, it can miss it and go on


@pytest.mark.parametrize("fast", ["true", "false"])
def test_tensorboard_shows_one_comparison(build, folder, tmp_path, fast):
    """Of three runs, one unfinished, with either of its data servers."""
    table = build(lambda run: (run.row, run.seed) != ("ours", 1), rates=(0.001,), seeds=(0, 1))
    shutil.rmtree(tmp_path / "rival-both-0.001-seed1")
    everything = {"allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS"], "colParams": [], "sliceSize": 9}
    with opened(compare_in_tensorboard(table, folder, tmp_path), f"--load_fast={fast}") as ask:
        deadline = time.monotonic() + 60
        while True:
            tags = ask("plugin/scalars/tags")
            groups = ask("plugin/hparams/session_groups", everything)["sessionGroups"]
            ended = [group["sessions"][0]["status"] for group in groups].count("STATUS_SUCCESS")
            if len(tags) == 3 and ended == 2 and all("quality/val" in actual for actual in tags.values()):
                break
            assert time.monotonic() < deadline, (tags, groups)
            time.sleep(0.1)
        curves = ask("plugin/custom_scalars/scalars?run=rival/seed0&tag=bleu/val/b$")
        drawn = ask("plugin/custom_scalars/layout")
        columns = ask("plugin/hparams/experiment", {})
    assert sorted(tags) == ["ours/seed0", "ours/seed1", "rival/seed0"]
    assert {"loss/train/b", "bleu/val/b", "quality/val"} <= set.intersection(*map(set, tags.values()))
    assert [point[1:] for point in curves["tag_to_events"]["bleu/val/b"]] == [[10, 0.25], [20, 0.25]]
    assert sorted(category["title"] for category in drawn["category"]) == ["a", "b"]
    assert {info["name"] for info in columns["hparamInfos"]} == {"model", "lr"}
    actual = {
        group["name"]: {value["name"]["tag"]: value["value"] for value in group["metricValues"]} for group in groups
    }
    assert actual["ours/seed0"]["test/accuracy/a"] == 0.75
    assert actual["rival/seed0"]["test/loss/b"] == 1.5
