"""The command itself: trains, shows, goes on, evaluates again, sweeps."""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
from omegaconf import OmegaConf

from iamm.engine.checkpoint import packed
from iamm.engine.plan import RunState
from iamm.record.checksummed import checked, write_checksummed
from iamm.run.finish import skipped
from tests.composing import config_of

CONFIGS = Path(__file__).parents[2] / "configs"
SCENES = ("shapes_image", "shapes_text")


def only_run(folder: Path) -> Path:
    (run,) = folder.iterdir()
    return run


def result(run: Path) -> dict:
    return json.loads((run / "result.json").read_text(encoding="utf-8"))


def tensors(run: Path) -> dict:
    return torch.load(run / "best.pt", weights_only=True)["model"]


def records(run: Path) -> list:
    """All that is recorded but times: (kind, step, values)."""
    lines = (run / "records.jsonl").read_text(encoding="utf-8").splitlines()
    return [(r["kind"], r["step"], r["values"]) for r in map(json.loads, lines[:-1])]  # the last one seals


def assert_same(one: Path, other: Path) -> None:
    """Measures, model and records, to the last bit."""
    assert result(one)["test"] == result(other)["test"]
    torch.testing.assert_close(tensors(one), tensors(other), rtol=0, atol=0)
    assert records(one) == records(other)


def test_a_run_from_start_to_end(process, command, small, tmp_path):
    """Train; show what is finished; evaluate again."""
    words = (*small, "epochs=2", "log.pictures=1")
    first = process(*words)
    assert (first.code, first.err) == (0, "")
    run = only_run(tmp_path / "outputs")
    place = run.relative_to(tmp_path)
    for said in ("epoch 2/2  validation", *SCENES, "accuracy", "perplexity", f"run folder  {place}"):
        assert said in first.out
    assert first.out.endswith(f"look at it  tensorboard --logdir {place}\n")
    assert run.name.startswith("iamm-shapes-seed0-")

    written = {path.name for path in run.iterdir() if not path.name.startswith("events.out.tfevents")}
    files = {
        "config.yaml",
        "records.jsonl",
        "scalars.csv",
        "previous.pt",
        "result.json",
        "scenes.json",
        "status.json",
        "last.pt",
        "best.pt",
        "pictures",
        ".lock",
        "examples.json",
    }
    assert written == files
    assert len(list(run.glob("events.out.tfevents.*"))) == 1
    assert {path.name for path in (run / "pictures").iterdir()} == {
        "test-confusion-shapes_image.png",
        "test-scene_weights.png",
        "val-attention-shapes_image.png",
        "val-attention-shapes_text-0.png",
        "val-interest-shapes_image.png",
        "val-interest-shapes_image-in-shapes_text-0.png",
        "val-interest-shapes_text-in-shapes_image.png",
        "val-interest-shapes_text-0.png",
    }
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]

    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    second = command(*words)
    assert (second.code, second.err) == (0, "")
    assert second.out.startswith("This run is finished; rerun=true starts it anew.\n")
    assert second.out.endswith(first.out[first.out.index("test\n") :])
    evaluated = process("mode=eval", f"run={place}", "device=cpu")
    assert (evaluated.code, evaluated.err) == (0, "")
    assert "The run's own numbers: the same to the last digit." in evaluated.out
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_what_the_result_holds(command, small, tmp_path):
    assert command(*small, "seed=5", "weighting=uncertainty").code == 0
    run = only_run(tmp_path / "outputs")
    found = result(run)
    scored = {"average_precision", "auc", "calibration"}
    assert set(found["test"]["shapes_image"]) == {"accuracy", "precision", "recall", "f1", "loss", *scored}
    assert set(found["test"]["shapes_text"]) == {"bleu", "loss", "perplexity"}
    assert list(found["details"]) == ["shapes_image"]
    confusion = found["details"]["shapes_image"]["confusion"]
    right = sum(row[place] for place, row in enumerate(confusion))
    assert right / sum(map(sum, confusion)) == pytest.approx(found["test"]["shapes_image"]["accuracy"])
    for row in found["scene_weights"].values():
        assert sum(row.values()) == pytest.approx(1)
    buffers = (".mean", ".deviation", ".prototypes.")  # of pictures, and of what scenes have learnt: no parameters
    saved = {name: value.numel() for name, value in tensors(run).items()}
    assert found["parameters"] == sum(n for name, n in saved.items() if not any(part in name for part in buffers))
    assert (found["seed"], found["threads"], found["device"], found["steps"], found["epochs"]) == (5, 1, "cpu", 1, 1)
    assert found["choices"]["weighting"] == "uncertainty"
    assert (found["choices"]["dataset"], found["choices"]["augment"]) == ("shapes", "none")
    assert found["config"]["dataset"]["shapes"]["train"] == 64
    assert found["versions"]["torch"] == torch.__version__
    assert len(found["data"]["shapes"]) == 64
    assert "tok:13a" in found["bleu_signature"]
    assert found["seconds"] > 0
    assert found["peak_memory_mib"] > 50
    assert OmegaConf.to_container(OmegaConf.load(run / "config.yaml")) == found["config"]
    tests = [values for kind, _, values in records(run) if kind == "test"]
    assert [values["test/bleu/shapes_text"] for values in tests] == [found["test"]["shapes_text"]["bleu"]]


def test_same_command_same_bits(process, command, small, tmp_path):
    """Another folder and another process, as against another seed and rerun=true."""
    assert command(*small, "output_dir=one", "epochs=2", "augment=[image,text]").code == 0
    assert process(*small, "output_dir=two", "epochs=2", "augment=[image,text]").code == 0
    one, two = only_run(tmp_path / "one"), only_run(tmp_path / "two")
    assert one.name == two.name
    assert_same(one, two)
    kept = tensors(one), records(one)
    again = command(*small, "output_dir=one", "epochs=2", "augment=[image,text]", "rerun=true")
    assert "This run is finished" not in again.out
    torch.testing.assert_close(tensors(one), kept[0], rtol=0, atol=0)
    assert records(one) == kept[1]
    assert command(*small, "output_dir=three", "epochs=2", "augment=[image,text]", "seed=1").code == 0
    assert not torch.equal(next(iter(tensors(only_run(tmp_path / "three")).values())), next(iter(kept[0].values())))


def test_conflict_on_request(command, small, tmp_path):
    """Norms and the cosine of the scenes' gradients; the bits of the training are the same with and without."""
    for folder, more in (("with", ["log.conflict=true"]), ("without", [])):
        assert command(*small, "weighting=nash", "log.every=3", f"output_dir={folder}", *more).code == 0
    told, plain = (records(only_run(tmp_path / folder)) for folder in ("with", "without"))
    tags = {f"train/conflict/norm/{scene}" for scene in SCENES} | {"train/conflict/cosine/" + "/".join(SCENES)}
    for (kind, step, values), (_, _, others) in zip(told, plain, strict=True):
        assert set(values) - set(others) == (tags if kind == "train" else set()), step
        assert {name: values[name] for name in others} == others
        assert all(-1 <= values[name] <= 1 for name in tags & set(values) if "cosine" in name)


def test_killed_and_started_again(started, command, small, tmp_path):
    """Killed once a checkpoint is there, in the middle of five epochs; then the same command in another process."""
    words = (*small, "epochs=5", "dataset.shapes.train=192", "weighting=dynamic_average", "log.every=2")
    assert command(*words, "output_dir=whole").code == 0
    process = started(*words, "output_dir=killed")
    deadline = time.monotonic() + 120
    while not list((tmp_path / "killed").glob("*/last.pt")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    run = only_run(tmp_path / "killed")
    assert not (run / "result.json").exists()
    begun = torch.load(run / "last.pt", weights_only=True)["state"]["epoch"]
    assert 1 <= begun < 5
    again = command(*words, "output_dir=killed")
    assert (again.code, again.err) == (0, "")
    assert "epoch 1/5  validation" not in again.out
    assert f"after {begun} finished epochs." in again.out
    assert_same(run, only_run(tmp_path / "whole"))


def test_a_damaged_checkpoint_is_reported(command, small, tmp_path):
    assert command(*small).code == 0
    run = only_run(tmp_path / "outputs")
    (run / "result.json").unlink()
    (run / "last.pt").write_bytes((run / "last.pt").read_bytes()[:-100])
    (run / "previous.pt").unlink(missing_ok=True)
    broken = command(*small)
    assert broken.code == 65
    assert broken.err.startswith("iamm-train: A checkpoint must be as it was written. Found outputs/")
    assert broken.err.count("\n") == 1
    assert json.loads((run / "status.json").read_text())["state"] == "failed"
    assert command(*small, "rerun=true").code == 0


def test_a_run_without_its_model(command, small, tmp_path):
    assert command(*small).code == 0
    run = only_run(tmp_path / "outputs")
    (run / "best.pt").unlink()
    answer = command("mode=eval", f"run={run}")
    assert answer.code == 66
    assert "A finished run must hold its model. Found no" in answer.err


def test_other_numbers_are_shown(command, small, tmp_path):
    assert command(*small).code == 0
    run = only_run(tmp_path / "outputs")
    found = checked((run / "result.json").read_bytes())
    found["test"]["shapes_image"]["loss"] += 2**-40
    write_checksummed(run / "result.json", found)
    answer = command("mode=eval", f"run={run}", "device=cpu")
    assert "The run's own numbers differ:" in answer.out
    assert (answer.code, answer.err.count("\n")) == (6, 1)
    assert answer.err.startswith("iamm-train: A model measured again must give its run's numbers. Found others for ")


def test_divergence(command, small, tmp_path):
    answer = command(*small, "optimizer=sgd", "optimizer.lr=1e30", "clip=null", "steps=2", "checkpoint.steps=1")
    assert answer.code == 4
    assert answer.err.startswith("iamm-train: Losses and gradients must stay finite. Found ")
    assert answer.err.count("\n") == 1
    run = only_run(tmp_path / "outputs")
    status = json.loads((run / "status.json").read_text())
    assert status["state"] == "diverged"
    assert answer.err == f"iamm-train: {status['error']}\n"
    assert answer.err.endswith(f" The last good checkpoint: {run.relative_to(tmp_path)}/last.pt.\n")
    assert len(status["batch"]["shapes"]) == 64
    assert not (run / "result.json").exists()


def test_measures_that_are_not_finite(command, small, tmp_path):
    """The only step was finite, what it left is not."""
    words = ("dataset=[digits]", "model=cnn", *small[3:], "encoder.image.channels=[8,8]", "steps=1")
    answer = command(*words, "optimizer=sgd", "optimizer.lr=1e12", "clip=null", "schedule=constant")
    assert answer.code == 4
    assert answer.err.startswith("iamm-train: Measures must stay finite. Found loss of digits on validation that is")
    assert answer.err.count("\n") == 1
    run = only_run(tmp_path / "outputs")
    assert json.loads((run / "status.json").read_text())["state"] == "diverged"
    assert not (run / "result.json").exists()


def test_a_summary_fits_80_columns(command, small, tmp_path, monkeypatch):
    monkeypatch.setattr("iamm.terminal.WIDE", 80)
    answer = command(*small, "--summary")
    assert (answer.code, answer.err) == (0, "")
    rows = re.findall(r"^ (( *)\S+) +\w.*? ([\d,]+)$", answer.out, re.MULTILINE)
    parts = {name.strip(): int(count.replace(",", "")) for name, depth, count in rows if not depth}
    assert [*parts] == ["encoders", "fusion", "heads"]
    assert f"\n{sum(parts.values()):,} parameters; outputs are those of 2 training examples\n" in answer.out
    assert [name for name, depth, _ in rows if len(depth) == 2].count("  shapes_text") == 2
    assert max(map(len, answer.out.splitlines())) <= 80
    assert not (tmp_path / "outputs").exists()


def test_a_sweep(process, small, tmp_path):
    words = [word for word in small if word != "threads=1"]
    answer = process("-m", *words, "steps=1", "fusion=none,shared")
    assert (answer.code, answer.err) == (0, "")
    found = [result(path.parent) for path in (tmp_path / "outputs").glob("*/result.json")]
    assert sorted(one["choices"]["fusion"] for one in found) == ["none", "shared"]
    assert {one["threads"] for one in found} == {1}
    assert re.search(r"^\[2/2\] done    fusion=(none|shared)  validation ", answer.out, re.MULTILINE)


def test_unpaired_scenes_of_two_data_sets(command, small, tmp_path):
    assert command(*small, "dataset=[digits,shapes]", "steps=2").code == 0
    found = result(only_run(tmp_path / "outputs"))
    assert set(found["test"]) == {"digits", *SCENES}
    assert set(found["scene_weights"]["digits"]) == {"digits", *SCENES}
    assert set(found["data"]) == {"digits", "shapes"}


def test_one_scene_twice_is_refused(command, small):
    again = "+dataset.again={_target_: iamm.dataset.shapes.ShapesDataset, seed: 1, train: 7, validation: 5, test: 3}"
    answer = command(*small, again)
    assert answer.code == 2
    assert "A scene can stand in a run once. Found shapes_image, shapes_text, shapes_image, shapes_text" in answer.err


def test_without_pictures(command, small, tmp_path):
    assert command(*small).code == 0
    assert not (only_run(tmp_path / "outputs") / "pictures").exists()


def shrinking(experiment: str) -> list[str]:
    """Overrides that make any experiment small: little data, few words, one step."""
    config = config_of(f"+experiment={experiment}")
    words = ["epochs=1", "steps=1", "accumulate=1", "dim=16", "log.pictures=1", "threads=1", "device=cpu"]
    words += ["schedule.warmup=1", "encoder.image.channels=[8,8]", "head.generation.max_length=2"]
    small = {"train": 120, "subwords": None, "batch_size": 12}
    for name, part in config.dataset.items():
        words += [
            f"dataset.{name}.{key}={value}".replace("None", "null") for key, value in small.items() if key in part
        ]
        words += [f"dataset.{name}.{key}=60" for key in ("validation", "test") if isinstance(part.get(key), int)]
    return words


@pytest.mark.parametrize("experiment", sorted(path.stem for path in (CONFIGS / "experiment").glob("*.yaml")))
def test_every_experiment_runs_a_step(experiment, command, tmp_path):
    answer = command(f"+experiment={experiment}", *shrinking(experiment))
    if answer.code == 66:
        pytest.skip(answer.err.strip())
    assert (answer.code, answer.err) == (0, "")
    steps = [result(path.parent)["steps"] for path in (tmp_path / "outputs").glob("*/result.json")]
    phases = config_of(f"+experiment={experiment}").phases or [""]
    assert sorted(steps) == ([0, 1] if experiment.startswith("migration") else [len(phases)])


def test_a_run_is_verified(command, small, tmp_path):
    assert command(*small, "dropout=0.2").code == 0
    run = only_run(tmp_path / "outputs")
    before = sorted(path.name for path in run.iterdir())
    answer = command("mode=verify", f"run={run}")
    assert (answer.code, answer.err) == (0, "")
    assert f"The run was repeated and matched, to the last bit: {run}" in answer.out
    assert sorted(path.name for path in run.iterdir()) == before


def test_a_run_that_is_not_what_it_says_is_found_out(command, small, tmp_path):
    """Its author made the result a little better, and sealed it."""
    assert command(*small).code == 0
    run = only_run(tmp_path / "outputs")
    better = checked((run / "result.json").read_bytes())
    better["test"]["shapes_image"]["accuracy"] += 0.01
    better["versions"]["torch"] = "2.0"
    write_checksummed(run / "result.json", better)
    answer = command("mode=verify", f"run={run}")
    assert answer.code == 6
    assert answer.err.startswith(
        "iamm-train: A repeated run must be the same to the last bit. Found test to differ. "
        f"Made under other conditions: torch 2.0 then, {torch.__version__} now. Compare {run} with /"
    )
    again = Path(answer.err.strip().removesuffix(".").rpartition(" ")[2])
    assert again.name == run.name
    shutil.rmtree(again.parent)


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda saved: saved["model"].clear(), "weights of "),
        (lambda saved: saved.update(epoch=7), "the epoch of the best model"),
        (lambda saved: saved["model"].update({k: v.double() for k, v in saved["model"].items()}), "weights of "),
    ],
    ids=["no weights", "another epoch", "other types"],
)
def test_another_model_is_found_out(command, small, tmp_path, harm, said, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    assert command(*small, "dataset=shapes", "model=fam", "steps=1").code == 0
    run = only_run(tmp_path / "outputs")
    saved = torch.load(run / "best.pt", weights_only=True)
    harm(saved)
    (run / "best.pt").write_bytes(packed(saved))
    answer = command("mode=verify", f"run={run}")
    assert answer.code == 6
    assert f"Found {said}" in answer.err


@pytest.mark.parametrize("key", ["seed", "threads", "config", "choices"])
def test_a_result_of_another_configuration_is_refused(command, small, tmp_path, key):
    """Sealed anew; a name with dots leads to no other folder."""
    assert command(*small, "dataset=shapes", "model=fam", "steps=1").code == 0
    run = only_run(tmp_path / "outputs")
    (tmp_path / "mine").mkdir()
    changed = checked((run / "result.json").read_bytes())
    match key:
        case "config":
            changed["config"]["seed"] = 99
        case "choices":
            changed["choices"]["model"] = f"../../mine/{run.name}"
        case _:
            changed[key] = 99
    write_checksummed(run / "result.json", changed)
    answer = command("mode=verify", f"run={run}")
    assert (answer.code, answer.err.count("\n")) == ((2, 1) if key == "choices" else (65, 1))
    assert ("name is one of a folder" if key == "choices" else "must be of its folder's configuration") in answer.err
    assert list((tmp_path / "mine").iterdir()) == []


def test_details_are_verified_too(command, small, tmp_path):
    assert command(*small).code == 0
    run = only_run(tmp_path / "outputs")
    changed = checked((run / "result.json").read_bytes())
    changed["details"]["shapes_image"]["confusion"][0][0] += 1
    write_checksummed(run / "result.json", changed)
    answer = command("mode=verify", f"run={run}")
    assert answer.code == 6
    assert "Found details to differ." in answer.err


def test_steps_that_are_not_finite_are_left_out_on_request(command, small):
    """What the first step left is not finite either: no measures come of that."""
    answer = command(*small, "optimizer=sgd", "optimizer.lr=1e30", "clip=null", "steps=2", "nonfinite=skip")
    assert answer.code == 4
    assert "Measures must stay finite. Found loss of shapes_image on validation" in answer.err
    assert skipped(RunState(step=2, skipped=1)) == ["1 of 2 steps were left out, not being finite."]
