from __future__ import annotations

import json
import warnings
from dataclasses import replace

import pytest
import torch

from iamm.engine.plan import RunState
from iamm.record.figure import words_figure
from iamm.record.recorder import Recorder, chart, tag, text_table
from iamm.record.run_folder import RunFolder


@pytest.fixture
def read():
    """A folder of events, as TensorBoard reads it."""

    def accumulated(path):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

            return EventAccumulator(str(path), size_guidance={"scalars": 0, "tensors": 0, "images": 0}).Reload()

    return accumulated


def points(events, name):
    return [(event.step, event.value) for event in events.Scalars(name)]


def test_tags():
    assert tag("train", "loss", "digits") == "train/loss/digits"
    assert tag("time", "seconds") == "time/seconds"


def test_intervals_and_validations_are_in_both_places(folder, interval, evaluation, read):
    recorder = Recorder(folder)
    recorder.trained(interval(2))
    recorder.trained(interval(4))
    recorder.validated(RunState(step=4, epoch=1, seconds=2.5), evaluation)
    recorder.finish()
    recorder.close()
    events = read(folder.path)
    assert points(events, "loss/train/a") == [(2, 0.5), (4, 0.25)]
    assert points(events, "weight/train/b") == [(2, 0.375), (4, 0.375)]
    assert points(events, "scene_weight/train/a/b") == [(2, 0.25), (4, 0.25)]
    assert points(events, "conflict/train/norm/b") == [(2, 0.125), (4, 0.125)]
    assert points(events, "conflict/train/cosine/a/b") == [(2, -0.5), (4, -0.5)]
    assert points(events, "penalty/train/span") == [(2, 0.75), (4, 0.75)]
    assert points(events, "learning_rate/train") == [(2, 0.25), (4, 0.0625)]
    assert points(events, "gradient_norm/train") == [(2, 3.0), (4, 3.0)]
    assert points(events, "time/steps_per_second") == [(2, 17.0), (4, 17.0)]
    assert points(events, "bleu/val/b") == [(4, 0.125)]
    assert points(events, "scene_weight/val/a/b") == [(4, 0.75)]
    assert points(events, "quality/val") == [(4, 0.3125)]
    assert points(events, "time/seconds") == [(4, 2.5)]
    *records, _ = [json.loads(line) for line in folder.records.read_text().splitlines()]
    assert [(record["kind"], record["step"], record["epoch"]) for record in records] == [
        ("train", 2, 1),
        ("train", 4, 1),
        ("val", 4, 1),
    ]
    scalars = {name: points(events, name)[-1][1] for name in events.Tags()["scalars"]}
    parts = (records[1]["values"], records[1]["time"], records[2]["values"], records[2]["time"])
    told = {chart(name): value for part in parts for name, value in part.items()}
    assert told == scalars


def test_sentences_beside_their_references(folder, evaluation, read):
    recorder = Recorder(folder)
    recorder.write_texts("val", evaluation, 4)
    recorder.finish()
    recorder.close()
    events = read(folder.path)
    assert events.Tags()["tensors"] == ["val/written/b/text_summary"]
    text = events.Tensors("val/written/b/text_summary")[0].tensor_proto.string_val[0].decode()
    lines = text.splitlines()
    assert lines[:2] == ["| written | reference |", "| --- | --- |"]
    assert lines[2:4] == ["| word 0¦ | a reference |", "| word 2¦ | a reference |"]  # 8 of 20, evenly
    assert len(lines) == 2 + 8


def test_a_table_with_bars_keeps_its_columns():
    assert text_table([("a|b", "c")]).splitlines()[2] == "| a¦b | c |"


def test_curves_come_before_the_points_of_test():
    tags = ["test/accuracy/a", "val/loss/a", "train/loss/a", "val/accuracy/a", "time/seconds", "val/quality"]
    expected = ["accuracy/val/a", "loss/train/a", "loss/val/a", "quality/val", "test/accuracy/a", "time/seconds"]
    assert sorted(map(chart, tags)) == expected


def test_both_losses_share_a_chart(folder, read):
    from tensorboard.plugins.custom_scalar.layout_pb2 import Layout

    recorder = Recorder(folder)
    recorder.layout({"a": ["accuracy", "loss"]})
    recorder.close()
    (event,) = read(folder.path).Tensors("custom_scalars__config__")
    (category,) = Layout.FromString(event.tensor_proto.string_val[0]).category
    assert category.title == "a"
    charts = {each.title: list(each.multiline.tag) for each in category.chart}
    assert charts == {"loss": ["loss/train/a$", "loss/val/a$"], "accuracy": ["accuracy/val/a$"]}


def test_hparams_stand_in_the_runs_own_folder(folder, evaluation, read):
    recorder = Recorder(folder)
    recorder.evaluated("test", 6, 2, evaluation, seconds=3.0)
    recorder.hparams({"model": "iamm", "lr": 0.5, "clip": None, "fused": True})
    recorder.finish()
    recorder.close()
    events = read(folder.path)
    assert points(events, "test/accuracy/a") == [(6, 0.5)]
    written = {name: events.summary_metadata[name] for name in events.summary_metadata if name.startswith("_hparams_")}
    assert set(written) == {
        "_hparams_/session_start_info",
        "_hparams_/session_end_info",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    def content(name):
        return HParamsPluginData.FromString(written[f"_hparams_/{name}"].plugin_data.content)

    given = content("session_start_info").session_start_info.hparams
    assert given["model"].string_value == "iamm"
    assert given["lr"].number_value == 0.5
    assert given["clip"].string_value == "None"
    assert given["fused"].number_value == 1.0
    assert [path for path in folder.path.iterdir() if path.is_dir()] == []
    assert len(list(folder.path.glob("events.out.*"))) == 1


def test_every_runs_measures_have_columns(tmp_path, evaluation):
    """Two runs of different data in one folder, by TensorBoard's own reading of the hparams tab."""
    for name, scene in (("first", "a"), ("second", "b")):
        (tmp_path / name).mkdir()
        recorder = Recorder(RunFolder(tmp_path / name))
        alone = replace(evaluation, measures={scene: evaluation.measures[scene]}, scene_weights={})
        recorder.evaluated("test", 6, 2, alone, seconds=3.0)
        recorder.hparams({"model": "iamm", "dataset": scene})
        recorder.close()
    assert columns(tmp_path) == {
        *("test/quality", "test/accuracy/a", "test/loss/a", "test/bleu/b", "test/loss/b", "time/seconds"),
    }


def columns(folder):
    """Tags of the measures in TensorBoard's hparams tab."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from tensorboard.backend.event_processing.data_provider import MultiplexerDataProvider
        from tensorboard.backend.event_processing.plugin_event_multiplexer import EventMultiplexer
        from tensorboard.context import RequestContext
        from tensorboard.plugins.base_plugin import TBContext
        from tensorboard.plugins.hparams.backend_context import Context
    multiplexer = EventMultiplexer().AddRunsFromDirectory(str(folder))
    multiplexer.Reload()
    context = Context(TBContext(data_provider=MultiplexerDataProvider(multiplexer, str(folder))))
    request = RequestContext()
    metadata = context.hparams_metadata(request, "")
    found = context.experiment_from_metadata(request, "", True, metadata, [])
    return {info.name.tag for info in found.metric_infos}


def test_a_resumed_run_shows_no_doubled_points(folder, interval, evaluation, read):
    """Checkpoints at steps 4 and 8; killed after steps 8 and 10; each time 6 and 8 come again; a test comes twice."""
    first = Recorder(folder)
    for step in (2, 4):
        first.trained(interval(step))
    first.validated(RunState(step=4, epoch=1), evaluation)
    kept = first.state_dict()
    first.trained(interval(6))
    first.state_dict()
    first.trained(interval(8))
    first.events.close()
    for _ in range(2):
        again = Recorder(folder)
        again.load_state_dict(kept)
        for step in (6, 8, 10):
            again.trained(interval(step))
        again.evaluated("test", 10, 1, evaluation, seconds=3.0)
        again.events.close()
    assert len(folder.events()) == 2  # the second life's file is gone
    last = Recorder(folder)
    last.load_state_dict(kept)
    for step in (6, 8):
        last.trained(interval(step))
    last.finish()
    last.close()
    events = read(folder.path)
    assert [step for step, _ in points(events, "loss/train/a")] == [2, 4, 6, 8]
    assert points(events, "quality/val") == [(4, 0.3125)]
    assert "test/quality" not in events.Tags()["scalars"]
    lines = [json.loads(line) for line in folder.records.read_text().splitlines()]
    told = [(line["kind"], line["step"]) for line in lines[:-1]]
    assert told == [("train", 2), ("train", 4), ("val", 4), ("train", 6), ("train", 8)]
    assert lines[-1]["kind"] == "end"


@pytest.mark.parametrize("harm", ["cut", "flipped", "deleted"])
def test_damaged_curves_are_written_anew_from_the_records(folder, interval, evaluation, read, harm):
    first = Recorder(folder)
    for step in (2, 4):
        first.trained(interval(step))
    first.validated(RunState(step=4, epoch=1, seconds=2.5), evaluation)
    kept = first.state_dict()
    first.close()
    whole = {name: points(read(folder.path), name) for name in read(folder.path).Tags()["scalars"]}
    (events,) = folder.events()
    content = events.read_bytes()
    if harm == "deleted":
        events.unlink()
    else:
        events.write_bytes(content[:-3] if harm == "cut" else content[:-3] + b"???")
    folder.records.write_text("damaged")
    again = Recorder(folder)
    again.load_state_dict(kept)
    assert again.notices == ["TensorBoard's files were damaged; their curves are written anew from the records."]
    again.close()
    assert folder.records.read_text() == kept["records"]
    assert {name: points(read(folder.path), name) for name in read(folder.path).Tags()["scalars"]} == whole


def test_a_picture_is_in_both_places(folder, read):
    recorder = Recorder(folder)
    recorder.picture("val/attention/a", words_figure(torch.rand(2, 3), ["x", "y"], ["a", "b", "c"]), 7)
    recorder.finish()
    recorder.close()
    assert (folder.pictures / "val-attention-a.png").read_bytes().startswith(b"\x89PNG")
    events = read(folder.path)
    assert events.Tags()["images"] == ["val/attention/a"]
    assert [event.step for event in events.Images("val/attention/a")] == [7]


def test_a_picture_of_a_long_name_has_a_file(folder):
    recorder = Recorder(folder)
    for ending in ("", "a"):
        recorder.picture("é" * 200 + ending, words_figure(torch.rand(1, 1), ["x"], ["a"]), 1)
    recorder.close()
    assert [len(path.name.encode()) for path in folder.pictures.iterdir()] == [251, 251]  # and .tmp


def test_the_numbers_of_pictures_lie_beside_them(folder):
    recorder = Recorder(folder)
    recorder.attention({"é": [{"head": [[0.25]]}]})
    recorder.finish()
    recorder.close()
    text = (folder.pictures / "attention.json").read_text(encoding="utf-8")
    assert text == '{"é": [{"head": [[0.25]]}]}\n'
